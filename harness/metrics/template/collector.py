"""Metric rows of visit-detectors, collected one by one."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, final

from harness.metrics.rows import rows_schema
from harness.metrics.template.known import NO_EXPOSURE, Number

if TYPE_CHECKING:
    import pyarrow as pa

    from harness.metrics.template.visit_images import VisitImage

__all__ = ["Collector"]

#: A count names this many of the places that it found, and says how many more there are.
_TOLD = 5

_ONE = Number(1.0)


@final
class Collector:
    """Collects metric rows."""

    def __init__(self) -> None:
        self._rows: list[dict[str, Any]] = []

    def mean(self, metric: str, image: VisitImage, value: Number, weight: Number = _ONE) -> None:
        """Add one data ID's part of a mean; with a weight, of a ratio of sums of value and weight."""
        reason = value.reason or weight.reason
        self._add(metric, image, numerator=value.value, denominator=weight.value, detail=reason or None)

    def nothing(self, metric: str, image: VisitImage, detail: str) -> None:
        """Add a data ID that has no part in a mean, and rightly so."""
        self._add(metric, image, numerator=0.0, denominator=0.0, detail=detail)

    def whole(self, metric: str, instrument: str, value: Number, uncertainty: float, detail: str = "") -> None:
        """Add a number that belongs to the rerun as a whole."""
        known = uncertainty if math.isfinite(uncertainty) else None
        self._rows.append(
            {
                "metric": metric,
                "instrument": instrument,
                "numerator": value.value,
                "denominator": 1.0,
                "uncertainty": known,
                "detail": value.reason or detail or None,
            }
        )

    def largest(self, metric: str, values: list[tuple[VisitImage, Number]]) -> None:
        """Add what the largest is taken of; the largest one names its place."""
        known = [(number.value, -at) for at, (_, number) in enumerate(values) if not number.reason]
        largest = -max(known)[1] if known else None
        for at, (image, number) in enumerate(values):
            detail = image.place if at == largest else number.reason
            self._add(metric, image, numerator=number.value, detail=detail or None)

    def counts(self, metric: str, found: list[tuple[VisitImage, Number, str]]) -> None:
        """Add what was counted for each data ID, with the first few of what there was in words."""
        told = [f"{image.place}: {words}" for image, number, words in found if number.value > 0]
        if len(told) > _TOLD:
            told[_TOLD - 1] += f", and at {len(told) - _TOLD} more data IDs"
        said = iter(told[:_TOLD])
        for image, number, _ in found:
            detail = next(said, None) if number.value > 0 else number.reason or None
            self._add(metric, image, numerator=number.value, detail=detail)

    def table(self) -> pa.Table:
        """Return the rows as a table of `harness.metrics.rows.rows_schema`.

        Metrics for which there was nothing to read at any place (of pixels, in a table of sizes) are left out.
        """
        import pyarrow as pa

        there = {row["metric"] for row in self._rows if row["detail"] != NO_EXPOSURE}
        return pa.Table.from_pylist([row for row in self._rows if row["metric"] in there], rows_schema())

    def _add(self, metric: str, image: VisitImage, **values: Any) -> None:
        here = {
            "instrument": image.instrument,
            "visit": image.visit,
            "detector": image.detector,
            "coadd": image.coadd,
            "band": image.band or None,
        }
        self._rows.append({"metric": metric, **here, **values})
