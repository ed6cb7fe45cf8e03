"""FULLCOVARIANCE of an amplifier with 200 pairs: ours beside a plain least-squares fit of all residuals.

Where nothing is timed, everything runs once with 12 pairs and 9 lags.  Nothing here asserts a time; the same
chi-square is asserted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pytest
from flat_simulation import Sensor, four_quadrants, kernel, measured_curve
from scipy.optimize import least_squares
from scipy.signal import fftconvolve

from harness.metrics.ptc.curve import MAX_LAG, Curve
from harness.metrics.ptc.exp_approximation import exp_approximation
from harness.metrics.ptc.fit import Fit
from harness.metrics.ptc.full_covariance import fit_full_covariance

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

SENSOR = Sensor(gain=1.5, noise=5)


class Task(NamedTuple):
    """A curve, and the fit to start from."""

    curve: Curve
    start: Fit


@pytest.fixture(scope="module")
def task(full_size: bool) -> Task:
    """Return an amplifier of 200 pairs and 81 lags."""
    n_pairs, max_lag = (200, MAX_LAG) if full_size else (12, 2)
    mean = np.linspace(200, 90_000, n_pairs) / SENSOR.gain
    sensor = Sensor(gain=SENSOR.gain, noise=SENSOR.noise, a=kernel(max_lag=max_lag))
    curve = measured_curve(sensor, mean, np.random.default_rng(20))
    start = Fit(
        model="EXPAPPROXIMATION",
        gain=1.502,
        gain_error=1e-3,
        noise=5.1,
        noise_error=0.1,
        a00=-2.95e-6,
        a00_error=1e-8,
        reduced_chi2=1.0,
        n_points=n_pairs,
        turnoff=float(mean[-1]),
        turnoff_error=100.0,
        used=np.ones(n_pairs, bool),
        converged=True,
    )
    return Task(curve, start)


def ours(task: Task, with_b: bool) -> float:
    """Fit the compressed lags with analytic derivatives."""
    return fit_full_covariance(task.curve, task.start, with_b=with_b).chi2


def plain(task: Task, with_b: bool, method: str = "trf") -> float:
    """Fit every covariance of every pair with numerical derivatives, the parameters scaled to the order of one."""
    curve, start = task
    covariance, mean = curve.covariance, curve.mean[:, None, None]
    assert covariance is not None
    assert curve.covariance_error is not None
    side, scale = covariance.shape[1], mean.max()
    expected = exp_approximation(curve.mean, start.gain, start.a00, start.noise)
    error = curve.covariance_error * expected[:, None, None] / covariance[:, :1, :1]
    delta = np.zeros((side, side))
    delta[0, 0] = 1

    def quadrant(full: NDArray[np.float64]) -> NDArray[np.float64]:
        centre = len(full) // 2
        return full[centre : centre + side, centre : centre + side]

    def residuals(parameters: NDArray[np.float64]) -> NDArray[np.float64]:
        gain, matrices = parameters[0], parameters[1:].reshape(-1, side, side)
        a, noise = matrices[0] / scale, matrices[1]
        c = matrices[2] / scale**2 if with_b else np.zeros_like(a)
        full = four_quadrants(a)
        aa = fftconvolve(full, full)
        second = 2 / 3 * (quadrant(aa) + c)
        third = quadrant(fftconvolve(aa, full)) / 3 + 5 / 6 * quadrant(fftconvolve(full, four_quadrants(c)))
        x = gain * mean
        model = (x * (delta + a * x + second * x**2 + third * x**3) + noise) / gain**2
        return ((covariance - model) / error).ravel()

    guess = np.zeros(1 + side**2 * (3 if with_b else 2))
    guess[[0, 1, 1 + side**2]] = start.gain, start.a00 * scale, start.noise**2
    return 2 * float(least_squares(residuals, guess, method=method).cost)


def plain_minpack(task: Task, with_b: bool) -> float:
    """Fit as `plain` does, by Levenberg and Marquardt."""
    return plain(task, with_b, "lm")


@pytest.mark.parametrize("way", [ours, plain, plain_minpack])
@pytest.mark.benchmark(group="FULLCOVARIANCE of one amplifier, 200 pairs x 81 lags")
def test_full_covariance(benchmark: Any, way: Callable[[Task, bool], float], task: Task) -> None:
    """With b: 244 parameters."""
    assert benchmark.pedantic(way, args=(task, True), rounds=3) > 0


@pytest.mark.parametrize("way", [ours, plain, plain_minpack])
@pytest.mark.benchmark(group="FULLCOVARIANCE_NO_B of one amplifier, 200 pairs x 81 lags")
def test_full_covariance_without_b(benchmark: Any, way: Callable[[Task, bool], float], task: Task) -> None:
    """Without b: 163 parameters."""
    assert benchmark.pedantic(way, args=(task, False), rounds=3) > 0


@pytest.mark.parametrize("with_b", [True, False])
def test_the_chi_square_is_the_same(task: Task, with_b: bool) -> None:
    """Both ways end at the same chi-square."""
    assert ours(task, with_b) == pytest.approx(plain(task, with_b), rel=1e-6)
