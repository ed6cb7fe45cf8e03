"""Lossless tile-compressed planes as afw writes them by default: whole rows, bytes by significance, then gzip.

astropy reads them too, tile by tile in Python; this takes half of its time, and the rest is spent in zlib.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from astropy.io.fits import Header
    from numpy.typing import NDArray

__all__ = ["are_rows", "can_decode", "decode", "table_and_heap"]

_TYPES = {8: "u1", 16: "<i2", 32: "<i4", -32: "<f4", -64: "<f8"}
_GZIP = 31  # zlib's word for a window of any size, in gzip's format


def can_decode(header: Header) -> bool:
    """Whether the tiles are rows in ``GZIP_2`` without scaling; anything else is left to astropy."""
    return bool(
        header.get("ZCMPTYPE", "").strip() == "GZIP_2"
        and header.get("ZBITPIX") in _TYPES
        and are_rows(header)
        and header["TFIELDS"] == 1
        and header["TTYPE1"].strip() == "COMPRESSED_DATA"
        and header["TFORM1"].strip()[:2] in {"1P", "1Q"}
    )


def are_rows(header: Header) -> bool:
    """Whether each tile is a row of pixels, to which no BSCALE or BZERO applies."""
    return bool(
        header.get("ZTILE1", header["ZNAXIS1"]) == header["ZNAXIS1"]
        and header.get("ZTILE2", 1) == 1
        and header.get("BSCALE", 1) == 1
        and header.get("BZERO", 0) == 0
    )


def table_and_heap(header: Header, stored: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return the bytes of a table of tiles, and those of its heap.

    Raises
    ------
    ValueError
        When it has not one tile for each row of pixels.
    """
    if header["NAXIS2"] != header["ZNAXIS2"]:
        raise ValueError(f"it has {header['NAXIS2']} tiles for {header['ZNAXIS2']} rows")
    n_bytes = header["NAXIS1"] * header["NAXIS2"]
    return stored[:n_bytes], stored[header.get("THEAP", n_bytes) :]


def decode(header: Header, stored: NDArray[np.uint8]) -> NDArray[Any]:
    """Return the pixels.

    Parameters
    ----------
    header
        Of the table that holds the tiles; `can_decode` must hold.
    stored : (n,) uint8
        The table with its heap.

    Raises
    ------
    ValueError, zlib.error
        When what is stored is damaged.

    Notes
    -----
    "Tiled Image Convention for Storing Compressed Images in FITS Binary Tables", White et al. 2013, and the FITS
    standard 4.0, section 10: ``GZIP_2`` holds the most significant bytes of all pixels of a tile first.
    """
    rows, columns = header["ZNAXIS2"], header["ZNAXIS1"]
    table, heap = table_and_heap(header, stored)
    places = table.view(">i4" if header["TFORM1"].strip()[1] == "P" else ">i8").reshape(rows, 2).tolist()
    pixel = np.dtype(_TYPES[header["ZBITPIX"]])
    pixels = np.empty((rows, columns, pixel.itemsize), np.uint8)
    for row, (size, start) in zip(pixels, places, strict=True):
        tile = zlib.decompress(heap[start : start + size].data, _GZIP, columns * pixel.itemsize)
        row[:] = np.frombuffer(tile, np.uint8).reshape(pixel.itemsize, columns)[::-1].T  # least significant first
    return pixels.view(pixel)[..., 0]
