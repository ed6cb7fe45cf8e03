"""Two reruns side by side, metric by metric, with churn and where it comes from."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from harness.errors import UsageError
from harness.measure.catalogue import PAIR_GROUPS
from harness.metrics.flavor.catalogue import FLAVOR_CHANGE_GROUPS
from harness.report.listing import Column, Listing, number, relative_change

if TYPE_CHECKING:
    from harness.judge.quantity import Quantity
    from harness.model import Interval
    from harness.session import Session

__all__ = ["difference_listing"]

#: A number of either sign is told from zero when it is so many times its uncertainty.
_FAR_FROM_ZERO = 5.0

_COLUMNS = [
    Column("metric", "metric"),
    Column("value", "value", number, numeric=True),
    Column("reference", "reference", number, numeric=True),
    Column("change", "change", numeric=True),
    Column("between", "99 % interval", numeric=True),
    Column("shown", "shown"),
    Column("verdict", "verdict"),
]


def difference_listing(session: Session) -> Listing:
    """Return how one rerun differs from the reference, or from the baseline when there is no reference.

    Parameters
    ----------
    session
        With one rerun and its reference, measured.

    Raises
    ------
    harness.errors.UsageError
        When there is nothing to compare with.
    """
    ref = session.refs[0]
    measured = session.measurements(ref)
    verification = session.verification(ref.name)
    if session.reference is None and session.baseline is None:
        raise UsageError(f"nothing to compare {ref.name} with: name a second rerun, or a dataset with a baseline")
    rows = []
    for name in measured:
        quantity = measured[name]
        verdict = verification.as_baselined(quantity) if name in verification.expected else None
        row = _row(quantity, verification.other_side(quantity))
        rows.append({**row, "verdict": "" if verdict is None else str(verdict.state)})
    notes = [
        f"{name}: {measured[name].detail}"
        for name in measured
        if measured.catalogue[name].per == "amplifier" and _told(measured[name])
    ]
    notes += [] if verification.story is None else verification.story.lines()
    return Listing(session.describe(), _COLUMNS, rows, notes)


def _told(quantity: Quantity) -> bool:
    """Whether there is something that was counted, and that can be named."""
    return quantity.metric.census and quantity.value > 0 and bool(quantity.detail)


def _row(quantity: Quantity, reference: Any) -> dict[str, Any]:
    from harness.judge.accepted import Accepted
    from harness.judge.estimate import NotComparableError, change, change_from

    row: dict[str, Any] = {
        "metric": quantity.metric.name,
        "unit": quantity.metric.unit,
        "value": quantity.value,
        "reference": math.nan,
        "change": "",
        "between": "",
        "shown": "",
        "detail": quantity.detail,
    }
    if quantity.metric.group in PAIR_GROUPS and not quantity.metric.census and math.isfinite(quantity.value):
        return {**row, **_of_both(quantity)}
    if reference is None or not math.isfinite(quantity.value) or not math.isfinite(reference.value):
        return row
    try:
        estimate = (change_from if isinstance(reference, Accepted) else change)(quantity, reference)
    except NotComparableError as reason:
        return {**row, "reference": reference.value, "detail": str(reason)}
    base, interval = estimate.reference, estimate.interval
    error = reference.uncertainty if isinstance(reference, Accepted) else reference.standard_error
    may_be_zero = quantity.possible.low < 0 and _FAR_FROM_ZERO * error >= abs(base)
    scale = 0.0 if may_be_zero else base  # per cent of nothing says nothing
    return {
        **row,
        "reference": base,
        "change": relative_change(estimate.value, scale),
        "between": f"{relative_change(interval.low, scale)} … {relative_change(interval.high, scale)}",
        "shown": _shown(interval),
        "low": interval.low,
        "high": interval.high,
        "visits": estimate.n_units,
    }


def _of_both(quantity: Quantity) -> dict[str, Any]:
    """Return the interval of what is measured of both reruns together, and of a change whether it was shown."""
    from harness.judge.estimate import level

    estimate = level(quantity)
    interval = estimate.interval
    found = {
        "between": f"{number(interval.low)} … {number(interval.high)}",
        "low": interval.low,
        "high": interval.high,
        "visits": estimate.n_units,
    }
    is_change = quantity.metric.group in FLAVOR_CHANGE_GROUPS and quantity.metric.reduce == "ratio"
    return found | {"shown": _shown(interval)} if is_change else found


def _shown(interval: Interval) -> str:
    if 0 not in interval:
        return "more" if interval.low > 0 else "less"
    return "same" if interval.low == interval.high else ""
