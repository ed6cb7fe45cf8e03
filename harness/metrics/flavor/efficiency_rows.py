"""Metric rows of how many injections are found: counts, shares, and the curves that are fitted to them.

Everything is counted by visit and detector of those that were subtracted.  One where nothing was found is 0 of n:
upstream skips it, and with it the worst.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from harness.metrics.flavor.by_detector import floats, found_by, left_by, numbered, sums, unavailable
from harness.metrics.flavor.catalogue import MAG_BINS, SNR_BINS
from harness.metrics.flavor.efficiency import CONFIDENCE, curve_change
from harness.metrics.keyed_rows import keyed_rows, rows_table
from harness.metrics.rows import rows_schema

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import polars as pl
    import pyarrow as pa
    from numpy.typing import NDArray

    from harness.metrics.flavor.curves import FittedCurve
    from harness.metrics.flavor.efficiency import Curve
    from harness.metrics.flavor.stages import Stage
    from harness.metrics.settings import Settings
    from harness.model import Interval

    Bools: TypeAlias = NDArray[np.bool_]

__all__ = ["curve_change_rows", "curve_rows", "efficiency_rows"]

_NO_STARS = "no catalogue of stars says which injections are near a bright one"


def efficiency_rows(
    injections: pl.DataFrame, detectors: pl.DataFrame, stages: Sequence[Stage], settings: Settings, instrument: str
) -> pa.Table:
    """Return the metric rows of the groups ``injected_count`` and ``injected_efficiency``, but for those of curves.

    Parameters
    ----------
    injections, detectors
        Of any number of visits (`harness.metrics.flavor.frames`).
    stages
        What each number is given for.
    settings
        Width of the edge.
    instrument
        Name to put into the rows.

    Returns
    -------
    rows : `pyarrow.Table`
        One for each visit and detector of each count and share; one of the whole rerun for what is not available.
    """
    placed = numbered(injections, detectors, "injectionId")
    rows = [*_shares(placed, detectors, stages, settings.edge_width), *_unavailable(stages)]
    return rows_table(rows, instrument or None)


def curve_rows(curves: Iterable[FittedCurve], instrument: str) -> pa.Table:
    """Return the metric rows of fitted curves, which are the rest of the group ``injected_efficiency``.

    Parameters
    ----------
    curves
        As `harness.metrics.flavor.curves.fitted_curves` yields them.
    instrument
        Name to put into the rows.

    Returns
    -------
    rows : `pyarrow.Table`
        One of the whole rerun for each number of a curve.
    """
    return _whole([row for fitted in curves for row in _curve_rows(fitted)], instrument)


def curve_change_rows(pairs: pl.DataFrame, bands: Sequence[str], stages: Sequence[Stage], instrument: str) -> pa.Table:
    """Return the metric rows of ``flavor.snr50Change`` and ``flavor.mag50Change``.

    Parameters
    ----------
    pairs
        Injections that both reruns have; columns of the reference end in ``_reference``.
    bands
        Of the rerun's own injections, whether the reference has any of them or not.
    stages
        What each number is given for: one that both reruns have is available.
    instrument
        Name to put into the rows.

    Returns
    -------
    rows : `pyarrow.Table`
        One of the whole rerun for each metric, stage and band.
    """
    rows: list[dict[str, object]] = []
    curves = [("flavor.snr50Change", "snr_reference", np.ones(pairs.height, bool))]
    curves += [(f"flavor.mag50Change.{band}", "mag", _in_band(pairs, band)) for band in bands]
    visit = pairs["visit"].to_numpy()
    for stage in stages:
        for metric, column, chosen in curves:
            name = stage.of(metric)
            if stage.why_not:
                rows.append(_without(name, stage.why_not))
                continue
            x = floats(pairs, column)[chosen]
            found, of_reference = (found_by(stage, pairs, side)[chosen] for side in ("", "_reference"))
            change = curve_change(x, found, of_reference, visit[chosen], falling=column == "mag")
            rows.append(_without(name, change) if isinstance(change, str) else _row(name, *change))
    return _whole(rows, instrument)


def _shares(
    placed: pl.DataFrame, detectors: pl.DataFrame, stages: Sequence[Stage], edge_width: float
) -> Iterator[pl.DataFrame]:
    """Yield counts of injections, of those found, and their shares."""
    at = placed["at"].to_numpy().astype(np.int64)
    everything, matched = np.ones(placed.height, bool), placed["diaSourceId"].to_numpy() != 0

    def count(chosen: Bools) -> NDArray[np.float64]:
        return sums(at[chosen], detectors.height)

    def share(metric: str, found: Bools, of: Bools, lacking: str) -> pl.DataFrame:
        detail = None if of.any() else [f"there is no injection {lacking}"] * detectors.height
        return keyed_rows(metric, detectors, count(found & of), count(of), detail)

    yield keyed_rows("injected.numInjections", detectors, count(everything))
    for stage in stages:
        if stage.why_not:
            continue
        found = matched & left_by(stage, placed)
        yield keyed_rows(stage.of("injected.numMatched"), detectors, count(found))
        yield share(stage.of("injected.efficiency"), found, everything, "on a detector")
        if stage.name:
            yield share(stage.of("injected.survival"), found, matched, "that was found")
    for metric, column, bins, words in (
        ("injected.efficiencySnr", "snr", SNR_BINS, "signal-to-noise"),
        ("injected.efficiencyMag", "mag", MAG_BINS, "magnitude"),
    ):
        values = floats(placed, column)
        for name, (low, high) in bins.items():
            of = f"of {words} {low:g} to {high:g}"
            yield share(f"{metric}.{name}", matched, (values >= low) & (values < high), of)
    at_edge = floats(placed, "margin") < edge_width
    yield share("injected.efficiencyAtEdge", matched, at_edge, f"within {edge_width:g} pixels of an edge")
    near_star = placed["nearStar"]
    if placed.height and near_star.null_count() == placed.height:
        yield from unavailable(["injected.efficiencyNearStars"], _NO_STARS)
    else:
        is_near = near_star.fill_null(value=False).to_numpy()
        yield share("injected.efficiencyNearStars", matched, is_near, "near a bright star")


def _unavailable(stages: Sequence[Stage]) -> Iterator[pl.DataFrame]:
    """Yield why metrics of a stage whose flags cannot be applied have no numbers."""
    metrics = [f"injected.{name}" for name in ("numMatched", "efficiency", "survival")]
    for stage in stages:
        if stage.why_not:
            yield from unavailable(map(stage.of, metrics), stage.why_not)


def _curve_rows(fitted: FittedCurve) -> Iterator[dict[str, object]]:
    """Yield what a curve says of a whole rerun."""
    name = f"injected.mag50.{fitted.band}" if fitted.x == "mag" else "injected.snr50"
    names = [fitted.stage.of(name)]
    if fitted.x == "snr":
        names.append(fitted.stage.of("injected.snrCeiling"))
    curve = fitted.curve
    if isinstance(curve, str):
        yield from (_without(name, curve) for name in names)
        return
    yield _row(names[0], curve.x50, curve.uncertainty_x50, _detail(curve.interval_x50, curve))
    if fitted.x == "snr":
        yield _row(names[1], curve.ceiling, curve.uncertainty_ceiling, _detail(curve.interval_ceiling, curve))


def _in_band(injections: pl.DataFrame, band: str) -> Bools:
    return (injections["band"] == band).fill_null(value=False).to_numpy()


def _detail(interval: Interval, curve: Curve) -> str:
    limits = f"{interval.low:.4g} to {interval.high:.4g} at {CONFIDENCE * 100:g} %"
    return f"{limits}, of {curve.n} injections in {curve.n_visits} visit{'s' * (curve.n_visits != 1)}"


def _row(metric: str, value: float, uncertainty: float, detail: str = "") -> dict[str, object]:
    """Return a number of the whole rerun; an uncertainty without bounds is none that can be told."""
    stated = uncertainty if math.isfinite(uncertainty) else math.nan
    return {"metric": metric, "numerator": value, "denominator": 1.0, "uncertainty": stated, "detail": detail}


def _without(metric: str, reason: str) -> dict[str, object]:
    return {"metric": metric, "numerator": math.nan, "detail": reason}


def _whole(rows: Sequence[dict[str, object]], instrument: str) -> pa.Table:
    import pyarrow as pa

    empty = dict.fromkeys(rows_schema().names)
    return pa.Table.from_pylist([{**empty, "instrument": instrument or None, **row} for row in rows], rows_schema())
