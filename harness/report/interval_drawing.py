"""Where the parts of a small drawing stand: the interval of an estimate beside the acceptable one."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

from harness.report.listing import number

if TYPE_CHECKING:
    from harness.model import Interval, Verdict

__all__ = ["WIDTH", "IntervalDrawing", "Span", "interval_drawing"]

#: Width of the drawing; its height and all positions in the template are in the same unit.
WIDTH = 1000.0
_MARGIN = 60.0


@final
@dataclass(frozen=True, slots=True)
class Span:
    """Two ends in the drawing, and whether each of them is open to infinity."""

    start: float
    end: float
    is_open_below: bool
    is_open_above: bool


@final
@dataclass(frozen=True, slots=True)
class IntervalDrawing:
    """Positions from 0 to `WIDTH`, and the same in words.

    Attributes
    ----------
    acceptable, found
        The two intervals.
    estimate
        The point estimate.
    zero
        Where 0 is; None when it is not in sight.
    description
        What the drawing shows.
    """

    acceptable: Span
    found: Span
    estimate: float
    zero: float | None
    description: str


def interval_drawing(verdict: Verdict) -> IntervalDrawing | None:
    """Return how a verdict's interval is drawn against the acceptable one; None when there is nothing to draw.

    Parameters
    ----------
    verdict
        What was judged.
    """
    found, acceptable, estimate = verdict.interval, verdict.acceptable, verdict.estimate
    if found is None or acceptable is None or not math.isfinite(estimate):
        return None
    ends = [acceptable.low, acceptable.high, found.low, found.high, estimate]
    finite = [end for end in ends if math.isfinite(end)]
    low, high = min(finite), max(finite)
    if high - low <= sys.float_info.min:  # all in one place: it stands in the middle
        reach = abs(estimate) or 1.0
        low, high = low - reach, high + reach
    scale = (WIDTH - 2 * _MARGIN) / (high - low)

    def place(value: float) -> float:
        return round(min(max(_MARGIN + (value - low) * scale, 0.0), WIDTH), 1)

    def span(interval: Interval) -> Span:
        ends = place(interval.low), place(interval.high)
        return Span(*ends, is_open_below=math.isinf(interval.low), is_open_above=math.isinf(interval.high))

    return IntervalDrawing(
        acceptable=span(acceptable),
        found=span(found),
        estimate=place(estimate),
        zero=place(0.0) if low <= 0 <= high else None,
        description=f"{_subject(verdict.expectation)} {_found(estimate, found)}; acceptable is {_words(acceptable)}.",
    )


def _subject(expectation: str) -> str:
    """Return what is estimated where something is expected."""
    match expectation.split(maxsplit=1)[:1]:
        case ["unchanged"]:
            return "Change"
        case ["agrees"]:
            return "Unexplained deviation"
        case ["below" | "above"]:
            return "Share for which it holds" if " for at least " in expectation else "Difference"
        case _:
            return "Value"


def _found(estimate: float, interval: Interval) -> str:
    if interval.low == interval.high:
        return _words(interval)
    return f"{number(estimate)}, {_words(interval)}"


def _words(interval: Interval) -> str:
    low, high = (0.0 if abs(end) < sys.float_info.min else end for end in (interval.low, interval.high))
    if low == high:
        return f"exactly {number(low)}"
    if math.isinf(low) and math.isinf(high):
        return "anything"
    if math.isinf(low):
        return f"{'less than' if interval.high < high else 'at most'} {number(high)}"
    if math.isinf(high):
        return f"{'more than' if interval.low > low else 'at least'} {number(low)}"
    return f"between {number(low)} and {number(high)}"
