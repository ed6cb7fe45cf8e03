"""Lines, quadratics and power laws: against numpy's polynomials, and against truth."""

from __future__ import annotations

import numpy as np
import pytest
from curve_tables import curve_of

from harness.metrics.ptc.polynomials import FormulaFit, fit_line, fit_power_law, fit_quadratic

MEAN = np.linspace(200, 60_000, 60)
GAIN, OFFSET, CURVATURE, N_PIXELS = 1.5, 12.0, -2.5e-6, 1e5


def drawn(truth: np.ndarray, rng: np.random.Generator, n_pixels: float = N_PIXELS) -> np.ndarray:
    """Draw measured variances."""
    return truth * rng.chisquare(n_pixels, truth.size) / n_pixels


def quadratic_truth(curvature: float = CURVATURE) -> np.ndarray:
    """Return the variances of a parabola."""
    return OFFSET + MEAN / GAIN + curvature * MEAN**2


@pytest.mark.parametrize("known", [True, False], ids=["pixels known", "pixels unknown"])
def test_line_and_quadratic_are_those_of_numpy(known: bool) -> None:
    """With the weights that the result implies, `numpy.polynomial` gives the same coefficients in the same window."""
    curve = curve_of(MEAN, drawn(quadratic_truth(), np.random.default_rng(1)), n_pixels=N_PIXELS if known else np.nan)
    for fit, low, high, degree in (
        (fit_line(curve, 1000, 20_000), 1000, 20_000, 1),
        (fit_quadratic(curve, 45_000), 0, 45_000, 2),
    ):
        window = (curve.mean >= low) & (curve.mean <= high)
        np.testing.assert_array_equal(fit.used, window)
        weights = 1 / fit.variance(MEAN[window])
        expected = np.polynomial.Polynomial.fit(MEAN[window], curve.variance[window], degree, w=weights).convert().coef
        np.testing.assert_allclose(fit.parameters, expected, rtol=1e-5)
        assert fit.gain == pytest.approx(1 / expected[1], rel=1e-5)
        assert np.isnan(fit.reduced_chi2) != known


@pytest.mark.parametrize("known", [True, False], ids=["pixels known", "pixels unknown"])
def test_errors_are_true(known: bool) -> None:
    """Pulls of the gain have unit width about the truth, and so have those of the power law's exponent."""
    rng = np.random.default_rng(2)
    n_pixels = N_PIXELS if known else np.nan
    pulls = []
    for _ in range(300):
        line = fit_line(curve_of(MEAN, drawn(quadratic_truth(0), rng), n_pixels=n_pixels), 300, 50_000)
        parabola = fit_quadratic(curve_of(MEAN, drawn(quadratic_truth(), rng), n_pixels=n_pixels), 50_000)
        power = fit_power_law(curve_of(MEAN, drawn(0.7 * MEAN**0.95, rng), n_pixels=n_pixels), 50_000)
        pulls.append(
            [
                (line.gain - GAIN) / line.gain_error,
                (parabola.gain - GAIN) / parabola.gain_error,
                (parabola.parameters[2] - CURVATURE) / parabola.errors[2],
                (power.parameters[0] - 0.7) / power.errors[0],
                (power.parameters[1] - 0.95) / power.errors[1],
            ]
        )
    assert np.all(np.abs(np.mean(pulls, axis=0)) < 0.25)
    assert np.all(np.std(pulls, axis=0) > 0.85)
    assert np.all(np.std(pulls, axis=0) < 1.15)


def test_outliers_are_left_out() -> None:
    """A pair far off the curve changes nothing but the number of pairs."""
    curve = curve_of(MEAN, drawn(quadratic_truth(), np.random.default_rng(3)), n_pixels=N_PIXELS)
    clean = fit_quadratic(curve, 50_000)
    curve.variance[20] *= 3
    fit = fit_quadratic(curve, 50_000)
    assert not fit.used[20]
    assert fit.n_points == clean.n_points - 1
    assert abs(fit.gain - clean.gain) < clean.gain_error


@pytest.mark.parametrize(
    ("fit", "reason"),
    [
        (fit_line(curve_of(MEAN, MEAN), 10, 100), "0 pairs in the range do not determine the 2 parameters"),
        (fit_line(curve_of(MEAN[:2], MEAN[:2]), 0, 1e5), "2 pairs in the range do not determine the 2 parameters"),
        (fit_line(curve_of(MEAN, MEAN[::-1]), 0, 1e5), "the variance does not grow with the signal"),
        (fit_line(curve_of(MEAN, MEAN), np.nan, np.nan), "0 pairs in the range do not determine the 2 parameters"),
        (fit_quadratic(curve_of([5.0] * 9, range(1, 10)), 9), "9 pairs in the range do not determine the 3 parameters"),
        (fit_power_law(curve_of(MEAN, -MEAN), 1e5), "0 pairs in the range do not determine the 2 parameters"),
    ],
)
def test_what_cannot_be_fitted_says_so(fit: FormulaFit, reason: str) -> None:
    """There is a reason, no number and no warning."""
    assert fit.reason == reason
    assert np.isnan([fit.gain, fit.gain_error, *fit.parameters, *fit.errors]).all()
    assert np.isnan(fit.variance(MEAN)).all()
    assert fit.n_points == fit.used.sum() == 0


def test_two_pairs_of_known_errors_make_a_line() -> None:
    """Where pixels are known no pair needs to be spare."""
    fit = fit_line(curve_of([1000.0, 3000.0], [700.0, 2100.0], n_pixels=1e6), 0, 1e4)
    assert fit.gain == pytest.approx(1 / 0.7)
    assert fit.gain_error > 0
    assert np.isnan(fit.reduced_chi2)
