"""Rice-compressed FITS images, decoded in one go.

astropy decodes them tile by tile, and a tile is a row: for a detector of 16 segments the bookkeeping around its decoder
takes three times as long as the decoder.  What is out of the ordinary (floats, tiles narrower than the image, pixels
marked as blank) is left to astropy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from harness.rerun._rice_kernel import decode_tiles

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ["DamagedTileError", "can_decode", "decode"]

#: Bits of a block's count, count that means verbatim, and bits of a pixel, by the width of the pixels.
_CODINGS = {16: (4, 14, 16), 32: (5, 25, 32)}


class DamagedTileError(ValueError):
    """The bytes of a tile end early or make no sense."""


def can_decode(header: Mapping[str, Any]) -> bool:
    """Tell whether `decode` takes the image of a compressed-image table.

    Parameters
    ----------
    header
        Of the table, not of the image in it.
    """
    bits = header.get("ZBITPIX")
    offset = header.get("BZERO", 0)
    return (
        header.get("ZCMPTYPE") in {"RICE_1", "RICE_ONE"}
        and bits in _CODINGS
        and _setting(header, "BYTEPIX", 4) * 8 == bits
        and header.get("ZNAXIS") == 2
        and header.get("ZTILE1", header.get("ZNAXIS1")) == header.get("ZNAXIS1")
        and header.get("TFIELDS") == 1
        and header["TFORM1"].lstrip("1").startswith(("PB", "QB"))
        and header.get("BSCALE", 1) == 1
        and offset in {0, 1 << (bits - 1)}
        and _setting(header, "BLOCKSIZE", 32) > 0
        and "BLANK" not in header
        and "ZBLANK" not in header
    )


def decode(header: Mapping[str, Any], table: NDArray[np.uint8]) -> NDArray[Any]:
    """Return the image of a compressed-image table.

    Parameters
    ----------
    header
        Of the table.
    table : (size,) uint8
        The table's bytes: descriptors of the tiles, then the heap.

    Returns
    -------
    image : (rows, columns) int16, uint16, int32 or uint32

    Raises
    ------
    DamagedTileError
        When a tile cannot be decoded.
    """
    bits, columns, rows = header["ZBITPIX"], header["ZNAXIS1"], header["ZNAXIS2"]
    height = header.get("ZTILE2", 1)
    n_tiles = -(-rows // height)
    wide = header["TFORM1"].lstrip("1").startswith("Q")
    descriptors = table[: n_tiles * header["NAXIS1"]].view(">i8" if wide else ">i4").reshape(n_tiles, 2)
    sizes, starts = np.ascontiguousarray(descriptors.T, np.int64)
    heap = table[header.get("THEAP", header["NAXIS1"] * header["NAXIS2"]) :]
    outside = (sizes <= 0) | (starts < 0) | (starts + sizes > len(heap))
    if outside.any():
        raise DamagedTileError(f"tile {int(outside.argmax()) + 1} lies outside the table")

    image = np.empty((rows, columns), f"i{bits // 8}")
    coding = (_setting(header, "BLOCKSIZE", 32), *_CODINGS[bits])
    whole = rows // height  # the last tile may be lower than the others
    parts = [(slice(0, whole), image[: whole * height].reshape(whole, height * columns))]
    if whole < n_tiles:
        parts.append((slice(whole, n_tiles), image[whole * height :].reshape(1, -1)))
    for tiles, pixels in parts:
        damaged = decode_tiles(heap, starts[tiles], sizes[tiles], coding, pixels)
        if damaged >= 0:
            raise DamagedTileError(f"tile {tiles.start + damaged + 1} cannot be decoded")
    if header.get("BZERO", 0) == 0:
        return image
    unsigned = image.view(f"u{bits // 8}")
    unsigned += unsigned.dtype.type(1 << (bits - 1))  # wraps around: the offset stands for "unsigned"
    return unsigned


def _setting(header: Mapping[str, Any], name: str, default: int) -> int:
    """Return a parameter of the compression; they are numbered in no fixed order."""
    number = 1
    while f"ZNAME{number}" in header:
        if header[f"ZNAME{number}"].strip() == name:
            return int(header[f"ZVAL{number}"])
        number += 1
    return default
