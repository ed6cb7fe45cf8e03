"""How far a verdict is from what is acceptable, in tolerances: the order in which failures are told."""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.model import Interval, Verdict

__all__ = ["size_over_tolerance"]


def size_over_tolerance(verdict: Verdict) -> float:
    """Return the distance of the estimate from the middle of what is acceptable, in half widths of it.

    1 is the border.  Where one side is open, the tolerance is the size of the limit itself; where that is 0 (something
    has to be less than something else), the half width of the confidence interval stands for it.

    Parameters
    ----------
    verdict
        What was judged.

    Returns
    -------
    size : `float`
        Infinite where nothing at all is tolerated; NaN where nothing was estimated.
    """
    estimate, acceptable = verdict.estimate, verdict.acceptable
    if acceptable is None or not math.isfinite(estimate):
        return math.nan
    if math.isfinite(acceptable.low) and math.isfinite(acceptable.high):
        middle, tolerance = (acceptable.low + acceptable.high) / 2, (acceptable.high - acceptable.low) / 2
        beyond = abs(estimate - middle)
        return _over(beyond, tolerance)
    beyond = max(acceptable.low - estimate, estimate - acceptable.high, 0.0)
    limit = abs(acceptable.high if math.isfinite(acceptable.high) else acceptable.low)
    if limit < sys.float_info.min:  # an open 0, written as the float beside it
        limit = _half_width(verdict.interval)
    return 1.0 + _over(beyond, limit)


def _over(distance: float, tolerance: float) -> float:
    if not distance:
        return 0.0
    return distance / tolerance if tolerance else math.inf


def _half_width(interval: Interval | None) -> float:
    return 0.0 if interval is None else (interval.high - interval.low) / 2
