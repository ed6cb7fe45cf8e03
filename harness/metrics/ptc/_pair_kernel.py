"""The compiled part of `harness.metrics.ptc.pair_statistics`: one walk over two flats in the order of memory.

Sums over a row are single precision, 16 or so at a time; those of rows are added in double precision.
"""

from __future__ import annotations

import numpy as np
from numba import njit

__all__ = ["SUMS", "difference_sums", "select"]

#: Sums may be reordered, or loops are not vectorized.  NaN and infinities keep their meaning.
_REORDERED = {"reassoc", "contract", "nsz", "arcp"}

#: Columns of ``sums`` of `select`.
SUMS = ("n", "first", "first²", "second", "second²", "difference", "difference²", "rhl", "n_rhl")


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_REORDERED)
def difference_sums(first, second, typical):  # type: ignore[no-untyped-def]
    """Add up what means, the variance of the difference and the RHL estimator of all pixels need.

    Parameters
    ----------
    first, second : float32 array, shape (ny, nx)
        The flats.
    typical : tuple of two float32
        Roughly the mean of d = first - second and of s = first + second: sums of squares are of what differs from it.

    Returns
    -------
    sums : float64 array, shape (7,)
        Of d, s, d², d s and s², all less what is typical; of d²/s where s is positive; the number of those pixels.
    """
    zero = np.float32(0)
    typical_d, typical_s = typical
    sums = np.zeros(7)
    for y in range(first.shape[0]):
        row1 = first[y]
        row2 = second[y]
        sum_d = sum_s = sum_dd = sum_ds = sum_ss = sum_rhl = n_rhl = zero
        for x in range(len(row1)):
            difference = row1[x] - row2[x]
            total = row1[x] + row2[x]
            d = difference - typical_d
            s = total - typical_s
            sum_d += d
            sum_s += s
            sum_dd += d * d
            sum_ds += d * s
            sum_ss += s * s
            rhl = difference * difference / total
            sum_rhl += rhl if total > zero else zero
            n_rhl += np.float32(total > zero)
        sums[0] += sum_d
        sums[1] += sum_s
        sums[2] += sum_dd
        sums[3] += sum_ds
        sums[4] += sum_ss
        sums[5] += sum_rhl
        sums[6] += n_rhl
    return sums


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_REORDERED)
def select(flats, limits, slope, padded, sums):  # type: ignore[no-untyped-def]
    """Form the scaled difference D = d - slope s of the pixels within limits, and what is summed over them by row.

    Parameters
    ----------
    flats : tuple of arrays, shape (ny, nx)
        The two flats (float32), and which pixels are not to be used (bool).
    limits : float32 array, shape (3, 2)
        Lowest and highest value to be used of the first flat, the second flat and D.  A NaN is within no limits.
    slope : float32
        Relative half difference of the flats' means.
    padded : tuple
        Two float32 arrays that receive D and 1 where used, both 0 elsewhere, and the width of the margin around them.
    sums : float64 array, shape (ny, 9)
        Receives `SUMS` of each row, those of flats less the middle between their limits.
    """
    first, second, excluded = flats
    values, weights, margin = padded
    zero = np.float32(0)
    half = np.float32(0.5)
    low1, high1 = limits[0]
    low2, high2 = limits[1]
    low, high = limits[2]
    middle1 = half * (low1 + high1)
    middle2 = half * (low2 + high2)
    for y in range(first.shape[0]):
        row1 = first[y]
        row2 = second[y]
        excluded_row = excluded[y]
        value_row = values[margin + y, margin : margin + len(row1)]
        weight_row = weights[margin + y, margin : margin + len(row1)]
        n = sum_1 = sum_11 = sum_2 = sum_22 = sum_v = sum_vv = sum_rhl = n_rhl = zero
        for x in range(len(row1)):
            pixel1 = row1[x]
            pixel2 = row2[x]
            difference = pixel1 - pixel2
            total = pixel1 + pixel2
            value = difference - slope * total
            # Without branches (`&` and ``== 0``, not `and` and `not`) the loop is vectorized.
            used = (
                (excluded_row[x] == 0)
                & (pixel1 >= low1)
                & (pixel1 <= high1)
                & (pixel2 >= low2)
                & (pixel2 <= high2)
                & (value >= low)
                & (value <= high)
            )
            value = value if used else zero
            p1 = pixel1 - middle1 if used else zero
            p2 = pixel2 - middle2 if used else zero
            n += np.float32(used)
            sum_1 += p1
            sum_11 += p1 * p1
            sum_2 += p2
            sum_22 += p2 * p2
            sum_v += value
            sum_vv += value * value
            in_rhl = used & (total > zero)
            rhl = difference * difference / total
            sum_rhl += rhl if in_rhl else zero
            n_rhl += np.float32(in_rhl)
            value_row[x] = value
            weight_row[x] = np.float32(used)
        row = sums[y]
        row[0] = n
        row[1] = sum_1
        row[2] = sum_11
        row[3] = sum_2
        row[4] = sum_22
        row[5] = sum_v
        row[6] = sum_vv
        row[7] = sum_rhl
        row[8] = n_rhl
