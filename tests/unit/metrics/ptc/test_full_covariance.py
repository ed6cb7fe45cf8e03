"""FULLCOVARIANCE against simulated sensors: gains, coefficients and above all their stated errors."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from flat_simulation import A00_E2V, A00_ITL, Sensor, kernel, measured_curve
from scipy.optimize import approx_fprime

from harness.metrics.ptc._compressed_lags import CompressedLags, Covariances
from harness.metrics.ptc._covariance_model import coefficients, powers
from harness.metrics.ptc.exp_approximation import exp_approximation, fit_exp_approximation
from harness.metrics.ptc.fit import Fit
from harness.metrics.ptc.full_covariance import (
    _NoResultError,
    _parameter_covariance,
    fit_full_covariance,
    full_covariance,
)

#: Signals in electrons: 40 pairs, spaced evenly in their root.
LADDER = np.linspace(np.sqrt(200), np.sqrt(90_000), 40) ** 2


def started_at(curve, sensor, off=1e-3):
    """Return the fit of the variance that a curve has: close to the truth, and all pairs used."""
    return Fit(
        model="EXPAPPROXIMATION",
        gain=sensor.gain * (1 + off),
        gain_error=1e-3,
        noise=sensor.noise,
        noise_error=0.1,
        a00=sensor.a[0, 0] * (1 - 30 * off),
        a00_error=1e-8,
        reduced_chi2=1.0,
        n_points=len(curve),
        turnoff=float(curve.mean.max()),
        turnoff_error=10.0,
        used=np.ones(len(curve), bool),
        converged=True,
    )


def fits_of(sensors, rng, *, with_b, n_pixels=1e6):
    """Fit a simulated curve of each sensor."""
    curves = [measured_curve(sensor, LADDER / sensor.gain, rng, n_pixels=n_pixels) for sensor in sensors]
    return [
        fit_full_covariance(curve, started_at(curve, sensor), with_b=with_b)
        for curve, sensor in zip(curves, sensors, strict=True)
    ]


def small(**values):
    """Return a sensor of three lags in each direction: its fit takes a few milliseconds."""
    return Sensor(**{"a": kernel(max_lag=2), **values})


@pytest.fixture
def curve():
    """Return a curve of three lags in each direction."""
    return measured_curve(small(), LADDER / 1.5, np.random.default_rng(7))


@pytest.mark.parametrize("side", [1, 3, 9])
def test_model_is_equation_20(side):
    """The model equals an independent evaluation by full convolutions, for kernels that fill all their lags."""
    rng = np.random.default_rng(side)
    a, b = 1e-6 * rng.normal(size=(2, side, side))
    sensor = Sensor(gain=0.7, noise=0.0, a=a, b=b)
    mean = np.array([10.0, 3e3, 1e5])
    noise = rng.normal(size=(side, side))
    expected = sensor.covariance(mean) + noise / 0.7**2
    np.testing.assert_allclose(full_covariance(mean, 0.7, a, b, noise), expected, rtol=1e-12, atol=1e-9)


@pytest.mark.parametrize("n_matrices", [1, 2])
def test_derivatives(n_matrices):
    """The analytic derivatives of the coefficients are the numerical ones."""
    side = 3
    parameters = np.concatenate([[1.3], np.random.default_rng(1).normal(size=n_matrices * side**2)])
    numerical = approx_fprime(parameters, lambda p: coefficients(p, side)[0].ravel(), 1e-7)
    analytic = coefficients(parameters, side)[1].reshape(numerical.shape)
    np.testing.assert_allclose(analytic, numerical, rtol=1e-4, atol=1e-5)


def test_compression_is_exact(curve):
    """The compressed residuals have the sum of squares that all residuals have, at any parameters."""
    data = Covariances.from_curve(curve, curve.measured, curve.variance)
    lags = CompressedLags.from_covariances(data)
    made = coefficients(np.concatenate([[1.4], np.random.default_rng(1).normal(size=18)]), 3)[0]
    model = powers(data.mean, lags.scale) @ np.column_stack([lags.constants(made), made]).T
    chi2 = np.sum(((data.value - model) / data.error) ** 2)
    np.testing.assert_allclose(np.sum(lags.residuals(made) ** 2), chi2, rtol=1e-10)


def test_chi2_is_that_of_the_fitted_covariances(curve):
    """The chi-square that is reported is that of the matrices that are reported, and no neighbour has a smaller one."""
    made = fit_full_covariance(curve, started_at(curve, small()))

    def chi2(**changed):
        of = {"gain": made.fit.gain, "a": made.a, "b": made.b, "noise": made.noise} | changed
        expected = exp_approximation(curve.mean, 1.5 * 1.001, A00_E2V * 0.97, 5)
        error = curve.covariance_error * (expected / curve.covariance[:, 0, 0])[:, None, None]
        return np.sum(((curve.covariance - full_covariance(curve.mean, **of)) / error) ** 2)

    assert made.chi2 == pytest.approx(chi2(), rel=1e-9)
    assert made.degrees_of_freedom == 40 * 9 - 28
    assert made.fit.reduced_chi2 == pytest.approx(made.chi2 / made.degrees_of_freedom)
    for step in (-0.1, 0.1):
        assert chi2(gain=made.fit.gain + step * made.fit.gain_error) > made.chi2
        for name in ("a", "b", "noise"):
            for lag in np.ndindex(3, 3):
                changed = getattr(made, name).copy()
                changed[lag] += step * getattr(made, f"{name}_error")[lag]
                assert chi2(**{name: changed}) > made.chi2


@pytest.mark.parametrize("understated", [1, 3])
def test_errors_are_those_of_the_whole_problem(curve, understated):
    """Every error equals that of the problem without compression, by numerical derivatives, times the root of chi²."""
    curve = replace(curve, covariance_error=curve.covariance_error / understated)
    made = fit_full_covariance(curve, started_at(curve, small(), off=0))
    error = curve.covariance_error * (small().covariance(curve.mean) / curve.covariance)[:, :1, :1]
    parameters = np.concatenate([[made.fit.gain], made.a.ravel(), made.b.ravel(), made.noise.ravel()])
    errors = np.concatenate([made.a_error.ravel(), made.b_error.ravel(), made.noise_error.ravel()])
    errors = np.append(made.fit.gain_error, errors)
    assert (errors > 0).all()

    def weighted(steps):
        gain, *matrices = np.split(parameters + steps * errors, [1, 10, 19])
        return (full_covariance(curve.mean, gain[0], *(matrix.reshape(3, 3) for matrix in matrices)) / error).ravel()

    slopes = np.array([weighted(step) - weighted(-step) for step in 1e-3 * np.eye(28)]).T / 2e-3
    inflation = max(1, made.fit.reduced_chi2)
    assert (inflation > 5) == (understated == 3)
    expected = np.sqrt(inflation * np.diag(np.linalg.inv(slopes.T @ slopes)))
    # The expected variance that weights are made from is one of lag 0 alone: this close to the truth.
    np.testing.assert_allclose(expected, 1, rtol=2e-3)
    assert made.fit.a00_error == made.a_error[0, 0]
    assert made.fit.noise == np.sqrt(made.noise[0, 0])


@pytest.mark.parametrize("with_b", [False, True])
def test_pulls_of_every_matrix_have_unit_width(with_b):
    """Deviation over stated error has unit width for gain, noise and each element of a, b and noise."""
    b = np.full((3, 3), 5e-7) if with_b else None
    sensor = small(b=b, noise=8.0)
    fits = fits_of([sensor] * 150, np.random.default_rng(11), with_b=with_b)
    noise = np.zeros((3, 3))
    noise[0, 0] = 64
    pulls = {
        "gain": [(made.fit.gain - 1.5) / made.fit.gain_error for made in fits],
        "noise": [(made.fit.noise - 8) / made.fit.noise_error for made in fits],
        "a": [(made.a - sensor.a) / made.a_error for made in fits],
        "noise matrix": [(made.noise - noise) / made.noise_error for made in fits],
    }
    if with_b:
        # b = c / a is a number with an error only where a is known.
        pulls["b00"] = [(made.b[0, 0] - 5e-7) / made.b_error[0, 0] for made in fits]
    for name, values in pulls.items():
        width = np.std(values, axis=0)
        assert np.all((width > 0.75) & (width < 1.25)), name
        assert np.all(np.abs(np.mean(values, axis=0)) < 0.4), name
    assert np.mean([made.fit.reduced_chi2 for made in fits]) == pytest.approx(1, abs=0.03)


@pytest.mark.slow
@pytest.mark.parametrize("with_b", [False, True])
def test_two_hundred_amplifiers(with_b):
    """Gains are true to 0.1 % in the mean, a00 to 3 %; 99 % are within 3 of their errors, and pulls have unit width."""
    rng = np.random.default_rng(2019)
    b = np.full((9, 9), 5e-7) if with_b else None
    sensors = [
        Sensor(gain=rng.uniform(0.7, 1.8), noise=rng.normal(5, 0.5), a=kernel(a00), b=b)
        for a00 in (A00_E2V, A00_ITL)
        for _ in range(100)
    ]
    fits = fits_of(sensors, rng, with_b=with_b)
    assert all(made.fit.converged for made in fits)
    truth = np.array([(sensor.gain, sensor.a[0, 0]) for sensor in sensors])
    found = np.array([(made.fit.gain, made.fit.a00) for made in fits])
    errors = np.array([(made.fit.gain_error, made.fit.a00_error) for made in fits])
    pulls = (found - truth) / errors
    assert np.all(np.abs(np.mean(found / truth, axis=0) - 1) < [0.001, 0.03])
    assert np.all(np.mean(np.abs(pulls) < 3, axis=0) >= 0.99)
    np.testing.assert_allclose(np.std(pulls, axis=0), 1, atol=0.16)
    if with_b:
        # The noise of 81 lags enters lag 0 through the convolutions: a bias of half an error with a million pixels.
        pulls = np.array([(made.b[0, 0] - 5e-7) / made.b_error[0, 0] for made in fits])
        assert abs(np.mean(pulls)) < 1
        assert np.std(pulls) == pytest.approx(1, abs=0.16)


def test_b_that_is_not_fitted_shows_in_chi2():
    """A sensor with a large b cannot be described without it, and the errors are larger by the root of chi-square."""
    sensor = small(b=np.full((3, 3), 1e-5))
    curve = measured_curve(sensor, LADDER / 1.5, np.random.default_rng(5))
    with_b, without = (fit_full_covariance(curve, started_at(curve, sensor), with_b=b) for b in (True, False))
    assert with_b.fit.reduced_chi2 < 1.3
    assert without.fit.reduced_chi2 > 5
    assert not without.b.any()
    calm = replace(curve, covariance_error=curve.covariance_error * np.sqrt(without.fit.reduced_chi2))
    assert fit_full_covariance(calm, started_at(curve, sensor), with_b=False).fit.gain_error == pytest.approx(
        without.fit.gain_error, rel=1e-3
    )


def test_weights_do_not_follow_the_scatter_of_the_variance():
    """With few pixels, weights from measured variances would bias all gains the same way; these have no bias."""
    fits = fits_of([small()] * 300, np.random.default_rng(3), with_b=False, n_pixels=1000)
    gains = np.array([made.fit.gain for made in fits])
    expected_error = np.mean([made.fit.gain_error for made in fits]) / np.sqrt(300)
    assert abs(gains.mean() - 1.5) < 3.5 * expected_error


@pytest.mark.parametrize("side", [3, 9])
def test_lags_that_are_not_measured_hardly_matter(side):
    """A kernel that reaches further than the covariances: gain to 1e-5 and a00 to 2e-4, far below their errors."""
    lag = np.hypot(*np.indices((21, 21)))
    a = kernel(max_lag=20) + np.where(lag > 2.9, 6e-8 * (2 / np.maximum(lag, 1)) ** 3, 0)
    mean = LADDER / 1.5
    seen = Sensor(a=a).covariance(mean)[:, :side, :side]
    curve = measured_curve(Sensor(a=a[:side, :side]), mean, np.random.default_rng(1), n_pixels=1e14, covariance=seen)
    curve = replace(curve, covariance_error=curve.covariance_error * 1e4)
    made = fit_full_covariance(curve, started_at(curve, Sensor(a=a)), with_b=False)
    assert abs(made.fit.gain / 1.5 - 1) < 1e-5
    assert abs(made.fit.a00 / a[0, 0] - 1) < 2e-4


def test_fewer_lags():
    """Lags beyond those asked for are not looked at, and the matrices have the size that was asked for."""
    wide = measured_curve(Sensor(), LADDER / 1.5, np.random.default_rng(7))
    narrow = replace(
        wide, covariance=wide.covariance[:, :3, :3].copy(), covariance_error=wide.covariance_error[:, :3, :3].copy()
    )
    asked, expected = (
        fit_full_covariance(wide, started_at(wide, Sensor()), max_lag=2),
        fit_full_covariance(narrow, started_at(wide, Sensor())),
    )
    assert asked.a.shape == (3, 3)
    assert asked.fit.gain == expected.fit.gain
    assert asked.chi2 == expected.chi2


@pytest.mark.parametrize("lag", [(0, 0), (0, 1), (2, 2)])
def test_an_outlier_is_left_out(curve, lag):
    """A pair with one wrong covariance is left out, and the fit is the one without that pair."""
    pairs = np.arange(40)
    start = replace(started_at(curve, small()), used=pairs > 4)
    wrong = curve.covariance.copy()
    wrong[25][lag] += 30 * curve.covariance_error[25][lag]
    made = fit_full_covariance(replace(curve, covariance=wrong), start)
    others = (pairs > 4) & (pairs != 25)
    expected = fit_full_covariance(curve, replace(start, used=others))
    assert made.fit.used.tolist() == others.tolist()
    assert made.fit.n_points == 34
    assert made.fit.gain == expected.fit.gain
    assert made.chi2 == expected.chi2


def test_good_data_lose_no_pair():
    """Nothing is left out of data that scatter by their errors."""
    fits = fits_of([small()] * 100, np.random.default_rng(17), with_b=False)
    assert sum(made.fit.n_points for made in fits) >= 100 * 40 - 1


def test_a_lag_with_understated_errors_costs_no_pairs(curve):
    """Where a lag scatters ten times more than it says, the reduced chi-square tells; no pair is thrown away for it."""
    error = curve.covariance_error.copy()
    error[:, 0, 1] /= 10
    made = fit_full_covariance(replace(curve, covariance_error=error), started_at(curve, small()))
    assert made.fit.n_points == 40
    assert made.fit.reduced_chi2 > 5


def test_pairs_are_those_below_the_turnoff(curve):
    """Up to the turnoff all pairs are used, but those that the start has left out within its reach."""
    pairs = np.arange(40)
    used = (pairs < 20) & (pairs != 7)
    start = replace(started_at(curve, small()), used=used, turnoff=float(curve.mean[30]))
    wild = curve.covariance.copy()
    wild[31:] = 1e12
    made = fit_full_covariance(replace(curve, covariance=wild), start)
    assert made.fit.used.tolist() == ((pairs <= 30) & (pairs != 7)).tolist()
    assert made.fit.turnoff == start.turnoff
    unmeasured = replace(curve, status=np.where(pairs == 12, "exposure times differ", "").astype(object))
    assert not fit_full_covariance(unmeasured, start).fit.used[12]


def test_the_start_as_it_is_made():
    """Started from EXPAPPROXIMATION fits, whose reach is short, all pairs are used and gains have unit pulls."""
    rng = np.random.default_rng(12)
    sensors = [small(gain=gain) for gain in rng.uniform(0.7, 1.8, 60)]
    curves = [measured_curve(sensor, LADDER / sensor.gain, rng) for sensor in sensors]
    starts = fit_exp_approximation(curves)
    fits = [fit_full_covariance(curve, start) for curve, start in zip(curves, starts, strict=True)]
    assert np.mean([made.fit.n_points for made in fits]) > 39
    pulls = [(made.fit.gain - sensor.gain) / made.fit.gain_error for made, sensor in zip(fits, sensors, strict=True)]
    assert np.std(pulls) == pytest.approx(1, abs=0.3)
    assert abs(np.mean(pulls)) < 0.5


def test_many_outliers(curve):
    """A quarter of all pairs is wrong by much, some upwards and some downwards: those and no others are left out."""
    wrong = curve.covariance.copy()
    bad = np.arange(2, 40, 4)
    wrong[bad, 0, 0] *= np.where(bad % 8 == 2, 1.5, 0.6)
    made = fit_full_covariance(replace(curve, covariance=wrong), started_at(curve, small()))
    assert np.flatnonzero(~made.fit.used).tolist() == bad.tolist()
    assert abs(made.fit.gain - 1.5) < 4 * made.fit.gain_error


def test_a_start_that_predicts_badly_costs_no_pairs(curve):
    """Pairs that a poor start would take for outliers come back once they have been fitted."""
    poor = replace(started_at(curve, small()), a00=-4.5e-6, used=curve.mean < 10_000)
    made = fit_full_covariance(curve, poor)
    good = fit_full_covariance(curve, started_at(curve, small()))
    assert made.fit.n_points == 40
    assert made.fit.gain == pytest.approx(good.fit.gain, abs=0.3 * good.fit.gain_error)


def test_missing_covariances_are_left_out(curve):
    """A pair without covariances is no part of the fit; one without a single lag still serves with the others."""
    start = started_at(curve, small())
    holes = curve.covariance.copy()
    holes[3] = np.nan
    holes[20, 1, 2] = np.nan
    made = fit_full_covariance(replace(curve, covariance=holes), start)
    assert not made.fit.used[3]
    assert made.fit.n_points == 39
    assert made.degrees_of_freedom == 39 * 9 - 1 - 28
    vague = curve.covariance_error.copy()
    vague[3] *= 1e9
    vague[20, 1, 2] *= 1e9
    expected = fit_full_covariance(replace(curve, covariance_error=vague), start)
    assert made.fit.gain == pytest.approx(expected.fit.gain, rel=1e-7)
    assert made.a[1, 2] == pytest.approx(expected.a[1, 2], rel=1e-5)


def test_a_start_without_noise(curve):
    """A start whose noise has no root serves all the same."""
    known = started_at(curve, small())
    made = fit_full_covariance(curve, replace(known, noise=np.nan, noise_error=np.nan))
    expected = fit_full_covariance(curve, known)
    assert made.fit.gain == pytest.approx(expected.fit.gain, abs=0.1 * expected.fit.gain_error)
    assert made.fit.n_points == 40


def test_noise_without_a_root_is_nan(curve):
    """A negative noise² has no root: the read noise is NaN, and the noise matrix says why."""
    shifted = curve.covariance.copy()
    shifted[:, 0, 0] -= 30
    made = fit_full_covariance(replace(curve, covariance=shifted), started_at(curve, small()))
    assert np.isnan(made.fit.noise)
    assert made.noise[0, 0] < 0
    assert made.fit.converged


def no_covariance(curve, start):
    """Return a curve of variances alone."""
    return replace(curve, covariance=None, covariance_error=None), start


def no_errors(curve, start):
    """Return covariances without errors."""
    return replace(curve, covariance_error=None), start


def all_nan(curve, start):
    """Return covariances that are all NaN."""
    return replace(curve, covariance=np.full_like(curve.covariance, np.nan)), start


def negative(curve, start):
    """Return variances and covariances that are negative."""
    return replace(curve, variance=-curve.variance, covariance=-curve.covariance), start


def negative_covariance(curve, start):
    """Return positive variances, and negative covariances at lag 0."""
    return replace(curve, covariance=-np.abs(curve.covariance)), start


def few_pairs(curve, start):
    """Return a start whose turnoff leaves five pairs."""
    return curve, replace(start, turnoff=float(curve.mean[4]))


def no_pairs(curve, start):
    """Return a start that has used nothing and knows no turnoff."""
    return curve, replace(start, used=np.zeros(40, bool), turnoff=np.nan)


def few_at_a_lag(curve, start):
    """Return covariances of which one lag is known five times."""
    holes = curve.covariance.copy()
    holes[5:, 2, 1] = np.nan
    return replace(curve, covariance=holes), start


def no_start(curve, start):
    """Return a start without a result."""
    return curve, Fit.failed("EXPAPPROXIMATION", len(curve), "there are 2 pairs, and 3 are needed")


def negative_start(curve, start):
    """Return a start whose gain is negative."""
    return curve, replace(start, gain=-1.5)


def falling(curve, start):
    """Return a variance that falls with the signal, unlike that of the start."""
    fallen = curve.covariance.copy()
    fallen[:, 0, 0] = 1e5 - curve.mean
    return replace(curve, covariance=fallen), start


def zero(curve, start):
    """Return covariances that are all zero."""
    return replace(curve, covariance=np.zeros_like(curve.covariance)), start


def one_signal(curve, start):
    """Return the same pair forty times."""
    same = np.full(40, 30)
    repeated = {name: getattr(curve, name)[same] for name in ("mean", "variance", "covariance", "covariance_error")}
    return replace(curve, **repeated), start


def zero_errors(curve, start):
    """Return covariances whose errors are zero."""
    return replace(curve, covariance_error=np.zeros_like(curve.covariance)), start


def overflowing(curve, start):
    """Return covariances whose squares no float can hold."""
    huge = curve.covariance.copy()
    huge[:, 1:] *= 1e200
    return replace(curve, covariance=huge), start


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (no_covariance, "no covariances have been measured"),
        (no_errors, "no covariances have been measured"),
        (all_nan, "known of 0 usable pairs"),
        (negative, "none of 40 pairs can be used"),
        (negative_covariance, "known of 0 usable pairs"),
        (few_pairs, r"the covariance at lag \(0, 0\) is known of 5 usable pairs; the fit needs 6 or more"),
        (no_pairs, "none of 40 pairs can be used"),
        (few_at_a_lag, r"the covariance at lag \(2, 1\) is known of 5 usable pairs"),
        (no_start, "there is no EXPAPPROXIMATION fit to start from: there are 2 pairs, and 3 are needed"),
        (one_signal, "the usable pairs have 1 different signals; the fit needs 6 or more"),
        (zero_errors, "known of 0 usable pairs"),
        (overflowing, "the covariances are too large to be squared"),
        (negative_start, "there is no EXPAPPROXIMATION fit to start from: its gain is not positive"),
        (falling, r"at lag \(0, 0\) is not what the EXPAPPROXIMATION fit predicts in 40 of 40 pairs"),
        (zero, "known of 0 usable pairs"),
    ],
)
@pytest.mark.parametrize("with_b", [False, True])
def test_no_result_has_a_reason(curve, spoil, reason, with_b):
    """Data that cannot be fitted give NaN and say why, without a warning or an exception."""
    made = fit_full_covariance(*spoil(curve, started_at(curve, small())), with_b=with_b)
    assert not made.fit.converged
    assert made.fit.reason
    assert re.search(reason, made.fit.reason)
    for name in ("gain", "gain_error", "noise", "noise_error", "a00", "a00_error", "reduced_chi2"):
        assert np.isnan(getattr(made.fit, name)), name
    assert np.isnan(made.a).all()
    assert made.fit.used.shape == (40,)
    assert not made.fit.used.any()


def test_a_fit_that_does_not_converge_says_so(curve, monkeypatch):
    """A fit that is stopped before its end has no result."""
    monkeypatch.setattr("harness.metrics.ptc.full_covariance.MAX_EVALUATIONS", 2)
    made = fit_full_covariance(curve, started_at(curve, small()))
    assert made.fit.reason == "the fit did not converge to a positive gain in 2 steps"
    assert np.isnan(made.fit.gain)


def test_outliers_that_do_not_settle_are_told(curve, monkeypatch):
    """Where each round finds other outliers, there is no result."""
    monkeypatch.setattr("harness.metrics.ptc.full_covariance.MAX_ROUNDS", 1)
    wrong = curve.covariance.copy()
    wrong[25, 0, 1] += 30 * curve.covariance_error[25, 0, 1]
    made = fit_full_covariance(replace(curve, covariance=wrong), started_at(curve, small()))
    assert made.fit.reason == "which pairs are outliers has not settled in 1 rounds"


@pytest.mark.parametrize("spread", [0, 1e-12, 1e-9])
def test_signals_that_hardly_differ(curve, spread):
    """Six signals that are the same but for rounding determine nothing, and the fit says so in one way or another."""
    same = np.full(40, 30)
    mean = curve.mean[same] * (1 + spread * np.arange(40))
    repeated = {name: getattr(curve, name)[same] for name in ("variance", "covariance", "covariance_error")}
    made = fit_full_covariance(replace(curve, mean=mean, **repeated), replace(started_at(curve, small()), turnoff=1e5))
    assert not made.fit.converged
    assert made.fit.reason
    assert np.isnan(made.fit.gain)


def test_parameters_that_are_not_determined():
    """A problem with a direction that changes nothing has no result, exactly singular or but for rounding."""
    slopes = np.random.default_rng(1).normal(size=(9, 4))
    for last in (slopes[:, 0], np.zeros(9), slopes[:, 0] * (1 + 1e-15)):
        slopes[:, 3] = last
        with pytest.raises(_NoResultError, match="do not determine"):
            _parameter_covariance(slopes)


def test_six_pairs_are_enough(curve):
    """The smallest number of pairs that is accepted gives finite numbers."""
    used = np.isin(np.arange(40), [1, 8, 16, 24, 32, 39])
    made = fit_full_covariance(curve, replace(started_at(curve, small()), used=used))
    assert made.fit.converged
    assert np.isfinite([made.fit.gain, made.fit.gain_error, made.fit.reduced_chi2]).all()
    assert abs(made.fit.gain - 1.5) < 4 * made.fit.gain_error
