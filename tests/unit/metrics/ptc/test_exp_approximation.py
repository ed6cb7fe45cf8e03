"""The exponential approximation: against scipy, against simulations of known truth, and against bad input."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from curve_tables import curve_of, rtm010
from flat_simulation import A00_E2V, A00_ITL, Sensor, kernel, measured_curve
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.optimize import curve_fit, least_squares

from harness.metrics.ptc.exp_approximation import exp_approximation, fit_exp_approximation
from harness.metrics.ptc.turnoff import find_turnoff

if TYPE_CHECKING:
    from harness.metrics.ptc.curve import Curve
    from harness.metrics.ptc.fit import Fit

GAIN, NOISE = 1.5, 5.0
LADDERS = {
    "log": np.geomspace(100, 85_000, 100),
    "sqrt": np.linspace(10, 85_000**0.5, 100) ** 2,
    "linear": np.linspace(100, 85_000, 100),
}


def curves_of_sensors(
    n_amplifiers: int, mean: np.ndarray, *, a00: float = A00_E2V, n_pixels: float = 1e6, seed: int = 1
) -> list[Curve]:
    """Draw curves of amplifiers that are alike, from the covariances of all orders."""
    rng = np.random.default_rng(seed)
    sensor = Sensor(GAIN, NOISE, kernel(a00))
    truth = sensor.conserved_covariance(mean)
    return [measured_curve(sensor, mean, rng, n_pixels=n_pixels, covariance=truth) for _ in range(n_amplifiers)]


def exponential_curve(mean: np.ndarray, n_pixels: float, rng: np.random.Generator, excess: float = 1) -> Curve:
    """Draw a curve of an amplifier that the approximation is exact for; variances follow their gamma distribution."""
    truth = exp_approximation(mean, GAIN, A00_E2V, NOISE)
    degrees = n_pixels / excess**2
    return curve_of(mean, truth * rng.chisquare(degrees, len(mean)) / degrees, n_pixels=n_pixels)


def pulls(fits: list[Fit], name: str, truth: float) -> np.ndarray:
    """Return (estimate - truth) / error of each fit."""
    return np.array([(getattr(fit, name) - truth) / getattr(fit, f"{name}_error") for fit in fits])


@pytest.mark.parametrize("a00", [-3e-6, 1e-6, -1e-9, -1e-18, 0.0])
def test_model_solves_its_differential_equation(a00: float) -> None:
    """Variance grows as 1/g + 2 a00 g (V - n²/g²): integrated step by step, it is the formula, at a00 = 0 too."""
    for mean in (1.0, 5_000.0, 80_000.0):
        grown, _ = quad(lambda mu: np.exp(2 * a00 * GAIN * mu) / GAIN, 0, mean)
        assert exp_approximation(mean, GAIN, a00, NOISE) == pytest.approx(grown + (NOISE / GAIN) ** 2, rel=1e-12)


def scipy_fit(curve: Curve, used: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fit by scipy, weights from the model of the fit before; return (gain, noise², a00) and errors."""

    def model(mean: np.ndarray, gain: float, square: float, a00: float) -> np.ndarray:
        return exp_approximation(mean, gain, 1e-6 * a00, square**0.5)

    mean, variance = curve.mean[used], curve.variance[used]
    expected = variance
    values = np.array([1.5, 25, -2.0])
    for _ in range(20):
        sigma = expected * np.sqrt(2 / curve.n_pixels[used])
        values, covariance = curve_fit(
            model, mean, variance, values, sigma, absolute_sigma=True, xtol=1e-14, ftol=1e-14
        )
        expected = model(mean, *values)
    chi2 = np.sum(((variance - expected) / sigma) ** 2) / (used.sum() - 3)
    return values * [1, 1, 1e-6], np.sqrt(np.diag(covariance) * max(1, chi2)) * [1, 1, 1e-6]


def test_scipy_gives_the_same() -> None:
    """Parameters, errors and χ² are those of scipy, amplifier by amplifier, also where the scatter is too large."""
    rng = np.random.default_rng(2)
    curves = [
        *curves_of_sensors(10, LADDERS["log"]),
        *curves_of_sensors(5, LADDERS["linear"][::3], a00=A00_ITL, n_pixels=1e4),
        *(exponential_curve(LADDERS["sqrt"], 1e5, rng, excess=3) for _ in range(5)),
    ]
    for curve, fit in zip(curves, fit_exp_approximation(curves), strict=True):
        values, errors = scipy_fit(curve, fit.used)
        np.testing.assert_allclose([fit.gain, fit.noise**2, fit.a00], values, rtol=1e-6)
        np.testing.assert_allclose([fit.gain_error, 2 * fit.noise * fit.noise_error, fit.a00_error], errors, rtol=1e-4)


def check_truth(ladder: str, a00: float, known: bool) -> None:
    """Fit 300 simulated amplifiers, and compare estimates and errors with the truth."""
    curves = curves_of_sensors(300, LADDERS[ladder], a00=a00)
    if not known:
        curves = [replace(curve, n_pixels=np.full(len(curve), np.nan)) for curve in curves]
    fits = fit_exp_approximation(curves)
    assert all(fit.converged for fit in fits)
    assert {fit.scale for fit in fits} == {"known" if known else "estimated"}
    assert np.mean([fit.gain for fit in fits]) == pytest.approx(GAIN, rel=1e-3)
    assert np.mean([fit.a00 for fit in fits]) == pytest.approx(a00, rel=0.03)
    assert np.mean([fit.noise for fit in fits]) == pytest.approx(NOISE, rel=0.01)
    for name, truth in (("gain", GAIN), ("a00", a00), ("noise", NOISE)):
        pull = pulls(fits, name, truth)
        # What the approximation leaves out may move parameters by half a standard error.
        assert abs(pull.mean()) < 0.7
        assert 0.85 < pull.std() < 1.12
        # Errors estimated from about 20 pairs have the longer tails of Student's distribution.
        assert np.mean(np.abs(pull) < 3) >= (0.99 if known else 0.98)


def test_gains_and_errors_are_true() -> None:
    """At the exact covariances of an e2v sensor: gains to 0.1 %, a00 to 3 %, and errors that are what they say."""
    check_truth("log", A00_E2V, known=True)


@pytest.mark.slow
@pytest.mark.parametrize("known", [True, False], ids=["pixels known", "pixels unknown"])
@pytest.mark.parametrize("a00", [A00_E2V, A00_ITL])
@pytest.mark.parametrize("ladder", LADDERS)
def test_gains_and_errors_are_true_on_every_ladder(ladder: str, a00: float, known: bool) -> None:
    """The same for both vendors and three ladders, and where errors come from the scatter."""
    check_truth(ladder, a00, known)


def test_few_pixels_do_not_bias() -> None:
    """With 100 pixels a variance scatters by 14 %; weights from measured variances would lower V by 4 %."""
    rng = np.random.default_rng(3)
    fits = fit_exp_approximation([exponential_curve(LADDERS["log"], 100, rng) for _ in range(300)])
    gains = np.array([fit.gain for fit in fits])
    assert gains.mean() == pytest.approx(GAIN, rel=0.008)
    assert 0.85 < pulls(fits, "gain", GAIN).std() < 1.15


@pytest.mark.parametrize("excess", [1, 4])
def test_errors_grow_with_excess_scatter(excess: int) -> None:
    """Scatter beyond counting noise makes errors larger, by as much; less never makes them smaller."""
    rng = np.random.default_rng(4)
    fits = fit_exp_approximation([exponential_curve(LADDERS["log"], 1e6, rng, excess) for _ in range(300)])
    assert np.mean([fit.reduced_chi2 for fit in fits]) == pytest.approx(excess**2, rel=0.05)
    assert 0.85 < pulls(fits, "gain", GAIN).std() < 1.12
    calm = fit_exp_approximation([exponential_curve(LADDERS["log"], 1e6, np.random.default_rng(5), 0.1)])[0]
    loud = fit_exp_approximation([exponential_curve(LADDERS["log"], 1e6, np.random.default_rng(6), 1)])[0]
    assert calm.reduced_chi2 < 0.1
    assert calm.gain_error == pytest.approx(loud.gain_error, rel=0.1)


def test_scatter_of_read_noise_is_told_from_that_of_light() -> None:
    """Where read noise changes from pair to pair, low signals scatter more; weights and errors allow for it."""
    rng = np.random.default_rng(7)
    mean = LADDERS["log"]
    truth = exp_approximation(mean, GAIN, A00_E2V, NOISE)
    curves = [
        curve_of(mean, truth * (1 + 0.002 * rng.standard_normal(100)) + 2 * rng.standard_normal(100))
        for _ in range(300)
    ]
    fits = fit_exp_approximation(curves)
    assert 0.85 < pulls(fits, "gain", GAIN).std() < 1.15
    # As good as if the scatter were known; in fractions of the variance alone, errors are twice as large.
    weight = 1 / np.hypot(0.002 * truth, 2)
    used = fits[0].used
    step = 1e-4
    columns = [
        exp_approximation(mean, GAIN * (1 + step), A00_E2V, NOISE) - truth,
        exp_approximation(mean, GAIN, A00_E2V * (1 + step), NOISE) - truth,
        exp_approximation(mean, GAIN, A00_E2V, NOISE * (1 + step)) - truth,
    ]
    design = (np.array(columns).T * weight[:, None])[used] / step
    best = GAIN * np.sqrt(np.linalg.inv(design.T @ design)[0, 0])
    assert np.std([fit.gain for fit in fits]) < 1.2 * best


def test_outliers_are_left_out() -> None:
    """Pairs 8 standard errors off go, those 3 off stay, and the result is that of a curve without the former."""
    rng = np.random.default_rng(8)
    mean = LADDERS["log"]
    curve = curve_of(mean, exp_approximation(mean, GAIN, A00_E2V, NOISE), n_pixels=1e6)
    sigma = np.sqrt(2e-6)
    curve.variance[:] *= 1 + sigma * np.clip(rng.standard_normal(100), -3, 3)
    clean = fit_exp_approximation([curve])[0]
    bad = [5, 30, 50]
    curve.variance[bad] *= [1 + 12 * sigma, 1 - 12 * sigma, 40]
    fit = fit_exp_approximation([curve])[0]
    assert list(np.flatnonzero(clean.used & ~fit.used)) == bad
    assert abs(fit.gain - clean.gain) < fit.gain_error
    assert fit.n_points == fit.used.sum() == clean.n_points - 3


def test_fit_ends_where_the_approximation_would_show() -> None:
    """Many pairs of many pixels are fitted to lower signals than few; without brighter-fatter, to the top."""

    def top(a00: float, n_pixels: float) -> float:
        (curve,) = curves_of_sensors(1, LADDERS["log"], a00=a00, n_pixels=n_pixels)
        (fit,) = fit_exp_approximation([curve])
        assert fit.turnoff == curve.mean[-1]
        assert fit.below_turnoff(curve).all()
        return float(curve.mean[fit.used].max() * GAIN)

    assert top(A00_E2V, 1e6) < 30_000
    assert top(A00_E2V, 1e4) > 50_000
    assert top(-1e-12, 1e6) == pytest.approx(85_000 * GAIN)


def bad_curves() -> dict[str, Curve]:
    """Return curves that no gain can come from, by the reason; blanks at the end make equal ones different."""
    n = 20
    line = np.linspace(1000, 20_000, n)
    return {
        "0 measured pairs, and the fit needs 4": curve_of([], []),
        "1 measured pair, and the fit needs 4": curve_of([1000.0], [700.0], n_pixels=1e6),
        "3 measured pairs, and the fit needs 4": curve_of(line[:3], line[:3], n_pixels=1e6),
        "0 measured pairs, and the fit needs 4 ": curve_of(line, -line, n_pixels=1e6),
        "0 measured pairs, and the fit needs 4  ": curve_of(0 * line, line, n_pixels=1e6),
        "0 measured pairs, and the fit needs 4   ": curve_of(line, np.nan * line),
        "1 of 20 measured pairs below the turnoff, and the fit needs 4": curve_of(line, line[::-1], n_pixels=1e6),
        "the pairs do not determine the gain": curve_of(np.full(n, 5000.0), line, n_pixels=1e6),
        "the pairs do not determine the gain ": curve_of(line, 1200 + 1e-4 * line, n_pixels=1e6),
    }


def test_bad_curves_harm_nobody() -> None:
    """Each says why it has no result, without a warning; the good ones between them are fitted as if alone."""
    good = [*curves_of_sensors(2, LADDERS["log"]), *curves_of_sensors(1, LADDERS["linear"][:40])]
    bad = bad_curves()
    mixed = [good[0], *list(bad.values())[:5], good[1], *list(bad.values())[5:], good[2]]
    fits = fit_exp_approximation(mixed)
    reasons = [fit.reason for fit in fits if not fit.converged]
    assert reasons == [reason.strip() for reason in bad]
    for fit, curve in zip(fits, mixed, strict=True):
        assert fit.used.shape == curve.mean.shape
        if not fit.converged:
            numbers = (fit.gain, fit.gain_error, fit.noise, fit.a00, fit.turnoff, fit.reduced_chi2)
            assert np.isnan(numbers).all()
            assert not fit.used.any()
    for curve, fit in zip(good, (fits[0], fits[6], fits[-1]), strict=True):
        (alone,) = fit_exp_approximation([curve])
        np.testing.assert_allclose(
            [fit.gain, fit.gain_error, fit.noise, fit.a00, fit.turnoff, fit.turnoff_error],
            [alone.gain, alone.gain_error, alone.noise, alone.a00, alone.turnoff, alone.turnoff_error],
            rtol=1e-9,
        )
        np.testing.assert_array_equal(fit.used, alone.used)


def test_a_long_way_to_the_parameters_is_found() -> None:
    """Curves that bend upward by a factor of ten, or by as much downward, converge from a straight line."""
    rng = np.random.default_rng(9)
    mean = LADDERS["log"]
    for a00 in (2e-5, -1e-4):
        truth = exp_approximation(mean, GAIN, a00, NOISE)
        curves = [curve_of(mean, truth * rng.chisquare(1e4, 100) / 1e4, n_pixels=1e4) for _ in range(50)]
        fits = fit_exp_approximation(curves)
        assert all(fit.converged for fit in fits)
        assert np.all(np.abs(pulls(fits, "gain", GAIN)) < 4)


@pytest.mark.parametrize("n_pixels", [1e6, np.nan], ids=["pixels known", "pixels unknown"])
def test_wild_pairs_make_no_warnings(n_pixels: float) -> None:
    """A quarter of the pairs are off by up to a factor of a hundred: a result or a reason, and all in its place."""
    rng = np.random.default_rng(10)
    mean = LADDERS["log"][::2]
    curves = []
    for _ in range(200):
        wild = np.where(rng.random(mean.size) < 0.25, 10 ** rng.uniform(-2, 2, mean.size), 1)
        curves.append(curve_of(mean, wild * exp_approximation(mean, GAIN, A00_E2V, NOISE), n_pixels=n_pixels))
    for curve, fit in zip(curves, fit_exp_approximation(curves), strict=True):
        assert find_turnoff(curve).signal == pytest.approx(fit.turnoff) or fit.reason
        numbers = np.array([fit.gain, fit.gain_error, fit.a00, fit.a00_error, fit.turnoff])
        assert fit.converged == (not fit.reason) == np.isfinite(numbers).all() == fit.used.any()


def test_no_curves_have_no_fits() -> None:
    """An empty list is answered by one."""
    assert fit_exp_approximation([]) == []


def test_pairs_left_out_are_not_used() -> None:
    """A pair with a status, and a broken one in the middle, keep their places among those that are used."""
    (curve,) = curves_of_sensors(1, LADDERS["log"])
    curve.status[10], curve.variance[20] = "exposure times differ", -1.0
    curve = replace(curve)
    (fit,) = fit_exp_approximation([curve])
    assert not fit.used[[10, 20]].any()
    assert fit.used[[9, 11, 19, 21]].all()
    np.testing.assert_array_equal(fit.below_turnoff(curve), curve.measured)


def test_negative_noise_squared_is_no_noise() -> None:
    """Where variances vanish faster than the signal, there is a gain, and no read noise."""
    mean = LADDERS["log"]
    (fit,) = fit_exp_approximation([curve_of(mean, mean / GAIN - 10, n_pixels=1e6)])
    assert fit.gain == pytest.approx(GAIN, rel=1e-6)
    assert np.isnan([fit.noise, fit.noise_error]).all()


@settings(max_examples=20, deadline=None)
@given(st.permutations(range(43)))
def test_order_of_pairs_does_not_matter(order: list[int]) -> None:
    """The published table gives the same answer in any order."""
    curve, _ = rtm010()
    again = curve_of(curve.mean[order], curve.variance[order], exposures=curve.exposures[order])
    (fit,), (same,) = fit_exp_approximation([curve]), fit_exp_approximation([again])
    assert (fit.gain, fit.gain_error, fit.noise, fit.a00) == (same.gain, same.gain_error, same.noise, same.a00)


def test_published_table_agrees() -> None:
    """RTM-010: gain, noise and a00 agree with eotest's within the errors of both, with errors of the same size."""
    curve, published = rtm010()
    (fit,) = fit_exp_approximation([curve])
    assert fit.turnoff == published["turnoff"]
    assert abs(fit.gain - published["gain"]) < np.hypot(fit.gain_error, published["gainError"])
    assert fit.gain_error == pytest.approx(published["gainError"], rel=0.1)
    assert abs(fit.noise - published["noise"]) < published["noiseError"]
    assert abs(fit.a00 + published["a00"]) < 2.5 * fit.a00_error


def test_model_reproduces_the_published_algorithm() -> None:
    """With the weights and the cuts of eotest's 2019 algorithm, the model gives the numbers that its tests assert."""
    curve, published = rtm010()
    mean, variance = curve.mean, curve.variance

    def residuals(values: np.ndarray, kept: np.ndarray) -> np.ndarray:
        a00, gain, noise = values
        return (variance - exp_approximation(mean, gain, -a00, noise))[kept] / np.sqrt(variance[kept])

    kept = mean < 4e4
    values = np.array([2.7e-6, 0.75, 25])
    for _ in range(9):
        solution = least_squares(residuals, values, args=(kept,), method="lm", x_scale=[1e-6, 1, 1])
        values = solution.x
        kept = np.abs(residuals(values, np.ones(43, bool))) < 5
    errors = np.sqrt(np.diag(np.linalg.inv(solution.jac.T @ solution.jac)))
    assert mean[kept].max() == published["turnoff"]
    np.testing.assert_allclose(values, [published["a00"], published["gain"], published["noise"]], rtol=2e-5)
    np.testing.assert_allclose(errors[1:], [published["gainError"], published["noiseError"]], rtol=1e-3)
