"""Which injection of a catalogue lies on which detector, and which ones cannot be counted."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, NamedTuple, final

import numpy as np

from harness.errors import NotMeasuredError
from harness.metrics.flavor.footprints import Footprints
from harness.metrics.flavor.neighbours import Points, repeats_within

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa
    from numpy.typing import NDArray

__all__ = ["LADDER", "Placed", "edge_margin", "place_injections"]

LADDER = ("numOutside", "numDuplicates", "numCoincident", "numNonFinitePositions")
"""What is counted of a catalogue while it is placed."""

_DATA_ID = ("visit", "detector")

_PER_DEGREE = 1e7
"""Positions that agree to 0.4 mas are one injection, where the catalogue does not number them."""


@final
class Placed(NamedTuple):
    """The injections of a catalogue on their detectors.

    Attributes
    ----------
    injections
        A row for each injection, visit and detector: the columns of the catalogue, null where it has none, ``key`` (row
        of the detectors) and ``margin``.
    ladder
        ``visit`` and ``detector`` (null for what is on none that was processed) and the counts of `LADDER`.
    """

    injections: pl.DataFrame
    ladder: pl.DataFrame


def place_injections(
    catalogue: pa.Table, detectors: pl.DataFrame, regions: pa.Table | None, match_radius: float
) -> Placed:
    """Place injections on the detectors that were processed.

    A row that names visit and detector is there.  Any other is on every detector whose region on the sky holds it, of
    the visit, detector and band that it does name.  A row that lies beyond its detector by pixel position, or by region
    where pixels do not tell, is outside.  A row that is in both images or in neither (``inOneImage`` is false) is no
    injection: its flux is not in the difference.

    Parameters
    ----------
    catalogue : `pyarrow.Table`
        Injections, with ``ra`` and ``dec`` (degrees) at least.
    detectors : `polars.DataFrame`
        What was processed (`harness.metrics.flavor.frames.detectors_schema`).
    regions : `pyarrow.Table`, optional
        Corners on the sky (`harness.rerun.protocol.Rerun.regions`).
    match_radius
        Injections nearer to each other than this, arcsec, are coincident.

    Raises
    ------
    harness.errors.NotMeasuredError
        When the catalogue has no positions, or names no visit and detector while no region is known.
    """
    import polars as pl

    footprints = Footprints(detectors, regions)
    keyed = detectors.with_row_index("key").with_columns(pl.col("key").cast(pl.Int64))
    rows = _judged(_with_keys(_catalogue_frame(catalogue), keyed, footprints), keyed, footprints)
    is_kept = ~rows.select(pl.any_horizontal("numNonFinitePositions", "numDuplicates", "numOutside")).to_series()
    kept = rows.filter(is_kept)
    is_coincident = np.zeros(rows.height, bool)
    points = Points(*(kept[name].to_numpy() for name in ("ra", "dec", "key")))
    is_coincident[is_kept.to_numpy()] = repeats_within(points, match_radius)
    ladder = rows.with_columns(pl.Series("numCoincident", is_coincident)).group_by("key").agg(pl.col(LADDER).sum())
    ladder = ladder.join(keyed, on="key", how="left").sort("visit", "detector", nulls_last=True)
    return Placed(kept.drop("numNonFinitePositions", "numDuplicates", "numOutside"), ladder.select(*_DATA_ID, *LADDER))


def edge_margin(frame: pl.DataFrame) -> NDArray[np.float64]:
    """Return how far positions lie from the nearest edge of their detector, pixels: negative beyond, NaN if not known.

    Parameters
    ----------
    frame : `polars.DataFrame`
        ``x``, ``y``, ``width`` and ``height`` in pixels.
    """
    import polars as pl

    numbers = frame.select(pl.col("x", "y", "width", "height").cast(pl.Float64).fill_null(np.nan))
    x, y, width, height = (column.to_numpy() for column in numbers)
    # Pixel centres are whole numbers from 0, so the image ends half a pixel beyond the first and the last of them.
    margin = np.minimum(np.minimum(x + 0.5, width - 0.5 - x), np.minimum(y + 0.5, height - 0.5 - y))
    return np.asarray(np.where(np.isfinite(margin), margin, np.nan))


@cache
def _catalogue_schema() -> pl.Schema:
    import polars as pl

    return pl.Schema(
        {
            "injectionId": pl.Int64,
            "visit": pl.Int64,
            "detector": pl.Int32,
            "band": pl.String,
            **dict.fromkeys(("ra", "dec", "x", "y", "flux", "fluxErr", "mag", "snr"), pl.Float64),
            "inTemplate": pl.Boolean,
            "inOneImage": pl.Boolean,
        }
    )


def _catalogue_frame(catalogue: pa.Table) -> pl.DataFrame:
    """Return what is in one image of the two, with all columns that a catalogue may have, ``row`` and ``isPlaced``."""
    import polars as pl

    if missing := [name for name in ("ra", "dec") if name not in catalogue.column_names]:
        raise NotMeasuredError(
            f"the injection catalogue has no {' and '.join(missing)} (it has {', '.join(catalogue.column_names)}); "
            "check how its columns are named"
        )
    schema = _catalogue_schema()
    frame = pl.DataFrame(pl.from_arrow(catalogue.select([name for name in schema if name in catalogue.column_names])))
    frame = frame.with_columns(pl.lit(None, kind).alias(name) for name, kind in schema.items() if name not in frame)
    is_placed = pl.col("ra").is_finite() & pl.col("dec").is_finite() & (pl.col("dec").abs() <= 90)
    return (
        frame.select(pl.col(name).cast(kind) for name, kind in schema.items())
        .filter(pl.col("inOneImage").fill_null(value=True))
        .with_columns(pl.col("inTemplate").fill_null(value=False), is_placed.fill_null(value=False).alias("isPlaced"))
        .with_columns(pl.coalesce("injectionId", pl.when("isPlaced").then(_position_id())).alias("injectionId"))
        .with_row_index("row")
    )


def _position_id() -> pl.Expr:
    """Return a number for each position (31 bits for the declination), the same in every flavor."""
    import polars as pl

    east = (pl.col("ra") % 360 * _PER_DEGREE).round() % (360 * _PER_DEGREE)
    north = ((pl.col("dec") + 90) * _PER_DEGREE).round()
    return east.cast(pl.Int64, strict=False) * 2**31 + north.cast(pl.Int64, strict=False)


def _with_keys(rows: pl.DataFrame, keyed: pl.DataFrame, footprints: Footprints) -> pl.DataFrame:
    """Return the rows with ``key``, null for a row on no detector; one that names no detector may be on several."""
    import polars as pl

    is_named = pl.all_horizontal(pl.col(_DATA_ID).is_not_null()) | ~pl.col("isPlaced")
    named = rows.filter(is_named).join(keyed.select("key", *_DATA_ID), on=_DATA_ID, how="left")
    unnamed = rows.filter(~is_named)
    if unnamed.is_empty():
        return named.sort("row")
    if not footprints.known.size:
        raise NotMeasuredError(
            f"{unnamed.height} of {rows.height} injections name no visit and detector, and the corners of the "
            "detectors on the sky are not known; add the columns visit and detector, or a table of visits with corners"
        )
    return pl.concat([named, _on_the_sky(unnamed, keyed, footprints).select(named.columns)]).sort("row", "key")


def _on_the_sky(rows: pl.DataFrame, keyed: pl.DataFrame, footprints: Footprints) -> pl.DataFrame:
    """Return the rows on each detector that holds them, of the visit, detector and band that they name if any."""
    import polars as pl

    visit = rows["visit"].fill_null(-1).to_numpy()
    visits = keyed["visit"].to_list()
    at, keys = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for key, places in footprints.holding(rows["ra"].to_numpy(), rows["dec"].to_numpy()):
        of_visit = places[(visit[places] == visits[key]) | (visit[places] == -1)]
        at.append(of_visit)
        keys.append(np.full(of_visit.size, key))
    there = keyed.select("key", *(pl.col(name).alias(f"{name}_there") for name in (*_DATA_ID, "band")))
    held = (
        rows[np.concatenate(at)]
        .with_columns(pl.Series("key", np.concatenate(keys), pl.Int64))
        .join(there, on="key")
        .filter(pl.col(name).eq(pl.col(f"{name}_there")).fill_null(value=True) for name in ("detector", "band"))
        .with_columns(pl.col(f"{name}_there").alias(name) for name in _DATA_ID)
        # Pixels of a catalogue that names no detector are those of something else.
        .with_columns(pl.lit(None, pl.Float64).alias(name) for name in ("x", "y"))
    )
    nowhere = rows.join(held, on="row", how="anti").with_columns(pl.lit(None, pl.Int64).alias("key"))
    return pl.concat([held.select(nowhere.columns), nowhere])


def _judged(rows: pl.DataFrame, keyed: pl.DataFrame, footprints: Footprints) -> pl.DataFrame:
    """Return the rows with ``margin``, the band of their visit, and the reasons why they cannot be counted."""
    import polars as pl

    there = keyed.select("key", "width", "height", pl.col("band").alias("band_there"))
    rows = rows.join(there, on="key", how="left", maintain_order="left")
    margin = edge_margin(rows)
    is_beyond = margin < 0
    to_ask = (rows["key"].is_not_null() & rows["isPlaced"]).to_numpy() & np.isnan(margin)
    asked = rows.filter(to_ask)
    is_beyond[to_ask] = footprints.is_outside(*(asked[name].to_numpy() for name in ("ra", "dec", "key")))
    is_first = pl.struct("isPlaced", "injectionId", *_DATA_ID).is_first_distinct()
    is_nowhere = pl.col("key").is_null() | pl.Series("", is_beyond)
    return rows.select(
        "key",
        *(name for name in _catalogue_schema() if name != "band"),
        pl.coalesce("band_there", "band").alias("band"),
        pl.Series("margin", margin),
        (~pl.col("isPlaced")).alias("numNonFinitePositions"),
        (pl.col("isPlaced") & ~is_first).alias("numDuplicates"),
        (pl.col("isPlaced") & is_first & is_nowhere).alias("numOutside"),
    )
