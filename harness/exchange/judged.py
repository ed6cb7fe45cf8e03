"""Specifications of a job as expectations of the harness, judged by its one rule."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from harness.errors import UsageError
from harness.exchange.units import convert
from harness.exchange.value import OPERATORS, Foreign
from harness.judge.case import Case
from harness.judge.estimate import CONFIDENCE, level
from harness.judge.quantity import WHOLE_RERUN, Quantity
from harness.judge.sentence import number, with_unit
from harness.model import Interval, Metric, VerdictState

if TYPE_CHECKING:
    from collections.abc import Collection

    from harness.exchange.value import Job, Specification
    from harness.model import Verdict

__all__ = ["applicable", "foreign_quantity", "judge_job", "unspecified"]


def judge_job(job: Job, rerun: str, *, tags: Collection[str] = ()) -> list[Verdict]:
    """Judge every specification that applies to a job, in the order of the file.

    A metric that was not measured, or has no finite value, is NOT_MEASURED; a value whose unit cannot be converted
    into that of the threshold is NOT_COMPARABLE.  Numbers come without an uncertainty and are taken at their word.

    Parameters
    ----------
    job
        What was measured and specified.
    rerun
        What to call the job.
    tags
        Judge only specifications with all of these.

    Raises
    ------
    harness.errors.UsageError
        When no specification has these tags.
    """
    return [_judge(job, specification, rerun) for specification in applicable(job, tags)]


def applicable(job: Job, tags: Collection[str] = ()) -> list[Specification]:
    """Return the specifications that apply to a job's metadata and have all of these tags; parameters as above.

    Raises
    ------
    harness.errors.UsageError
        When no specification has these tags, whether it applies or not.
    """
    tagged = [specification for specification in job.specifications if specification.tags.issuperset(tags)]
    if tags and not tagged:
        known = sorted({tag for specification in job.specifications for tag in specification.tags})
        raise UsageError(
            f"no specification is tagged {' and '.join(sorted(tags))}; tags in use are {', '.join(known) or 'none'}"
        )
    return [specification for specification in tagged if specification.applies_to(job.meta)]


def unspecified(job: Job, rerun: str) -> str:
    """Return one line that names what was measured and is specified nothing of; empty when there is none."""
    names = sorted(job.measurements.keys() - {specification.metric for specification in applicable(job)})
    if not names:
        return ""
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return f"not judged of {rerun}, as no specification applies to them: {', '.join(names[:5])}{more}"


def foreign_quantity(measurement: Foreign, rerun: str, doc: str = "") -> Quantity:
    """Return a measurement of another tool as something that can be judged: a single exact number.

    Parameters
    ----------
    measurement
        The number.
    rerun
        What it was measured of.
    doc
        Description of the metric.
    """
    metric = Metric(measurement.metric, measurement.unit, doc, group="foreign", census=True)
    value = np.array([measurement.value])
    return Quantity(metric, rerun, np.array([WHOLE_RERUN]), value, detail=measurement.detail)


def _judge(job: Job, specification: Specification, rerun: str) -> Verdict:
    metric, operator = specification.metric, specification.operator
    threshold = with_unit(number(specification.threshold), specification.unit)
    description = job.metrics.get(metric)
    measurement = job.measurements.get(metric)
    if measurement is None:
        unit = specification.unit if description is None else description.unit
        measurement = Foreign(metric, math.nan, unit, detail="the job has no measurement of it")
    quantity = foreign_quantity(measurement, rerun, "" if description is None else description.description)
    case = Case(quantity, f"{operator} {threshold} ({specification.name})", CONFIDENCE)
    if (refusal := case.refusal()) is not None:
        return refusal
    try:
        limit = convert(specification.threshold, specification.unit, measurement.unit)
    except ValueError as reason:
        verdict = case.unjudged(VerdictState.NOT_COMPARABLE, str(reason))
        sentence = f"{metric} of {rerun} cannot be compared with the {threshold} of {specification.name}: {reason}"
        return replace(verdict, sentence=sentence)
    exact = level(quantity)
    is_close = exact.value != limit and number(exact.value) == number(limit)
    return case.judged(
        replace(exact, method="taken at its word, as it has no uncertainty", unit="number"),
        _acceptable(operator, limit, exact.value),
        write=number,
        claim=f"{with_unit(number(exact.value - limit, sign=True), measurement.unit)} from the limit"
        if is_close
        else "",
        allowed=f"{OPERATORS[operator]} {threshold} by {specification.name}",
        unit=measurement.unit,
    )


def _acceptable(operator: str, limit: float, value: float) -> Interval:
    """Return which values stand in a relation to a limit; an open end is the float next to it."""
    below = Interval(-math.inf, math.nextafter(limit, -math.inf))
    above = Interval(math.nextafter(limit, math.inf), math.inf)
    match operator:
        case "<=":
            return Interval(-math.inf, limit)
        case "<":
            return below
        case ">=":
            return Interval(limit, math.inf)
        case ">":
            return above
        case "==":
            return Interval(limit, limit)
        case _:  # on the value's own side of what it must not be
            return below if value < limit else above
