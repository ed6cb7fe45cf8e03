"""What a JUnit file says of a verdict: value, interval, baseline and verdict as properties of the test."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.report.content import labelled

if TYPE_CHECKING:
    from harness.model import Interval, Verdict

__all__ = ["junit_properties"]


def junit_properties(verdict: Verdict) -> list[tuple[str, str]]:
    """Return the properties of a verdict, as pytest writes them into its JUnit file.

    A test may reach several verdicts: the properties of each begin with the metric's own.

    Parameters
    ----------
    verdict
        What was judged.

    Returns
    -------
    properties : `list` [`tuple` [`str`, `str`]]
        The metric with its value, ``unit``, ``rerun``, ``place`` and ``expectation``; ``interval`` of the estimand and
        the ``acceptable`` one; the ``reference`` and where it comes from; the story of the ``baseline``; ``verdict``.
        What there is none of is left out.
    """
    lines = dict(labelled(verdict.details))
    properties = {
        "unit": verdict.unit,
        "rerun": verdict.rerun,
        "place": verdict.place,
        "expectation": verdict.expectation,
        "interval": _interval(verdict.interval),
        "acceptable": _interval(verdict.acceptable),
        "reference": lines.get("reference", ""),
        "baseline": lines.get("baseline", ""),
        "verdict": str(verdict.state),
    }
    return [(verdict.metric, repr(float(verdict.value))), *((name, text) for name, text in properties.items() if text)]


def _interval(interval: Interval | None) -> str:
    return "" if interval is None else f"[{float(interval.low)!r}, {float(interval.high)!r}]"
