"""Intervals and changes of efficiency curves, over simulated surveys of known truth."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import logit, ndtr
from scipy.stats import binom

from harness.metrics.flavor.efficiency import Curve, curve_change, fit_curve

pytestmark = pytest.mark.slow

SNR50, MAG50 = 5.0, 24.0
REPETITIONS = 300


def drawn(rng: np.random.Generator, n: int, ceiling: float, n_visits: int, scatter: float, *, falling: bool):
    """Return brightness, whether found, and visits; each visit has a depth of its own."""
    truth, slope, low, high = (MAG50, -5.0, 21.0, 26.0) if falling else (SNR50, 1.7, 0.0, 15.0)
    x, visit = rng.uniform(low, high, n), rng.integers(0, n_visits, n)
    depth = truth + rng.normal(0, scatter, n_visits)[visit]
    return x, rng.random(n) < ceiling / (1 + np.exp(-slope * (x - depth))), visit


def bounds(rate: float, n: int) -> tuple[float, float]:
    """Return between which numbers of n a rate stays in 999 of 1000 simulations."""
    low, high = binom.ppf([0.0005, 0.9995], n, rate)
    return float(low), float(high)


@pytest.mark.parametrize("confidence", [0.9, 0.99])
@pytest.mark.parametrize(
    ("n", "ceiling", "n_visits", "scatter", "falling"),
    [
        (100, 1.0, 16, 0.0, False),
        (100, 0.8, 1, 0.0, False),
        (300, 0.95, 1, 0.0, True),
        (1000, 0.95, 5, 0.5, False),
        (1000, 0.8, 16, 0.2, True),
        (3000, 0.95, 1, 0.0, False),
        (3000, 0.8, 16, 0.5, False),
    ],
)
def test_intervals_hold_the_truth_as_often_as_they_say(
    *, n: int, ceiling: float, n_visits: int, scatter: float, falling: bool, confidence: float
) -> None:
    """Over 300 surveys, with and without differences between visits; of few injections they may be too wide."""
    rng = np.random.default_rng(n + n_visits)
    truth = MAG50 if falling else SNR50
    curves = [
        fit_curve(*drawn(rng, n, ceiling, n_visits, scatter, falling=falling), falling=falling, confidence=confidence)
        for _ in range(REPETITIONS)
    ]
    told = [curve for curve in curves if isinstance(curve, Curve)]
    assert len(told) >= 0.99 * REPETITIONS
    held = sum(truth in curve.interval_x50 for curve in told)
    low, high = bounds(confidence, len(told))
    assert held >= low
    if n >= 1000 and (scatter or n_visits == 1):
        assert held <= high
    assert sum(ceiling in curve.interval_ceiling for curve in told) >= low
    reach = {0.9: 1.6449, 0.99: 2.5758}[confidence]
    stated = sum(abs(curve.x50 - truth) <= reach * curve.uncertainty_x50 for curve in told)
    assert stated >= held


@pytest.mark.parametrize(
    ("n", "ceiling", "n_visits", "scatter", "shift", "common"),
    [
        (600, 1.0, 1, 0.0, 0.0, 0.9),
        (3000, 0.9, 1, 0.0, 0.3, 0.9),
        (3000, 0.9, 16, 0.5, 0.0, 0.99),
        (3000, 0.95, 40, 0.5, 0.2, 0.9),
    ],
)
def test_pulls_of_paired_changes_have_unit_width(
    *, n: int, ceiling: float, n_visits: int, scatter: float, shift: float, common: float
) -> None:
    """Noise that both reruns share does not count, and no difference is a false alarm as rarely as it should be."""
    rng = np.random.default_rng(n + n_visits)
    pulls, ratios = [], []
    for _ in range(REPETITIONS):
        x, visit = rng.uniform(0, 15, n), rng.integers(0, n_visits, n)
        noise = rng.normal(size=n)
        other = common * noise + math.sqrt(1 - common**2) * rng.normal(size=n)
        above = x - SNR50 - rng.normal(0, scatter, n_visits)[visit]
        visible = rng.random(n) < ceiling
        reference, rerun = (
            visible & (above + logit(ndtr(each)) / 1.7 > moved) for each, moved in ((noise, 0.0), (other, shift))
        )
        told = curve_change(x, rerun, reference, visit, falling=False)
        assert not isinstance(told, str)
        pulls.append((told[0] - shift) / told[1])
        if len(ratios) < 20:
            curves = [fit_curve(x, side, visit, falling=False) for side in (rerun, reference)]
            errors = [curve.uncertainty_x50 for curve in curves if isinstance(curve, Curve)]
            ratios.append(told[1] / math.hypot(*errors))
    alarms = sum(abs(pull) > 2.5758 for pull in pulls)
    assert alarms <= bounds(0.01, REPETITIONS)[1]
    # Student's law is 1.14 times as wide for 16 visits; an injection more is allowed for.
    assert 0.78 < np.std(pulls) < 1.12
    assert abs(np.mean(pulls)) < 4 / math.sqrt(REPETITIONS)
    assert np.median(ratios) < (0.7 if not scatter else 0.5)


def test_a_threshold_in_normal_noise_is_nearly_a_logistic_curve() -> None:
    """Where detection is a threshold of 5 in unit normal noise, the signal-to-noise at 50 % is 5, within 0.02."""
    rng = np.random.default_rng(1)
    found = []
    for _ in range(100):
        x = rng.uniform(0, 15, 3000)
        curve = fit_curve(x, x + rng.normal(size=3000) > 5, np.zeros(3000, int), falling=False)
        assert isinstance(curve, Curve)
        found.append(curve)
    places = np.array([curve.x50 for curve in found])
    assert abs(places.mean() - 5) < 0.02
    held = sum(5 in curve.interval_x50 for curve in found)
    assert held >= bounds(0.99, 100)[0]
