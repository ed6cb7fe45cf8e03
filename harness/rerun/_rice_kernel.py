"""The compiled part of `harness.rerun.rice`: from the bits of Rice-compressed tiles to pixels."""

from __future__ import annotations

import numpy as np
from numba import njit

__all__ = ["decode_tiles"]

_WORD = 64
_TOP_BYTE = np.uint64(_WORD - 8)
_LEADING_ZEROS = np.array([8 - byte.bit_length() for byte in range(256)], np.uint8)


@njit(nogil=True, cache=True, error_model="numpy")
def decode_tiles(coded, starts, sizes, coding, pixels):  # type: ignore[no-untyped-def]
    """Decode tiles, each into one row of pixels.

    The algorithm is that of the FITS standard 4.0, section 10.4.1: a first pixel as it stands, then blocks of
    differences between neighbours.  A block begins with the number of low bits in its differences, plus one.  These are
    stored as they stand, and before them the rest of the difference as so many zeros and a one.  A zero at the
    beginning means that there are no differences, and the largest number that they are stored verbatim.

    Parameters
    ----------
    coded : uint8 array
        The bytes of all tiles.
    starts, sizes : int64 arrays, shape (tiles,)
        Where each tile's bytes are.
    coding : tuple of int
        Pixels per block, bits that a block's number of low bits takes, the number that means verbatim, bits of a pixel.
    pixels : signed integer array, shape (tiles, pixels of a tile)
        Written to; what does not fit wraps around, as the coded differences do.

    Returns
    -------
    damaged : int
        The first tile whose bytes end early or make no sense; -1 when there is none.
    """
    for tile in range(len(pixels)):
        start = starts[tile]
        if not _decode_tile(coded[start : start + sizes[tile]], coding, pixels[tile]):
            return tile
    return -1


@njit(nogil=True, cache=True, error_model="numpy")
def _decode_tile(coded, coding, pixels):  # type: ignore[no-untyped-def]
    """Decode one tile, and tell whether its bytes suffice."""
    block, count_bits, verbatim, pixel_bits = coding
    # Low bits and the one before them fit into this many bits and a byte of zeros.
    enough = verbatim + 8
    at, word, held = _refill(coded, 0, np.uint64(0), 0)
    value = np.int64(word >> np.uint64(_WORD - pixel_bits))
    word <<= np.uint64(pixel_bits)
    held -= pixel_bits
    for start in range(0, len(pixels), block):
        stop = min(start + block, len(pixels))
        at, word, held = _refill(coded, at, word, held)
        low_bits = np.int64(word >> np.uint64(_WORD - count_bits)) - 1
        word <<= np.uint64(count_bits)
        held -= count_bits
        if low_bits > verbatim:
            return False
        if low_bits < 0:
            pixels[start:stop] = value
        elif low_bits == verbatim:
            for i in range(start, stop):
                at, word, held = _refill(coded, at, word, held)
                value += _signed(np.int64(word >> np.uint64(_WORD - pixel_bits)))
                pixels[i] = value
                word <<= np.uint64(pixel_bits)
                held -= pixel_bits
        else:
            for i in range(start, stop):
                if held < enough:
                    at, word, held = _refill(coded, at, word, held)
                high = np.int64(0)
                while word >> _TOP_BYTE == 0:
                    high += 8
                    word <<= np.uint64(8)
                    held -= 8
                    if held < enough:
                        if at > len(coded) + 8:
                            return False
                        at, word, held = _refill(coded, at, word, held)
                zeros = np.int64(_LEADING_ZEROS[word >> _TOP_BYTE])
                # The one goes out at the top and comes back as a zero: without low bits, the lowest bit is that zero.
                word <<= np.uint64(zeros)
                low = np.int64((word << np.uint64(1) >> np.uint64(1)) >> np.uint64(_WORD - 1 - low_bits))
                value += _signed((high + zeros) << low_bits | low)
                pixels[i] = value
                word <<= np.uint64(low_bits + 1)
                held -= zeros + 1 + low_bits
    return at - (held >> 3) <= len(coded)


@njit(inline="always")
def _refill(coded, at, word, held):  # type: ignore[no-untyped-def]
    """Append whole bytes to the bits held at the top of a word; zeros after the end."""
    while held <= _WORD - 8:
        if at < len(coded):
            word |= np.uint64(coded[at]) << np.uint64(_WORD - 8 - held)
        at += 1
        held += 8
    return at, word, held


@njit(inline="always")
def _signed(coded):  # type: ignore[no-untyped-def]
    """Return the difference that a number stands for: 0, -1, 1, -2, ... in order."""
    return (coded >> 1) ^ -(coded & 1)
