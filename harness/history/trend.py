"""A metric through time: its values in order, what was acceptable, where it was accepted, and where it has moved."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any, final

import numpy as np
import polars as pl

from harness.errors import UsageError
from harness.history.change_points import change_points
from harness.history.outlier import MIN_ACCEPTED, WARN_BEYOND, robust_z
from harness.model import Interval, VerdictState
from harness.report.listing import number

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from numpy.typing import NDArray

    from harness.baseline.model import Acceptance, Baseline
    from harness.baseline.model import Entry as Accepted

__all__ = ["LAST", "Point", "Trend", "accepted_band", "trends", "warnings_about"]

#: How many accepted reruns a new one is held against.
LAST = 20
_SIGMAS = 2.5758293035489004  # of a Gaussian within which 99 % lie


@final
@dataclass(frozen=True, slots=True)
class Point:
    """One rerun in the trend of a metric.

    Attributes
    ----------
    rerun, source, key, inputs
        Which rerun, and which entry of the history.
    sequence, at
        Its place in the history, and when it came there.
    value
        The metric's value; NaN when it was not measured.
    interval
        Confidence interval (99 %): that of the verdict, else of the value from its standard uncertainty; None where
        nothing is known.
    acceptable
        What was acceptable then; None where nothing was expected of the value.
    state
        The verdict; empty when there was none.
    is_accepted
        Whether it passed, or the baseline was accepted from it.
    detail
        What a reader needs beside the number.
    """

    rerun: str
    source: str
    key: str
    inputs: str
    sequence: int
    at: datetime
    value: float
    interval: Interval | None
    acceptable: Interval | None
    state: str
    is_accepted: bool
    detail: str


@final
@dataclass(frozen=True)
class Trend:
    """One metric of one dataset through time, in one unit and by one definition.

    Attributes
    ----------
    dataset, metric, unit, definition
        Of what.
    points
        Its values in the order of the history.
    band
        What the baseline accepts today; None where it says nothing of the value.
    acceptances
        The acceptances that the baseline knows of this metric, the oldest first.
    is_current
        Whether the newest value of the metric is one of these; not so for an earlier unit or definition.
    """

    dataset: str
    metric: str
    unit: str
    definition: str
    points: tuple[Point, ...]
    band: Interval | None = None
    acceptances: tuple[Acceptance, ...] = ()
    is_current: bool = True

    @cached_property
    def values(self) -> NDArray[np.float64]:
        """Values of all points, (n,) float64."""
        return np.array([point.value for point in self.points], np.float64)

    @cached_property
    def changes(self) -> tuple[int, ...]:
        """Points with which a new level begins (`harness.history.change_points`)."""
        measured = np.flatnonzero(np.isfinite(self.values))
        return tuple(int(measured[first]) for first in change_points(self.values[measured]))

    def levels(self) -> Iterator[tuple[int, int, float]]:
        """Yield first point, last point and median of each level; one level when nothing has changed."""
        for first, end in pairwise([0, *self.changes, len(self.points)]):
            own = self.values[first:end]
            own = own[np.isfinite(own)]
            if own.size:
                yield first, end - 1, float(np.median(own))

    def before(self, at: int) -> NDArray[np.float64]:
        """Return the last `LAST` accepted values before a point.

        Those since the latest acceptance where they are enough: what was accepted before it may be another level.
        """
        accepted = [
            (index, point.value)
            for index, point in enumerate(self.points[:at])
            if point.is_accepted and math.isfinite(point.value)
        ]
        since = max((self.accepted_from(each) or 0 for each in self.acceptances), default=0)
        newer = [value for index, value in accepted if index >= since]
        chosen = newer if len(newer) >= MIN_ACCEPTED else [value for _, value in accepted]
        return np.array(chosen[-LAST:], np.float64)

    def accepted_from(self, acceptance: Acceptance) -> int | None:
        """Return the point that an acceptance was made from; None when it is not in the history."""
        for index, point in enumerate(self.points):
            if _is_of(point.rerun, point.inputs, acceptance):
                return index
        return None

    def warning(self, at: int = -1) -> str:
        """Return a warning about a point that is far from the accepted ones before it; empty when there is none.

        Parameters
        ----------
        at
            Index of the point.
        """
        if not self.points:
            return ""
        at %= len(self.points)
        point, accepted = self.points[at], self.before(at)
        z = robust_z(point.value, accepted)
        if not abs(z) > WARN_BEYOND:
            return ""
        middle = number(float(np.median(accepted)))
        where = "above" if z > 0 else "below"
        if math.isinf(z):
            far = f"the last {accepted.size} accepted reruns all had {middle}"
        else:
            far = f"{abs(z):.1f} standard deviations {where} the last {accepted.size} accepted reruns (median {middle})"
        return f"{self.metric} = {number(point.value)} in {point.rerun}: {far}"


def trends(frame: pl.DataFrame, metric: str = "", *, baseline: Baseline | None = None) -> list[Trend]:
    """Return the trend of a metric: one for each dataset, unit and definition that it has had, the oldest first.

    Parameters
    ----------
    frame
        The history (`harness.history.store.HistoryStore.read`).
    metric
        Its name; empty is all metrics.
    baseline
        Acceptances and accepted bands of its dataset.

    Raises
    ------
    harness.errors.UsageError
        When the history holds no such metric.
    """
    own = frame.filter(pl.col("metric") == metric) if metric else frame
    if metric and own.is_empty():
        raise UsageError(_unknown(metric, frame))
    found = []
    for (dataset, name), rows in own.group_by(["dataset", "metric"], maintain_order=True):
        kinds = rows.partition_by(["unit", "definition"], maintain_order=True)
        newest = rows["sequence"].max()
        for kind in kinds:
            ours = baseline if baseline is not None and baseline.dataset == dataset else None
            is_current = kind["sequence"].max() == newest
            found.append(_trend(str(dataset), str(name), kind, ours, is_current=is_current))
    return found


def warnings_about(frame: pl.DataFrame, rerun: str, *, baseline: Baseline | None = None) -> list[str]:
    """Return the warnings about all metrics of one rerun, each against the accepted reruns before it.

    Parameters
    ----------
    frame
        The history, with the rerun in it.
    rerun
        Its name; of several entries of that name the latest counts.
    baseline
        Knows which reruns were accepted though they failed.
    """
    warnings = []
    for trend in trends(frame, baseline=baseline):
        at = [index for index, point in enumerate(trend.points) if point.rerun == rerun]
        if at and (text := trend.warning(at[-1])):
            warnings.append(text)
    return warnings


def accepted_band(accepted: Accepted) -> Interval | None:
    """Return which values a baseline entry accepts; None when it is about something else than the value itself.

    Parameters
    ----------
    accepted
        The entry.
    """
    rule = accepted.expectation
    match rule.kind:
        case "unchanged":
            tolerance = rule.tolerance(accepted.value)
            low = -math.inf if accepted.direction == "lower_is_better" else accepted.value - tolerance
            high = math.inf if accepted.direction == "higher_is_better" else accepted.value + tolerance
            return Interval(low, high)
        case "within":
            return Interval(rule.low, rule.high)
        case "below" if rule.value is not None and rule.for_at_least is None:
            return Interval(-math.inf, rule.value)
        case "above" if rule.value is not None and rule.for_at_least is None:
            return Interval(rule.value, math.inf)
        case "closes":
            return Interval(0.0, rule.ulp)
        case _:
            return None


def _trend(dataset: str, metric: str, rows: pl.DataFrame, baseline: Baseline | None, *, is_current: bool) -> Trend:
    unit, definition = rows["unit"][0], rows["definition"][0]
    known = baseline.acceptances if baseline is not None else {}
    band, keys = None, []
    accepted = None if baseline is None else baseline.metrics.get(metric)
    if accepted is not None and (accepted.unit, accepted.definition) == (unit, definition):
        band = accepted_band(accepted)
        keys = list(dict.fromkeys([accepted.original.accepted, accepted.accepted]))
    acceptances = tuple(known[key] for key in keys)
    points = tuple(_point(row, acceptances) for row in rows.rows(named=True))
    return Trend(dataset, metric, unit, definition, points, band, acceptances, is_current)


def _point(row: dict[str, Any], acceptances: tuple[Acceptance, ...]) -> Point:
    interval = _interval(row["lower"], row["upper"])
    if interval is None:
        reach = _SIGMAS * row["uncertainty"]
        interval = _interval(row["value"] - reach, row["value"] + reach)
    passed = row["state"] == VerdictState.PASS
    return Point(
        **{name: row[name] for name in ("rerun", "source", "key", "inputs", "sequence", "at", "value")},
        interval=interval,
        acceptable=_interval(row["low"], row["high"]),
        state=row["state"],
        is_accepted=passed or any(_is_of(row["rerun"], row["inputs"], each) for each in acceptances),
        detail=row["detail"],
    )


def _is_of(rerun: str, inputs: str, acceptance: Acceptance) -> bool:
    return (rerun, inputs) == (acceptance.rerun, acceptance.inputs)


def _interval(low: float, high: float) -> Interval | None:
    return None if math.isnan(low) or math.isnan(high) else Interval(low, high)


def _unknown(metric: str, frame: pl.DataFrame) -> str:
    from difflib import get_close_matches

    if frame.is_empty():
        return "the history is empty; rerun-harness nightly adds reruns to it"
    near = get_close_matches(metric, frame["metric"].unique().sort().to_list(), n=3, cutoff=0.5)
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    return f"the history holds no metric {metric!r}{hint}"
