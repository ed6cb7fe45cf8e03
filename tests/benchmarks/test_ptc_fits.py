"""EXPAPPROXIMATION of 144 amplifiers × 100 pairs, beside a loop over scipy that does the same.

Where nothing is timed, everything runs once and small.  Nothing here asserts a time; the agreement of both is asserted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from flat_simulation import Sensor, measured_curve
from scipy.optimize import curve_fit, least_squares

from harness.metrics.ptc._exp_batch import Points, fit_points
from harness.metrics.ptc.exp_approximation import fit_exp_approximation

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from harness.metrics.ptc.curve import Curve

N_AMPLIFIERS, N_PAIRS = 144, 100
FULL_WELL = 80_000


@pytest.fixture(scope="module")
def curves(full_size: bool) -> list[Curve]:
    """Return curves of amplifiers whose gains differ, with saturated pairs; few when nothing is timed."""
    rng = np.random.default_rng(1)
    made = []
    for _ in range(N_AMPLIFIERS if full_size else 4):
        sensor = Sensor(gain=rng.normal(1.5, 0.05), noise=rng.normal(6, 0.5))
        mean = np.geomspace(80, 95_000, N_PAIRS) * rng.uniform(0.98, 1.02)
        covariance = sensor.covariance(mean)
        covariance[mean > FULL_WELL] *= 0.5
        made.append(measured_curve(sensor, mean, rng, covariance=covariance))
    return made


def model(mean: NDArray[np.float64], gain: float, square: float, a00: float) -> NDArray[np.float64]:
    """Return the variance; parameters of like size suit scipy."""
    return np.expm1(2e-6 * a00 * gain * mean) / (2e-6 * a00 * gain**2) + square / gain**2


def with_curve_fit(curve: Curve, used: NDArray[np.bool_], start: NDArray[np.float64]) -> NDArray[np.float64]:
    """Fit by `curve_fit` (MINPACK), until the weights of the model change nothing."""
    mean, variance, relative = curve.mean[used], curve.variance[used], np.sqrt(2 / curve.n_pixels[used])
    expected = variance
    while True:
        values, _ = curve_fit(model, mean, variance, start, relative * expected)
        expected = model(mean, *values)
        if np.allclose(values, start, rtol=1e-8, atol=0):
            return np.asarray(values)
        start = values


def with_least_squares(curve: Curve, used: NDArray[np.bool_], start: NDArray[np.float64]) -> NDArray[np.float64]:
    """Fit by `least_squares` with its own default method; weights belong to the residuals."""
    mean, variance, relative = curve.mean[used], curve.variance[used], np.sqrt(2 / curve.n_pixels[used])
    expected = variance
    while True:
        values = least_squares(lambda p: (variance - model(mean, *p)) / (relative * expected), start).x  # noqa: B023
        expected = model(mean, *values)
        if np.allclose(values, start, rtol=1e-8, atol=0):
            return np.asarray(values)
        start = values


def loop(curves: list[Curve], fit: Callable[..., NDArray[np.float64]]) -> NDArray[np.float64]:
    """Find each turnoff, fit what is below and the approximation holds for, reject outliers: the same steps."""
    found = []
    for curve in curves:
        sigma = np.sqrt(2 / curve.n_pixels)
        below = np.arange(len(curve)) <= np.argmax(curve.variance)
        values = np.array([1.5, 25, -2])
        while True:
            values = fit(curve, below, values)
            pull = (curve.variance / model(curve.mean, *values) - 1) / sigma
            scale = max(1, np.median(np.abs(pull[below])) / 0.6745 * np.sqrt(below.sum() / (below.sum() - 3)))
            on_model = np.abs(pull) <= np.maximum(5 * scale, 0.02 / sigma)
            cut = len(curve) - 1 - np.argmax(np.cumsum(2 * on_model - 1)[::-1])
            kept = on_model & (np.arange(len(curve)) <= cut)
            if (kept == below).all():
                break
            below = kept
        share = 2 / 3 * 0.1 * (values[0] * values[2] * 1e-6 * curve.mean) ** 2
        left_out = share * curve.mean / values[0] / model(curve.mean, *values) / sigma / scale
        reach = np.cumsum(np.where(below, left_out**2, 0)) < 1 / 4
        used = below & reach
        while True:
            values = fit(curve, used, values)
            pull = (curve.variance / model(curve.mean, *values) - 1) / sigma
            scale = max(1, np.sqrt(np.sum(pull[used] ** 2) / (used.sum() - 3)))
            kept = reach & (np.abs(pull) <= 5 * scale)
            if (kept == used).all():
                break
            used = kept
        found.append(values)
    return np.array(found)


def batched(curves: list[Curve]) -> NDArray[np.float64]:
    """Ours: all amplifiers at once."""
    return np.array([[fit.gain, fit.noise**2, 1e6 * fit.a00] for fit in fit_exp_approximation(curves)])


def loop_over_curve_fit(curves: list[Curve]) -> NDArray[np.float64]:
    """One amplifier after the other."""
    return loop(curves, with_curve_fit)


def loop_over_least_squares(curves: list[Curve]) -> NDArray[np.float64]:
    """One amplifier after the other."""
    return loop(curves, with_least_squares)


WAYS = [batched, loop_over_curve_fit, loop_over_least_squares]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.benchmark(group="EXPAPPROXIMATION, 144 amplifiers x 100 pairs: turnoff, outliers and fit")
def test_fits(benchmark: Any, way: Callable[..., NDArray[np.float64]], curves: list[Curve]) -> None:
    """From curves to parameters, each way."""
    assert np.isfinite(benchmark(way, curves)).all()


def test_all_ways_agree(curves: list[Curve]) -> None:
    """Every way gives the same parameters within rounding, a part in a million of an error or so."""
    ours = batched(curves)
    for way in WAYS[1:]:
        np.testing.assert_allclose(way(curves), ours, rtol=1e-6)


def given_pairs(curves: list[Curve]) -> list[NDArray[np.bool_]]:
    """Return pairs for a single fit: all those below saturation."""
    return [curve.measured & (curve.mean < FULL_WELL) for curve in curves]


def solved(curves: list[Curve]) -> NDArray[np.float64]:
    """Ours, without everything around the fit."""
    points = Points.of(curves, given_pairs(curves))
    slope, rate, offset = fit_points(points, points.present).values.T
    return np.stack([1 / slope, offset / slope**2, 1e6 * rate * slope], axis=1)


def solved_one_by_one(curves: list[Curve], fit: Callable[..., NDArray[np.float64]]) -> NDArray[np.float64]:
    """One amplifier after the other, from the start that lsst/cp_pipe takes."""
    start = np.array([1.5, 25, -2])
    return np.array([fit(curve, pairs, start) for curve, pairs in zip(curves, given_pairs(curves), strict=True)])


def solved_by_curve_fit(curves: list[Curve]) -> NDArray[np.float64]:
    """MINPACK."""
    return solved_one_by_one(curves, with_curve_fit)


def solved_by_least_squares(curves: list[Curve]) -> NDArray[np.float64]:
    """Trust regions."""
    return solved_one_by_one(curves, with_least_squares)


@pytest.mark.parametrize("way", [solved, solved_by_curve_fit, solved_by_least_squares])
@pytest.mark.benchmark(group="EXPAPPROXIMATION, 144 amplifiers x 100 pairs: the fit alone")
def test_fit_alone(benchmark: Any, way: Callable[..., NDArray[np.float64]], curves: list[Curve]) -> None:
    """The same maximum of the likelihood, for the same pairs."""
    np.testing.assert_allclose(benchmark(way, curves), solved_by_curve_fit(curves), rtol=1e-6)
