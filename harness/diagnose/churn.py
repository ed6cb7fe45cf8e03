"""Churn: which sources two reruns share, and which only one of them has.

A net count hides it: 500 sources lost and 540 gained read "+40".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from harness.errors import NotMeasuredError, SelfComparisonError
from harness.model import Metric

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import polars as pl
    import pyarrow as pa
    from numpy.typing import NDArray

    from harness.metrics.settings import Settings

__all__ = ["CHURN_RATIOS", "Compared", "churn_catalogue", "churn_columns", "churn_rows", "refuse_self_comparison"]

#: Metrics formed of two others, as (numerator, denominator).
CHURN_RATIOS: Mapping[str, tuple[str, str]] = {
    "churn.fracLost": ("churn.numLost", "churn.numReference"),
    "churn.fracGained": ("churn.numGained", "churn.numRerun"),
}

_REQUIRED = ("diaSourceId", "visit", "detector", "ra", "dec", "psfFlux")
_OPTIONAL = ("band", "x", "y")

_MAS = 3.6e6  # in a degree


class Compared(Protocol):
    """One side of a comparison."""

    @property
    def rerun(self) -> str:
        """Name of the rerun."""

    @property
    def source(self) -> str:
        """Where it was read."""

    @property
    def datasets(self) -> Mapping[str, str]:
        """Dataset UUIDs or content digests, by a readable name."""

    @property
    def content(self) -> str:
        """Digest of the rows read; empty when unknown."""


def refuse_self_comparison(one: Compared, other: Compared) -> None:
    """Make sure that the two sides of a comparison are two things.

    Raises
    ------
    harness.errors.SelfComparisonError
        When both are one rerun of one source, when all datasets of one are among the other's, or when their rows are
        the same.
    """
    way_out = "name two different reruns (--self-test if that is what you want to see)"
    if (one.rerun, one.source) == (other.rerun, other.source):
        raise SelfComparisonError(f"{one.rerun} of {one.source} would be compared with itself; {way_out}")
    names = f"{one.rerun} ({one.source}) and {other.rerun} ({other.source})"
    datasets, others = set(one.datasets.values()), set(other.datasets.values())
    if datasets and others and (datasets <= others or others <= datasets):
        raise SelfComparisonError(
            f"{names} are two names for the same datasets ({len(datasets & others)} shared, and one side has no "
            f"others); {way_out}"
        )
    if one.content and one.content == other.content:
        raise SelfComparisonError(f"{names} hold the same rows (content digest {one.content}); {way_out}")


def churn_catalogue(settings: Settings) -> dict[str, Metric]:
    """Return the definitions of the churn metrics, by name."""
    match = {"match": "mutual nearest neighbour per visit and detector", "radius_arcsec": settings.match_radius}
    edge = {**match, "edge_pixels": settings.edge_width}

    def count(name: str, doc: str, definition: Mapping[str, Any] = match) -> Metric:
        return Metric(f"churn.{name}", "ct", doc, "churn", definition=definition)

    def ratio(name: str, unit: str, doc: str) -> Metric:
        return Metric(f"churn.{name}", unit, doc, "churn", "ratio", match)

    width = f"{settings.edge_width:g} pixels"
    metrics = (
        count("numRerun", "DIA sources of the rerun."),
        count("numReference", "DIA sources of the reference rerun."),
        count("numMatched", "DIA sources that both reruns have."),
        count("numLost", "DIA sources that only the reference rerun has."),
        count("numGained", "DIA sources that only the rerun has."),
        count("numLostAtEdge", f"Lost DIA sources within {width} of the detector's edge.", edge),
        count("numGainedAtEdge", f"Gained DIA sources within {width} of the detector's edge.", edge),
        ratio("fracLost", "", "Lost DIA sources as a fraction of the reference rerun's."),
        ratio("fracGained", "", "Gained DIA sources as a fraction of the rerun's."),
        ratio("medianFluxRatio", "", "Median psfFlux of matched sources over the reference's, mean over detectors."),
        ratio("medianOffset", "mas", "Median separation of matched sources, mean over detectors."),
        ratio("medianOffsetRa", "mas", "Median offset in right ascension times cos(dec), mean over detectors."),
        ratio("medianOffsetDec", "mas", "Median offset in declination, mean over detectors."),
    )
    return {metric.name: metric for metric in metrics}


def churn_columns(available: Sequence[str]) -> tuple[str, ...]:
    """Return the columns of a DIA source table to read, of those it has."""
    return (*_REQUIRED, *(name for name in _OPTIONAL if name in available))


def churn_rows(
    rerun: pa.Table,
    reference: pa.Table,
    settings: Settings,
    regions: pa.Table | None = None,
    instrument: str | None = None,
) -> pa.Table:
    """Match the DIA sources of two reruns and count what is matched, lost and gained.

    Parameters
    ----------
    rerun, reference : `pyarrow.Table`
        DIA sources with the columns of `churn_columns`.  Rows that repeat a ``diaSourceId`` count once.
    settings
        Match radius in arcsec and width of the edge in pixels.
    regions : `pyarrow.Table`, optional
        Detector sizes (`harness.rerun.protocol.Rerun.regions`); without them the counts at the edge are NaN.
    instrument
        Name to put into the rows.

    Returns
    -------
    rows : `pyarrow.Table`
        Metric rows (`harness.metrics.rows`), one for each metric, visit and detector of either side.

    Raises
    ------
    harness.errors.NotMeasuredError
        When a source has no visit or no detector.
    """
    from harness.diagnose.match import mutual_nearest
    from harness.metrics.keyed_rows import keyed_rows, rows_table

    new, old = _sources(rerun, "rerun"), _sources(reference, "reference")
    keys = _data_ids(new, old)
    new_key, old_key = _key_of(new, keys), _key_of(old, keys)
    match = mutual_nearest(
        _floats(old, "ra"),
        _floats(old, "dec"),
        _floats(new, "ra"),
        _floats(new, "dec"),
        settings.match_radius,
        group1=old_key,
        group2=new_key,
    )
    lost = np.ones(old.height, bool)
    gained = np.ones(new.height, bool)
    lost[match.index1] = False
    gained[match.index2] = False

    def count(key: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.bincount(key, minlength=keys.height).astype(np.float64)

    sums = {
        "numRerun": count(new_key),
        "numReference": count(old_key),
        "numMatched": count(old_key[match.index1]),
        "numLost": count(old_key[lost]),
        "numGained": count(new_key[gained]),
    }
    rows = [keyed_rows(f"churn.{name}", keys, value) for name, value in sums.items()]
    sizes = _sizes(keys, regions)
    for name, side, key, only in (("numLostAtEdge", old, old_key, lost), ("numGainedAtEdge", new, new_key, gained)):
        value, detail = _count_at_edge(side, key, only, sizes, settings.edge_width)
        rows.append(keyed_rows(f"churn.{name}", keys, value, detail=detail.tolist()))

    pairs_key = old_key[match.index1]
    for name, value in _differences(old[match.index1], new[match.index2], match.separation).items():
        median, known = _medians(pairs_key, value, keys.height)
        rows.append(keyed_rows(f"churn.{name}", keys, median, known))
    return rows_table(rows, instrument)


def _sources(table: pa.Table, side: str) -> pl.DataFrame:
    """Return unique sources as a frame with all columns that churn may need; absent ones are null."""
    import polars as pl

    frame = pl.DataFrame(pl.from_arrow(table)).filter(pl.col("diaSourceId").is_first_distinct())
    missing = frame.filter(pl.col("visit").is_null() | pl.col("detector").is_null()).height
    if missing:
        raise NotMeasuredError(
            f"{missing} DIA sources of the {side} have no visit or no detector, so that they cannot be matched; "
            "check how its visit and detector columns are named"
        )
    absent = [pl.lit(None, pl.Float64).alias(name) for name in ("x", "y") if name not in frame.columns]
    band = pl.col("band") if "band" in frame.columns else pl.lit(None)
    return frame.with_columns(
        *absent, band.cast(pl.String).alias("band"), pl.col("visit").cast(pl.Int64), pl.col("detector").cast(pl.Int32)
    )


def _data_ids(*sides: pl.DataFrame) -> pl.DataFrame:
    """Return the visits and detectors that any side has, in order.

    The band is the visit's and no part of the key: a side that does not record it still has the same sources.
    """
    import polars as pl

    return (
        pl.concat([side.select("visit", "detector", "band") for side in sides])
        .group_by("visit", "detector")
        .agg(pl.col("band").drop_nulls().first())
        .sort("visit", "detector")
        .with_row_index("key")
    )


def _key_of(side: pl.DataFrame, keys: pl.DataFrame) -> NDArray[np.int64]:
    """Return for each source the row of its visit and detector."""
    joined = side.select("visit", "detector").join(keys, on=("visit", "detector"), how="left", maintain_order="left")
    return joined["key"].to_numpy().astype(np.int64)


def _floats(side: pl.DataFrame, name: str) -> NDArray[np.float64]:
    """Return a column as float64, NaN where null."""
    import polars as pl

    return side[name].cast(pl.Float64).fill_null(np.nan).to_numpy()


def _sizes(keys: pl.DataFrame, regions: pa.Table | None) -> NDArray[np.float64]:
    """Return width and height of each data ID's detector in pixels, NaN where unknown; shape (n, 2)."""
    import polars as pl

    if regions is None:
        return np.full((keys.height, 2), np.nan)
    known = pl.DataFrame(pl.from_arrow(regions.select(["visit", "detector", "width", "height"]))).select(
        pl.col("visit").cast(pl.Int64), pl.col("detector").cast(pl.Int32), "width", "height"
    )
    joined = keys.join(known.unique(("visit", "detector")), on=("visit", "detector"), how="left", maintain_order="left")
    return np.stack([_floats(joined, "width"), _floats(joined, "height")], axis=1)


def _count_at_edge(
    side: pl.DataFrame, key: NDArray[np.int64], only: NDArray[np.bool_], sizes: NDArray[np.float64], width: float
) -> tuple[NDArray[np.float64], NDArray[np.object_]]:
    """Count chosen sources near the edge for each data ID: NaN, and why, where that cannot be known."""
    key = key[only]
    size = sizes[key]
    position = np.stack([_floats(side, "x")[only], _floats(side, "y")[only]], axis=1)
    # Pixel centres are whole numbers from 0, so the image ends half a pixel beyond the first and the last of them.
    margin = np.minimum(position + 0.5, size - 0.5 - position).min(axis=1, initial=np.inf)
    n = len(sizes)
    value = np.bincount(key[margin < width], minlength=n).astype(np.float64)
    unplaced = np.bincount(key[~np.isfinite(position).all(axis=1)], minlength=n) > 0
    unsized = ~np.isfinite(sizes).all(axis=1)
    value[unplaced | unsized] = np.nan
    detail = np.full(n, None, object)
    detail[unplaced] = "a source has no pixel position (x, y)"
    detail[unsized] = "the detector's size in pixels is not known"
    return value, detail


def _differences(
    old: pl.DataFrame, new: pl.DataFrame, separation: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    """Return what is compared of each matched pair, by metric."""
    ra = (_floats(new, "ra") - _floats(old, "ra") + 180) % 360 - 180
    dec = _floats(old, "dec")
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = _floats(new, "psfFlux") / _floats(old, "psfFlux")
    return {
        "medianFluxRatio": ratio,
        "medianOffset": separation * 1e3,
        "medianOffsetRa": ra * np.cos(np.radians(dec)) * _MAS,
        "medianOffsetDec": (_floats(new, "dec") - dec) * _MAS,
    }


def _medians(
    key: NDArray[np.int64], value: NDArray[np.float64], n: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the median of each data ID's finite values, and 1 where there is any: their ratio of sums is a mean."""
    import polars as pl

    finite = np.isfinite(value)
    medians = pl.DataFrame({"key": key[finite], "value": value[finite]}).group_by("key").agg(pl.col("value").median())
    median, known = np.zeros(n), np.zeros(n)
    median[medians["key"].to_numpy()] = medians["value"].to_numpy()
    known[medians["key"].to_numpy()] = 1
    return median, known
