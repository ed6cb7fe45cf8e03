"""Predicted offsets of gain estimates explain what the estimates differ by."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from curve_tables import rtm010
from flat_simulation import Sensor, flat_pair, kernel
from flux_ladders import GAIN, LADDERS, NOISE, ladder_curve, true_fit

from harness.metrics.ptc.exp_approximation import fit_exp_approximation
from harness.metrics.ptc.gains import estimate_gains
from harness.metrics.ptc.offsets import expected_curve, expected_rhl, predict_offset

if TYPE_CHECKING:
    from harness.metrics.ptc.curve import Curve

#: a00 (1/e-) and root mean square of the lamp mismatch, and the notebook's ratio of slope to Welcome gain for each,
#: in a simulation by other hands.
COLUMNS = [(0.0, 0.0), (-2e-6, 0.0), (-3e-6, 0.0), (-3e-6, 0.001), (-3e-6, 0.003)]
RATIOS = {
    "logarithmic": [1.007, 1.014, 1.018, 1.020, 1.036],
    "square root": [1.001, 1.038, 1.057, 1.079, 1.162],
    "linear": [1.001, 1.078, 1.121, 1.148, 1.314],
}
CASES = [(ladder, *column) for ladder in RATIOS for column in COLUMNS]


def welcome(curve: Curve) -> float:
    """Return the notebook's "Welcome" gain: the median over all pairs."""
    return float(np.median(1 / curve.rhl))


def positional_slope(curve: Curve) -> float:
    """Return the notebook's slope gain: all but the first 6 and last 15 pairs, without weights."""
    return float(1 / np.polyfit(curve.mean[6:-15], curve.variance[6:-15], 1)[0])


def amplifiers(ladder: str, a00: float, lamp: float, seed: int = 1) -> list[tuple[Curve, float]]:
    """Draw 16 amplifiers that see the same lamp, and their gains."""
    rng = np.random.default_rng(seed)
    flicker = lamp * rng.standard_normal(len(LADDERS[ladder]))
    gains = GAIN + 0.02 * rng.standard_normal(16)
    return [(ladder_curve(ladder, rng, a00=a00, lamp=flicker, gain=gain), gain) for gain in gains]


@pytest.mark.parametrize(("ladder", "a00", "lamp"), CASES)
def test_ratio_of_slope_to_rhl_is_predicted(ladder, a00, lamp):
    """The constant factor between two gains follows from a00, ladder and lamp, in any window."""
    observed, predicted, ours, ours_predicted = [], [], [], []
    for curve, gain in amplifiers(ladder, a00, lamp):
        fit = true_fit(curve, a00=a00, gain=gain)
        observed.append(positional_slope(curve) / welcome(curve))
        slope, rhl = (predict_offset(of, curve, fit, fit.used)[0] for of in (positional_slope, welcome))
        predicted.append((1 + slope) / (1 + rhl))
        estimates = {estimate.name: estimate for estimate in estimate_gains(curve, fit)}
        slope, rhl = estimates["gainSlope"], estimates["gainRhl"]
        ours.append(slope.value / rhl.value)
        ours_predicted.append((1 + slope.offset) / (1 + rhl.offset))
    assert np.mean(predicted) == pytest.approx(np.mean(observed), rel=0.0015)
    assert np.mean(ours_predicted) == pytest.approx(np.mean(ours), rel=0.0015)
    np.testing.assert_allclose(predicted, observed, rtol=0.006)  # 16 amplifiers, one by one, each 0.15 %
    np.testing.assert_allclose(ours_predicted, ours, rtol=0.006)


@pytest.mark.parametrize(("ladder", "a00", "lamp"), CASES)
def test_simulation_is_the_one_of_the_published_ratios(ladder, a00, lamp):
    """The simulated ratios are those of the table; with a flickering lamp, within what lamps of that flicker give."""
    published = RATIOS[ladder][COLUMNS.index((a00, lamp))]
    lamps = 25 if lamp else 1
    ratios = [
        np.mean([positional_slope(curve) / welcome(curve) for curve, _ in amplifiers(ladder, a00, lamp, seed)])
        for seed in range(lamps)
    ]
    spread = np.std(ratios) if lamps > 1 else 0.0
    assert np.mean(ratios) == pytest.approx(published, abs=0.003 + 2.5 * spread)


@pytest.mark.parametrize(("ladder", "tolerance"), [("logarithmic", 3e-5), ("square root", 1e-3), ("linear", 6e-3)])
def test_ratio_is_that_of_the_closed_formulas(ladder, tolerance):
    """The series of both estimates in a00 gives the same ratio, as far as the series goes.

    With s_k = cov(µ, µ^k)/var(µ): 1/slope = 1/g + a00 s2 + (2/3) a00² g s3, and
    1/Welcome = 1/g + a00 µ + (2/3) a00² g µ² + n²/(g² µ).
    """
    a00 = -3e-6
    curve = ladder_curve(ladder, np.random.default_rng(1), a00=a00)
    fit = true_fit(curve, a00=a00)
    window, mean = curve.mean[6:-15], np.median(curve.mean)
    s2, s3 = (np.cov(window, window**k)[0, 1] / np.var(window, ddof=1) for k in (2, 3))
    slope = 1 / (1 / GAIN + a00 * s2 + 2 / 3 * a00**2 * GAIN * s3)
    rhl = 1 / (1 / GAIN + a00 * mean + 2 / 3 * a00**2 * GAIN * mean**2 + (NOISE / GAIN) ** 2 / mean)
    offsets = [predict_offset(of, curve, fit, fit.used)[0] for of in (positional_slope, welcome)]
    assert (1 + offsets[0]) / (1 + offsets[1]) == pytest.approx(slope / rhl, rel=tolerance)


@pytest.mark.parametrize(
    ("electrons", "noise", "mismatch"), [(50, 0, 0), (50, 5, 0), (200, 5, 0), (200, 8, 0.1), (2000, 5, 0.05)]
)
def test_rhl_of_pixels_is_the_expected_one(electrons, noise, mismatch):
    """Pixels of Poisson light and read noise have the expected mean of (I1 - I2)²/(I1 + I2), down to 50 electrons."""
    rng, gain, n = np.random.default_rng(1), 1.5, 1_000_000
    levels = electrons * np.array([1 - mismatch / 2, 1 + mismatch / 2])
    one, two = ((rng.poisson(level, n) + rng.normal(0, noise, n)) / gain for level in levels)
    expected = expected_rhl(
        *(np.array([electrons / gain]), np.array([np.diff(levels)[0] / gain])), gain=gain, a00=0.0, noise=noise
    )
    terms = (one - two) ** 2 / (one + two)
    assert np.mean(terms) == pytest.approx(expected[0], abs=4 * np.std(terms) / np.sqrt(n), rel=0)


@pytest.mark.slow
def test_rhl_of_pixels_with_brighter_fatter_is_the_expected_one():
    """Charge that repels charge lowers the estimator as it lowers the variance."""
    sensor, rng = Sensor(gain=1.5, noise=5.0, a=kernel(-3e-6)), np.random.default_rng(1)
    pairs = [flat_pair(sensor, 30000, (512, 512), rng) for _ in range(2)]
    rhl = np.mean([np.mean((one - two) ** 2 / (one + two)) for one, two in pairs])
    expected = expected_rhl(np.array([20000.0]), np.array([0.0]), gain=1.5, a00=-3e-6, noise=5.0)[0]
    assert rhl == pytest.approx(expected, rel=4 * np.sqrt(2 / (2 * 512**2)))
    assert expected < 0.93 / 1.5  # without brighter-fatter it would be 1/1.5: ten times further than the tolerance


def test_second_order_of_read_noise_matters_at_low_light():
    """At 50 electrons and 5 of noise, the first order alone is off by 0.8 % (4 times the tolerance above)."""
    mean, gain = np.array([50 / 1.5]), 1.5
    first_order = 1 / gain + (5 / gain) ** 2 / mean
    expected = expected_rhl(mean, np.zeros(1), gain=gain, a00=0.0, noise=5.0)
    assert expected[0] / first_order[0] - 1 == pytest.approx(0.0083, abs=1e-4)


def test_pairs_past_the_turnoff_stand_as_measured():
    """No model is asked about a pair beyond the turnoff, and every pair below it follows the model."""
    curve = ladder_curve("linear", np.random.default_rng(1), a00=-3e-6)
    fit = true_fit(curve, a00=-3e-6)
    expected = expected_curve(curve, fit.used, GAIN, -3e-6, NOISE)
    past = ~fit.used
    assert past.sum() == 2
    np.testing.assert_array_equal(expected.rhl[past], curve.rhl[past])
    np.testing.assert_array_equal(expected.variance[past], curve.variance[past])
    electrons = GAIN * curve.mean[fit.used]
    np.testing.assert_allclose(
        expected.variance[fit.used], (np.expm1(-6e-6 * electrons) / -6e-6 + NOISE**2) / GAIN**2, rtol=1e-12
    )


@pytest.mark.parametrize("parameter", ["gain", "a00", "noise"])
def test_error_of_the_prediction_is_the_scatter_of_predictions(parameter):
    """Fits that scatter by their errors predict offsets that scatter by the errors of the offsets."""
    errors = {"gain": 0.02, "a00": 1e-7, "noise": 0.5}
    curve = ladder_curve("square root", np.random.default_rng(1), a00=-3e-6)
    fit = true_fit(curve, a00=-3e-6)
    one = replace(fit, **{f"{parameter}_error": errors[parameter]})
    rng = np.random.default_rng(2)
    drawn = getattr(fit, parameter) + errors[parameter] * rng.standard_normal(200)
    for estimate in (welcome, positional_slope):
        _, stated = predict_offset(estimate, curve, one, fit.used)
        predictions = [
            predict_offset(estimate, curve, replace(fit, **{parameter: value}), fit.used)[0] for value in drawn
        ]
        assert stated == pytest.approx(np.std(predictions), rel=0.2, abs=1e-9)
    assert predict_offset(welcome, curve, fit, fit.used)[1] == 0


def real_curve() -> tuple[Curve, dict[str, float]]:
    """Return the table of RTM-010, where V / µ has to stand for the estimator of pixels, and what eotest fitted."""
    curve, published = rtm010()
    return replace(curve, rhl=curve.variance / curve.mean, delta=np.zeros(len(curve))), published


def test_factor_of_rtm010_is_explained():
    """In real data of the notebook's test stand slope and Welcome differ by 9 %; what eotest fitted says why."""
    real, published = real_curve()
    slope, rhl = positional_slope(real), welcome(real)
    assert (slope, rhl) == pytest.approx((0.919, 0.843), abs=5e-4)
    assert slope / rhl == pytest.approx(1.09, abs=1e-3)

    (ours,) = fit_exp_approximation([real])
    eotest = replace(ours, gain=published["gain"], noise=published["noise"], a00=-published["a00"])
    below = real.measured & (real.mean <= published["turnoff"])
    predicted = [1 + predict_offset(of, real, eotest, below)[0] for of in (positional_slope, welcome)]
    assert eotest.gain * predicted[0] == pytest.approx(0.921, abs=0.003)  # the series, cut after its second term
    assert slope / rhl / (predicted[0] / predicted[1]) == pytest.approx(1, abs=0.015)  # pairs scatter by 1.5 %


def test_regression_of_rtm010_is_the_published_one():
    """The regression of V/µ - R²/µ on µ from 500 to 50000 adu has the gain 0.7714 and a00 -2.51e-6 in it."""
    real, published = real_curve()
    window = (real.mean > 500) & (real.mean < 50000)
    ratio = (real.variance - (published["noise"] / published["gain"]) ** 2) / real.mean
    slope, intercept = np.polyfit(real.mean[window], ratio[window], 1)
    assert 1 / intercept == pytest.approx(0.7714, abs=1e-4)
    assert slope == pytest.approx(-2.51e-6, abs=1e-8)


def test_estimates_of_rtm010_agree_without_their_offsets():
    """Estimates from 0.77 to 0.84 are one gain, within 3 of their errors, once each predicted offset is removed."""
    real, _ = real_curve()
    (fit,) = fit_exp_approximation([real])
    estimates = estimate_gains(real, fit)
    assert max(estimate.value for estimate in estimates) > 1.08 * min(estimate.value for estimate in estimates)
    for estimate in estimates:
        error = np.hypot(estimate.error / estimate.value, estimate.offset_error)
        assert error < 0.02, estimate.name
        assert estimate.value / (1 + estimate.offset) == pytest.approx(fit.gain, rel=3 * error), estimate.name
