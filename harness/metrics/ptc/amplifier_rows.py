"""Metric rows of amplifiers, collected one by one."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, final

from harness.metrics.rows import rows_schema

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["BETWEEN", "AmplifierRows"]

#: What stands between the details of several amplifiers or reasons, which are sentences with punctuation of their own.
BETWEEN = " | "


@final
class AmplifierRows:
    """Collects metric rows of amplifiers.

    Parameters
    ----------
    instrument
        Name to put into the rows.
    """

    def __init__(self, instrument: str) -> None:
        self._instrument = instrument
        self._rows: list[dict[str, Any]] = []

    def mean(
        self,
        metric: str,
        place: tuple[int | None, str],
        value: float,
        error: float = math.nan,
        *,
        detail: str = "",
        sample: str = "",
    ) -> None:
        """Add one amplifier's value of a metric whose values are averaged.

        Parameters
        ----------
        metric
            Name of the metric.
        place
            Detector, None where it has no number, and amplifier.
        value, error
            The value and its standard error; NaN where unknown.
        detail
            Why there is no value.
        sample
            Digest of the exposures whose noise the error is.
        """
        self._add(
            metric,
            place,
            numerator=value,
            denominator=1.0,
            uncertainty=None if math.isnan(error) else error,
            sample=sample or None,
            detail=None if math.isfinite(value) else detail or None,
        )

    def count(self, metric: str, place: tuple[int | None, str | None], value: int, detail: str = "") -> None:
        """Add one amplifier's, or a whole detector's, share of a count."""
        self._add(metric, place, numerator=float(value), detail=detail or None)

    def table(self) -> pa.Table:
        """Return the rows as a table of `harness.metrics.rows.rows_schema`."""
        import pyarrow as pa

        return pa.Table.from_pylist(self._rows, schema=rows_schema())

    def _add(self, metric: str, place: tuple[int | None, str | None], **values: Any) -> None:
        detector, amplifier = place
        here = {"instrument": self._instrument, "detector": detector, "amplifier": amplifier}
        self._rows.append({"metric": metric, **here, **values})
