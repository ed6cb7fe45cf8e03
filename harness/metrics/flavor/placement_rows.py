"""Where on the detector false positives are: at its edge, near bright stars, on the same rows or columns.

Subtraction errors have places, and what is really in the sky has none.  Every metric is a number of sources, or of
pairs of them, over the number expected if they were anywhere, so that it is 1 for sources without a place.  The sources
are those that ``flavor.numFalsePositives`` counts: one near an injection is where the injection was put.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple, final

import numpy as np
import polars as pl

from harness.metrics.corners import corners_of
from harness.metrics.flavor.by_detector import floats, left_by, sums, unavailable
from harness.metrics.flavor.purity_rows import is_false_positive
from harness.metrics.flavor.reach import ALIGNED, APART, ASIDE
from harness.metrics.keyed_rows import keyed_rows, rows_table
from harness.metrics.sphere import unit_vectors

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from harness.metrics.flavor.stages import Stage
    from harness.metrics.settings import Settings

__all__ = ["placement_rows", "star_share"]

_EDGE = "flavor.edgeExcess"
_STAR = "flavor.starExcess"
_LINES = {"flavor.rowAlignment": ("y", "x"), "flavor.columnAlignment": ("x", "y")}
"""By metric, the coordinates across the line and along it."""

_KEY = ("visit", "detector")
_SIZE = {"x": "width", "y": "height"}

_NO_PIXELS = "a source has no pixel position (x, y)"
_NO_ROOM = "the detector has no room away from its edge"
_NO_SIZE = "the detector's size in pixels is not known"
_NO_REGION = "the corners of the detector are not known"
_NO_STARS = "no catalogue of stars says where the bright ones are"
_NO_MAGNITUDE = "the catalogue of stars does not say how bright they are in this band"

_PLACES = 128
"""So many places in x, and in y, of a detector are asked whether a star is near."""

_AT_ONCE = 16
"""Of so many detectors at a time."""


def placement_rows(
    sources: pl.DataFrame,
    detectors: pl.DataFrame,
    stages: Sequence[Stage],
    settings: Settings,
    instrument: str,
    *,
    star_share: pl.DataFrame | None = None,
) -> pa.Table:
    """Return the metrics of the group ``flavor_placement``, by visit and detector.

    Parameters
    ----------
    sources, detectors : `polars.DataFrame`
        As of `harness.metrics.flavor.frames`.
    stages
        The stages to look at.
    settings
        Width of the edge.
    instrument
        Name to put into the rows; empty when unknown.
    star_share : `polars.DataFrame`, optional
        Which share of each detector is near a bright star, as of `star_share`; None without a catalogue of stars.

    Returns
    -------
    rows : `pyarrow.Table`
        Metric rows (`harness.metrics.rows`): numerators are numbers found, denominators numbers expected.

    Notes
    -----
    *Edge.*  Of W × H pixels the share 1 - (W - 2e)(H - 2e)/(W H) lies within e of the edge.  The area fraction of
    DMTN-256, the square of the larger distance from the centre, in x or in y, over W H, is not uniform for sources
    anywhere on a rectangle: it shows an excess where there is none.

    *Alignment.*  Pairs of sources whose y differ by at most `ALIGNED`, over those whose y differ by `ASIDE`, times the
    ratio of the chances of either for two sources anywhere; for columns likewise in x.  Sources are away from the edge,
    and all pairs more than `APART` along the row, so that a cluster around a star has none with itself.  Pairs a little
    aside have the same gradients, glows and amplifiers under them as those on a row.  A density that rises from nothing
    at one side of 2048 pixels to the other moves the ratio by 1.4 %; held against what is expected of a uniform density
    it would be 33 %.
    """
    false = sources.filter(is_false_positive()).join(detectors.select(_KEY).with_row_index("at"), on=_KEY)
    false = false.select("at", "x", "y", "margin", "nearStar", *(stage.column for stage in stages if stage.column))
    chips = _Chips(detectors, floats(detectors, "width"), floats(detectors, "height"), settings.edge_width)
    inside = false.filter(_is_placed() & (pl.col("margin") >= settings.edge_width))
    lines = {metric: inside.sort("at", across) for metric, (across, _) in _LINES.items()}
    share = None
    if star_share is not None:
        share = detectors.join(star_share, on=_KEY, how="left", maintain_order="left", validate="1:1")["share"]
    rows: list[pl.DataFrame] = []
    for stage in stages:
        if stage.why_not:
            rows += unavailable(map(stage.of, (_EDGE, _STAR, *_LINES)), stage.why_not)
            continue
        left = false.filter(left_by(stage, false))
        unplaced = _numbers(left.filter(~_is_placed()), chips) > 0
        rows.append(_edge_rows(stage.of(_EDGE), left, chips, unplaced))
        if share is None:
            rows += unavailable([stage.of(_STAR)], _NO_STARS)
        else:
            rows.append(_star_rows(stage.of(_STAR), left, chips, share))
        for metric, line in lines.items():
            rows.append(
                _line_rows(stage.of(metric), line.filter(left_by(stage, line)), chips, unplaced, _LINES[metric])
            )
    return rows_table(rows, instrument or None)


def star_share(stars: pa.Table, detectors: pl.DataFrame, regions: pa.Table | None) -> pl.DataFrame:
    """Return which share of each detector is near a bright star (`harness.metrics.flavor.reach`).

    Parameters
    ----------
    stars : `pyarrow.Table`
        ``ra``, ``dec`` (degrees), and ``mag`` or the magnitude in each band (``g_mag`` ...).
    detectors : `polars.DataFrame`
        As of `harness.metrics.flavor.frames.detectors_schema`.
    regions : `pyarrow.Table` or None
        Corners of the detectors (`harness.rerun.protocol.Rerun.regions`).

    Returns
    -------
    share : `polars.DataFrame`
        ``visit``, ``detector`` and ``share``, in the order of detectors: NaN where corners are not known, null where
        magnitudes of stars are not.

    Notes
    -----
    The share of places on a regular grid that have a star within reach.  With 40 stars on 410 × 820 arcsec it is right
    to 1 % of itself, which is little beside the counting error of the sources near them.
    """
    from harness.metrics.flavor.known import near_stars

    corners = corners_of(detectors, regions)
    is_known = np.isfinite(corners).all(axis=(1, 2))
    shares = []
    for first in range(0, detectors.height, _AT_ONCE):
        some = detectors[first : first + _AT_ONCE]
        places = _grid(corners[first : first + _AT_ONCE])
        frame = some.select("band", at=pl.int_range(some.height)).select(pl.all().repeat_by(_PLACES**2).explode())
        frame = frame.with_columns(ra=places[..., 0].ravel(), dec=places[..., 1].ravel())
        near = frame.with_columns(near_stars(frame, stars))
        shares.append(near.group_by("at").agg(pl.col("nearStar").mean()).sort("at")["nearStar"])
    share = pl.concat(shares) if shares else pl.Series([], dtype=pl.Float64)
    return detectors.select(*_KEY, pl.when(pl.Series(is_known)).then(share).otherwise(math.nan).alias("share"))


@final
class _Chips(NamedTuple):
    """The detectors and their sizes in pixels, shape (n,), NaN where unknown; and the width of the edge."""

    frame: pl.DataFrame
    width: NDArray[np.float64]
    height: NDArray[np.float64]
    edge: float

    def inner(self, across: str) -> NDArray[np.float64]:
        """Return the extent of what is away from the edge, in x or y."""
        return np.maximum((self.width if across == "x" else self.height) - 2 * self.edge, 0)

    @property
    def share_at_edge(self) -> NDArray[np.float64]:
        """The share of the area that is near the edge."""
        return 1 - self.inner("x") * self.inner("y") / (self.width * self.height)

    @property
    def unsized(self) -> NDArray[np.bool_]:
        """Which sizes are not known."""
        return ~np.isfinite(self.width * self.height)


def _is_placed() -> pl.Expr:
    return pl.all_horizontal(pl.col("x", "y").is_finite().fill_null(value=False))


def _numbers(frame: pl.DataFrame, chips: _Chips) -> NDArray[np.float64]:
    """Return the number of sources on each detector."""
    return sums(frame["at"].to_numpy().astype(np.int64), chips.frame.height)


def _rows(
    metric: str,
    chips: _Chips,
    found: NDArray[np.float64],
    expected: NDArray[np.float64],
    faults: Mapping[str, NDArray[np.bool_]],
) -> pl.DataFrame:
    """Return the rows of a metric: NaN, and why, where something is at fault (of several faults the last)."""
    detail = np.full(len(found), None, object)
    for why, where in faults.items():
        detail[where] = why
    numerator = np.where(np.any(list(faults.values()), axis=0), math.nan, found)
    return keyed_rows(metric, chips.frame, numerator, expected, detail.tolist())


def _edge_rows(metric: str, left: pl.DataFrame, chips: _Chips, unplaced: NDArray[np.bool_]) -> pl.DataFrame:
    near = _numbers(left.filter(pl.col("margin") < chips.edge), chips)
    expected = _numbers(left, chips) * chips.share_at_edge
    return _rows(metric, chips, near, expected, {_NO_PIXELS: unplaced, _NO_SIZE: chips.unsized})


def _star_rows(metric: str, left: pl.DataFrame, chips: _Chips, share: pl.Series) -> pl.DataFrame:
    near = _numbers(left.filter(pl.col("nearStar")), chips)
    unseen = _numbers(left.filter(pl.col("nearStar").is_null()), chips) > 0
    known = share.fill_null(math.nan).to_numpy()
    faults = {_NO_REGION: np.isnan(known), _NO_MAGNITUDE: share.is_null().to_numpy() | unseen}
    return _rows(metric, chips, near, _numbers(left, chips) * known, faults)


def _line_rows(
    metric: str, line: pl.DataFrame, chips: _Chips, unplaced: NDArray[np.bool_], axes: tuple[str, str]
) -> pl.DataFrame:
    """Count pairs of sources that are away from the edge, sorted by detector and position across the line."""
    from harness.metrics.flavor._pairs_kernel import count_pairs

    across, along = axes
    at = line["at"].to_numpy().astype(np.int64)
    position, other = (line[axis].to_numpy(writable=True) for axis in (across, along))
    pairs = np.zeros((chips.frame.height, 2), np.int64)
    count_pairs(at, position, other, (APART, ALIGNED, *ASIDE), pairs)
    # Of whole numbers, those that differ by at most t are as many as of others by at most t + 1/2.
    spacing = 0.5 if bool(np.all(position == np.floor(position))) else 0.0
    extent = chips.inner(across)
    is_cramped = extent <= ASIDE[0] + spacing
    extent[is_cramped] = math.nan
    aligned, near, far = (_chance(reach + spacing, extent) for reach in (ALIGNED, *ASIDE))
    expected = pairs[:, 1] * aligned / (far - near)
    faults = {_NO_PIXELS: unplaced, _NO_SIZE: chips.unsized, _NO_ROOM: is_cramped}
    return _rows(metric, chips, pairs[:, 0].astype(np.float64), expected, faults)


def _chance(reach: float, extent: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the probability that two places anywhere on an extent differ by at most a reach."""
    missed = np.maximum(1 - reach / extent, 0)
    result: NDArray[np.float64] = 1 - missed**2
    return result


def _grid(corners: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return places (ra, dec) in degrees on a regular grid between corners, shape (n, places, 2)."""
    step = (np.arange(_PLACES) + 0.5) / _PLACES
    u, v = (axis.reshape(-1, 1) for axis in np.meshgrid(step, step))
    a, b, c, d = np.moveaxis(unit_vectors(corners[..., 0], corners[..., 1])[:, :, None], 1, 0)
    x, y, z = np.moveaxis((1 - u) * (1 - v) * a + u * (1 - v) * b + u * v * c + (1 - u) * v * d, -1, 0)
    return np.stack([np.degrees(np.arctan2(y, x)), np.degrees(np.arctan2(z, np.hypot(x, y)))], axis=-1)
