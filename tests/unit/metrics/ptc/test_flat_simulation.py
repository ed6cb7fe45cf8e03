"""The simulator that the other tests take for the truth, against equation 20 and numbers from elsewhere."""

from __future__ import annotations

import numpy as np
import pytest
from flat_simulation import Sensor, flat, flat_pair, four_quadrants, kernel, measured_curve

SIGNALS = np.array([5_000.0, 30_000.0, 80_000.0])
N_PAIRS, SIDE = 4, 256


def test_kernel_conserves_charge():
    """Over all lags the kernel adds up to zero, and its first neighbours are those of an e2v sensor."""
    a = kernel(-3e-6)
    assert four_quadrants(a).sum() == pytest.approx(0, abs=1e-20)
    assert a[0, 0] == -3e-6
    assert a[0, 1] == pytest.approx(0.2058 * 3e-6, rel=1e-3)
    assert a[1, 0] == pytest.approx(0.0736 * 3e-6, rel=1e-3)


def test_covariances_of_equation_20():
    """Variance and parallel neighbour of a sensor of g = 1.5, n = 5 e- are those that others have computed."""
    made = Sensor(gain=1.5, noise=5).covariance(SIGNALS / 1.5)
    assert np.round(made[:, 0, 0], 1).tolist() == pytest.approx([2200.4, 12220.1, 28336], abs=0.1)
    assert made[:, 0, 1].tolist() == pytest.approx([6.7, 221, 1330], abs=0.5)


def test_series_and_all_orders_agree_where_they_must():
    """Equation 20 is the beginning of the conserved covariances: the rest is of the fifth order of the signal."""
    sensor = Sensor()
    mean = np.array([5e3, 1e4, 2e4, 4e4])
    rest = np.abs(sensor.conserved_covariance(mean) - sensor.covariance(mean))[:, 0, 0]
    np.testing.assert_allclose(rest[1:] / rest[:-1], 2**5, rtol=0.2)


def test_measured_curve_scatters_by_its_errors():
    """Deviations from the truth over the stated errors have unit width at every lag."""
    sensor, mean = Sensor(gain=0.8), np.linspace(500, 9e4, 2000)
    curve = measured_curve(sensor, mean, np.random.default_rng(1), n_pixels=1e5)
    width = np.std((curve.covariance - sensor.covariance(mean)) / curve.covariance_error, axis=0)
    np.testing.assert_allclose(width, 1, atol=0.08)
    np.testing.assert_allclose(curve.variance_error, curve.covariance_error[:, 0, 0])


def test_lamp_mismatch():
    """The second flat of a pair differs in its mean by the mismatch of the lamp."""
    rng = np.random.default_rng(1)
    pairs = [flat_pair(Sensor(), 1e4, (32, 32), rng, mismatch=0.05, steps=2) for _ in range(200)]
    ratio = np.array([second.mean() / first.mean() for first, second in pairs])
    assert np.std(ratio) == pytest.approx(0.05, rel=0.15)
    assert pairs[0][0].mean() == pytest.approx(1e4 / 1.5, rel=0.01)


@pytest.mark.slow
def test_pixels_follow_equation_20():
    """Variance and neighbours of simulated pixels are those of equation 20 within their sampling errors."""
    sensor, rng = Sensor(gain=1.5, noise=5), np.random.default_rng(1905)
    expected = sensor.covariance(SIGNALS / 1.5)
    n_pixels = N_PAIRS * SIDE**2
    for signal, model in zip(SIGNALS, expected, strict=True):
        pairs = [flat_pair(sensor, signal, (SIDE, SIDE), rng) for _ in range(N_PAIRS)]
        for lag in ((0, 0), (0, 1), (1, 0), (1, 1)):
            measured = np.mean([_covariance(first - second, lag) for first, second in pairs])
            error = model[0, 0] * np.sqrt((2 if lag == (0, 0) else 1) / n_pixels)
            assert measured == pytest.approx(model[lag], abs=4 * error), (signal, lag)


def test_without_brighter_fatter_light_is_poisson():
    """A kernel of zeros leaves Poisson light and read noise."""
    made = flat(Sensor(gain=2, noise=10, a=np.zeros((2, 2))), 2000, (400, 400), np.random.default_rng(1), steps=3)
    assert made.mean() == pytest.approx(1000, abs=0.3)
    assert made.var() == pytest.approx((2000 + 100) / 4, rel=0.015)


def _covariance(difference, lag):
    """Return the covariance of one image at a lag (serial, parallel) of periodic pixels (parallel, serial)."""
    difference = difference - difference.mean()
    return np.mean(difference * np.roll(difference, lag[::-1], axis=(0, 1))) / 2
