"""Which visits and detectors were subtracted, whether anything was found there or not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.metrics.flavor.frames import detectors_schema

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    import polars as pl
    import pyarrow as pa

__all__ = ["detectors_frame"]

_KEYS = ("visit", "detector")


def detectors_frame(
    sources: pa.Table,
    injections: pa.Table,
    regions: pa.Table | None,
    processed: Iterable[tuple[int, int]] | None,
    visits: Collection[int] | None = None,
) -> pl.DataFrame:
    """Return the visits and detectors that were subtracted.

    Where nothing lists them, those count that have a region, a DIA source or an injection: a detector on which nothing
    was found is one on which all injections were missed.

    Parameters
    ----------
    sources
        DIA sources: ``visit``, ``detector``, and ``band`` where known.
    injections
        Likewise; without visits and detectors they tell nothing.
    regions
        What is known of the geometry (`harness.rerun.protocol.Rerun.regions`).
    processed
        The visits and detectors with a catalogue of DIA sources; None when that is not recorded.
    visits
        The visits that are asked for; None for all.

    Returns
    -------
    detectors : `polars.DataFrame`
        See `harness.metrics.flavor.frames.detectors_schema`; in order of visit and detector.
    """
    import polars as pl

    schema = detectors_schema()
    tables = [_known(table) for table in (regions, sources, injections) if table is not None]
    everything = pl.concat([table for table in tables if table is not None], how="vertical")
    places = everything.group_by(_KEYS).agg(
        pl.col(name).drop_nulls().first() for name in ("band", "area", "width", "height")
    )
    if processed is not None:
        listed = pl.DataFrame(list(processed), {name: schema[name] for name in _KEYS}, orient="row")
        places = listed.unique().join(places, on=_KEYS, how="left")
    elif visits is not None:
        places = places.filter(pl.col("visit").is_in(list(visits)))
    bands = everything.group_by("visit").agg(pl.col("band").drop_nulls().first().alias("_band"))
    places = places.join(bands, on="visit", how="left").with_columns(pl.coalesce("band", "_band").alias("band"))
    return places.select(schema.names()).sort(_KEYS)


def _known(table: pa.Table) -> pl.DataFrame | None:
    """Return each visit and detector of a table once, with what is known of it; None when it has no such columns."""
    import polars as pl

    schema = detectors_schema()
    if not {*_KEYS} <= set(table.column_names):
        return None
    frame = pl.DataFrame(pl.from_arrow(table.select([name for name in schema if name in table.column_names])))
    frame = frame.drop_nulls(_KEYS).unique(_KEYS, keep="first", maintain_order=True)
    absent = [pl.lit(None, kind).alias(name) for name, kind in schema.items() if name not in frame.columns]
    return frame.with_columns(absent).select(pl.col(name).cast(kind) for name, kind in schema.items())
