"""Metric rows of alert packets."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

import polars as pl

from harness.metrics.data_ids import whole_rerun
from harness.metrics.keyed_rows import keyed_rows, rows_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

__all__ = ["alert_rows"]

#: Places that a message names before it says how many more there are.
_NAMED = 3


def alert_rows(alerts: pa.Table, instrument: str) -> pa.Table:
    """Return the metric rows of alerts.

    Fluxes and variances are told by visit, since few alerts of a detector have no median worth the name; the rest by
    visit and detector.

    Parameters
    ----------
    alerts : `pyarrow.Table`
        With the columns of `harness.metrics.alerts.numbers.alerts_schema`.
    instrument
        Name to put into the rows.
    """
    everything = pl.DataFrame(alerts)
    unreadable = everything["unreadable"].drop_nulls().to_list()
    read = everything.filter(pl.col("unreadable").is_null()).sort("visit", "detector", maintain_order=True)
    count = pl.Series([len(unreadable)])
    rows = [keyed_rows("alert.numUnreadablePackets", whole_rerun(), count, detail=[_told(unreadable)])]
    rows += [*_of_visits(_Groups(read, "visit")), *_of_detectors(_Groups(read, "visit", "detector"))]
    return rows_table(rows, instrument or None)


@final
class _Groups:
    """Makes rows of alerts, one for each visit, or for each visit and detector."""

    def __init__(self, alerts: pl.DataFrame, *by: str) -> None:
        self._grouped = alerts.group_by(*by, maintain_order=True)
        self._keys = self._grouped.agg(pl.col("band").drop_nulls().first())
        if "detector" not in by:
            self._keys = self._keys.with_columns(detector=pl.lit(None, pl.Int32))

    def sums(self, metric: str, values: pl.Expr, reasons: pl.Expr | None = None) -> pl.DataFrame:
        """Add up, and give the reasons."""
        return keyed_rows(f"alert.{metric}", self._keys, self._each(values.sum()), detail=self._details(reasons))

    def ratios(self, metric: str, over: pl.Expr, under: pl.Expr, reasons: pl.Expr | None = None) -> pl.DataFrame:
        """Add up two things, and give the reasons."""
        above, below = (self._each(values.sum()) for values in (over, under))
        return keyed_rows(f"alert.{metric}", self._keys, above, below, self._details(reasons))

    def counts(self, metric: str, places: pl.Expr) -> pl.DataFrame:
        """Count places, and name the first of them."""
        return keyed_rows(f"alert.{metric}", self._keys, self._each(places.len()), detail=self._details(places))

    def medians(self, metric: str, values: pl.Expr, nothing: str) -> pl.DataFrame:
        """Take medians, to be averaged; a group without any value does not count, and says so."""
        found = self._each(values.median())
        detail = [nothing if value is None else None for value in found]
        return keyed_rows(f"alert.{metric}", self._keys, found.fill_null(0), found.is_not_null(), detail)

    def _each(self, value: pl.Expr) -> pl.Series:
        return self._grouped.agg(value.alias("value"))["value"]

    def _details(self, reasons: pl.Expr | None) -> list[str | None] | None:
        return None if reasons is None else [_told(each) for each in self._each(reasons.implode())]


def _of_visits(visits: _Groups) -> list[pl.DataFrame]:
    clean = pl.col("unclean") == ""
    return [
        visits.ratios("fracFluxWithinOneSigma", clean & (pl.col("pull").abs() < 1), clean),
        visits.medians("fluxRatio", pl.col("fluxRatio").filter(clean), "no alert is clean"),
        visits.medians("fluxErrRatio", pl.col("errorRatio").filter(clean), "no alert is clean"),
        visits.medians("varianceAdditivity", pl.col("additivity"), "no alert has a variance in all three cutouts"),
    ]


def _of_detectors(detectors: _Groups) -> list[pl.DataFrame]:
    place, unclean, shapes = pl.col("place"), pl.col("unclean"), pl.col("shapes")
    science, template, equal = pl.col("scienceFwhm"), pl.col("templateFwhm"), pl.col("equalPsf")
    nonpositive = pl.col("numNonPositive")
    return [
        *(
            detectors.medians(f"psfFwhm.{kind}", pl.col(f"{kind}Fwhm"), f"no PSF of a {kind} cutout has a size")
            for kind in ("science", "template", "difference")
        ),
        detectors.ratios("fracTemplateSharper", template < science, (template + science).is_not_null()),
        detectors.ratios("fracEqualPsf", equal, equal.is_not_null(), place.filter(~equal)),
        detectors.sums("numPackets", place.is_not_null()),
        detectors.sums("numCutouts", pl.col("numCutouts")),
        detectors.sums("numUnclean", unclean != "", unclean.filter(unclean != "").unique(maintain_order=True)),
        detectors.ratios("fracNanPixels", pl.col("numNan"), pl.col("numPixels")),
        *(
            detectors.counts(f"num{name.capitalize()}Cutouts", pl.col(name).explode().drop_nulls())
            for name in ("missing", "broken", "empty")
        ),
        detectors.counts("numUnequalShapes", pl.format("{} ({})", place, shapes).filter(shapes != "")),
        detectors.sums(
            "numNonPositiveVariances",
            nonpositive,
            pl.format("{} in {}", nonpositive, place).filter(nonpositive > 0),
        ),
    ]


def _told(places: Sequence[str]) -> str | None:
    """Name the first places, and say how many more there are."""
    more = [f"{len(places) - _NAMED} more like it"] if len(places) > _NAMED else []
    return "; ".join([*places[:_NAMED], *more]) or None
