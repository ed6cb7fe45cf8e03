"""Metric rows of photon transfer curves: every amplifier's gains, noise and brighter-fatter coefficient."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, final

import numpy as np

from harness.metrics.ptc.amplifier_rows import BETWEEN, AmplifierRows
from harness.metrics.ptc.catalogue import ENOUGH_FOR_ALL_LAGS, FEW_LAGS
from harness.metrics.ptc.curve import MAX_LAG
from harness.metrics.ptc.exp_approximation import fit_exp_approximation
from harness.metrics.ptc.full_covariance import fit_full_covariance
from harness.metrics.ptc.gains import estimate_gains
from harness.metrics.ptc.linearity import linearity
from harness.metrics.ptc.places import place_of
from harness.model import digest_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pyarrow as pa

    from harness.metrics.ptc.curve import Curve
    from harness.metrics.ptc.fit import Fit

__all__ = ["curve_rows"]

#: Estimates that need no pixels: mean and variance of each pair are enough.
_OF_VARIANCE = ("gainSlope", "gainQuadratic")


def curve_rows(
    curves: Sequence[Curve],
    instrument: str,
    surplus: Iterable[tuple[int, str, str]] = (),
    problems: Iterable[tuple[int, str, str]] = (),
) -> pa.Table:
    """Fit curves and return every amplifier's metrics.

    Parameters
    ----------
    curves
        One per amplifier.
    instrument
        Name to put into the rows.
    surplus
        Flats that belong to no pair: detector, exposure in words, and reason.
    problems
        Amplifiers that cannot be read: detector, amplifier and reason.
    """
    rows = AmplifierRows(instrument)
    for curve, fit in zip(curves, fit_exp_approximation(curves), strict=True):
        amplifier = _Amplifier(rows, curve, fit)
        amplifier.add_fit()
        amplifier.add_covariance_fits()
        amplifier.add_estimates()
        amplifier.add_light()
        amplifier.add_ladder()
    unpaired: dict[int | None, list[tuple[str, str]]] = {curve.detector: [] for curve in curves}
    for detector, exposure, reason in surplus:
        unpaired.setdefault(detector, []).append((exposure, reason))
    for number, told in unpaired.items():
        rows.count("ptc.numUnpairedFlats", (number, None), len(told), _told(told))
        rows.count("ptc.numUnreadableAmplifiers", (number, None), 0)
    for number, name, reason in problems:
        rows.count("ptc.numUnreadableAmplifiers", (number, name), 1, f"{name}: {reason}")
    return rows.table()


@final
class _Amplifier:
    """Adds the rows of one amplifier."""

    def __init__(self, rows: AmplifierRows, curve: Curve, fit: Fit) -> None:
        self._rows = rows
        self._curve = curve
        self._fit = fit
        self._place = place_of(curve.detector, curve.detector_name, curve.amplifier)
        self._sample = digest_of(sorted(curve.exposures.tolist())) if (curve.exposures >= 0).all() else ""

    def add_fit(self) -> None:
        fit = self._fit
        self._mean("ptc.gain", fit.gain, fit.gain_error, fit.reason)
        self._mean("ptc.noise", fit.noise, fit.noise_error, fit.reason or "the fitted noise² is not positive")
        self._mean("ptc.a00", fit.a00, fit.a00_error, fit.reason)
        self._mean("ptc.turnoff", fit.turnoff, fit.turnoff_error, fit.reason)
        full_well = fit.turnoff * fit.gain
        relative = math.hypot(fit.turnoff_error / fit.turnoff, fit.gain_error / fit.gain)
        self._mean("ptc.fullWell", full_well, full_well * relative, fit.reason)
        self._rows.count("ptc.numUnfitted", self._place, int(not fit.converged), fit.reason)
        self._rows.count("ptc.numAmplifiers", self._place, int(math.isfinite(fit.gain)))

    def add_covariance_fits(self) -> None:
        if self._curve.covariance is None:
            return
        n_pixels = self._curve.n_pixels[self._curve.measured]
        lags = MAX_LAG if n_pixels.size and np.median(n_pixels) >= ENOUGH_FOR_ALL_LAGS else FEW_LAGS
        for name, with_b in (("gainFullCovariance", True), ("gainFullCovarianceNoB", False)):
            fit = fit_full_covariance(self._curve, self._fit, with_b=with_b, max_lag=lags).fit
            self._mean(f"ptc.{name}", fit.gain, fit.gain_error, fit.reason)
            if with_b:
                self._mean("ptc.a00FullCovariance", fit.a00, fit.a00_error, fit.reason)

    def add_estimates(self) -> None:
        good = self._curve.measured
        without_pixels = bool(good.any()) and not np.isfinite(self._curve.rhl[good]).any()
        for estimate in estimate_gains(self._curve, self._fit):
            if without_pixels and estimate.name not in _OF_VARIANCE:
                continue
            self._mean(f"ptc.{estimate.name}", estimate.value, estimate.error, estimate.reason)
            reason = estimate.reason or "there is no fit to predict it from"
            self._mean(f"ptc.offset.{estimate.name}", estimate.offset, estimate.offset_error, reason)

    def add_light(self) -> None:
        curve = self._curve
        good = curve.measured
        noise, mismatch = curve.overscan_noise[good], curve.delta[good] / curve.mean[good]
        if np.isfinite(noise).any():
            self._mean("ptc.overscanNoise", *_mean(noise))
        if np.isfinite(mismatch).any():
            square, error = _mean(mismatch**2)
            root = math.sqrt(square)
            self._mean("ptc.lampMismatch", root, error / (2 * root) if root else math.nan)
        light = linearity(curve, self._fit.turnoff)
        if light.n_pairs > 1:
            self._mean("ptc.linearityScatter", light.scatter, light.scatter / math.sqrt(2 * (light.n_pairs - 1)))

    def add_ladder(self) -> None:
        curve, fit = self._curve, self._fit
        self._rows.count("ptc.numPairs", self._place, int(fit.below_turnoff(curve).sum()))
        past = curve.measured & (curve.mean > fit.turnoff)
        self._rows.count("ptc.numPairsPastTurnoff", self._place, int(past.sum()))
        left_out = [
            (f"exposures {first} and {second}", str(curve.status[at]) or "mean or variance is not positive")
            for at, (first, second) in enumerate(curve.exposures.tolist())
            if not curve.measured[at]
        ]
        self._rows.count("ptc.numRejectedPairs", self._place, len(left_out), _told(left_out))

    def _mean(self, metric: str, value: float, error: float, reason: str = "") -> None:
        self._rows.mean(metric, self._place, value, error, detail=reason, sample=self._sample)


def _mean(values: np.ndarray) -> tuple[float, float]:
    """Return mean and standard error of the finite values."""
    finite = values[np.isfinite(values)]
    error = finite.std(ddof=1) / math.sqrt(finite.size) if finite.size > 1 else math.nan
    return float(finite.mean()), float(error)


def _told(reasons: Sequence[tuple[str, str]]) -> str:
    """Say each reason once, with the first place that it holds for, and for how many more."""
    places: dict[str, list[str]] = {}
    for place, reason in reasons:
        places.setdefault(reason, []).append(place)
    more = {reason: f" ({len(found) - 1} more like it)" if len(found) > 1 else "" for reason, found in places.items()}
    return BETWEEN.join(f"{found[0]}: {reason}{more[reason]}" for reason, found in places.items())
