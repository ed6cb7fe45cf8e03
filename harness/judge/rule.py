"""The one rule of every verdict: the interval of the estimand against the acceptable interval."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from harness.model import Interval, VerdictState

if TYPE_CHECKING:
    from harness.judge.estimate import Estimate

__all__ = ["decide", "more_units_needed"]

_HOPELESS = 1000
"""Nobody will see this many times the visits."""


def decide(estimate: Estimate, acceptable: Interval) -> VerdictState:
    """Return what was shown.

    Parameters
    ----------
    estimate
        The estimand with its interval.
    acceptable
        Values that are acceptable, ends included.

    Returns
    -------
    state : `harness.model.VerdictState`
        PASS when the whole interval is acceptable, FAIL when none of it is, else INCONCLUSIVE.
    """
    if estimate.interval in acceptable:
        return VerdictState.PASS
    return VerdictState.INCONCLUSIVE if estimate.interval.overlaps(acceptable) else VerdictState.FAIL


def more_units_needed(estimate: Estimate, acceptable: Interval) -> int | None:
    """Return about how many more visits would decide, if they were like those seen.

    Around the same estimate, the interval shrinks with the square root of the number of visits, and with Student's
    quantile, which is 25 times the normal one at two visits.

    Returns
    -------
    more : `int` or None
        0 when they have decided already.  None when no number of visits that anybody will see is known to decide: the
        interval is infinite, or the estimate lies all but on the border.
    """
    value, seen, n_units = estimate.value, estimate.whole or estimate.interval, estimate.n_units
    if value in acceptable:
        reaches = [(value - seen.low, value - acceptable.low), (seen.high - value, acceptable.high - value)]
    elif value > acceptable.high:
        reaches = [(value - seen.low, value - acceptable.high)]
    else:
        reaches = [(seen.high - value, acceptable.low - value)]
    limited = [(reach, room) for reach, room in reaches if reach and math.isfinite(room)]
    excess = max((reach / room if room else math.inf for reach, room in limited), default=0.0)
    if excess <= 1:
        return 0
    if _shrinkage(n_units, _HOPELESS * n_units) * excess > 1:
        return None
    few, enough = n_units, _HOPELESS * n_units
    while enough - few > 1:
        middle = (few + enough) // 2
        few, enough = (few, middle) if _shrinkage(n_units, middle) * excess <= 1 else (middle, enough)
    return enough - n_units


def _shrinkage(before: int, after: int) -> float:
    """Return by which factor the interval of a mean shrinks when there are more units."""
    from scipy.special import stdtrit

    shrinks = math.sqrt(before / after)
    if before < 2:
        return shrinks
    quantiles = stdtrit([before - 1, after - 1], 0.9975)
    return shrinks * float(quantiles[1] / quantiles[0])
