"""How far an estimate of gain lies from the true gain: it is applied to what the amplifier ought to have measured."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from harness.metrics.ptc.exp_approximation import exp_approximation

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from harness.metrics.ptc.curve import Curve
    from harness.metrics.ptc.fit import Fit

__all__ = ["expected_curve", "expected_rhl", "predict_offset"]


def expected_rhl(
    mean: NDArray[np.float64], delta: NDArray[np.float64], gain: float, a00: float, noise: float
) -> NDArray[np.float64]:
    """Return the expected mean of (I1 - I2)² / (I1 + I2), adu.

    To first order this is V/µ + Δ²/2µ.  Where read noise matters, two terms of second order do as well: the sum of
    the two images varies (1/sum is larger on average than 1/2µ), and the light in it is not the light measured.

    Parameters
    ----------
    mean
        Mean signal µ, adu.
    delta
        Lamp mismatch Δ, adu.
    gain, a00, noise
        Of the amplifier: e-/adu, 1/e- and e-.
    """
    variance = exp_approximation(mean, gain, a00, noise)
    read = (noise / gain) ** 2
    second_order = read * (2 * variance - read) / (2 * mean**2)
    return np.asarray((variance + delta**2 / 2 + second_order) / mean)


def expected_curve(curve: Curve, below: NDArray[np.bool_], gain: float, a00: float, noise: float) -> Curve:
    """Return the curve that an amplifier with these parameters would show without counting noise.

    Pairs that are not below the turnoff stay as measured: no model holds there, yet they take their rank in a median.

    Parameters
    ----------
    curve
        What was measured: the ladder of signals, lamp mismatch and overscan noise are taken from here.
    below : (n,) bool
        The pairs that the model is for.
    gain, a00, noise
        Of the amplifier: e-/adu, 1/e- and e-.
    """
    variance, rhl = curve.variance.copy(), curve.rhl.copy()
    mean = curve.mean[below]
    variance[below] = exp_approximation(mean, gain, a00, noise)
    rhl[below] = expected_rhl(mean, curve.delta[below], gain, a00, noise)
    return replace(curve, variance=variance, rhl=rhl, covariance=None, covariance_error=None)


def predict_offset(
    estimate: Callable[[Curve], float], curve: Curve, fit: Fit, below: NDArray[np.bool_]
) -> tuple[float, float]:
    """Predict estimate / true gain - 1, and the standard error of the prediction.

    The error adds in quadrature what one standard error of each fitted parameter changes.

    Parameters
    ----------
    estimate
        The estimate of gain, e-/adu, as a function of a curve.
    curve
        What was measured.
    fit
        EXPAPPROXIMATION fit of the curve.
    below : (n,) bool
        Pairs below the turnoff.
    """

    def offset(gain: float = fit.gain, a00: float = fit.a00, noise: float = fit.noise) -> float:
        return float(estimate(expected_curve(curve, below, gain, a00, noise)) / gain - 1)

    predicted = offset()
    changes = (
        offset(gain=fit.gain + fit.gain_error) - predicted,
        offset(a00=fit.a00 + fit.a00_error) - predicted,
        offset(noise=fit.noise + fit.noise_error) - predicted,
    )
    return predicted, float(np.linalg.norm(changes))
