"""The compiled part of `harness.rerun.exposures.psf.coadd`: a small image, mapped linearly to other pixels."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

__all__ = ["warp"]


@njit(nogil=True, cache=True, error_model="numpy")
def _fill_taps(fraction, order, taps):  # type: ignore[no-untyped-def]
    """Set the weights of the samples 1 - order, …, order from the one before a place, with unit sum."""
    total = 0.0
    for n in range(2 * order):
        t = math.pi * (fraction - (n + 1 - order))
        taps[n] = 1.0 if t == 0 else order * math.sin(t) * math.sin(t / order) / (t * t)
        total += taps[n]
    for n in range(2 * order):
        taps[n] /= total


@njit(nogil=True, cache=True, error_model="numpy")
def warp(image, matrix, origin, order, warped):  # type: ignore[no-untyped-def]
    """Interpolate an image, which is 0 outside its borders, at places that an affine map gives.

    Parameters
    ----------
    image : (h, w) float64, C order
        Values at whole columns and rows.
    matrix : (2, 2) float64
        Change of column and row in ``image`` with column and row in ``warped``.
    origin : (2,) float64
        Column and row in ``image`` of element [0, 0] of ``warped``.
    order
        Half width of the Lanczos kernel sinc(t) sinc(t / order); its taps are scaled to unit sum.
    warped : (h', w') float64, C order
        Written to.
    """
    height, width = image.shape
    across, down = np.empty(2 * order), np.empty(2 * order)
    for row in range(warped.shape[0]):
        for column in range(warped.shape[1]):
            x = origin[0] + matrix[0, 0] * column + matrix[0, 1] * row
            y = origin[1] + matrix[1, 0] * column + matrix[1, 1] * row
            left, bottom = math.floor(x), math.floor(y)
            _fill_taps(x - left, order, across)
            _fill_taps(y - bottom, order, down)
            value = 0.0
            for j in range(max(0, order - 1 - bottom), min(2 * order, height + order - 1 - bottom)):
                line = 0.0
                for i in range(max(0, order - 1 - left), min(2 * order, width + order - 1 - left)):
                    line += across[i] * image[bottom + 1 - order + j, left + 1 - order + i]
                value += down[j] * line
            warped[row, column] = value
