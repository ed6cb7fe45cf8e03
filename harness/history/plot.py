"""The trend of a metric as a figure: values with their intervals, what was acceptable, acceptances, new levels."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator

from harness.report.drawing import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, RED, Drawing, finished, say, shown_range
from harness.report.listing import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from harness.history.trend import Point, Trend
    from harness.model import Interval
    from harness.report.drawing import Range

__all__ = ["trend_drawing"]

#: Label, colour and marker of points by their verdict.
_KINDS = {
    "PASS": ("pass", GREEN, "o"),
    "ACKNOWLEDGED": ("acknowledged", PURPLE, "D"),
    "INCONCLUSIVE": ("inconclusive", ORANGE, "v"),
    "NOT_COMPARABLE": ("not comparable", GREY, "s"),
    "FAIL": ("fail", RED, "X"),
    "": ("not judged", BLUE, "."),
}
#: So many names of reruns fit below a figure.
_NAMES = 24


def trend_drawing(trend: Trend) -> Drawing:
    """Return the figure of a trend.

    Parameters
    ----------
    trend
        The trend; without any measured value the figure says so.
    """
    figure = Figure(figsize=(9, 4.2), layout="constrained")
    axes = figure.subplots()
    if np.isfinite(trend.values).any():
        shown = _range(trend)
        _draw_acceptable(axes, trend, shown)
        _draw_levels(axes, trend)
        _draw_points(axes, trend, shown)
        _draw_acceptances(axes, trend)
        axes.set_ylim(shown)
    else:
        say(axes, "nothing was measured")
    axes.set(ylabel=f"{trend.metric} ({trend.unit})" if trend.unit else trend.metric)
    axes.set_xlim(-0.7, len(trend.points) - 0.3)
    every = math.ceil(len(trend.points) / _NAMES)
    at = range((len(trend.points) - 1) % every, len(trend.points), every)  # the newest one has its name
    axes.xaxis.set_major_locator(FixedLocator(list(at)))
    axes.set_xticklabels([trend.points[index].rerun for index in at], rotation=60, ha="right", rotation_mode="anchor")
    axes.tick_params(labelsize="small")
    title = f"{trend.metric} of {trend.dataset} through time"
    return Drawing(title, _words(trend), finished(figure))


def _draw_acceptable(axes: Axes, trend: Trend, shown: Range) -> None:
    """Shade what was acceptable when each point was judged, and outline what the baseline accepts today."""
    if any(point.acceptable is not None for point in trend.points):
        limits = [_clipped(point.acceptable, shown) for point in trend.points]
        low, high = np.repeat(np.array(limits), 2, axis=0).T
        edges = np.repeat(np.arange(len(trend.points)), 2) + np.tile([-0.5, 0.5], len(trend.points))
        axes.fill_between(edges, low, high, color=GREEN, alpha=0.15, lw=0, label="acceptable then")
    if trend.band is not None:
        for end in (trend.band.low, trend.band.high):
            if math.isfinite(end):
                axes.axhline(end, color=GREEN, lw=1, ls=":", label="accepted today")


def _draw_levels(axes: Axes, trend: Trend) -> None:
    if not trend.changes:
        return
    for first, last, middle in trend.levels():
        axes.plot([first - 0.5, last + 0.5], [middle, middle], color=BLACK, lw=1, ls="--", label="level")
    for first in trend.changes:
        axes.axvline(first - 0.5, color=PURPLE, lw=1.5, ls="-.", label="change point")


def _draw_points(axes: Axes, trend: Trend, shown: Range) -> None:
    low, high = np.array([_clipped(point.interval, shown) for point in trend.points]).T
    known = np.isfinite(low) & np.isfinite(trend.values)
    if known.any():
        axes.vlines(np.flatnonzero(known), low[known], high[known], color=GREY, lw=1.2, label="99 % interval")
    for state, (label, colour, marker) in _KINDS.items():
        at = [index for index, point in enumerate(trend.points) if point.state == state and math.isfinite(point.value)]
        if at:
            axes.plot(at, trend.values[at], marker, ms=9 if marker == "." else 6, color=colour, label=label)
    bottom, top = shown
    missing, above, below = ~np.isfinite(trend.values), trend.values > top, trend.values < bottom
    for these, height, marker, label in (
        (missing, bottom, "x", "not measured"),
        (above, top, "^", "beyond the axis"),
        (below, bottom, "v", "beyond the axis"),
    ):
        if these.any():
            where = np.flatnonzero(these)
            axes.plot(where, np.full(where.size, height), marker, ms=8, color=RED, clip_on=False, label=label)


def _draw_acceptances(axes: Axes, trend: Trend) -> None:
    for acceptance in trend.acceptances:
        at = trend.accepted_from(acceptance)
        if at is not None and math.isfinite(trend.points[at].value):
            where = (at, trend.points[at].value)
            axes.plot(*where, "o", ms=13, mfc="none", color=BLACK, label="accepted from here")


def _range(trend: Trend) -> Range:
    """Return the range of the axis: of all values that are in proportion, and what was acceptable about them."""
    low, high = shown_range(trend.values)
    ends = [end for band in _bands(trend) for end in (band.low, band.high) if math.isfinite(end)]
    room = 3 * (high - low)  # a wide tolerance must not make a line of all points
    ends += [end for point in trend.points if point.interval for end in (point.interval.low, point.interval.high)]
    inside = [end for end in ends if low - room <= end <= high + room]
    low, high = min([low, *inside]), max([high, *inside])
    margin = 0.05 * (high - low)
    return low - margin, high + margin


def _bands(trend: Trend) -> list[Interval]:
    bands = [point.acceptable for point in trend.points if point.acceptable is not None]
    return bands if trend.band is None else [*bands, trend.band]


def _clipped(interval: Interval | None, shown: Range) -> Range:
    """Return the part of an interval that is shown (its own ends may be infinite); NaN where there is none."""
    if interval is None:
        return math.nan, math.nan
    low, high = (min(max(end, shown[0]), shown[1]) for end in (interval.low, interval.high))
    return low, high


def _words(trend: Trend) -> str:
    """Say what the figure shows to who cannot see it."""
    points: list[Point] = [point for point in trend.points if math.isfinite(point.value)]
    if not points:
        return f"{trend.metric} was measured in none of {len(trend.points)} reruns."
    newest = points[-1]
    told = [
        f"{trend.metric} of {len(points)} reruns from {points[0].rerun} to {newest.rerun}: between "
        f"{number(float(np.nanmin(trend.values)))} and {number(float(np.nanmax(trend.values)))}, "
        f"{number(newest.value)} {trend.unit}".rstrip()
        + " in the newest."
    ]
    if trend.changes:
        told.append(f"A new level begins with {', '.join(trend.points[first].rerun for first in trend.changes)}.")
    if trend.band is not None:
        told.append(f"The baseline accepts {number(trend.band.low)} to {number(trend.band.high)}.")
    if warning := trend.warning():
        told.append(f"Warning: {warning}.")
    return " ".join(told)
