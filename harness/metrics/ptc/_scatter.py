"""How much the variances of a curve scatter, from the curve itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["LEAST_SCATTER", "estimated_scatter"]

_REJECTED_BEYOND = 5.0
_ROUNDS = 30
#: Fewer pairs than this cannot tell two kinds of scatter apart.
_ENOUGH = 20
#: No scatter is smaller: it would be that of 2e10 pixels.
LEAST_SCATTER = 1e-5


def estimated_scatter(
    residual: NDArray[np.float64], expected: NDArray[np.float64], chosen: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return the standard error of each variance as a fraction of it.

    Real variances scatter by a part that is proportional to the variance (photons), and by a constant one (read noise
    that changes from pair to pair).  Both are estimated by maximum likelihood, without residuals of more than 5
    standard errors; where there are fewer than 20 pairs, the constant part is taken to be zero.

    Parameters
    ----------
    residual, expected : (n_amp, n) float64
        Variance minus model, and model, adu².
    chosen : (n_amp, n) bool
        Pairs to learn from.
    """
    square = (residual / expected) ** 2
    constant_shape = expected**-2.0
    # The median of a squared normal variable is 0.455.
    proportional = _median(square, chosen) / 0.455
    enough = np.count_nonzero(chosen, axis=1, keepdims=True) >= _ENOUGH
    constant = np.where(enough, _median(residual**2, chosen) / 0.455, 0)
    for _ in range(_ROUNDS):
        variance = np.maximum(proportional + constant * constant_shape, LEAST_SCATTER**2)
        weight = np.where(chosen & (square < _REJECTED_BEYOND**2 * variance), 1 / variance, 0)
        excess = weight * square / variance
        proportional = proportional * _ratio(excess, weight)
        constant = constant * _ratio(excess * constant_shape, weight * constant_shape)
    return np.sqrt(np.maximum(proportional + constant * constant_shape, LEAST_SCATTER**2))


def _median(values: NDArray[np.float64], chosen: NDArray[np.bool_]) -> NDArray[np.float64]:
    ordered = np.sort(np.where(chosen, values, np.inf), axis=1)
    middle = (np.count_nonzero(chosen, axis=1, keepdims=True) - 1) // 2
    median = np.take_along_axis(ordered, np.maximum(middle, 0), axis=1)
    return np.where(np.isfinite(median), median, 0)


def _ratio(above: NDArray[np.float64], below: NDArray[np.float64]) -> NDArray[np.float64]:
    total = below.sum(axis=1, keepdims=True)
    return np.asarray(above.sum(axis=1, keepdims=True) / np.where(total > 0, total, 1))
