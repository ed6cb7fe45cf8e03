"""Whether the amplifiers of detectors stand in the order of a reference."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.metrics.ptc.amplifier_order import describe_mapping
from harness.model import Interval, Verdict, VerdictState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.judge.quantity import Quantity
    from harness.metrics.ptc.amplifier_order import Order

__all__ = ["in_order"]


def in_order(quantity: Quantity, against: str, orders: Mapping[str, Order]) -> Verdict:
    """Judge the number of detectors whose amplifiers have changed places: none is acceptable.

    Parameters
    ----------
    quantity
        The metric of all amplifiers.
    against
        What the order is held against.
    orders
        What was shown of each detector (`harness.metrics.ptc.amplifier_order.judge_order`), by its name.
    """
    moved = {name: order.mapping for name, order in orders.items() if order.mapping}
    unknown = {name: order.reason for name, order in orders.items() if not (order.mapping or order.known)}
    interval = Interval(float(len(moved)), float(len(moved) + len(unknown)))
    name = quantity.metric.name
    if not orders:
        state = VerdictState.NOT_MEASURED
        sentence = (
            f"{name} of {quantity.rerun} has no amplifier in common with {against}, so there is no order to judge"
        )
    elif moved:
        state = VerdictState.FAIL
        sentence = f"{name}: amplifiers have changed places against {against}: {_told(moved)}"
    elif unknown:
        state = VerdictState.INCONCLUSIVE
        place, why = next(iter(unknown.items()))
        more = f" and in {len(unknown) - 1} more" if len(unknown) > 1 else ""
        sentence = f"{name}: cannot tell whether amplifiers have changed places in {place}{more}: {why}"
    else:
        state = VerdictState.PASS
        many = "" if len(orders) == 1 else "s"
        sentence = f"{name}: the amplifiers of {len(orders)} detector{many} stand in the order of {against}"
    return Verdict(
        metric=name,
        rerun=quantity.rerun,
        state=state,
        expectation=f"amplifiers in the order of {against}",
        value=quantity.value,
        unit=quantity.metric.unit,
        sentence=sentence,
        against=against,
        estimate=float(len(moved)),
        interval=interval if orders else None,
        acceptable=Interval(0, 0),
        n_units=len(orders),
        place="order",
    )


def _told(moved: Mapping[str, Mapping[str, str]]) -> str:
    """Say what happened, once for detectors to which the same happened."""
    alike: dict[str, list[str]] = {}
    for place, mapping in moved.items():
        alike.setdefault(describe_mapping(mapping), []).append(place)
    clauses = []
    for words, places in sorted(alike.items(), key=lambda item: -len(item[1])):
        more = f" and {len(places) - 3} more" if len(places) > 3 else ""
        clauses.append(f"in {', '.join(places[:3])}{more} {words}")
    more = f"; and {len(clauses) - 3} other ways" if len(clauses) > 3 else ""
    return "; ".join(clauses[:3]) + more
