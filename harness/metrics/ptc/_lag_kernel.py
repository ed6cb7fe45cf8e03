"""The compiled part of `harness.metrics.ptc.covariances`: sums over products of an image and the image shifted.

Images have a margin of zeros, so that nothing has to be asked at the borders.
"""

from __future__ import annotations

import numpy as np
from numba import njit

__all__ = ["BLOCK", "lag_products", "neighbour_sums"]

#: Lags in each direction that `lag_products` forms at a time: with 3 × 3 running sums each pixel that is loaded
#: serves three products, and all sums stay in registers.
BLOCK = 3


@njit(nogil=True, cache=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz"})
def lag_products(image, max_lag):  # type: ignore[no-untyped-def]
    """Sum the products of each pixel and the pixel some rows and columns away.

    Parameters
    ----------
    image : float32 array, shape (ny + 2 margin, nx + 2 margin)
        The image within a margin of zeros, ``max_lag + BLOCK - 1`` wide.
    max_lag : int
        Largest lag.

    Returns
    -------
    products : float64 array, shape (max_lag + 1, 2 max_lag + 1)
        The sum for each lag in y from 0, and in x from ``-max_lag``.
    """
    zero = np.float32(0)
    margin = max_lag + BLOCK - 1
    nx = image.shape[1] - 2 * margin
    # Whole blocks; what is too much is cut off at the end.
    products = np.zeros((max_lag + BLOCK, 2 * max_lag + BLOCK))
    for y in range(margin, image.shape[0] - margin):
        for j in range(0, max_lag + 1, BLOCK):
            away0 = image[y + j, margin : margin + nx]
            away1 = image[y + j + 1, margin : margin + nx]
            away2 = image[y + j + 2, margin : margin + nx]
            for k in range(0, 2 * max_lag + 1, BLOCK):
                start = margin + max_lag - k
                here0 = image[y, start : start + nx]
                here1 = image[y, start - 1 : start - 1 + nx]
                here2 = image[y, start - 2 : start - 2 + nx]
                s00 = s01 = s02 = s10 = s11 = s12 = s20 = s21 = s22 = zero
                for x in range(nx):
                    s00 += away0[x] * here0[x]
                    s01 += away0[x] * here1[x]
                    s02 += away0[x] * here2[x]
                    s10 += away1[x] * here0[x]
                    s11 += away1[x] * here1[x]
                    s12 += away1[x] * here2[x]
                    s20 += away2[x] * here0[x]
                    s21 += away2[x] * here1[x]
                    s22 += away2[x] * here2[x]
                products[j, k] += s00
                products[j, k + 1] += s01
                products[j, k + 2] += s02
                products[j + 1, k] += s10
                products[j + 1, k + 1] += s11
                products[j + 1, k + 2] += s12
                products[j + 2, k] += s20
                products[j + 2, k + 1] += s21
                products[j + 2, k + 2] += s22
    return products[: max_lag + 1, : 2 * max_lag + 1]


@njit(nogil=True, cache=True, error_model="numpy")
def neighbour_sums(padded, places, max_lag):  # type: ignore[no-untyped-def]
    """Add up the surroundings of some pixels, values and weights apart.

    Parameters
    ----------
    padded : tuple
        Values and weights, float32 arrays of the shape (ny + 2 margin, at least nx + 2 margin), and the margin.
    places : tuple
        The pixels by their number in the image without margin, row after row (int64), and the image's width.
    max_lag : int
        Reach of the surroundings to each side.

    Returns
    -------
    of_values, of_weights : float64 array, shape (2 max_lag + 1, 2 max_lag + 1)
        The sums; the pixels themselves stand in the middle.
    """
    values, weights, margin = padded
    pixels, nx = places
    side = 2 * max_lag + 1
    of_values = np.zeros((side, side))
    of_weights = np.zeros((side, side))
    for pixel in pixels:
        top = margin + pixel // nx - max_lag
        left = margin + pixel % nx - max_lag
        for j in range(side):
            value_row = values[top + j, left : left + side]
            weight_row = weights[top + j, left : left + side]
            value_sums = of_values[j]
            weight_sums = of_weights[j]
            for i in range(side):
                value_sums[i] += value_row[i]
                weight_sums[i] += weight_row[i]
    return of_values, of_weights
