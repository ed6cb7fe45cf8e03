"""What a verdict says: one line that tells the whole story, and the lines below it."""

from __future__ import annotations

import math
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from harness.judge.rule import more_units_needed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from harness.judge.accepted import Accepted
    from harness.judge.estimate import Estimate
    from harness.judge.quantity import Quantity
    from harness.model import Interval, Verdict

__all__ = [
    "doubt",
    "estimate_lines",
    "number",
    "percent",
    "percent_limit",
    "reference_line",
    "subject",
    "tell_more",
    "with_unit",
]


def number(value: float, uncertainty: float = math.nan, *, sign: bool = False) -> str:
    """Write a number with the digits it deserves.

    Whole numbers are written whole; others to two digits of their uncertainty, or to five digits when it is unknown.
    """
    plus = "+" if sign else ""
    if not math.isfinite(value):
        return f"{value:{plus}}"
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):{plus}d}"
    if not (math.isfinite(uncertainty) and uncertainty > 0):
        return _short(value, plus)
    digits = _magnitude(value) - _magnitude(uncertainty) + 2
    return _significant(value, min(max(digits, 2), 8), plus)


def with_unit(text: str, unit: str) -> str:
    """Append a unit; a count needs none."""
    return text if unit in ("", "ct") else f"{text} {unit}"


def percent(fraction: float, limits: Iterable[float] = (), *, sign: bool = True) -> str:
    """Write a fraction in percent: two digits, and more where two would move it across a limit."""
    plus = "+" if sign else ""
    if not math.isfinite(fraction):
        return f"{fraction:{plus}} %"
    text = ""
    for digits in range(2, 9):
        text = _significant(100 * fraction, digits, plus)
        if all((float(text) > 100 * limit) == (fraction > limit) for limit in limits):
            break
    return f"{text} %"


def percent_limit(fraction: float) -> str:
    """Write a limit in percent, as it was given."""
    return f"{_short(100 * fraction)} %"


def subject(quantity: Quantity) -> str:
    """Name a metric and what it is for."""
    return f"{quantity.metric.name} of {quantity.data_id}" if quantity.data_id else quantity.metric.name


def doubt(
    estimate: Estimate, acceptable: Interval, write: Callable[[float], str], confidence: float
) -> tuple[str, ...]:
    """Return what the first line says when nothing was shown: the interval, and what would decide."""
    low, high = estimate.interval.low, estimate.interval.high
    if not math.isfinite(high - low):
        return (f"cannot tell from {estimate.method}",)
    if acceptable.low == acceptable.high == estimate.value:
        way_out = "so few equal numbers may be chance: give an absolute tolerance"
    elif acceptable.low == acceptable.high:
        way_out = "only the very same value is allowed: give an absolute tolerance"
    elif (more := more_units_needed(estimate, acceptable)) is None:
        way_out = f"no realistic number of further {estimate.unit}s would decide"
    elif estimate.n_units == 1:
        way_out = f"about {more + 1} times the data would decide"
    else:
        way_out = f"about {more} more {estimate.unit}{'s' if more > 1 else ''} would decide"
    return (f"cannot tell: between {write(low)} and {write(high)} at {_level(confidence)}", way_out)


def estimate_lines(rule: str, estimate: Estimate, acceptable: Interval, unit: str, confidence: float) -> list[str]:
    """Return the rule with its resolved limits, the interval of the estimand, and what it rests on."""

    def write(value: float) -> str:
        return with_unit(number(value, estimate.uncertainty, sign=math.isfinite(estimate.reference)), unit)

    low, high = estimate.interval.low, estimate.interval.high
    if low == high:
        interval = "exactly"
    elif math.isfinite(high - low):
        interval = f"between {write(low)} and {write(high)} at {_level(confidence)}"
    else:
        interval = "without limits"
    units = f"{estimate.unit}s".ljust(11) + str(estimate.n_units)
    if estimate.only_here or estimate.only_there:
        units += f" in common; {estimate.only_here} only here and {estimate.only_there} only there are left out"
    return [
        f"rule       {rule}: {_limits(acceptable, unit)}",
        f"estimate   {write(estimate.value)}, {interval} ({estimate.method})",
        units,
    ]


def reference_line(against: str, value: float, unit: str, reference: Quantity | Accepted) -> str:
    """Return what the reference is and where it comes from."""
    text = f"reference  {against}: {with_unit(number(value), unit)}"
    story = getattr(reference, "story", "")
    return f"{text}, {story}" if story else text


def tell_more(verdict: Verdict, *clauses: str, details: Iterable[str] = (), context: Iterable[str] = ()) -> Verdict:
    """Return a verdict with more clauses in its sentence and more lines below it; empty ones are left out.

    Parameters
    ----------
    verdict
        What was judged.
    *clauses
        What else belongs into the first line, such as the stage that differs first.
    details
        Further lines about the verdict.
    context
        Further lines about the rerun.
    """
    sentence = "; ".join([verdict.sentence, *filter(None, clauses)])
    return replace(
        verdict,
        sentence=sentence,
        details=(*verdict.details, *filter(None, details)),
        context=(*verdict.context, *filter(None, context)),
    )


def _level(confidence: float) -> str:
    return f"{percent_limit(confidence)} confidence"


def _limits(acceptable: Interval, unit: str) -> str:
    low, high = number(acceptable.low), number(acceptable.high)
    if math.isinf(acceptable.low):
        return with_unit("less than 0" if high == "0" and acceptable.high else f"at most {high}", unit)
    if math.isinf(acceptable.high):
        return with_unit("more than 0" if low == "0" and acceptable.low else f"at least {low}", unit)
    return with_unit(f"from {low} to {high}", unit)


def _magnitude(value: float) -> int:
    return math.floor(math.log10(abs(value))) if value else 0


def _short(value: float, plus: str = "") -> str:
    """Write at most six significant digits, and none that only fill up."""
    text = _significant(value, 6, plus)
    return text if "e" in text or "." not in text else text.rstrip("0").rstrip(".")


def _significant(value: float, digits: int, plus: str) -> str:
    """Write so many significant digits, without an exponent for numbers of ordinary size."""
    magnitude = _magnitude(value)
    if abs(value) < sys.float_info.min:
        return f"{0:{plus}d}"
    if not -5 <= magnitude <= 15:
        return f"{value:{plus}.{digits}g}"
    return f"{value:{plus}.{max(digits - 1 - magnitude, 0)}f}"
