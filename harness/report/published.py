"""What a publication says of a dataset, as a table, and what its totals can and cannot tell."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

from harness.report.listing import Column, Listing, number

if TYPE_CHECKING:
    from harness.baseline.model import Baseline

__all__ = ["published_listing"]

_FOUND = "injected.numMatched"


def published_listing(baseline: Baseline | None) -> Listing | None:
    """Return the published figures of a dataset; None when its baseline has none.

    Flavors whose totals of injections that were found are published are compared two by two, as far as totals go.
    """
    if baseline is None or baseline.published is None:
        return None
    from harness.metrics.flavor.paired import compare_totals

    reruns = baseline.published.reruns
    metrics = dict.fromkeys(name for numbers in reruns.values() for name in numbers)
    rows = [{"metric": metric, **{name: numbers.get(metric) for name, numbers in reruns.items()}} for metric in metrics]
    columns = [Column("metric", "metric")]
    columns += [
        Column(name, name, lambda value: "" if value is None else number(value), numeric=True) for name in reruns
    ]
    found = {name: round(numbers[_FOUND]) for name, numbers in reruns.items() if _FOUND in numbers}
    notes = [compare_totals(found[one], found[other], (one, other)) for one, other in combinations(found, 2)]
    return Listing(f"Published: {baseline.published.source}", columns, rows, notes)
