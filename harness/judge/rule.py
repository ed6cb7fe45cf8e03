"""The one rule of every verdict: the interval of the estimand against the acceptable interval."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from harness.model import Interval, VerdictState

if TYPE_CHECKING:
    from harness.judge.estimate import Estimate

__all__ = ["decide", "more_units_needed"]

_HOPELESS = 1000.0
"""An interval this many times too wide would take a million times the visits."""


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

    The interval shrinks with the square root of their number around the same estimate.

    Returns
    -------
    more : `int` or None
        0 when they have decided already.  None when no number of visits that anybody will see is known to decide: the
        interval is infinite, or the estimate lies all but on the border.
    """
    value, seen = estimate.value, estimate.interval
    if value in acceptable:
        reaches = [(value - seen.low, value - acceptable.low), (seen.high - value, acceptable.high - value)]
    elif value > acceptable.high:
        reaches = [(value - seen.low, value - acceptable.high)]
    else:
        reaches = [(seen.high - value, acceptable.low - value)]
    limited = [(reach, room) for reach, room in reaches if reach and math.isfinite(room)]
    excess = max((reach / room if room else math.inf for reach, room in limited), default=0.0)
    if excess > _HOPELESS:
        return None
    return max(0, math.ceil(estimate.n_units * (excess**2 - 1)))
