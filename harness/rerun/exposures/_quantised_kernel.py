"""The compiled part of `harness.rerun.exposures.quantised`: from whole numbers to the floats they stand for."""

from __future__ import annotations

import numpy as np
from numba import njit

__all__ = ["dequantise"]


@njit(nogil=True, cache=True, error_model="numpy")
def dequantise(whole, steps, dither, special, pixels):  # type: ignore[no-untyped-def]
    """Undo the quantisation of tiles, each a row.

    Parameters
    ----------
    whole : int32 array, shape (tiles, columns)
        The whole numbers.
    steps : tuple of two float64 arrays, shape (tiles,)
        Step and offset of each tile.
    dither : tuple of a float32 array and an int64 array, shape (tiles,)
        Random numbers, and which of them tells where the dither of each tile begins, counted on after the last one.
    special : tuple of two int
        The whole numbers that stand for NaN and for zero.
    pixels : float32 array, shape (tiles, columns)
        Written to.
    """
    numbers, first = dither
    n = len(numbers)
    scales, zeros = steps
    nan, zero = special
    for tile in range(len(whole)):
        seed = first[tile] % n
        at = np.int64(numbers[seed] * np.float32(500))
        scale, offset = scales[tile], zeros[tile]
        for i in range(whole.shape[1]):
            value = whole[tile, i]
            if value == nan:
                pixels[tile, i] = np.nan
            elif value == zero:
                pixels[tile, i] = 0
            else:
                pixels[tile, i] = (np.float64(value) - np.float64(numbers[at]) + 0.5) * scale + offset
            at += 1
            if at == n:
                seed = (seed + 1) % n
                at = np.int64(numbers[seed] * np.float32(500))
