"""How well injected sources are measured: residuals of flux, magnitude and position.

Fluxes are compared with their sign: an injection into the template is negative in the difference, and so is its flux.
(DMTN-256 compared the amount with a negative measurement, and saw a second bump of pulls.)

Magnitudes have no sign.  A source of the wrong one therefore has no magnitude to compare: it counts as an outlier, and
not in mean and scatter of the magnitudes.  Among the pulls it is simply a very large one.

A source without a finite flux, or without a positive, finite error, is in none of the means, and so must not go unseen:
``injected.numUnmeasured`` counts such sources.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np
import polars as pl

from harness.metrics.flavor.by_detector import floats, left_by, numbered, sums, unavailable
from harness.metrics.flavor.frames import MIN_SNR
from harness.metrics.flavor.pulls import WIDTH, has_wrong_sign, pulls
from harness.metrics.keyed_rows import keyed_rows, rows_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from harness.metrics.flavor.stages import Stage

__all__ = ["residual_rows"]

_TAIL = 3.0  # pulls

#: An outlier of DMTN-256: so many magnitudes off, at more than this signal-to-noise.
_OUTLIER_MAG, _OUTLIER_SNR = 0.1, 0.5

_MAS = 1000.0  # in an arcsecond

_FOUND = f"injection of signal-to-noise {MIN_SNR:g} or more was found"


def residual_rows(
    injections: pl.DataFrame, detectors: pl.DataFrame, stages: Sequence[Stage], instrument: str
) -> pa.Table:
    """Return the metric rows of the groups ``injected_photometry`` and ``injected_astrometry``.

    Parameters
    ----------
    injections, detectors
        Of any number of visits (`harness.metrics.flavor.frames`).
    stages
        What each number is given for.
    instrument
        Name to put into the rows.

    Returns
    -------
    rows : `pyarrow.Table`
        One for each metric, stage, visit and detector; of a stage that is not available, one for each metric.
    """
    found = numbered(injections.filter(pl.col("diaSourceId") != 0), detectors, "injectionId")
    residuals = [*_photometry(found), *_astrometry(found)]
    at = found["at"].to_numpy().astype(np.int64)
    rows: list[pl.DataFrame] = []
    for stage in stages:
        if stage.why_not:
            rows += unavailable((stage.of(residual.metric) for residual in residuals), stage.why_not)
            continue
        left = left_by(stage, found)
        rows += (_rows(residual, stage, left, at, detectors) for residual in residuals)
    return rows_table(rows, instrument or None)


@final
@dataclass(frozen=True, slots=True)
class _Residual:
    """A metric, and what each injection that was found contributes to it.

    Attributes
    ----------
    metric
        Name, without stage.
    values : (n,) float64
        Contribution of each injection; not finite where it was not measured.
    chosen : (n,) bool
        Whose contribution counts.
    known : (n,) bool
        Whose truth is known; without any there is nothing to choose from.
    wanted, truth, lacks
        What is chosen, known, and not measured, in words.
    is_mean
        Whether contributions are averaged, or added up.
    """

    metric: str
    values: NDArray[np.float64]
    chosen: NDArray[np.bool_]
    known: NDArray[np.bool_]
    wanted: str
    truth: str
    lacks: str
    is_mean: bool = True


def _photometry(found: pl.DataFrame) -> Iterator[_Residual]:
    snr, flux, measured = (floats(found, name) for name in ("snr", "flux", "sourceFlux"))
    known = np.isfinite(snr) & np.isfinite(flux)
    bright = known & (snr >= MIN_SNR)
    truth = "flux and signal-to-noise"

    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        offset = -2.5 * np.log10(np.abs(measured / flux))
    pull = pulls(found)
    tail = np.where(np.isfinite(pull), np.abs(pull) > _TAIL, math.nan)
    words = (_FOUND, truth, "no finite flux with a finite error above 0")
    unmeasured = (~np.isfinite(pull)).astype(np.float64)
    yield _Residual("injected.numUnmeasured", unmeasured, bright, known, *words, is_mean=False)
    yield _Residual("injected.fluxPullMean", pull, bright, known, *words)
    yield _Residual("injected.fluxPullWidth", WIDTH * np.abs(pull), bright, known, *words)
    yield _Residual("injected.fracFluxPullTails", tail, bright, known, *words)

    wrong_sign = has_wrong_sign(found)
    words = (f"{_FOUND} with the right sign", truth, "no finite flux")
    comparable = bright & ~wrong_sign
    yield _Residual("injected.magOffset", offset, comparable, known, *words)
    yield _Residual("injected.magScatter", WIDTH * np.abs(offset), comparable, known, *words)
    outlier = np.where(np.isfinite(measured), wrong_sign | (np.abs(offset) > _OUTLIER_MAG), math.nan)
    yield _Residual("injected.numMagOutliers", outlier, known & (snr > _OUTLIER_SNR), known, *words, is_mean=False)


def _astrometry(found: pl.DataFrame) -> Iterator[_Residual]:
    snr = floats(found, "snr")
    known = np.isfinite(snr)
    words = (_FOUND, "signal-to-noise", "no position")
    for column, scale in (("offsetRa", 1.0), ("offsetDec", 1.0), ("separation", _MAS)):
        values = scale * floats(found, column)
        yield _Residual(f"injected.{column}", values, known & (snr >= MIN_SNR), known, *words)


def _rows(
    residual: _Residual, stage: Stage, left: NDArray[np.bool_], at: NDArray[np.int64], detectors: pl.DataFrame
) -> pl.DataFrame:
    """Add up one metric at one stage."""
    wanted = residual.chosen & left
    chosen = wanted & np.isfinite(residual.values)
    n = sums(at[chosen], detectors.height)
    total = sums(at[chosen], detectors.height, residual.values[chosen])
    left_by_stage = f" whose source {stage.name} leaves" if stage.name else ""
    reason = ""
    if left.any() and not (residual.known & left).any():
        reason = f"the {residual.truth} of no injection is known that was found{left_by_stage}"
    elif wanted.any() and not chosen.any():
        reason = f"all {wanted.sum()} sources of injections{left_by_stage} have {residual.lacks}"
    if reason:
        total = np.full(detectors.height, math.nan)
    elif residual.is_mean and not chosen.any():
        reason = f"no {residual.wanted}{left_by_stage}"
    detail = [reason] * detectors.height if reason else None
    return keyed_rows(stage.of(residual.metric), detectors, total, n if residual.is_mean else None, detail)
