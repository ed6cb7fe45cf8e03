"""The likelihood of a logistic curve with a ceiling: its derivatives, its maximum, and limits of one side only."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.optimize import approx_fprime

from harness.metrics.flavor.efficiency import Curve, fit_curve
from harness.metrics.flavor.logistic import PLACE, SLOPE, Trials, inverse, maximum, scores


def drawn() -> Trials:
    """Return trials of more than one block."""
    rng = np.random.default_rng(1)
    u = np.sort(rng.uniform(-6, 9, 20_000))
    found = rng.random(u.size) < 0.9 / (1 + np.exp(-u))
    return Trials(u[found], u[~found])


def value(trials: Trials, parameters: np.ndarray) -> float:
    """Return the logarithm of the likelihood, written down once more."""
    place, log_slope, ceiling = parameters
    share = [ceiling / (1 + np.exp(-math.exp(log_slope) * (u - place))) for u in (trials.found, trials.missed)]
    return float(np.log(share[0]).sum() + np.log1p(-share[1]).sum())


@pytest.mark.parametrize("parameters", [(0.3, 0.2, 0.8), (-1.0, -0.5, 0.95), (0.1, 0.4, 0.99)])
def test_derivatives_are_those_of_differences(parameters: tuple[float, float, float]) -> None:
    """Away from the maximum, where no term vanishes, value, gradient and Hessian agree with numerical ones."""
    trials, at = drawn(), np.array(parameters)
    held = maximum(trials, at, free=())
    assert held.value == pytest.approx(value(trials, at), rel=1e-10)
    assert held.gradient == pytest.approx(approx_fprime(at, lambda p: value(trials, p), 1e-7), rel=1e-3, abs=1)
    slopes = approx_fprime(at, lambda p: maximum(trials, p, free=()).gradient, 1e-7)
    assert held.hessian == pytest.approx(slopes, rel=1e-2, abs=5)


def test_scores_add_up_to_the_gradient() -> None:
    """One by one, trials have the derivatives whose sums Newton's method climbs along."""
    trials, at = drawn(), np.array([0.3, 0.2, 0.8])
    u = np.concatenate([trials.found, trials.missed])
    found = np.arange(u.size) < trials.found.size
    assert scores(u, found, at).sum(0) == pytest.approx(maximum(trials, at, free=()).gradient, rel=1e-9)


def test_what_is_held_stays_and_has_no_variance() -> None:
    """With the ceiling held, only the other two move, to where their gradient vanishes."""
    trials = drawn()
    best = maximum(trials, np.array([1.0, 1.0, 0.85]), free=(PLACE, SLOPE))
    assert best.parameters[2] == 0.85
    assert best.gradient[:2] == pytest.approx([0, 0], abs=0.1)
    assert abs(best.gradient[2]) > 100
    covariance = inverse(best)
    assert covariance[2].tolist() == covariance[:, 2].tolist() == [0, 0, 0]
    assert covariance[:2, :2] @ best.hessian[:2, :2] == pytest.approx(-np.eye(2), abs=1e-9)


def test_a_bright_majority_bounds_the_curve_on_one_side() -> None:
    """Found nearly as often when faint: the half point may be anywhere below, but not above all of them."""
    x = np.arange(40.0)
    found = np.ones(40, bool)
    found[[0, 1, 3, 9, 20]] = False
    curve = fit_curve(x, found, np.zeros(40, int), falling=False)
    assert isinstance(curve, Curve)
    assert curve.interval_x50.low == -math.inf
    assert curve.x50 < curve.interval_x50.high < 39
    turned = fit_curve(-x, found, np.zeros(40, int), falling=True)
    assert isinstance(turned, Curve)
    assert turned.interval_x50.high == math.inf
