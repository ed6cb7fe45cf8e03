"""Estimates of gain side by side, each with its standard error and its predicted offset from the true gain."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, Self, final

import numpy as np

from harness.metrics.ptc.exp_approximation import exp_approximation
from harness.metrics.ptc.offsets import expected_curve, predict_offset
from harness.metrics.ptc.polynomials import fit_line, fit_quadratic

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import ArrayLike, NDArray

    from harness.metrics.ptc.curve import Curve
    from harness.metrics.ptc.fit import Fit
    from harness.metrics.ptc.polynomials import FormulaFit

__all__ = ["DEFINITIONS", "GainEstimate", "PairMethod", "estimate_gains", "pair_gain"]

PairMethod = Literal["NONE", "SIMPLE", "FULL", "EXACT", "SIMPLE_AS_PUBLISHED"]

#: The line is fitted between these fractions of the turnoff: high enough for a residual of the bias not to matter,
#: low enough for brighter-fatter to be little more than its leading term.
SLOPE_WINDOW = (0.02, 0.3)
#: The parabola is fitted below this fraction of the turnoff; further up, the cubic term changes the linear one.
QUADRATIC_BELOW = 0.5

#: Draws of counting noise, in pairs of opposite sign, that the standard error of a median comes from.
_DRAWS = 400

_PAIR_METHODS: Mapping[str, PairMethod] = MappingProxyType(
    {
        "gainPairNone": "NONE",
        "gainPairSimple": "SIMPLE",
        "gainPairFull": "FULL",
        "gainPairExact": "EXACT",
        "gainPairSimpleAsPublished": "SIMPLE_AS_PUBLISHED",
    }
)

#: Everything that changes what each estimate means, by the name of the estimate.
DEFINITIONS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "gainRhl": {"method": "NONE", "pairs": "measured", "statistic": "median"},
        "gainSlope": {"model": "line", "window": list(SLOPE_WINDOW), "of": "turnoff"},
        "gainQuadratic": {"model": "quadratic", "below": QUADRATIC_BELOW, "of": "turnoff"},
        **{
            name: {"method": method, "pairs": "below turnoff", "statistic": "median"}
            for name, method in _PAIR_METHODS.items()
        },
    }
)


@final
@dataclass(frozen=True, slots=True)
class GainEstimate:
    """One estimate of the gain of an amplifier.

    Attributes
    ----------
    name
        One of `DEFINITIONS`.
    value, error
        The estimate and its standard error from counting noise, e-/adu.
    offset, offset_error
        Predicted estimate / true gain - 1, and the standard error of that prediction: ``value / (1 + offset)``
        estimates the true gain.
    reason
        Why numbers are NaN; empty where none is.
    """

    name: str
    value: float = math.nan
    error: float = math.nan
    offset: float = math.nan
    offset_error: float = math.nan
    reason: str = ""


def pair_gain(rhl: ArrayLike, mean: ArrayLike, overscan_noise: ArrayLike, method: PairMethod) -> NDArray[np.float64]:
    """Return the gain that each pair of flats gives by itself, e-/adu; NaN where the method has no answer.

    With c = mean[(I1 - I2)² / (I1 + I2)], read noise R and mean signal µ, in adu:

    - NONE: 1/c.
    - EXACT: 1/(c - R²/µ).  In Poisson light the difference at a given sum is binomial, hence c = 1/g + R²/µ.
    - SIMPLE: 1/(c - (R² - 1/(2g²))/µ) with g = 1/c, as lsst/cp_pipe documents it.
    - FULL: the g that solves 1/g = c - (R² - 1/(2g²))/µ, as in lsst/cp_pipe.  The term 1/(2g²) is not in Poisson
      light: SIMPLE and FULL are low by 1/(2gµ).
    - SIMPLE_AS_PUBLISHED: what lsst/cp_pipe computes in place of SIMPLE, g²/2 where 1/(2g²) is meant.

    Parameters
    ----------
    rhl
        c, adu.
    mean
        Mean signal, adu.
    overscan_noise
        Read noise, adu; a pair where it is not finite gets its gain by NONE, as in lsst/cp_pipe.
    method
        One of the above.
    """
    c, mu = np.asarray(rhl, float), np.asarray(mean, float)
    read = np.asarray(overscan_noise, float) ** 2
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        none = 1 / c
        match method:
            case "NONE":
                gain = none
            case "EXACT":
                gain = 1 / (c - read / mu)
            case "SIMPLE":
                gain = 1 / (c - (read - c**2 / 2) / mu)
            case "FULL":
                gain = (mu + np.sqrt(mu**2 - 2 * mu * c + 2 * read)) / (2 * (mu * c - read))
            case "SIMPLE_AS_PUBLISHED":
                gain = 1 / (c - (read - none**2 / 2) / mu)
        gain = np.where(np.isfinite(read), gain, none)
        return np.where((c > 0) & (mu > 0) & (gain > 0) & np.isfinite(gain), gain, np.nan)


def estimate_gains(curve: Curve, fit: Fit) -> list[GainEstimate]:
    """Estimate the gain of an amplifier in every way of `DEFINITIONS`.

    Parameters
    ----------
    curve
        Photon transfer curve of the amplifier.
    fit
        Its EXPAPPROXIMATION fit, which gives the turnoff, and the parameters that offsets are predicted from.

    Notes
    -----
    Errors count photons: that of a variance is V sqrt(2/N) for N pixels, or more where the scatter about the fit is
    more, or what that scatter says where N is unknown.  The same photons are behind all estimates of a curve, and
    behind the fit: errors of two of them added in quadrature are an upper limit to the error of their difference.
    """
    below = fit.below_turnoff(curve)
    if not below.any():
        return [GainEstimate(name, reason=fit.reason or "no pair below the turnoff") for name in DEFINITIONS]
    fit = _with_noise(curve, fit)
    curve = _with_pixels(curve, fit)
    window = (SLOPE_WINDOW[0] * fit.turnoff, SLOPE_WINDOW[1] * fit.turnoff)
    noise = np.random.default_rng(0).standard_normal((_DRAWS // 2, len(curve)))
    noise = np.concatenate([noise, -noise])
    estimators: dict[str, _PairMedian | _LinearTerm] = {
        "gainRhl": _PairMedian.of(curve, curve.measured, "NONE", noise),
        "gainSlope": _LinearTerm(lambda points: fit_line(points, *window)),
        "gainQuadratic": _LinearTerm(lambda points: fit_quadratic(points, QUADRATIC_BELOW * fit.turnoff)),
        **{name: _PairMedian.of(curve, below, method, noise) for name, method in _PAIR_METHODS.items()},
    }
    return [_estimate(name, estimators[name], curve, fit, below) for name in DEFINITIONS]


@dataclass(frozen=True, slots=True)
class _PairMedian:
    """Median over pairs of the gain that each gives by itself."""

    method: PairMethod
    pairs: NDArray[np.bool_]
    noise: NDArray[np.float64]

    @classmethod
    def of(cls, curve: Curve, among: NDArray[np.bool_], method: PairMethod, noise: NDArray[np.float64]) -> Self:
        """Choose the pairs that have a gain, so that the same ones are expected to."""
        return cls(method, among & np.isfinite(pair_gain(curve.rhl, curve.mean, curve.overscan_noise, method)), noise)

    def measured(self, curve: Curve) -> tuple[float, str]:
        if self.pairs.any():
            return float(np.median(self._gains(curve, curve.rhl))), ""
        if np.isfinite(curve.rhl).any():
            return math.nan, f"the {self.method} formula has no answer for any pair"
        return math.nan, "mean[(I1 - I2)²/(I1 + I2)] was not measured"

    def expected(self, curve: Curve) -> tuple[float, float]:
        """Take medians of noisy pairs: where gains crowd on one side, noise shifts the median, and it keeps but a part.

        How large that part is depends on how steeply the gains rise with signal; no closed form holds for all ladders.
        """
        gains = self._gains(curve, curve.rhl * (1 + np.sqrt(2 / curve.n_pixels) * self.noise))
        answered = np.isfinite(gains).all(axis=0)
        if not answered.any() or not np.isfinite(self._gains(curve, curve.rhl)).all():
            return math.nan, math.nan
        medians = np.median(gains[:, answered], axis=1)
        return float(np.mean(medians)), float(np.std(medians))

    def _gains(self, curve: Curve, rhl: NDArray[np.float64]) -> NDArray[np.float64]:
        pairs = self.pairs
        return pair_gain(rhl[..., pairs], curve.mean[pairs], curve.overscan_noise[pairs], self.method)


@dataclass(frozen=True, slots=True)
class _LinearTerm:
    """Inverse of the linear term of a polynomial fitted to variance over mean."""

    fit: Callable[[Curve], FormulaFit]

    def measured(self, curve: Curve) -> tuple[float, str]:
        fit = self.fit(curve)
        return fit.gain, fit.reason

    def expected(self, curve: Curve) -> tuple[float, float]:
        """Leave out of the error what the polynomial misses: the offset takes account of that."""
        fit = self.fit(curve)
        return fit.gain, fit.gain_error / math.sqrt(max(1.0, fit.reduced_chi2))


def _estimate(
    name: str, estimator: _PairMedian | _LinearTerm, curve: Curve, fit: Fit, below: NDArray[np.bool_]
) -> GainEstimate:
    value, reason = estimator.measured(curve)
    if not math.isfinite(value):
        return GainEstimate(name, reason=reason)
    _, error = estimator.expected(expected_curve(curve, below, fit.gain, fit.a00, fit.noise))
    offset, offset_error = predict_offset(lambda points: estimator.expected(points)[0], curve, fit, below)
    reason = "" if math.isfinite(offset) else "no offset: lamp mismatch or counting noise is unknown"
    return GainEstimate(name, value, error, offset, offset_error, reason)


def _with_noise(curve: Curve, fit: Fit) -> Fit:
    """Give a fit whose read noise is unknown (its square came out negative) that of the overscan, or none.

    The error is as large as the noise itself: the fit has not seen it.
    """
    if math.isfinite(fit.noise):
        return fit
    known = curve.overscan_noise[np.isfinite(curve.overscan_noise)]
    noise = fit.gain * float(np.median(known)) if known.size else 0.0
    return replace(fit, noise=noise, noise_error=noise)


def _with_pixels(curve: Curve, fit: Fit) -> Curve:
    """Let the number of pixels stand for the scatter that there is: from that scatter alone where it is unknown."""
    expected = exp_approximation(curve.mean[fit.used], fit.gain, fit.a00, fit.noise)
    degrees = np.count_nonzero(fit.used) - 3
    scatter2 = float(np.sum((curve.variance[fit.used] / expected - 1) ** 2)) / degrees if degrees > 0 else 0.0
    unknown = 2 / scatter2 if scatter2 > 0 else math.nan
    known = curve.n_pixels / max(1.0, fit.reduced_chi2)
    return replace(curve, n_pixels=np.where(np.isfinite(known), known, unknown))
