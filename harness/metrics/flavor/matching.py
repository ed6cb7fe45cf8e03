"""What became of each injection: the frames that all metrics of a flavor are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl
    import pyarrow as pa

    from harness.diagnose.match import Match
    from harness.metrics.flavor.stages import Stage
    from harness.metrics.settings import Settings

__all__ = ["Frames", "injection_frames", "ladder_rows"]

_MAS = 3.6e6  # in a degree
_DATA_ID = ("visit", "detector")


@final
class Frames(NamedTuple):
    """Injections and DIA sources, matched.

    Attributes
    ----------
    injections, sources
        See `harness.metrics.flavor.frames`.
    ladder
        ``visit`` and ``detector`` (null for what is on none that was processed), and what was counted of the catalogue
        there (`harness.metrics.flavor.placing.LADDER`).
    """

    injections: pl.DataFrame
    sources: pl.DataFrame
    ladder: pl.DataFrame


def injection_frames(
    injections: pa.Table,
    sources: pa.Table,
    detectors: pl.DataFrame,
    stages: Sequence[Stage],
    settings: Settings,
    *,
    regions: pa.Table | None,
    known: pa.Table | None,
    stars: pa.Table | None,
) -> Frames:
    """Find each injection among the DIA sources, and say what every source is.

    An injection and a source are one when each is the other's nearest neighbour within the match radius on their visit
    and detector, so that no source is ever two injections.

    Parameters
    ----------
    injections : `pyarrow.Table`
        Catalogue of injections, with ``ra`` and ``dec`` at least.  Without visit and detector they are placed by
        ``regions``, without ``injectionId`` they are numbered by position.
    sources : `pyarrow.Table`
        DIA sources: ``diaSourceId``, ``visit``, ``detector``, ``ra`` and ``dec``, and what there is of ``psfFlux``,
        ``psfFluxErr`` (nJy), ``x``, ``y`` (pixel), ``diaObjectId``, ``ssObjectId``, ``isNegative`` and flags.
        Rows that repeat a ``diaSourceId`` count once.
    detectors : `polars.DataFrame`
        A row for each visit and detector that was processed (`harness.metrics.flavor.frames.detectors_schema`).
    stages
        Lists of flags; of those that cannot be applied all columns are False.
    settings
        Match radius.
    regions : `pyarrow.Table`, optional
        Corners on the sky (`harness.rerun.protocol.Rerun.regions`).
    known : `pyarrow.Table`, optional
        Real variables, transients and solar-system objects: ``ra``, ``dec``, and what there is of ``visit``,
        ``isMoving`` and ``ssObjectId``.
    stars : `pyarrow.Table`, optional
        Stars: ``ra``, ``dec``, and ``mag`` or ``g_mag`` ...

    Raises
    ------
    harness.errors.NotMeasuredError
        When injections cannot be placed, when a source has no number, or is of no visit and detector that was
        processed.
    """
    import polars as pl

    from harness.diagnose.match import mutual_nearest
    from harness.metrics.flavor.brightness import with_brightness
    from harness.metrics.flavor.found import found_sources
    from harness.metrics.flavor.frames import injections_schema, sources_schema
    from harness.metrics.flavor.known import kinds, near_stars
    from harness.metrics.flavor.neighbours import Points, are_near
    from harness.metrics.flavor.placing import place_injections
    from harness.metrics.flavor.reach import NEAR_INJECTION

    found = found_sources(sources, detectors, stages)
    placed, ladder = place_injections(injections, detectors, regions, settings.match_radius)
    ours, theirs = (Points(*(each[name].to_numpy() for name in ("ra", "dec", "key"))) for each in (placed, found))
    match = mutual_nearest(
        ours.ra, ours.dec, theirs.ra, theirs.dec, settings.match_radius, group1=ours.group, group2=theirs.group
    )
    is_injected = np.zeros(found.height, bool)
    is_injected[match.index2] = True
    placed = _with_match(with_brightness(placed, found), found, match)
    placed = placed.with_columns(near_stars(placed, stars))
    found = found.with_columns(
        kinds(found, is_injected, known, settings.match_radius),
        near_stars(found, stars),
        pl.Series("nearInjection", are_near(theirs, ours, NEAR_INJECTION) & ~is_injected),
    )
    return Frames(_of_schema(placed, injections_schema()), _of_schema(found, sources_schema()), ladder)


def ladder_rows(frames: Frames, detectors: pl.DataFrame, instrument: str | None) -> pa.Table:
    """Count what became of the injection catalogue, group by group (``injected_ladder``, ``injected_sanity``).

    Returns
    -------
    rows : `pyarrow.Table`
        Metric rows, one for each metric, visit and detector; what lies on no detector that was processed is counted in
        a row of the whole rerun.
    """
    import polars as pl

    from harness.metrics.data_ids import whole_rerun
    from harness.metrics.flavor.placing import LADDER
    from harness.metrics.keyed_rows import keyed_rows, rows_table

    counted = frames.injections.group_by(_DATA_ID).agg(
        pl.lit(1).alias("numDetectors"),
        (pl.col("flux").is_nan() & pl.col("mag").is_nan()).sum().alias("numWithoutFlux"),
        pl.col("snr").is_nan().sum().alias("numWithoutSnr"),
    )
    keys = detectors.select(*_DATA_ID, "band")
    counts = keys.join(counted, on=_DATA_ID, how="left", maintain_order="left").join(
        frames.ladder, on=_DATA_ID, how="left", maintain_order="left"
    )
    names = ("numDetectors", "numWithoutFlux", "numWithoutSnr", *LADDER)
    rows = [keyed_rows(f"injected.{name}", keys, counts[name].fill_null(0)) for name in names]
    nowhere = frames.ladder.filter(pl.col("visit").is_null())
    rows += [keyed_rows(f"injected.{name}", whole_rerun(), nowhere[name]) for name in LADDER if nowhere[name].sum()]
    return rows_table(rows, instrument)


def _with_match(placed: pl.DataFrame, sources: pl.DataFrame, match: Match) -> pl.DataFrame:
    """Return the injections with what was measured of each that was found."""
    import polars as pl

    goods = [name for name in sources.columns if name.startswith("good_")]
    found = sources[match.index2].select(
        pl.Series("place", match.index1, pl.Int64),
        "diaSourceId",
        "diaObjectId",
        pl.col("flux").alias("sourceFlux"),
        pl.col("fluxErr").alias("sourceFluxErr"),
        pl.col("ra").alias("sourceRa"),
        pl.col("dec").alias("sourceDec"),
        pl.Series("separation", match.separation, pl.Float64),
        *goods,
    )
    places = pl.int_range(pl.len(), dtype=pl.Int64).alias("place")
    joined = placed.with_columns(places).join(found, on="place", how="left", maintain_order="left")
    measured = ("sourceFlux", "sourceFluxErr", "sourceRa", "sourceDec", "separation")
    east = (pl.col("sourceRa") - pl.col("ra") + 180) % 360 - 180
    return joined.with_columns(
        pl.col("diaSourceId", "diaObjectId").fill_null(0),
        pl.col(measured).fill_null(np.nan),
        pl.col(goods).fill_null(value=False),
    ).with_columns(
        (east * pl.col("dec").radians().cos() * _MAS).alias("offsetRa"),
        ((pl.col("sourceDec") - pl.col("dec")) * _MAS).alias("offsetDec"),
    )


def _of_schema(frame: pl.DataFrame, schema: pl.Schema) -> pl.DataFrame:
    """Return the columns of a schema, numbers that are not known as NaN."""
    import polars as pl

    numbers = [name for name, kind in schema.items() if kind == pl.Float64]
    return frame.select(pl.col(name).cast(kind) for name, kind in schema.items()).with_columns(
        pl.col(numbers).fill_null(np.nan)
    )
