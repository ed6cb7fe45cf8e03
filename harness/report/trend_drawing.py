"""Where the parts of a small drawing stand: a metric through time, what is accepted of it, and where it has moved."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np

from harness.report.listing import number

if TYPE_CHECKING:
    from harness.history.trend import Trend

__all__ = ["HEIGHT", "WIDTH", "TrendDrawing", "trend_drawing"]

#: Size of the drawing; positions are in the same unit.
WIDTH, HEIGHT = 1000.0, 200.0
_MARGIN = 16.0


@final
@dataclass(frozen=True, slots=True)
class TrendDrawing:
    """Positions from the upper left, and the same in words.

    Attributes
    ----------
    points
        (x, y) of each rerun that has a value.
    band
        Upper end and height of what is accepted; None where nothing is known to be.
    changes
        x of the reruns with which a new level begins.
    description
        What the drawing shows.
    """

    points: tuple[tuple[float, float], ...]
    band: tuple[float, float] | None
    changes: tuple[float, ...]
    description: str


def trend_drawing(trend: Trend) -> TrendDrawing | None:
    """Return how a trend is drawn; None when there are not two values.

    Parameters
    ----------
    trend
        The metric through time.
    """
    values = trend.values
    measured = np.flatnonzero(np.isfinite(values))
    if measured.size < 2:
        return None
    ends = [] if trend.band is None else [end for end in (trend.band.low, trend.band.high) if math.isfinite(end)]
    low, high = (float(find([*values[measured], *ends])) for find in (min, max))
    reach = (high - low) or abs(low) or 1.0

    def height(value: float) -> float:
        inside = HEIGHT - _MARGIN - (HEIGHT - 2 * _MARGIN) * (value - low) / reach
        return round(min(max(inside, 0.0), HEIGHT), 1)

    def place(index: int) -> float:
        return round(_MARGIN + (WIDTH - 2 * _MARGIN) * index / (len(values) - 1), 1)

    band = None
    if trend.band is not None:
        top, bottom = height(trend.band.high), height(trend.band.low)
        band = top, round(max(bottom - top, 4.0), 1)
    return TrendDrawing(
        points=tuple((place(int(index)), height(float(values[index]))) for index in measured),
        band=band,
        changes=tuple(place(index) for index in trend.changes),
        description=_words(trend, values[measured]),
    )


def _words(trend: Trend, values: np.ndarray) -> str:
    told = f"{trend.metric} in {values.size} reruns: from {number(values.min())} to {number(values.max())}"
    told += f", last {number(values[-1])}"
    if trend.changes:
        told += f"; it has moved with {', '.join(trend.points[index].rerun for index in trend.changes)}"
    return f"{told}. The box is what is accepted." if trend.band is not None else f"{told}."
