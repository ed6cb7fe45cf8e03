"""Equation 20 of Astier et al. (2019): the covariances of a flat as quartics of its mean, lag by lag.

With x = gain × mean, * the convolution over all lags (each matrix is reflected into four quadrants, and is zero beyond
its last lag) and c = a b element by element::

    C_ij = (mean / gain) [δ + a x + (2/3) (a*a + c) x² + ((1/3) a*a*a + (5/6) a*c) x³]_ij + n_ij / gain²

Signals are scaled here by their maximum m, so that all parameters are of order one: A = a m, and C = c m².
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["coefficients", "powers", "unpack"]


def powers(mean: NDArray[np.float64], maximum: float) -> NDArray[np.float64]:
    """Return the (n, 5) functions of the mean that a lag's five coefficients multiply: 1, µ, µt, µt², µt³, t = µ/m."""
    t = mean / maximum
    return np.stack([np.ones_like(mean), mean, mean * t, mean * t**2, mean * t**3], axis=1)


def unpack(parameters: NDArray[np.float64], side: int) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
    """Return gain, A and C, the matrices flat; C is zero where the parameters have none."""
    n_lags = side * side
    c = parameters[1 + n_lags :]
    return float(parameters[0]), parameters[1 : 1 + n_lags], c if c.size else np.zeros(n_lags)


def coefficients(parameters: NDArray[np.float64], side: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return every lag's coefficients of `powers` but the constant's, and their derivatives.

    Parameters
    ----------
    parameters : (1 + side²,) or (1 + 2 side²,) float64
        Gain, A and, unless b is zero, C.
    side
        Number of lags in each direction.

    Returns
    -------
    coefficients : (side², 4) float64
    slopes : (side², 4, number of parameters) float64
    """
    gain, a, c = unpack(parameters, side)
    n_lags = side * side
    by_a = _convolution_by(a.reshape(side, side), side)
    aa = _self_convolution(a.reshape(side, side))
    by_aa = _convolution_by(aa, side)

    made = np.zeros((n_lags, 4))
    made[0, 0] = 1 / gain
    made[:, 1] = a
    made[:, 2] = 2 / 3 * gain * (aa[:side, :side].ravel() + c)
    made[:, 3] = gain**2 * (by_aa @ a / 3 + 5 / 6 * by_a @ c)

    slopes = np.zeros((n_lags, 4, parameters.size))
    slopes[0, 0, 0] = -1 / gain**2
    slopes[:, 2, 0] = made[:, 2] / gain
    slopes[:, 3, 0] = 2 * made[:, 3] / gain
    of_a, of_c = slopes[:, :, 1 : 1 + n_lags], slopes[:, :, 1 + n_lags :]
    one = np.eye(n_lags)
    of_a[:, 1] = one
    of_a[:, 2] = 4 / 3 * gain * by_a
    of_a[:, 3] = gain**2 * (by_aa + 5 / 6 * _convolution_by(c.reshape(side, side), side))
    if of_c.size:
        of_c[:, 2] = 2 / 3 * gain * one
        of_c[:, 3] = 5 / 6 * gain**2 * by_a
    return made, slopes


def _self_convolution(quadrant: NDArray[np.float64]) -> NDArray[np.float64]:
    """Convolve a matrix with itself at all lags where the result is not zero, 0 to 2 (side - 1)."""
    side = len(quadrant)
    wide = 2 * side - 1
    return (_convolution_by(quadrant, side, wide) @ quadrant.ravel()).reshape(wide, wide)


def _convolution_by(kernel: NDArray[np.float64], side: int, side_out: int | None = None) -> NDArray[np.float64]:
    """Return the (side_out², side²) matrix that convolves a quadrant of lags with the kernel.

    All of the kernel's lags that meet one of the ``side`` lags are taken: no truncation but that of the quadrant.
    """
    side_out = side if side_out is None else side_out
    reach = side_out + side - 1
    padded = np.zeros((reach, reach))
    known = min(reach, len(kernel))
    padded[:known, :known] = kernel[:known, :known]
    lag, reflected, weight = _lags_between(side_out, side)
    half = padded[lag] + weight[:, None] * padded[reflected]
    both = half[:, lag] + weight * half[:, reflected]
    return both.reshape(side_out, side, side_out, side).transpose(0, 2, 1, 3).reshape(side_out**2, side**2)


@cache
def _lags_between(side_out: int, side: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Return the kernel's lag from k to i, that from -k to i, and whether -k is another lag than k (1 or 0)."""
    i, k = (index.ravel() for index in np.indices((side_out, side)))
    return np.abs(i - k), i + k, (k > 0).astype(float)
