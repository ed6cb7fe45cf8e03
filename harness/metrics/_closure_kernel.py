"""The compiled part of `harness.metrics.closure`: one walk over three planes, block by block.

Loops have no branches, so that they are vectorized.  The largest of numbers that are not negative is that of their
bits, read as integers, for the same reason.
"""

from __future__ import annotations

import numpy as np
from numba import njit

__all__ = ["compare"]

_MAGNITUDE = np.int32(0x7FFFFFFF)
_INFINITY = np.int32(0x7F800000)
_FRACTION = np.int32(23)
_ONE = np.int32(1)

#: The spacing of floats of exponent bits e is 2^(e - 150), and the double 2^-(e - 150) has the exponent bits 1173 - e.
_INVERTED = np.int64(1173)
_DOUBLE_FRACTION = np.int64(52)


# Else it would take over what its caller allows, and a - (b + c) may exceed half a spacing where a - b - c does not.
@njit(nogil=True, cache=True, error_model="numpy", fastmath=False)
def _residual(a, b, c):  # type: ignore[no-untyped-def]
    """Return (a - b) - c in double precision, in this order."""
    return np.float64(a) - np.float64(b) - np.float64(c)


@njit(nogil=True, cache=True, error_model="numpy")
def _magnitudes(a, b, c):  # type: ignore[no-untyped-def]
    """Return bits of the smallest and the largest absolute value as float32; those of NaN are the largest."""
    first = np.float32(a).view(np.int32) & _MAGNITUDE
    second = np.float32(b).view(np.int32) & _MAGNITUDE
    third = np.float32(c).view(np.int32) & _MAGNITUDE
    return min(first, second, third), max(first, second, third)


@njit(nogil=True, cache=True, error_model="numpy")
def _in_spacings(residual, largest):  # type: ignore[no-untyped-def]
    """Return an absolute residual in units of the float32 spacing of what has the bits ``largest``."""
    exponent = np.int64(max(largest >> _FRACTION, _ONE))
    return abs(residual) * np.int64((_INVERTED - exponent) << _DOUBLE_FRACTION).view(np.float64)


@njit(nogil=True, cache=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz"})
def compare(planes, limit, worst):  # type: ignore[no-untyped-def]
    """Add up how a block of a - b - c closes.

    Parameters
    ----------
    planes : tuple of three arrays, shape (n,)
        Pixels of a, b and c.
    limit : float
        Largest residual that closes, in spacings.
    worst : float
        Largest residual of earlier blocks, in spacings.

    Returns
    -------
    n_compared, n_unclosed, n_pattern : int
        Pixels finite in all planes; those of them above the limit; pixels finite in some planes and not in all.
    squares : float
        Sum of squared residuals.
    largest : float
        Largest residual in spacings, of earlier blocks too.
    place, pattern_place : int
        First pixel of the block whose residual is the largest, -1 when an earlier block has one as large; first pixel
        finite in some planes and not in all, -1 when there is none.
    """
    a, b, c = planes
    n_all = n_some = n_unclosed = np.int32(0)
    squares = 0.0
    bits = np.int64(0)
    for i in range(len(a)):
        smallest, largest = _magnitudes(a[i], b[i], c[i])
        finite = largest < _INFINITY
        residual = _residual(a[i], b[i], c[i])
        residual = residual if finite else 0.0
        spacings = _in_spacings(residual, largest)
        n_all += np.int32(finite)
        n_some += np.int32(smallest < _INFINITY)
        n_unclosed += np.int32(spacings > limit)
        squares += residual * residual
        bits = max(bits, np.float64(spacings).view(np.int64))
    largest_residual = np.int64(bits).view(np.float64)
    place = pattern_place = -1
    if largest_residual > worst:
        worst = largest_residual
        for i in range(len(a)):
            smallest, largest = _magnitudes(a[i], b[i], c[i])
            if largest < _INFINITY and _in_spacings(_residual(a[i], b[i], c[i]), largest) == worst:
                place = i
                break
    if n_some > n_all:
        for i in range(len(a)):
            smallest, largest = _magnitudes(a[i], b[i], c[i])
            if smallest < _INFINITY <= largest:
                pattern_place = i
                break
    return n_all, n_unclosed, n_some - n_all, squares, worst, place, pattern_place
