"""What should hold.  Each expectation is an estimand and an acceptable interval; one rule turns them into a verdict."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from harness.judge.accepted import Accepted
from harness.judge.case import Case
from harness.judge.estimate import CONFIDENCE, Estimate, NotComparableError, change, change_from, level, ratio, share
from harness.judge.quantity import Quantity
from harness.judge.sentence import number, percent, percent_limit, with_unit
from harness.model import Interval, Verdict, VerdictState

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

__all__ = [
    "Direction",
    "above",
    "agrees_with",
    "below",
    "closes",
    "unchanged",
    "within",
]

Direction = Literal["both", "lower_is_better", "higher_is_better"]


def unchanged(
    quantity: Quantity,
    reference: Quantity | Accepted,
    *,
    rtol: float = 0.0,
    atol: float = 0.0,
    direction: Direction = "both",
    confidence: float = CONFIDENCE,
) -> Verdict:
    """Judge whether a metric changed by no more than max(``atol``, ``rtol`` × abs(reference)).

    Parameters
    ----------
    quantity
        The metric of the new rerun.
    reference
        The same metric of another rerun, paired visit by visit, or the accepted value of a baseline.
    rtol, atol
        Relative tolerance, and tolerance in the metric's unit.  With both zero only a complete count, or numbers that
        are identical in every visit, can pass.
    direction
        A change for the better is never a failure.
    confidence
        Coverage of the interval.
    """
    unit = quantity.metric.unit
    tolerances = [percent_limit(rtol) if rtol else "", with_unit(number(atol), unit) if atol else ""]
    rule = f"unchanged within {' or '.join(filter(None, tolerances)) or '0'}"
    case = Case(quantity, rule, confidence, reference, same_metric=True)
    if (refusal := case.refusal()) is not None:
        return refusal
    try:
        if isinstance(reference, Accepted):
            estimate = change_from(quantity, reference, confidence)
        else:
            estimate = change(quantity, reference, confidence)
    except NotComparableError as reason:
        return case.unjudged(VerdictState.NOT_COMPARABLE, str(reason))
    base = abs(estimate.reference)
    tolerance = max(atol, rtol * base)
    acceptable = Interval(
        -math.inf if direction == "lower_is_better" else -tolerance,
        math.inf if direction == "higher_is_better" else tolerance,
    )

    def write(moved: float) -> str:
        if base:
            return percent(moved / base, (-tolerance / base, tolerance / base))
        return with_unit(number(moved, estimate.uncertainty, sign=True), unit)

    sign = {"both": "±", "lower_is_better": "at most +", "higher_is_better": "at least -"}[direction]
    by_ratio = rtol * base >= atol and base > 0
    allowed = sign + (percent_limit(rtol) if by_ratio else with_unit(number(tolerance), unit))
    claim = f"{write(estimate.value)} against {case.against}" if estimate.value else f"the same as {case.against}"
    return case.judged(estimate, acceptable, write=write, claim=claim, allowed=allowed, unit=unit)


def below(
    quantity: Quantity,
    other: Quantity | float,
    *,
    for_at_least: float | None = None,
    confidence: float = CONFIDENCE,
) -> Verdict:
    """Judge whether a metric is less than another, or than a number.

    Parameters
    ----------
    quantity
        The metric.
    other
        Another metric in the same unit, paired visit by visit, or a number in that unit.
    for_at_least
        Share of visits for which it must hold, each by itself; None judges the sums or ratios of all visits.
    confidence
        Coverage of the interval.
    """
    return _ordered(quantity, other, "below", for_at_least, confidence)


def above(
    quantity: Quantity,
    other: Quantity | float,
    *,
    for_at_least: float | None = None,
    confidence: float = CONFIDENCE,
) -> Verdict:
    """Judge whether a metric is greater than another, or than a number; parameters as for `below`."""
    return _ordered(quantity, other, "above", for_at_least, confidence)


def agrees_with(
    quantity: Quantity,
    other: Quantity,
    *,
    rtol: float,
    predicted: float = 0.0,
    offsets: tuple[Quantity | None, Quantity | None] = (None, None),
    confidence: float = CONFIDENCE,
) -> Verdict:
    """Judge whether two estimates of the same thing agree, like with like.

    What theory predicts of their difference is removed first, and shown: the sentence names what was observed, what
    was predicted, and what is left unexplained.

    Parameters
    ----------
    quantity, other
        Two estimates in the same unit.
    rtol
        Allowed deviation of their ratio from the predicted one, relative to it.
    predicted
        By which fraction theory says that ``quantity`` exceeds ``other``.
    offsets
        Predicted fractional offset of each of the two from the true value, by unit; None where it has none.
    confidence
        Coverage of the interval.
    """
    rule = f"agrees with {other.metric.name} within {percent_limit(rtol)}"
    case = Case(quantity, rule, confidence, other)
    if (refusal := case.refusal()) is not None:
        return refusal
    ours, theirs = (
        side if by is None else side.without(by) for side, by in zip((quantity, other), offsets, strict=True)
    )
    for side in (ours, theirs):
        if not math.isfinite(side.value):
            return case.unjudged(VerdictState.NOT_MEASURED, f"its predicted offset is unknown: {side.why_unmeasured}")
    try:
        observed, like_with_like = ratio(quantity, other, confidence), ratio(ours, theirs, confidence)
    except NotComparableError as reason:
        return case.unjudged(VerdictState.NOT_COMPARABLE, str(reason))

    def unexplained(deviation: float) -> float:
        return (deviation - predicted) / (1 + predicted)

    estimate = replace(
        like_with_like,
        value=unexplained(like_with_like.value),
        interval=Interval(unexplained(like_with_like.interval.low), unexplained(like_with_like.interval.high)),
        uncertainty=like_with_like.uncertainty / (1 + predicted),
        reference=observed.reference,
    )
    in_all = (1 + observed.value) / (1 + estimate.value) - 1
    left = percent(estimate.value, (-rtol, rtol))
    if in_all:
        shown = (f"{percent(observed.value)} against {case.against}", f"{percent(in_all)} predicted")
        claim = f"{shown[0]}: {shown[1]}, {left} unexplained"
    else:
        claim = f"{left} against {case.against}"
    return case.judged(
        estimate, Interval(-rtol, rtol), write=percent, claim=claim, allowed=f"±{percent_limit(rtol)}", unit=""
    )


def within(quantity: Quantity, low: float, high: float, *, confidence: float = CONFIDENCE) -> Verdict:
    """Judge whether the value itself lies in [``low``, ``high``], in the metric's unit."""
    limits = with_unit(f"{number(low)} to {number(high)}", quantity.metric.unit)
    case = Case(quantity, f"within {limits}", confidence)
    if (refusal := case.refusal()) is not None:
        return refusal
    estimate = level(quantity, confidence)

    def write(value: float) -> str:
        return number(value, estimate.uncertainty)

    return case.judged(estimate, Interval(low, high), write=write, claim="", allowed=limits, unit=quantity.metric.unit)


def closes(quantity: Quantity, n_ulp: float) -> Verdict:
    """Judge whether a largest residual (`harness.metrics.closure`) is at most ``n_ulp``."""
    case = Case(quantity, f"closes within {number(n_ulp)} ulp", CONFIDENCE)
    if (refusal := case.refusal()) is not None:
        return refusal
    value = quantity.value
    estimate = Estimate(value, Interval(value, value), 0.0, quantity.n_units, "exact comparison")
    allowed = f"at most {number(n_ulp)}"
    return case.judged(estimate, Interval(0, n_ulp), write=number, claim="", allowed=allowed, unit=quantity.metric.unit)


def _ordered(
    quantity: Quantity,
    other: Quantity | float,
    relation: Literal["below", "above"],
    for_at_least: float | None,
    confidence: float,
) -> Verdict:
    unit = quantity.metric.unit
    case = Case(quantity, "", confidence, other)
    rule = f"{relation} {case.against}"
    if for_at_least is not None:
        rule += f" for at least {percent_limit(for_at_least)}"
    case = replace(case, rule=rule)
    if (refusal := case.refusal()) is not None:
        return refusal
    try:
        if for_at_least is not None:
            return _ordered_by_visit(case, relation, for_at_least)
        if isinstance(other, Quantity):
            estimate = change(quantity, other, confidence)
        else:
            alone = level(quantity, confidence)
            estimate = replace(
                alone,
                value=alone.value - other,
                interval=_less(alone.interval, other),
                whole=None if alone.whole is None else _less(alone.whole, other),
                reference=float(other),
            )
    except NotComparableError as reason:
        return case.unjudged(VerdictState.NOT_COMPARABLE, str(reason))

    # Equal is neither below nor above: the end of the acceptable interval is the float next to zero.
    if relation == "below":
        acceptable = Interval(-math.inf, math.nextafter(0.0, -math.inf))
    else:
        acceptable = Interval(math.nextafter(0.0, math.inf), math.inf)

    def write(moved: float) -> str:
        return with_unit(number(moved, estimate.uncertainty, sign=True), unit)

    claim = f"{write(estimate.value)} against {case.against}" if estimate.value else f"the same as {case.against}"
    return case.judged(estimate, acceptable, write=write, claim=claim, allowed=f"only {relation}", unit=unit)


def _less(interval: Interval, number: float) -> Interval:
    return Interval(interval.low - number, interval.high - number)


def _ordered_by_visit(case: Case, relation: Literal["below", "above"], for_at_least: float) -> Verdict:
    holds: Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.bool_]]
    holds = np.less if relation == "below" else np.greater
    other = case.reference
    if not isinstance(other, Quantity):
        other = case.reference_value
    estimate = share(case.quantity, other, holds, case.confidence)

    def write(part: float) -> str:
        return percent(part, (for_at_least,), sign=False)

    claim = f"{relation} {case.against} in {write(estimate.value)} of {estimate.n_units} {estimate.unit}s"
    allowed = f"at least {percent_limit(for_at_least)}"
    return case.judged(estimate, Interval(for_at_least, 1.0), write=write, claim=claim, allowed=allowed, unit="")
