"""The curves that are fitted to a flavor's injections: against signal-to-noise, and magnitude in each band."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal, NamedTuple, final

import numpy as np

from harness.metrics.flavor.by_detector import floats, found_by
from harness.metrics.flavor.catalogue import BANDS
from harness.metrics.flavor.efficiency import Curve, fit_curve

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import polars as pl
    import pyarrow as pa

    from harness.metrics.flavor.stages import Stage

__all__ = ["FittedCurve", "bands_of", "curves_table", "fitted_curves"]


@final
class FittedCurve(NamedTuple):
    """A curve, and what it was fitted to.

    Attributes
    ----------
    x
        Against what.
    band
        Of which injections; empty for all bands.
    stage
        What counts as found.
    curve
        Or one sentence that says why it cannot be told.
    """

    x: Literal["snr", "mag"]
    band: str
    stage: Stage
    curve: Curve | str


def bands_of(injections: pl.DataFrame) -> list[str]:
    """Return the bands that injections have, of those that metrics are named after."""
    present = set(injections["band"].unique())
    return [band for band in BANDS if band in present]


def fitted_curves(injections: pl.DataFrame, stages: Sequence[Stage]) -> Iterator[FittedCurve]:
    """Fit all curves of a rerun; of a stage that is not available, the reason is what stands in their place.

    Parameters
    ----------
    injections
        Of the whole rerun (`harness.metrics.flavor.frames`).
    stages
        What may count as found.
    """
    everywhere = np.ones(injections.height, bool)
    samples: list[tuple[Literal["snr", "mag"], str, np.ndarray]] = [("snr", "", everywhere)]
    for band in bands_of(injections):
        samples.append(("mag", band, (injections["band"] == band).fill_null(value=False).to_numpy()))
    visit = injections["visit"].to_numpy()
    for stage in stages:
        found = found_by(stage, injections)
        for x, band, chosen in samples:
            values = floats(injections, x)[chosen]
            curve = stage.why_not or fit_curve(values, found[chosen], visit[chosen], falling=x == "mag")
            yield FittedCurve(x, band, stage, curve)


def curves_table(curves: Sequence[FittedCurve]) -> pa.Table:
    """Return curves that could be fitted as a table for plots: what was fitted, and the ends of the 99 % intervals.

    Columns are ``x``, ``band``, ``stage``, ``x50``, ``slope``, ``ceiling``, ``x50Low``, ``x50High``, ``ceilingLow`` and
    ``ceilingHigh``; what is not bounded is infinite.
    """
    import pyarrow as pa

    names = ("x50", "slope", "ceiling", "x50Low", "x50High", "ceilingLow", "ceilingHigh")
    rows = [
        {
            "x": fitted.x,
            "band": fitted.band,
            "stage": fitted.stage.name,
            "x50": curve.x50,
            "slope": curve.slope,
            "ceiling": curve.ceiling,
            "x50Low": curve.interval_x50.low,
            "x50High": curve.interval_x50.high,
            "ceilingLow": curve.interval_ceiling.low,
            "ceilingHigh": curve.interval_ceiling.high,
        }
        for fitted in curves
        if isinstance(curve := fitted.curve, Curve) and math.isfinite(curve.x50)
    ]
    text = [(name, pa.string()) for name in ("x", "band", "stage")]
    return pa.Table.from_pylist(rows, pa.schema([*text, *((name, pa.float64()) for name in names)]))
