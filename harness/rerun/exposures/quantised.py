"""Lossy tile-compressed planes as pipelines of LSST write them: rows of floats, quantised, dithered and Rice-coded.

astropy reads them too, row by row; this takes half of its time.  Anything out of the ordinary is left to astropy.
"""

from __future__ import annotations

import zlib
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.rerun._rice_kernel import decode_tiles
from harness.rerun.exposures._quantised_kernel import dequantise
from harness.rerun.exposures.tiles import are_rows, table_and_heap

if TYPE_CHECKING:
    from astropy.io.fits import Header
    from numpy.typing import NDArray

__all__ = ["can_decode", "decode"]

_GZIP = 31  # zlib's word for a window of any size, in gzip's format
_BLOCK, _RICE_OF_32_BITS = 32, (5, 25, 32)
_SETTINGS = {"BLOCKSIZE": _BLOCK, "BYTEPIX": 4}
_COLUMNS = {"COMPRESSED_DATA", "GZIP_COMPRESSED_DATA", "ZSCALE", "ZZERO"}
_CELLS = {"1PB": ">i4", "1QB": ">i8", "1D": ">f8"}
#: Whole numbers that stand for NaN, and for a zero that was left as it is.
_BLANK, _ZERO = -(2**31), -(2**31) + 2


def can_decode(header: Header) -> bool:
    """Whether the tiles are rows of float32 in ``RICE_1``, dithered."""
    names = [header.get(f"ZNAME{number}") for number in (1, 2)]
    return bool(
        header.get("ZCMPTYPE", "").strip() in {"RICE_1", "RICE_ONE"}
        and header.get("ZBITPIX") == -32
        and header.get("ZQUANTIZ", "").strip() in {"SUBTRACTIVE_DITHER_1", "SUBTRACTIVE_DITHER_2"}
        and are_rows(header)
        and header.get("ZBLANK", _BLANK) == _BLANK
        and all(header[f"ZVAL{at}"] == _SETTINGS.get(name) for at, name in enumerate(names, 1) if name is not None)
        and {"COMPRESSED_DATA", "ZSCALE", "ZZERO"} <= set(_cells(header)) <= _COLUMNS
        and set(_cells(header).values()) <= set(_CELLS)
    )


def decode(header: Header, stored: NDArray[np.uint8]) -> NDArray[np.float32]:
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
    FITS standard 4.0, sections 10.2 and 10.4.1.  A row that cannot be quantised (it is constant, or all NaN) stands as
    it is in gzip.
    """
    rows, columns = header["ZNAXIS2"], header["ZNAXIS1"]
    cells, heap = table_and_heap(header, stored)
    table = cells.view(_row_type(header))
    sizes, starts = _places(table["COMPRESSED_DATA"], len(heap))
    pixels = np.empty((rows, columns), np.float32)
    coded = np.flatnonzero(sizes)
    whole = np.empty((len(coded), columns), np.int32)
    damaged = decode_tiles(heap, starts[coded], sizes[coded], (_BLOCK, *_RICE_OF_32_BITS), whole)
    if damaged >= 0:
        raise ValueError(f"row {coded[damaged] + 1} cannot be decoded")
    values = np.empty_like(whole, np.float32) if len(coded) < rows else pixels
    scales, zeros = (table[name][coded].astype(np.float64) for name in ("ZSCALE", "ZZERO"))
    zero = _ZERO if header["ZQUANTIZ"].strip() == "SUBTRACTIVE_DITHER_2" else _BLANK
    first = coded + header.get("ZDITHER0", 1) - 1
    dequantise(whole, (scales, zeros), (_dither(), first), (_BLANK, zero), values)
    if len(coded) < rows:
        pixels[coded] = values
        sizes, starts = _places(table["GZIP_COMPRESSED_DATA"], len(heap))
        for row in np.setdiff1d(np.arange(rows), coded):
            tile = zlib.decompress(heap[starts[row] : starts[row] + sizes[row]].data, _GZIP)
            pixels[row] = np.frombuffer(tile, ">f4")
    return pixels


def _cells(header: Header) -> dict[str, str]:
    """Return the format of each column of the table, without the longest length of its cells."""
    numbers = range(1, header["TFIELDS"] + 1)
    return {header[f"TTYPE{i}"].strip(): header[f"TFORM{i}"].strip().partition("(")[0] for i in numbers}


def _row_type(header: Header) -> np.dtype[Any]:
    cells = _cells(header)
    return np.dtype([(name, _CELLS[cell], () if cell == "1D" else (2,)) for name, cell in cells.items()])


def _places(cells: NDArray[Any], n_bytes: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return how many bytes each tile has, and where in the heap they begin."""
    sizes, starts = np.ascontiguousarray(cells.T, np.int64)
    if ((sizes < 0) | (starts < 0) | (starts + sizes > n_bytes)).any():
        raise ValueError("tiles lie outside the table")
    return sizes, starts


@cache
def _dither() -> NDArray[np.float32]:
    """Return the random numbers of the FITS standard, appendix I (Park & Miller 1988)."""
    seed, numbers = 1, np.empty(10_000)
    for i in range(len(numbers)):
        seed = 16807 * seed % (2**31 - 1)
        numbers[i] = seed / (2**31 - 1)
    if seed != 1043618065:
        raise AssertionError("the FITS standard gives the last of these numbers")
    return numbers.astype(np.float32)
