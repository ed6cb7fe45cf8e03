"""Noise covariances of an image with holes, by direct sums.

They are those of Astier et al. 2019 (arXiv:1905.08677, appendix A), which the Fourier transform of the zero-padded
image gives as well: at a few lags sums over the pixels are much faster, and need no padding to powers of two.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, final

import numpy as np

from harness.metrics.ptc._lag_kernel import BLOCK, lag_products, neighbour_sums

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["PaddedImage", "lag_covariances"]

#: Widths are rounded up to this many pixels, a vector register of any processor, with zeros.
_VECTOR = 16


@final
class PaddedImage:
    """An image with holes, as `lag_covariances` wants it; meant to be filled again and again.

    Parameters
    ----------
    shape
        Rows and columns of the image.
    max_lag
        Largest lag that covariances are wanted at.

    Attributes
    ----------
    values : (ny, nx) float32
        To be filled with the image, 0 where there is a hole.
    weights : (ny, nx) float32
        To be filled with 1, and 0 where there is a hole.
    padded : tuple
        The arrays that values and weights are views into, and the width of the margin of zeros around them.
    max_lag : int
        As given.
    """

    __slots__ = ("max_lag", "padded", "values", "weights")

    def __init__(self, shape: tuple[int, int], max_lag: int) -> None:
        ny, nx = shape
        self.max_lag = max_lag
        margin = max_lag + BLOCK - 1
        width = -(-nx // _VECTOR) * _VECTOR
        values, weights = (np.zeros((ny + 2 * margin, width + 2 * margin), np.float32) for _ in range(2))
        self.padded = values, weights, margin
        inside = np.s_[margin : margin + ny, margin : margin + nx]
        self.values, self.weights = values[inside], weights[inside]

    def products(self) -> NDArray[np.float64]:
        """Return the sum of products of two values at each lag, shape (max_lag + 1, 2 max_lag + 1): y, and x ± ."""
        return np.asarray(lag_products(self.padded[0], self.max_lag))

    def surroundings(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the sums of values and of weights at each lag from a hole, shape (2 max_lag + 1, 2 max_lag + 1)."""
        holes = np.flatnonzero(self.weights == 0), self.values.shape[1]
        of_values, of_weights = neighbour_sums(self.padded, holes, self.max_lag)
        return of_values, of_weights


def lag_covariances(
    image: PaddedImage, row_sums: NDArray[np.float64], row_counts: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the covariances of pixels at each lag, and the number of pairs of pixels they rest on.

    With T the image and w its weights, P(d) = Σ T(p) T(p + d), M(d) = Σ T(p) w(p + d) and N(d) = Σ w(p) w(p + d),
    the covariance at lag d is P(d)/N(d) - M(d) M(-d)/N(d)²; at lags off the axes the mean of it at (dx, dy) and at
    (dx, -dy).

    Parameters
    ----------
    image
        The image and its weights.
    row_sums, row_counts : (ny,)
        Sums of values and of weights of each row.

    Returns
    -------
    covariance : (max_lag + 1, max_lag + 1)
        By lag in x (serial) and in y (parallel), in squared units of the image; NaN where no two pixels are that far
        apart.
    pairs : (max_lag + 1, max_lag + 1)
        Number of pairs of pixels.
    """
    lag = image.max_lag
    values_near_holes, weights_near_holes = image.surroundings()
    # Σ T(p) w(p + d) is the sum over all p with p + d in the image, less those with p + d in a hole.
    overlap = _sums_within(image.values, row_sums, lag) - values_near_holes[::-1, ::-1]
    pairs = _sums_within(image.weights, row_counts, lag) - weights_near_holes[::-1, ::-1]

    # From here on [dy, dx + lag], dy from 0.
    counts = pairs[lag:]
    with np.errstate(divide="ignore", invalid="ignore"):
        covariance = image.products() / counts - overlap[lag:] * overlap[lag::-1, ::-1] / counts**2
    right, left = slice(lag, None), slice(lag, None, -1)
    result, n = covariance[:, right].copy(), counts[:, right].copy()
    result[1:, 1:] = (result[1:, 1:] + covariance[1:, left][:, 1:]) / 2
    n[1:, 1:] += counts[1:, left][:, 1:]
    return result.T, n.T


def _sums_within(values: NDArray[np.float32], row_sums: NDArray[np.float64], lag: int) -> NDArray[np.float64]:
    """Return the sum over the pixels p with p + d in the image, for each lag d from -lag to lag in (y, x)."""
    ny = len(values)
    shifts = np.arange(-lag, lag + 1)
    # By row and dx: a shift to the right loses columns at the right, one to the left at the left.
    by_row = np.repeat(row_sums[:, None], len(shifts), axis=1)
    by_row[:, :lag] -= np.cumsum(values[:, :lag], axis=1, dtype=np.float64)[:, ::-1]
    by_row[:, lag + 1 :] -= np.cumsum(values[:, : -lag - 1 : -1], axis=1, dtype=np.float64)
    from_top = np.concatenate([np.zeros((1, len(shifts))), np.cumsum(by_row, axis=0)])
    return np.asarray(from_top[np.minimum(ny, ny - shifts)] - from_top[np.maximum(0, -shifts)])
