"""How the interval of an estimate comes about.

Whatever is estimated is, to first order, a sum of one deviation per visit, and `harness.judge.resample` turns
deviations into an interval.  Counts need two more arguments:

*A few events say little about rarer ones.*  A net change of d counts takes at least d sources that came or went, each
by chance, so an interval is never inside the exact law of counts.  Where at most half of the visits changed at all,
what is counted are changed visits, each worth a typical change (the scaled Poisson distribution, Bohm & Zech 2014).

*Identical numbers.*  Differences that are exactly zero in every visit have the interval [0, 0], provided that they did
not come about by chance.  Of n visits without a change, a change that shows in at least every second visit would leave
2⁻ⁿ: 7 visits exclude it at 99 %.  With fewer visits the counts must be so large that independent counts would repeat
themselves with a probability below 1 - confidence.  Failing both (0 against 0 in three visits), the counting errors of
the two sides stand.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from harness.judge.counting import chance_of_equality, difference_interval, poisson_interval
from harness.judge.resample import pivot_limits
from harness.model import Interval

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.judge.quantity import Quantity

__all__ = [
    "EVERYTHING",
    "are_equal",
    "clipped",
    "event_interval",
    "is_beyond_chance",
    "normal_interval",
    "resampled_interval",
    "spread",
    "union",
]

EVERYTHING = Interval(-math.inf, math.inf)


def spread(deviations: NDArray[np.float64]) -> float:
    """Return the standard error of an estimate from the deviations of two or more units."""
    n_units = len(deviations)
    return math.sqrt(n_units / (n_units - 1) * float(deviations @ deviations))


def resampled_interval(value: float, deviations: NDArray[np.float64], confidence: float) -> Interval:
    """Return the interval of an estimate whose units deviate as given (two units at least)."""
    error = spread(deviations)
    if error == 0:
        return Interval(value, value)
    low, high = pivot_limits(deviations, confidence)
    return Interval(value - high * error, value - low * error)


def normal_interval(value: float, error: float, confidence: float) -> Interval:
    """Return the interval of a value with a stated standard uncertainty; everything when that is NaN."""
    from scipy.special import ndtri

    if math.isnan(error):
        return EVERYTHING
    reach = float(ndtri((1 + confidence) / 2)) * error
    return Interval(value - reach, value + reach)


def event_interval(
    parts: NDArray[np.float64], event: float | None, confidence: float, *, can_shrink: bool
) -> Interval | None:
    """Return the interval of a sum of parts that come about by countable events.

    Parameters
    ----------
    parts : (n,) float64
        What each unit contributes; they add up to the estimate.
    event
        What one event contributes; None where nothing is counted.
    confidence
        Coverage of the interval.
    can_shrink
        Whether events of both signs are possible, although none of one sign was seen.

    Returns
    -------
    interval : `harness.model.Interval` or None
        None when there is no telling what an event would be.
    """
    size = float(np.abs(parts).sum())
    weight = event or 0.0
    if size and 2 * np.count_nonzero(parts) <= len(parts):
        weight = max(weight, float(parts @ parts) / size)
    if not weight:
        return None
    up, down = float(parts[parts > 0].sum()) / weight, -float(parts[parts < 0].sum()) / weight
    gained = poisson_interval(up, confidence)
    if down or can_shrink:
        gained = difference_interval(up, gained, down, poisson_interval(down, confidence))
    return Interval(weight * gained.low, weight * gained.high)


def are_equal(ours: Quantity, theirs: Quantity) -> bool:
    """Return whether two sides have exactly the same numbers in every unit."""
    if ours.denominator is None or theirs.denominator is None:
        same_divisors = ours.denominator is theirs.denominator
    else:
        same_divisors = np.array_equal(ours.denominator, theirs.denominator)
    return same_divisors and np.array_equal(ours.numerator, theirs.numerator)


def is_beyond_chance(quantity: Quantity, confidence: float) -> bool:
    """Return whether another rerun that changed something would hardly have repeated these numbers."""
    allowed = (1 - confidence) * (1 + 1e-9)  # 1 - 0.9 is a little less than 0.1
    if 0.5**quantity.n_units <= allowed or not quantity.is_counted:
        return True
    return chance_of_equality(quantity.numerator) <= allowed


def clipped(interval: Interval, possible: Interval, value: float) -> Interval:
    """Return what of an interval is possible; an estimate that is itself impossible is left alone."""
    if value not in possible:
        return interval
    return Interval(max(interval.low, possible.low), min(interval.high, possible.high))


def union(first: Interval, second: Interval | None) -> Interval:
    """Return the smallest interval that holds both."""
    return first if second is None else Interval(min(first.low, second.low), max(first.high, second.high))
