"""What the DIA sources of a flavor are like, injected or not: their signs, fluxes and errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from harness.metrics.flavor.by_detector import unavailable
from harness.metrics.keyed_rows import keyed_rows, rows_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa

    from harness.metrics.flavor.stages import Stage

__all__ = ["source_rows"]

_KEY = ("visit", "detector")

#: What each metric is made of, in words.
_MADE_OF = {
    "flavor.fracNegative": "flux",
    "flavor.medianSnr": "signal-to-noise",
    "flavor.medianFlux": "flux",
    "flavor.medianFluxErr": "flux error",
}


def source_rows(sources: pl.DataFrame, detectors: pl.DataFrame, stages: Sequence[Stage], instrument: str) -> pa.Table:
    """Return the metric rows of the group ``flavor_source``.

    A source whose number is not known (not finite) counts neither in the share nor in the median of that number.

    Parameters
    ----------
    sources, detectors
        Of any number of visits (`harness.metrics.flavor.frames`).
    stages
        What each number is given for.
    instrument
        Name to put into the rows.

    Returns
    -------
    rows : `pyarrow.Table`
        One for each metric, stage, visit and detector; of a stage that is not available, one for each metric.  A
        median is averaged over the detectors that have one.
    """
    known = (pl.when(pl.col(name).is_finite()).then(pl.col(name)).alias(name) for name in ("flux", "snr", "fluxErr"))
    sources = sources.with_columns(known)
    rows: list[pl.DataFrame] = []
    for stage in stages:
        if stage.why_not:
            rows += unavailable(map(stage.of, _MADE_OF), stage.why_not)
        else:
            rows += _rows(sources.filter(pl.col(stage.column)) if stage.column else sources, stage, detectors)
    return rows_table(rows, instrument or None)


def _rows(sources: pl.DataFrame, stage: Stage, detectors: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Reduce the sources of each visit and detector."""
    flux, error, snr = pl.col("flux"), pl.col("fluxErr"), pl.col("snr")
    reduced = sources.group_by(_KEY).agg(
        (flux < 0).sum().alias("flavor.fracNegative"),
        flux.count().alias("n"),
        snr.abs().median().alias("flavor.medianSnr"),
        flux.abs().median().alias("flavor.medianFlux"),
        error.median().alias("flavor.medianFluxErr"),
    )
    by_detector = detectors.select(_KEY).join(reduced, on=_KEY, how="left", maintain_order="left", validate="1:1")
    for metric, number in _MADE_OF.items():
        over = by_detector[metric]
        under = by_detector["n"].fill_null(0) if metric == "flavor.fracNegative" else over.is_not_null()
        nothing = None
        if sources.height and not under.sum():
            nothing = [f"no DIA source has a {number}"] * detectors.height
        yield keyed_rows(stage.of(metric), detectors, over.fill_null(0), under, nothing)
