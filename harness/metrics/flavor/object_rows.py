"""What became of the DIA objects of injected sources.

An injection that stays at its place is seen again in every visit, and all its sources belong to one object.  One that
moves between visits, as an injected asteroid does, makes a new object each time and rightly so; it is left out.  So is
a source that belongs to no object.

Objects and injections have no visit of their own.  So that sums over visits are right, and visits can be drawn anew,
each of their n sources carries 1/n of them into its visit and detector (as in `harness.metrics.dia_objects`).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from harness.metrics.flavor.by_detector import floats, left_by, numbered, sums, unavailable
from harness.metrics.flavor.reach import AT_REST
from harness.metrics.keyed_rows import keyed_rows, rows_table
from harness.metrics.sphere import unit_vectors

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from harness.metrics.flavor.stages import Stage

__all__ = ["object_rows"]

_METRICS = ("injected.sourcesPerObject", "injected.objectsPerInjection", "injected.objectScatter")

_MAS = math.degrees(1) * 3.6e6  # in a radian

_VECTOR = ("_x", "_y", "_z")


def object_rows(
    injections: pl.DataFrame, detectors: pl.DataFrame, stages: Sequence[Stage], instrument: str
) -> pa.Table:
    """Return the metric rows of the group ``injected_object``.

    Parameters
    ----------
    injections, detectors
        Of all visits of a rerun (`harness.metrics.flavor.frames`): an object is the same in each.
    stages
        What each number is given for; what a stage does not leave is no source of an object there.
    instrument
        Name to put into the rows.

    Returns
    -------
    rows : `pyarrow.Table`
        One for each metric, stage, visit and detector; one for each metric of a stage that is not available, and of a
        rerun without any object.
    """
    found = numbered(injections.filter(pl.col("diaSourceId") != 0), detectors, "injectionId")
    of_objects = found.filter(pl.col("diaObjectId") != 0)
    nothing = ""
    if found.height and of_objects.is_empty():
        nothing = f"none of the {found.height} sources of injections has a diaObjectId"
    at_rest = of_objects.join(_moving(injections), on="injectionId", how="anti", maintain_order="left")
    rows: list[pl.DataFrame] = []
    for stage in stages:
        if reason := stage.why_not or nothing:
            rows += unavailable(map(stage.of, _METRICS), reason)
        else:
            rows += _rows(_shared(at_rest.filter(left_by(stage, at_rest))), stage, detectors)
    return rows_table(rows, instrument or None)


def _moving(injections: pl.DataFrame) -> pl.DataFrame:
    """Return the ``injectionId`` of injections that are not at one place in all visits."""
    places = injections.select("injectionId").hstack(_vectors(injections, "ra", "dec"))
    extent = places.group_by("injectionId").agg(pl.col(_VECTOR).max() - pl.col(_VECTOR).min())
    diagonal = np.linalg.norm(extent.select(_VECTOR).to_numpy(), axis=1)
    return extent.filter(diagonal > math.radians(AT_REST / 3600)).select("injectionId")


def _vectors(frame: pl.DataFrame, ra: str, dec: str) -> pl.DataFrame:
    return pl.DataFrame(unit_vectors(floats(frame, ra), floats(frame, dec)), _VECTOR, orient="row")


def _shared(sources: pl.DataFrame) -> pl.DataFrame:
    """Say of each source how many its object and its injection have, and how far it is from their mean position.

    Adds ``of_object`` and ``of_injection`` (numbers of sources), ``objects`` (of its injection), and ``scatter``: the
    standard deviation per coordinate, mas, whose mean distance (Rayleigh's) from the mean of so many positions this is.
    """
    sources = sources.hstack(_vectors(sources, "sourceRa", "sourceDec")).with_columns(
        pl.len().over("diaObjectId").alias("of_object"),
        pl.len().over("injectionId").alias("of_injection"),
        pl.col("diaObjectId").n_unique().over("injectionId").alias("objects"),
        pl.col(_VECTOR).mean().over("diaObjectId").name.suffix("_mean"),
    )
    place = sources.select(_VECTOR).to_numpy()
    mean = sources.select(f"{axis}_mean" for axis in _VECTOR).to_numpy()
    distance = np.linalg.norm(place - mean, axis=1) * _MAS  # of arcseconds: the chord is the arc
    n = sources["of_object"].to_numpy()
    scatter = math.sqrt(2 / math.pi) * distance * np.sqrt(n / np.maximum(n - 1, 1))
    return sources.with_columns(pl.Series("scatter", scatter))


def _rows(sources: pl.DataFrame, stage: Stage, detectors: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Add up the metrics at one stage."""
    of_object, of_injection = floats(sources, "of_object"), floats(sources, "of_injection")
    objects, scatter = floats(sources, "objects"), floats(sources, "scatter")
    at = sources["at"].to_numpy().astype(np.int64)
    several = of_object > 1

    def rows(
        metric: str, at: NDArray[np.int64], over: NDArray[np.float64], under: NDArray[np.float64], wanted: str
    ) -> pl.DataFrame:
        of_stage = f" that {stage.name} leaves" if stage.name else ""
        nothing = None if at.size else [f"no injection at rest has {wanted}{of_stage}"] * detectors.height
        numerator, denominator = sums(at, detectors.height, over), sums(at, detectors.height, under)
        return keyed_rows(stage.of(metric), detectors, numerator, denominator, nothing)

    one, two = "a source of an object", "an object of two sources"
    yield rows("injected.sourcesPerObject", at, np.ones(at.size), 1 / of_object, one)
    yield rows("injected.objectsPerInjection", at, objects / of_injection, 1 / of_injection, one)
    yield rows("injected.objectScatter", at[several], scatter[several], np.ones(several.sum()), two)
