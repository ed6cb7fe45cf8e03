"""What is known of DIA sources from elsewhere: real variables and transients, solar-system objects, bright stars."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harness.diagnose.match import mutual_nearest
from harness.errors import NotMeasuredError
from harness.metrics.flavor.neighbours import Points, are_near, pairs_within
from harness.metrics.flavor.reach import NEAR_STAR, STAR_MAGNITUDE

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa
    from numpy.typing import NDArray

__all__ = ["kinds", "near_stars"]


def kinds(
    sources: pl.DataFrame, is_injected: NDArray[np.bool_], known: pa.Table | None, match_radius: float
) -> pl.Series:
    """Return what each source is: ``injected``, ``solarSystem``, ``known`` or ``unmatched``.

    Parameters
    ----------
    sources : `polars.DataFrame`
        ``key`` (of the visit and detector), ``visit``, ``ra``, ``dec`` (degrees) and ``isSolarSystem``: whether the
        source was associated with a solar-system object.
    is_injected
        Which of them are injections, shape (n,).
    known : `pyarrow.Table`, optional
        Catalogue of what is real: ``ra``, ``dec`` (degrees); ``visit`` of what was seen there in one visit only;
        ``isMoving``, or ``ssObjectId``, of solar-system objects.
    match_radius
        Mutual nearest neighbours within it, arcsec, are the same: those of the sources that are not injected and the
        catalogue, per visit and detector.
    """
    import polars as pl

    kind = np.full(sources.height, "unmatched", object)
    if known is not None:
        frame = _known_frame(known)
        others = sources.with_row_index("place").filter(~is_injected)
        place, number = _matched(others, frame, match_radius)
        kind[others["place"].to_numpy()[place]] = np.where(frame["isMoving"].to_numpy()[number], "solarSystem", "known")
    kind[sources["isSolarSystem"].to_numpy()] = "solarSystem"
    kind[is_injected] = "injected"
    return pl.Series("kind", kind, pl.String)


def near_stars(frame: pl.DataFrame, stars: pa.Table | None) -> pl.Series:
    """Return which positions lie near a bright star; null where no catalogue says how bright the stars are.

    Parameters
    ----------
    frame : `polars.DataFrame`
        ``ra``, ``dec`` (degrees) and ``band``.
    stars : `pyarrow.Table`, optional
        ``ra``, ``dec`` (degrees), and ``mag`` or the magnitude in each band (``g_mag`` ...).
    """
    import polars as pl

    near = pl.Series("nearStar", [None], pl.Boolean).new_from_index(0, frame.height)
    if stars is None:
        return near
    _require_positions(stars, "stars")
    table = pl.DataFrame(pl.from_arrow(stars))
    if "mag" in table:
        return _near_bright(frame, table, "mag")
    for (band,), _ in frame.group_by("band"):
        if f"{band}_mag" in table:
            is_of_band = (frame["band"] == band).fill_null(value=False)
            near = near.zip_with(~is_of_band, _near_bright(frame, table, f"{band}_mag"))
    return near


def _require_positions(catalogue: pa.Table, what: str) -> None:
    if missing := [name for name in ("ra", "dec") if name not in catalogue.column_names]:
        raise NotMeasuredError(
            f"the catalogue of {what} has no {' and '.join(missing)} (it has {', '.join(catalogue.column_names)}); "
            "check how its columns are named"
        )


def _known_frame(known: pa.Table) -> pl.DataFrame:
    """Return what has a position, with ``visit`` (null for all visits) and ``isMoving``."""
    import polars as pl

    _require_positions(known, "known sources")
    frame = pl.DataFrame(pl.from_arrow(known))
    is_moving = pl.lit(value=False)
    if "isMoving" in frame:
        is_moving = pl.col("isMoving").fill_null(value=False)
    elif "ssObjectId" in frame:
        is_moving = pl.col("ssObjectId").fill_null(0) != 0
    visit = pl.col("visit") if "visit" in frame else pl.lit(None)
    return frame.select(
        pl.col("ra", "dec").cast(pl.Float64), visit.cast(pl.Int64).alias("visit"), is_moving.alias("isMoving")
    ).filter(pl.col("ra").is_finite() & pl.col("dec").is_finite())


def _matched(
    sources: pl.DataFrame, known: pl.DataFrame, match_radius: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Match sources with what is known, per visit and detector; return places in the two."""
    import polars as pl

    # What is known is on every detector that has a source near it: elsewhere it matches nothing anyway.
    i, j = pairs_within(_points(sources), _points(known), match_radius)
    on_detectors = (
        pl.DataFrame({"key": sources["key"].gather(i), "seen": sources["visit"].gather(i), "number": j})
        .unique(("key", "number"))
        .sort("key", "number")
        .join(
            known.with_row_index("number").with_columns(pl.col("number").cast(pl.Int64)),
            on="number",
            how="left",
            maintain_order="left",
        )
        .filter(pl.col("visit").is_null() | (pl.col("visit") == pl.col("seen")))
    )
    match = mutual_nearest(
        sources["ra"],
        sources["dec"],
        on_detectors["ra"],
        on_detectors["dec"],
        match_radius,
        group1=sources["key"],
        group2=on_detectors["key"],
    )
    return match.index1, on_detectors["number"].to_numpy()[match.index2]


def _near_bright(frame: pl.DataFrame, stars: pl.DataFrame, mag: str) -> pl.Series:
    import polars as pl

    bright = stars.filter(pl.col(mag).cast(pl.Float64) < STAR_MAGNITUDE)
    return pl.Series("nearStar", are_near(_points(frame), _points(bright), NEAR_STAR))


def _points(frame: pl.DataFrame) -> Points:
    """Return all positions as one group."""
    ra, dec = (frame[name].cast(float).fill_null(np.nan).to_numpy() for name in ("ra", "dec"))
    return Points(ra, dec, np.zeros(frame.height, np.int64))
