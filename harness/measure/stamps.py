"""Cutouts of the images around chosen sources: what was missed, measured badly, or found where nothing is known."""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.errors import HarnessError, without_folders

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import polars as pl
    import pyarrow as pa
    from numpy.typing import NDArray

    from harness.rerun.exposures.protocol import Exposure, ExposureKind, ExposureRef, Exposures
    from harness.rerun.protocol import Rerun

__all__ = ["PLANES", "REASONS", "cutout", "stamps_schema", "stamps_table"]

PLANES: tuple[ExposureKind, ...] = ("science", "template", "difference")
"""The images that a stamp is cut out of, and the columns that hold them."""

REASONS = ("missed", "worst pull", "unmatched", "gained")
"""Why a source may be chosen."""


@cache
def stamps_schema() -> pa.Schema:
    """Return the Arrow schema of stamps, a row for each source.

    - ``reason``: one of `REASONS`; ``label``: which source it is.
    - ``x``, ``y``: parent pixels, NaN when nothing tells them.
    - ``science``, ``template``, ``difference``: ``2 half + 1`` squared pixels row by row, that of the source in the
      middle; NaN beyond the edge of the image, null when it could not be had.
    - ``problem``: why some image could not be had; else empty.
    """
    import pyarrow as pa

    return pa.schema(
        [
            ("visit", pa.int64()),
            ("detector", pa.int32()),
            ("band", pa.string()),
            ("reason", pa.string()),
            ("label", pa.string()),
            ("x", pa.float64()),
            ("y", pa.float64()),
            ("half", pa.int32()),
            *((plane, pa.list_(pa.float32())) for plane in PLANES),
            ("problem", pa.string()),
        ]
    )


def stamps_table(
    injections: pl.DataFrame,
    sources: pl.DataFrame,
    rerun: Rerun,
    *,
    gained: pl.DataFrame | None = None,
    per_reason: int = 4,
    half: int = 15,
) -> pa.Table:
    """Cut stamps out of a rerun's exposures around chosen sources.

    Chosen are missed injections of the highest signal-to-noise; injections that were found with the largest pull;
    unmatched sources of the largest flux that are not near an injection; and gained injections of the highest
    signal-to-noise.  Each injection, and each object, is chosen once: that of several visits which comes first.

    Parameters
    ----------
    injections, sources
        See `harness.metrics.flavor.frames`.
    rerun
        Its exposures are opened once each, and those alone that a stamp is cut out of.
    gained
        Injections that the rerun found and another did not, with the columns of ``injections``.
    per_reason
        How many sources to choose at most, for each reason.
    half
        Pixels from the middle of a stamp to its edge.

    Returns
    -------
    stamps : `pyarrow.Table`
        See `stamps_schema`; empty when the rerun has no exposures.
    """
    import pyarrow as pa

    if rerun.exposures is None:
        return stamps_schema().empty_table()
    stamps = _chosen(injections, sources, gained, per_reason)
    of_image: dict[tuple[int, int], list[dict[str, Any]]] = {}
    for stamp in stamps:
        stamp |= {"half": half, "problem": ""}
        of_image.setdefault((stamp["visit"], stamp["detector"]), []).append(stamp)
    listed: dict[tuple[int, int, str], ExposureRef] = {}
    for ref in rerun.exposures.listed:
        listed.setdefault((ref.visit, ref.detector, ref.kind), ref)
    for (visit, detector), own in of_image.items():
        _cut(own, {plane: listed.get((visit, detector, plane)) for plane in PLANES}, rerun.exposures)
    return pa.Table.from_pylist(stamps, stamps_schema())


def _chosen(
    injections: pl.DataFrame, sources: pl.DataFrame, gained: pl.DataFrame | None, per_reason: int
) -> list[dict[str, Any]]:
    """Return the sources to be shown, in the order of `REASONS` and of what they are chosen by."""
    import polars as pl

    found = pl.col("diaSourceId") != 0
    pull = (pl.col("sourceFlux") - pl.col("flux")) / pl.col("sourceFluxErr")
    missed, pulled = injections.filter(~found), injections.filter(found).with_columns(pull=pull)
    is_object = pl.col("diaObjectId") != 0
    alone = sources.filter((pl.col("kind") == "unmatched") & ~pl.col("nearInjection").fill_null(False)).with_columns(
        subject=pl.when(is_object).then("diaObjectId").otherwise("diaSourceId")
    )
    frames = {
        "missed": _first(missed, pl.col("snr"), "injectionId", per_reason),
        "worst pull": _first(pulled, pl.col("pull").abs(), "injectionId", per_reason),
        "unmatched": _first(alone, pl.col("flux").abs(), "subject", per_reason),
    }
    if gained is not None:
        frames["gained"] = _first(gained, pl.col("snr"), "injectionId", per_reason)
    names = ("visit", "detector", "band", "ra", "dec", "x", "y")
    return [
        {name: row[name] for name in names} | {"reason": reason, "label": _label(row)}
        for reason, frame in frames.items()
        for row in frame.iter_rows(named=True)
    ]


def _first(frame: pl.DataFrame, by: pl.Expr, subject: str, n: int) -> pl.DataFrame:
    """Return the rows with the largest finite number, each subject once; of equal ones the first data ID."""
    import polars as pl

    in_pixels, on_sky = (
        pl.all_horizontal(pl.col(name).is_finite().fill_null(False) for name in pair)
        for pair in (("x", "y"), ("ra", "dec"))
    )
    return (
        frame.with_columns(_by=by)
        .filter(pl.col("_by").is_finite() & (in_pixels | on_sky))
        .sort("_by", "visit", "detector", subject, descending=[True, False, False, False])
        .unique(subject, keep="first", maintain_order=True)
        .head(n)
    )


def _label(row: Mapping[str, Any]) -> str:
    """Name a source, with its signal-to-noise and, where it was found, its pull."""
    snr = f"SNR {row['snr']:.3g}" if row["snr"] is not None and math.isfinite(row["snr"]) else "SNR unknown"
    if "injectionId" not in row:
        return f"source {row['diaSourceId']}, {snr}"
    pull = f", pull {row['pull']:+.3g}" if "pull" in row else ""
    return f"injection {row['injectionId']}, {snr}{pull}"


def _cut(
    stamps: Sequence[dict[str, Any]], refs: Mapping[ExposureKind, ExposureRef | None], exposures: Exposures
) -> None:
    """Cut the stamps of one visit and detector out of its images; note what cannot be had."""
    from harness.rerun.exposures.opening import open_exposure

    for plane, ref in refs.items():
        if ref is None:
            _note(stamps, f"there is no {plane} image")
            continue
        try:
            with exposures.local(ref.ref) as path, open_exposure(path) as exposure:
                for stamp in stamps:
                    _cut_one(stamp, plane, exposure)
        except HarnessError as fault:
            for stamp in stamps:
                stamp.pop(plane, None)  # of a file that broke off midway
            _note(stamps, without_folders(fault))


def _cut_one(stamp: dict[str, Any], plane: str, exposure: Exposure) -> None:
    x0, y0 = exposure.xy0
    if not _is_place(stamp) and exposure.wcs is not None:
        column, row = exposure.wcs.world_to_pixel_values(stamp["ra"], stamp["dec"])
        stamp["x"], stamp["y"] = float(column) + x0, float(row) + y0
    if not _is_place(stamp):
        _note([stamp], f"nothing tells where it is in the {plane} image")
        return
    pixels = cutout(exposure.image, stamp["x"] - x0, stamp["y"] - y0, stamp["half"])
    if np.isnan(pixels).all():
        _note([stamp], f"the {plane} image has no data there")
    else:
        stamp[plane] = pixels.ravel()


def cutout(image: NDArray[np.floating[Any]], x: float, y: float, half: int) -> NDArray[np.float32]:
    """Return the square of pixels around a place.

    Parameters
    ----------
    image : (h, w)
        Any image.
    x, y
        Column and row of the place; the centre of the first pixel is 0.
    half
        Pixels from the middle to the edge.

    Returns
    -------
    pixels : (2 half + 1, 2 half + 1)
        A copy; NaN beyond the edge of the image.
    """
    pixels = np.full((2 * half + 1, 2 * half + 1), np.nan, np.float32)
    left, low = math.floor(x + 0.5) - half, math.floor(y + 0.5) - half
    rows = slice(max(low, 0), max(min(low + len(pixels), image.shape[0]), 0))
    columns = slice(max(left, 0), max(min(left + len(pixels), image.shape[1]), 0))
    inside = image[rows, columns]
    if inside.size:
        pixels[rows.start - low : rows.stop - low, columns.start - left : columns.stop - left] = inside
    return pixels


def _is_place(stamp: Mapping[str, Any]) -> bool:
    return all(stamp[name] is not None and math.isfinite(stamp[name]) for name in ("x", "y"))


def _note(stamps: Sequence[dict[str, Any]], problem: str) -> None:
    for stamp in stamps:
        stamp["problem"] = "; ".join(filter(None, (stamp["problem"], problem)))
