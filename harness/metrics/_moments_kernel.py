"""The compiled part of `harness.metrics.moments`: adaptive moments of a stamp."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

__all__ = ["moments", "moments_of_each"]

#: First weight, pixel²: narrow enough for any PSF that is sampled at all.
_START = 1.5

#: The weight ends where r^T W^-1 r exceeds this (5 sigma).
_CUT = 25.0

#: Least relative change of W, and least shift of the centre relative to its size, for another step.
_TOLERANCE = 1e-6

#: A step that makes W larger than so many times itself follows noise, not the source.
_GROWTH = 4.0

_MAX_STEPS = 200


@njit(nogil=True, cache=True, error_model="numpy")
def _weighted_sums(image, centre, weight):  # type: ignore[no-untyped-def]
    """Return sums of w I, w I x, w I y, w I x², w I y², w I xy about a centre for a weight of covariance W."""
    x0, y0 = centre
    wxx, wyy, wxy = weight
    determinant = wxx * wyy - wxy * wxy
    a, b, c = wyy / determinant, -wxy / determinant, wxx / determinant
    ny, nx = image.shape
    reach = math.sqrt(_CUT * wyy)
    total = sum_x = sum_y = sum_xx = sum_yy = sum_xy = 0.0
    for j in range(max(0, math.ceil(y0 - reach)), min(ny, math.floor(y0 + reach) + 1)):
        y = j - y0
        middle = x0 - b / a * y
        half = math.sqrt(max(0.0, (_CUT - y * y / wyy) / a))
        row = image[j]
        row_0 = row_1 = row_2 = 0.0
        for i in range(max(0, math.ceil(middle - half)), min(nx, math.floor(middle + half) + 1)):
            x = i - x0
            weighted = row[i] * math.exp(-0.5 * (a * x * x + 2 * b * x * y + c * y * y))
            row_0 += weighted
            row_1 += weighted * x
            row_2 += weighted * x * x
        total += row_0
        sum_x += row_1
        sum_y += row_0 * y
        sum_xx += row_2
        sum_yy += row_0 * y * y
        sum_xy += row_1 * y
    return total, sum_x, sum_y, sum_xx, sum_yy, sum_xy


@njit(nogil=True, cache=True, error_model="numpy")
def moments(image, x, y):  # type: ignore[no-untyped-def]
    """Return the covariance of the Gaussian weight that is the same as what it measures.

    Parameters
    ----------
    image : float64 array, shape (ny, nx)
        Stamp.
    x, y : float
        First guess at the centre, as indices of the array.

    Returns
    -------
    wxx, wyy, wxy : float
        pixel²; NaN when there is no solution.
    """
    wxx = wyy = _START
    wxy = 0.0
    for _ in range(_MAX_STEPS):
        # Neither NaN nor what is far off must become an index.
        if not (0 <= x <= image.shape[1] - 1 and 0 <= y <= image.shape[0] - 1):
            break
        total, sum_x, sum_y, sum_xx, sum_yy, sum_xy = _weighted_sums(image, (x, y), (wxx, wyy, wxy))
        if not total > 0:
            break
        shift_x, shift_y = sum_x / total, sum_y / total
        mxx = sum_xx / total - shift_x * shift_x
        myy = sum_yy / total - shift_y * shift_y
        mxy = sum_xy / total - shift_x * shift_y
        measured = mxx * myy - mxy * mxy
        if not (mxx > 0 and measured > 0):
            break
        weight = wxx * wyy - wxy * wxy
        # N = M^-1 - W^-1 is what a Gaussian source would be the inverse covariance of.
        nxx, nyy, nxy = myy / measured - wyy / weight, mxx / measured - wxx / weight, wxy / weight - mxy / measured
        n = nxx * nyy - nxy * nxy
        if nxx > 0 and n > 0 and nxx + nyy <= _GROWTH * (wxx + wyy) * n:
            new_xx, new_yy, new_xy = nyy / n, nxx / n, -nxy / n
        else:
            # The source rises outwards as far as this weight sees: 2 M has the same fixed point and is always possible.
            new_xx, new_yy, new_xy = 2 * mxx, 2 * myy, 2 * mxy
        size = new_xx + new_yy
        change = abs(new_xx - wxx) + abs(new_yy - wyy) + 2 * abs(new_xy - wxy)
        wxx, wyy, wxy = new_xx, new_yy, new_xy
        # The weight halves the distance of a Gaussian source.
        x += 2 * shift_x
        y += 2 * shift_y
        if change < _TOLERANCE * size and shift_x * shift_x + shift_y * shift_y < _TOLERANCE**2 * size:
            return wxx, wyy, wxy
    return np.nan, np.nan, np.nan


@njit(nogil=True, cache=True, error_model="numpy")
def moments_of_each(images, x, y, found):  # type: ignore[no-untyped-def]
    """Write the `moments` of each of ``images`` (n, ny, nx) to the rows of ``found`` (n, 3)."""
    for i in range(len(images)):
        found[i] = moments(images[i], x, y)
