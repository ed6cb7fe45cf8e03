"""The DIA sources of a flavor, as they were found: each once, with all that does not depend on the injections."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from harness.errors import NotMeasuredError
from harness.metrics.flag_sets import FLAG_SETS, good_mask
from harness.metrics.flavor.placing import edge_margin
from harness.metrics.flavor.stages import STAGES, good_column

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl
    import pyarrow as pa

    from harness.metrics.flavor.stages import Stage

__all__ = ["found_sources"]

_REQUIRED = ("diaSourceId", "visit", "detector", "ra", "dec")


def found_sources(sources: pa.Table, detectors: pl.DataFrame, stages: Sequence[Stage]) -> pl.DataFrame:
    """Return each source once.

    Parameters
    ----------
    sources : `pyarrow.Table`
        DIA sources (`harness.metrics.flavor.matching.injection_frames`).
    detectors : `polars.DataFrame`
        What was processed (`harness.metrics.flavor.frames.detectors_schema`).
    stages
        Lists of flags.

    Returns
    -------
    frame : `polars.DataFrame`
        The columns of `harness.metrics.flavor.frames.sources_schema` but for ``kind``, ``nearInjection`` and
        ``nearStar``, and ``key`` (row of the detectors) and ``isSolarSystem``.

    Raises
    ------
    harness.errors.NotMeasuredError
        When sources have no number, or are of no visit and detector that was processed.
    """
    import polars as pl

    frame = _source_frame(sources)
    goods = {good_column(stage): np.zeros(frame.height, bool) for stage in STAGES if stage}
    goods |= {
        each.column: good_mask(sources, FLAG_SETS[each.name]) for each in stages if each.name and not each.why_not
    }
    frame = frame.with_columns(**{name: pl.Series(good) for name, good in goods.items()})
    frame = frame.filter(pl.col("diaSourceId").is_first_distinct())
    places = detectors.with_row_index("key").select(
        pl.col("key").cast(pl.Int64), "visit", "detector", "width", "height", pl.col("band").alias("band_there")
    )
    frame = frame.join(places, on=("visit", "detector"), how="left", maintain_order="left")
    _refuse_unplaced(frame)
    has_error = pl.col("psfFluxErr") > 0
    return frame.with_columns(
        pl.coalesce("band_there", "band").alias("band"),
        pl.Series("margin", edge_margin(frame)),
        pl.col("psfFlux").alias("flux"),
        pl.col("psfFluxErr").alias("fluxErr"),
        pl.when(has_error).then(pl.col("psfFlux") / pl.col("psfFluxErr")).otherwise(np.nan).alias("snr"),
        pl.coalesce("isNegative", pl.col("psfFlux") < 0).alias("isNegative"),
        pl.col("diaObjectId").fill_null(0),
        (pl.col("ssObjectId").fill_null(0) != 0).alias("isSolarSystem"),
    )


@cache
def _source_schema() -> pl.Schema:
    import polars as pl

    return pl.Schema(
        {
            **dict.fromkeys(("diaSourceId", "diaObjectId", "ssObjectId", "visit"), pl.Int64),
            "detector": pl.Int32,
            "band": pl.String,
            **dict.fromkeys(("ra", "dec", "x", "y", "psfFlux", "psfFluxErr"), pl.Float64),
            "isNegative": pl.Boolean,
        }
    )


def _source_frame(sources: pa.Table) -> pl.DataFrame:
    """Return the columns of sources that are needed; numbers that are not there are NaN, others null."""
    import polars as pl

    if missing := [name for name in _REQUIRED if name not in sources.column_names]:
        raise NotMeasuredError(
            f"the DIA sources have no {' and '.join(missing)}, so that injections cannot be found among them; check "
            "how their columns are named"
        )
    schema = _source_schema()
    frame = pl.DataFrame(pl.from_arrow(sources.select([name for name in schema if name in sources.column_names])))
    frame = frame.with_columns(pl.lit(None, kind).alias(name) for name, kind in schema.items() if name not in frame)
    return frame.select(
        pl.col(name).cast(kind).fill_null(np.nan) if kind == pl.Float64 else pl.col(name).cast(kind)
        for name, kind in schema.items()
    )


def _refuse_unplaced(frame: pl.DataFrame) -> None:
    """Refuse sources that could not be counted anywhere."""
    if missing := frame["diaSourceId"].is_null().sum():
        raise NotMeasuredError(
            f"{missing} DIA sources have no diaSourceId, so that it cannot be told which were found; check how the "
            "column is named and filled"
        )
    unplaced = frame.filter(frame["key"].is_null())
    if not unplaced.is_empty():
        visit, detector = unplaced.select("visit", "detector").row(0)
        raise NotMeasuredError(
            f"{unplaced.height} DIA sources are on no visit and detector that was processed (the first is of visit "
            f"{visit}, detector {detector}); check how their visit and detector columns are named and filled"
        )
