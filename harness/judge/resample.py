"""Resampling whole visits: the bootstrap-t of a paired, linearised estimate.

Every estimate of the harness is, to first order, a sum of one deviation per visit (`Quantity.deviations`), paired
where two reruns saw the same visit.  Resampling visits with replacement then means weighting the deviations by
multinomial counts, so that all draws are one matrix product.  Each draw is studentised by its own standard error
(Efron 1979; Hall 1988), which makes the interval follow the skewness of the visits; a percentile interval would
cover 75 % instead of 99 % at three visits and 96 % at ten.

Two precautions make the interval keep its promise with few visits.  It is never inside Student's interval on n - 1
degrees of freedom; and Student's is taken at half, the resampled one at a quarter of the allowed error, because few
visits do not show the tail that they were drawn from.  That costs 10 to 20 % of width where visits are well-behaved.

Coverage of the 99 % interval, measured by simulation (``tests/unit/judge/test_coverage.py``) with 3 to 84 visits:
99 % or more for counts with strong scatter between visits, their paired changes, ratios and changes of ratios,
differences of which most are zero, and log-normal differences of sigma 0.5; 98.8 % for means over visits of unequal
weight with such differences.  Log-normal differences of sigma 1 remain below: 97 % at 3 visits, 97.6 % at 10, 98.6 % at
28, 99.4 % at 84.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["DRAWS", "pivot_limits", "weights"]

DRAWS = 10_000
MAX_GROUPS = 512
"""More visits than this are resampled in random groups, which bounds a weight matrix to 20 MB."""


@lru_cache(maxsize=8)
def weights(n_units: int, draws: int = DRAWS) -> NDArray[np.float32]:
    """Return how often each unit appears in each resample.

    The draws depend on the number of units alone: the same input gives the same verdict.  One half of them is the
    other half mirrored, so that turning the sign of all deviations turns the interval.

    Returns
    -------
    weights : (draws, n_units) float32, read-only
        Every row adds up to ``n_units``.
    """
    half = draws // 2
    picked = np.random.default_rng(n_units).integers(n_units, size=(half, n_units))
    picked += np.arange(half)[:, None] * n_units
    counts = np.bincount(picked.ravel(), minlength=half * n_units).reshape(half, n_units)
    result = np.concatenate([counts, counts[:, ::-1]]).astype(np.float32)
    result.flags.writeable = False
    return result


def pivot_limits(deviations: NDArray[np.float64], confidence: float, draws: int = DRAWS) -> tuple[float, float]:
    """Return the limits of (estimate - truth) / standard error.

    Parameters
    ----------
    deviations : (n,) float64
        First-order effect of each unit, adding up to zero, not all zero; two units at least.
    confidence
        Coverage of the interval from ``estimate - high * error`` to ``estimate - low * error``.
    draws
        Number of resamples.

    Returns
    -------
    low, high : `float`
        Negative and positive, in standard errors.
    """
    from scipy.special import stdtrit

    student = float(stdtrit(len(deviations) - 1, 1 - (1 - confidence) / 4))

    # In order of size, so that the result does not depend on how visits are numbered.
    units = np.sort(deviations / np.abs(deviations).max())
    if len(units) > MAX_GROUPS:
        units = np.random.default_rng(len(units)).permutation(units)
        units = np.add.reduceat(units, np.linspace(0, len(units), MAX_GROUPS, endpoint=False).astype(np.int64))
    n_units = len(units)
    moments = weights(n_units, draws) @ np.column_stack([units, units**2]).astype(np.float32)
    shift, square = moments[:, 0], moments[:, 1]
    variance = (square - shift**2 / n_units) * (n_units / (n_units - 1))
    # A draw of one value only (few visits, or many equal ones) has no standard error and says nothing.
    usable = variance > 1e-5 * float(units @ units)
    pivots = shift[usable] / np.sqrt(variance[usable])
    rank = int((1 - confidence) / 8 * len(pivots))
    if not len(pivots):
        return -student, student
    low, high = np.partition(pivots, (rank, len(pivots) - 1 - rank))[[rank, len(pivots) - 1 - rank]]
    return min(float(low), -student), max(float(high), student)
