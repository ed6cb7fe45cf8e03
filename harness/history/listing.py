"""The trend of a metric in a terminal: a line of bars, and a table of what was measured when."""

from __future__ import annotations

import math
from importlib.util import find_spec
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.history.change_points import MIN_POINTS
from harness.report.drawing import shown_range
from harness.report.listing import Column, Listing, number, relative_change

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from harness.history.trend import Point, Trend
    from harness.model import Interval

__all__ = ["bars", "trend_listing"]

_BARS = "▁▂▃▄▅▆▇█"
#: What the line shows where a number is missing, or beyond its range.
_MISSING, _BELOW, _ABOVE = "·", "↓", "↑"
#: So many points fit into a terminal beside what stands before them.
_SHOWN = 64

_COLUMNS = [
    Column("rerun", "rerun"),
    Column("at", "added", lambda at: at[:10]),
    Column("value", "value", number, numeric=True),
    Column("interval", "99 % interval", numeric=True),
    Column("change", "change", numeric=True),
    Column("acceptable", "acceptable", numeric=True),
    Column("state", "verdict"),
    Column("note", "note"),
]


def bars(values: NDArray[np.float64]) -> str:
    """Return a series as a line of bars, one character a point.

    Parameters
    ----------
    values : (n,) float64
        The series; what is not finite is a dot, and what is out of all proportion an arrow.
    """
    low, high = shown_range(values)
    line = []
    for value in values.tolist():
        if not math.isfinite(value):
            line.append(_MISSING)
        elif not low <= value <= high:
            line.append(_BELOW if value < low else _ABOVE)
        else:
            line.append(_BARS[min(int((value - low) / (high - low) * len(_BARS)), len(_BARS) - 1)])
    return "".join(line)


def trend_listing(found: Sequence[Trend], problems: Sequence[str] = ()) -> Listing:
    """Return the trend of a metric as a listing.

    Parameters
    ----------
    found
        Of one metric (`harness.history.trend.trends`), one at least.
    problems
        What was odd about the history; told below the table.
    """
    several = len(found) > 1
    rows = [row for trend in found for row in _rows(trend)]
    notes = [note for trend in found for note in _notes(trend, named=several)]
    if find_spec("ruptures") is None:
        notes.append("change points are not shown: ruptures is not there for this version of Python")
    elif all(np.isfinite(trend.values).sum() < MIN_POINTS for trend in found):
        notes.append(f"change points are looked for in {MIN_POINTS} measured points or more")
    said = [column for column in _COLUMNS if any(row[column.key] != "" for row in rows)]
    columns = [*([Column("series", "series")] if several else []), *said]
    extra = {"metric": found[0].metric, "trends": [_summary(trend) for trend in found]}
    return Listing(f"{found[0].metric} through time", columns, rows, [*notes, *problems], extra)


def _rows(trend: Trend) -> Iterator[dict[str, Any]]:
    before = math.nan
    for index, point in enumerate(trend.points):
        yield {
            "series": _name(trend),
            "rerun": point.rerun,
            "source": point.source,
            "sequence": point.sequence,
            "at": point.at.isoformat(),
            "value": point.value,
            "unit": trend.unit,
            "interval": _ends(point.interval),
            "change": "" if math.isnan(point.value - before) else relative_change(point.value - before, before),
            "acceptable": _ends(point.acceptable),
            "state": point.state,
            "note": "; ".join(_remarks(trend, index, point)),
        }
        if math.isfinite(point.value):
            before = point.value


def _remarks(trend: Trend, index: int, point: Point) -> Iterator[str]:
    if index in trend.changes:
        yield "new level"
    for acceptance in trend.acceptances:
        if trend.accepted_from(acceptance) == index:
            yield f"accepted: {acceptance.reason}"
    if not math.isfinite(point.value) and point.detail:
        yield point.detail


def _notes(trend: Trend, *, named: bool) -> Iterator[str]:
    of = f"{_name(trend)}: " if named else ""
    shown = slice(max(len(trend.points) - _SHOWN, 0), None)
    finite = trend.values[np.isfinite(trend.values)]
    if finite.size:
        line = bars(trend.values[shown])
        yield f"{of}{line}  {number(float(finite.min()))} to {number(float(finite.max()))} {trend.unit}".rstrip()
    levels = list(trend.levels())
    for (_, _, before), (first, _, after) in pairwise(levels):
        moved = f"from {number(before)} to {number(after)} ({relative_change(after - before, before)})"
        yield f"{of}moved {moved} with {trend.points[first].rerun}"
    if trend.band is not None:
        yield f"{of}the baseline accepts {_ends(trend.band)} {trend.unit}".rstrip()
    for acceptance in trend.acceptances:
        ticket = f" ({acceptance.ticket})" if acceptance.ticket else ""
        who = f"{acceptance.at:%Y-%m-%d} by {acceptance.by}"
        yield f"{of}accepted from {acceptance.rerun}, {who}: {acceptance.reason}{ticket}"
    if trend.is_current and (warning := trend.warning()):
        yield f"warning: {warning}"


def _summary(trend: Trend) -> dict[str, Any]:
    return {
        "dataset": trend.dataset,
        "metric": trend.metric,
        "unit": trend.unit,
        "definition": trend.definition,
        "changes": [trend.points[first].rerun for first in trend.changes],
        "accepted": None if trend.band is None else [trend.band.low, trend.band.high],
        "warning": trend.warning(),
    }


def _name(trend: Trend) -> str:
    return " ".join(filter(None, [trend.dataset, trend.unit, trend.definition[:8]]))


def _ends(interval: Interval | None) -> str:
    return "" if interval is None else f"{number(interval.low)} … {number(interval.high)}"
