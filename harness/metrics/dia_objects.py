"""DIA objects: how many a rerun made, met again and missed, and whether its books balance.

The names are those of the association task of ``lsst/ap_association``, which counts as it runs; here everything is
counted afterwards from the tables.

An object has no visit of its own.  So that counts add up over visits, and visits can be drawn anew, each of its n
sources carries 1/n of it into its visit and detector.  To count it where it was first seen instead would pile up all
objects in the first visits, and leave nothing to compare in the others; `numNewDiaObjects` is that count.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from harness.errors import NotMeasuredError
from harness.metrics.corners import corners_of
from harness.metrics.data_ids import whole_rerun
from harness.metrics.flag_sets import good_mask
from harness.metrics.keyed_rows import keyed_rows, rows_table
from harness.metrics.sphere import NEIGHBOURS, cell_keys, convex_polygons, unit_vectors

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import polars as pl
    import pyarrow as pa
    from numpy.typing import NDArray

    from harness.metrics.settings import Settings

__all__ = ["object_columns", "object_rows", "source_columns"]

_SOURCE_COLUMNS = ("diaObjectId", "visit", "detector", "midpointMjdTai", "ra", "dec")
_OBJECT_COLUMNS = ("diaObjectId", "nDiaSources")

_KEY = ("visit", "detector")

#: One object, in the units in which it is shared: a power of two large enough that no share is lost to rounding, and
#: small enough that the shares of 10⁸ objects add up exactly in any order.
_WHOLE = 1 << 26

#: Numbers that belong to the whole rerun and need the object table.
_BOOKS = ("totalUnassociatedDiaObjects", "numOrphanSources", "numEmptyObjects", "numMiscountedObjects")


def source_columns(available: Sequence[str], settings: Settings) -> tuple[str, ...]:
    """Return the columns of a DIA source table to read, of those it has."""
    wanted = ("diaSourceId", "band", *settings.flag_set.columns)
    return (*_SOURCE_COLUMNS, *(name for name in wanted if name in available))


def object_columns(available: Sequence[str]) -> tuple[str, ...]:
    """Return the columns of a DIA object table to read, of those it has."""
    return (*_OBJECT_COLUMNS, *(name for name in ("validityEndMjdTai",) if name in available))


def object_rows(
    sources: pa.Table,
    objects: pa.Table | None,
    regions: pa.Table | None,
    settings: Settings,
    instrument: str | None,
    *,
    expected: Iterable[tuple[int, int]] = (),
) -> pa.Table:
    """Count the DIA objects of a rerun.

    Parameters
    ----------
    sources : `pyarrow.Table`
        All DIA sources of the rerun, with the columns of `source_columns`.  Rows that repeat a ``diaSourceId`` count
        once; without that column every row counts.  A ``diaObjectId`` of 0 or null is none.
    objects : `pyarrow.Table` or `None`
        DIA objects with the columns of `object_columns`.  Only current versions count (no end of validity), and an
        object that several exports hold counts once, with its largest ``nDiaSources``.
    regions : `pyarrow.Table` or `None`
        Corners of the detectors (`harness.rerun.protocol.Rerun.regions`).
    settings
        What a good source is.
    instrument
        Name to put into the rows.
    expected
        Visits and detectors that have a dataset, with sources or without.

    Returns
    -------
    rows : `pyarrow.Table`
        Metric rows (`harness.metrics.rows`): one for each metric, visit and detector; those that need the whole object
        table have no visit.  What cannot be counted is NaN and says why.

    Raises
    ------
    harness.errors.NotMeasuredError
        When a source has no visit or no detector.
    """
    flags_missing = settings.flag_set.why_unavailable(sources.column_names)
    good = np.zeros(sources.num_rows, bool) if flags_missing else good_mask(sources, settings.flag_set)
    ranked = _by_time(sources, good)
    associated, made = _associate(ranked)
    keys = _data_ids(ranked, expected)
    return rows_table(
        [
            *_coverage(keys),
            *_counted(keys, ranked, associated, made, flags_missing),
            *_met_again(keys, associated, made, regions),
            *_books(associated, objects),
        ],
        instrument,
    )


def _by_time(sources: pa.Table, good: NDArray[np.bool_]) -> pl.DataFrame:
    """Return unique sources in the order of their visits, with the visit's ``rank`` in time, and by id within it."""
    import polars as pl

    frame = pl.DataFrame(pl.from_arrow(sources)).with_columns(pl.Series("good", good))
    if "diaSourceId" in frame.columns:
        frame = frame.filter(pl.col("diaSourceId").is_first_distinct())
    else:
        frame = frame.with_row_index("diaSourceId")  # the order of the rows takes its place
    lost = frame.filter(pl.any_horizontal(pl.col(*_KEY).is_null())).height
    if lost:
        raise NotMeasuredError(
            f"{lost} DIA sources have no visit or no detector, so that their objects cannot be counted; "
            "check how the visit and detector columns are named"
        )
    band = pl.col("band") if "band" in frame.columns else pl.lit(None)
    frame = frame.select(
        "diaSourceId",
        pl.col("diaObjectId").fill_null(0),
        pl.col("visit").cast(pl.Int64),
        pl.col("detector").cast(pl.Int32),
        band.cast(pl.String).alias("band"),
        pl.col("midpointMjdTai").fill_nan(None).min().over("visit").alias("time"),
        pl.col("ra", "dec").cast(pl.Float64).fill_null(math.nan),
        "good",
    )
    ranks = frame.select("time", "visit").unique().sort("time", "visit", nulls_last=True).with_row_index("rank")
    return frame.join(ranks.select("visit", "rank"), on="visit").sort("rank", "diaSourceId")


def _associate(ranked: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the sources that have an object, with the rank of the visit that ``made`` it, and those objects.

    Each source has an equal ``share`` of its object, in units of 1 / `_WHOLE`; the first takes the remainder.
    """
    import polars as pl

    associated = ranked.filter(pl.col("diaObjectId") != 0)
    made = associated.group_by("diaObjectId", maintain_order=True).agg(
        pl.col(*_KEY, "rank", "ra", "dec").first(),
        pl.len().alias("n"),
        pl.col("good").any().alias("any_good"),
        pl.col("good").all().alias("all_good"),
    )
    origin = made.select("diaObjectId", pl.col("rank").alias("made"), "n", "any_good", "all_good")
    is_first = pl.int_range(pl.len()).over("diaObjectId") == 0
    remainder = pl.when(is_first).then(_WHOLE % pl.col("n")).otherwise(0)
    share = _WHOLE // pl.col("n").cast(pl.Int64) + remainder
    return associated.join(origin, on="diaObjectId", maintain_order="left").with_columns(share.alias("share")), made


def _data_ids(ranked: pl.DataFrame, expected: Iterable[tuple[int, int]]) -> pl.DataFrame:
    """Return visits and detectors with their band and the visit's rank, null for a visit without any source."""
    import polars as pl

    schema = {"visit": pl.Int64, "detector": pl.Int32}
    keys = pl.concat([ranked.select(_KEY), pl.DataFrame(list(expected), schema, orient="row")]).unique().sort(_KEY)
    visits = ranked.group_by("visit").agg(pl.col("band").drop_nulls().first(), pl.col("rank").first())
    return keys.join(visits, on="visit", how="left", maintain_order="left")


def _sum(keys: pl.DataFrame, counted: pl.DataFrame, *columns: pl.Expr) -> pl.DataFrame:
    """Aggregate by visit and detector, in the order of the keys, 0 where there is nothing."""
    sums = counted.group_by(_KEY).agg(*columns)
    return keys.select(_KEY).join(sums, on=_KEY, how="left", maintain_order="left").fill_null(0)


def _counted(
    keys: pl.DataFrame, ranked: pl.DataFrame, associated: pl.DataFrame, made: pl.DataFrame, flags_missing: str
) -> Iterator[pl.DataFrame]:
    import polars as pl

    unassociated = _sum(keys, ranked, (pl.col("diaObjectId") == 0).sum().alias("n"))["n"]
    share = pl.col("share")
    shared = _sum(
        keys,
        associated,
        pl.len().alias("sources"),
        share.sum().alias("all"),
        share.filter("any_good").sum().alias("any_good"),
        share.filter("all_good").sum().alias("all_good"),
        (pl.col("n") == 1).sum().alias("single"),
    )
    objects = shared["all"] / _WHOLE
    new = _sum(keys, made, pl.len().alias("n"))["n"]
    for name, good in (("numGoodObjectsAny", "any_good"), ("numGoodObjectsAll", "all_good")):
        if flags_missing:
            yield keyed_rows(f"dia.{name}", keys, *_unknown(keys.height, flags_missing))
        else:
            yield keyed_rows(f"dia.{name}", keys, shared[good] / _WHOLE)
    yield keyed_rows("dia.numObjects", keys, objects)
    yield keyed_rows("dia.numNewDiaObjects", keys, new)
    yield keyed_rows("dia.numRepeatSources", keys, shared["sources"] - new)
    yield keyed_rows("dia.numUnassociatedSources", keys, unassociated)
    yield keyed_rows("dia.numSingleSourceObjects", keys, shared["single"])
    yield keyed_rows("dia.fracSingleSourceObjects", keys, shared["single"], objects)
    yield keyed_rows("dia.numSourcesPerObject", keys, shared["sources"], objects)


def _met_again(
    keys: pl.DataFrame, associated: pl.DataFrame, made: pl.DataFrame, regions: pa.Table | None
) -> Iterator[pl.DataFrame]:
    """Count, of the objects that an earlier visit made, those that a detector saw again and those it missed."""
    import polars as pl

    again = associated.filter(pl.col("made") < pl.col("rank"))
    updated = _sum(keys, again, pl.col("diaObjectId").n_unique().alias("n"))["n"]
    missed, details = _missed(keys, associated, made, regions)
    yield keyed_rows("dia.numUpdatedDiaObjects", keys, updated)
    yield keyed_rows("dia.numUnassociatedDiaObjects", keys, missed, None, details)
    known = updated.to_numpy() + missed
    yield keyed_rows(
        "dia.fracUpdatedDiaObjects", keys, np.where(np.isnan(known), math.nan, updated.to_numpy()), known, details
    )


def _missed(
    keys: pl.DataFrame, associated: pl.DataFrame, made: pl.DataFrame, regions: pa.Table | None
) -> tuple[NDArray[np.float64], list[str | None]]:
    """Count objects known before, inside the detector and without a source in it: NaN, and why, where that is unknown.

    An object is where its first source was; the drift of its mean position is less than the association radius.
    """
    import polars as pl

    from harness.metrics._objects_kernel import count_unseen

    corners = corners_of(keys, regions)
    has_corners = np.isfinite(corners).all(axis=(1, 2))
    has_time = keys["rank"].is_not_null().to_numpy()
    counted = np.flatnonzero(has_corners & has_time)

    normals, centre, radius = convex_polygons(corners[counted])
    reach = float(radius.max(initial=0))
    placed = made.filter(pl.all_horizontal(pl.col("ra", "dec").is_finite()))
    xyz = unit_vectors(placed["ra"].to_numpy(), placed["dec"].to_numpy())
    keys_of_cells = cell_keys(xyz, reach)
    by_cell = np.argsort(keys_of_cells)
    placed = placed[by_cell].with_row_index("place")

    detectors = keys[counted].select(_KEY).with_row_index("number")
    seen = (
        associated.select(*_KEY, "diaObjectId")
        .join(detectors, on=_KEY)
        .join(placed.select("diaObjectId", "place"), on="diaObjectId")
        .sort("number")
    )
    missed = np.full(keys.height, math.nan)
    missed[counted] = count_unseen(
        (keys_of_cells[by_cell], xyz[by_cell], placed["rank"].to_numpy().astype(np.int64)),
        (cell_keys(centre, reach), normals, keys["rank"][counted].to_numpy().astype(np.int64)),
        seen["place"].to_numpy().astype(np.int64),
        np.searchsorted(seen["number"].to_numpy(), np.arange(counted.size + 1)),
        NEIGHBOURS,
    )
    why_not = np.where(has_time, "the corners of the detector are not known", "no source tells the time of the visit")
    return missed, [None if known else str(why) for known, why in zip(has_corners & has_time, why_not, strict=True)]


def _coverage(keys: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Count the visits and catalogues of the whole rerun: what is paired by visit cannot miss one."""
    whole = whole_rerun()
    yield keyed_rows("dia.numVisits", whole, np.array([keys["visit"].n_unique()], float))
    yield keyed_rows("dia.numCatalogs", whole, np.array([keys.height], float))


def _books(associated: pl.DataFrame, objects: pa.Table | None) -> Iterator[pl.DataFrame]:
    """Check the object table against the sources, for the whole rerun."""
    import polars as pl

    whole = whole_rerun()
    if objects is None:
        for name in _BOOKS:
            yield keyed_rows(f"dia.{name}", whole, *_unknown(1, "this rerun has no DIA object table"))
        return
    table = pl.DataFrame(pl.from_arrow(objects))
    current = table
    if "validityEndMjdTai" in table.columns:
        current = table.filter(pl.col("validityEndMjdTai").cast(pl.Float64).fill_nan(None).is_null())
    current = current.group_by("diaObjectId").agg(pl.col("nDiaSources").max().alias("n"))
    found = associated.group_by("diaObjectId").agg(pl.len().alias("found"))
    both = current.join(found, on="diaObjectId")
    counts = {
        "totalUnassociatedDiaObjects": current.filter(pl.col("n") == 1).height,
        "numOrphanSources": associated.join(table, on="diaObjectId", how="anti").height,
        "numEmptyObjects": current.height - both.height,
        "numMiscountedObjects": both.filter(pl.col("n").ne_missing(pl.col("found"))).height,
    }
    for name in _BOOKS:
        yield keyed_rows(f"dia.{name}", whole, np.array([counts[name]], float))


def _unknown(n: int, reason: str) -> tuple[NDArray[np.float64], None, list[str]]:
    """Return numerator, denominator and detail of what cannot be counted."""
    return np.full(n, math.nan), None, [reason] * n
