"""Turnoffs: found where a curve has one, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest
from curve_tables import curve_of, rtm010
from flat_simulation import Sensor, kernel, measured_curve
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.metrics.ptc.turnoff import find_turnoff

LADDERS = {
    "log": np.geomspace(100, 87_000, 60),
    "sqrt": np.linspace(10, 87_000**0.5, 60) ** 2,
    "linear": np.linspace(100, 87_000, 60),
    "levels": np.repeat(np.linspace(1000, 87_000, 12), 5) * (1 + 1e-6 * np.arange(60)),
}
SENSOR = Sensor(gain=1.5, noise=6.0, a=kernel(-2.7e-6))


def collapsed(mean: np.ndarray, full_well: float) -> np.ndarray:
    """Return what a full well leaves of the variance: nearly all below it, hardly anything from 10 % above."""
    return 1 / (1 + np.exp(np.minimum((mean / full_well - 1) / 0.02, 50)))


@pytest.mark.parametrize("n_pixels", [1e4, 1e6, 1e8])
@pytest.mark.parametrize("ladder", LADDERS)
def test_nothing_is_rejected_where_nothing_saturates(ladder: str, n_pixels: float) -> None:
    """The variance of an unsaturated sensor may curve as it likes: its turnoff is the largest signal."""
    mean = LADDERS[ladder]
    covariance = SENSOR.conserved_covariance(mean)
    rng = np.random.default_rng(list(LADDERS).index(ladder))
    for _ in range(80):
        curve = measured_curve(SENSOR, mean, rng, n_pixels=n_pixels, covariance=covariance)
        turnoff = find_turnoff(curve)
        assert (turnoff.signal, turnoff.n_past, turnoff.reason) == (mean[-1], 0, "")
        assert turnoff.error == pytest.approx(mean[-1] - mean[-2])


@pytest.mark.parametrize("known", [True, False], ids=["pixels known", "pixels unknown"])
@pytest.mark.parametrize("full_well", [30_000, 55_000, 70_000])
@pytest.mark.parametrize("ladder", ["log", "sqrt", "linear"])
def test_saturation_is_found(ladder: str, full_well: float, known: bool) -> None:
    """The turnoff is where the variance begins to be missing, to within a pair and three per cent of it."""
    mean = LADDERS[ladder]
    left = collapsed(mean, full_well)
    covariance = SENSOR.conserved_covariance(mean) * left[:, None, None]
    for seed in range(20):
        drawn = measured_curve(SENSOR, mean, np.random.default_rng(seed), covariance=covariance)
        turnoff = find_turnoff(drawn if known else curve_of(mean, drawn.variance))
        first = int(np.argmax(left < 0.97))
        last = int(np.argmax(left < 0.995)) - 1
        assert mean[last - 1] <= turnoff.signal < mean[first]
        assert turnoff.n_past == np.sum(mean > turnoff.signal)


def test_a_saturated_mean_that_goes_back_and_forth_does_not_matter() -> None:
    """A clipped signal stays where it is: variances there are small, and some are huge."""
    rng = np.random.default_rng(3)
    below = measured_curve(SENSOR, np.geomspace(100, 60_000, 50), rng)
    clipped = 65_000 + rng.normal(0, 20, 25)
    variance = 10 ** rng.uniform(1, 5.5, 25)
    curve = curve_of(np.concatenate([below.mean, clipped]), np.concatenate([below.variance, variance]), n_pixels=1e6)
    turnoff = find_turnoff(curve)
    assert turnoff.signal == below.mean[-1]
    assert turnoff.n_past == 25


def test_single_outliers_are_not_the_turnoff() -> None:
    """Pairs with a cosmic ray shower too many, or a variance too small, are isolated; the curve goes on above them."""
    curve = measured_curve(SENSOR, LADDERS["log"], np.random.default_rng(4))
    curve.variance[[20, 40, 50, 58]] *= [1.5, 0.7, 30, 0.9]
    turnoff = find_turnoff(curve)
    assert (turnoff.signal, turnoff.n_past) == (curve.mean[-1], 0)


def test_published_table_turns_off_where_its_authors_say() -> None:
    """The unsorted table of RTM-010: 10 saturated pairs, one with a huge variance among them."""
    curve, published = rtm010()
    turnoff = find_turnoff(curve)
    assert turnoff.signal == published["turnoff"]
    assert turnoff.error == pytest.approx((158_970 - 138_461) / 2)
    assert turnoff.n_past == 10


@settings(max_examples=25, deadline=None)
@given(st.randoms(use_true_random=False), st.sampled_from([0.35, 0.6, 2.0]))
def test_order_of_pairs_does_not_matter(random: object, full_well: float) -> None:
    """Whatever order the pairs are listed in, the turnoff is the same to the last bit."""
    mean = np.repeat(LADDERS["sqrt"], 2)
    covariance = SENSOR.conserved_covariance(mean) * collapsed(mean, full_well * 87_000)[:, None, None]
    curve = measured_curve(SENSOR, mean, np.random.default_rng(5), covariance=covariance)
    order = list(range(len(mean)))
    random.shuffle(order)  # type: ignore[attr-defined]
    again = curve_of(curve.mean[order], curve.variance[order], n_pixels=1e6, exposures=curve.exposures[order])
    assert find_turnoff(again) == find_turnoff(curve)


@pytest.mark.parametrize(
    ("mean", "variance"),
    [
        ([], []),
        ([1000.0], [700.0]),
        ([1000.0, 2000.0, 3000.0], [700.0, 1400.0, 2100.0]),
        (np.linspace(90_000, 91_000, 20), np.linspace(50_000, 900, 20)),
        ([0.0, -1.0, np.nan, 100.0, 200.0], [1.0, 1.0, 1.0, -5.0, np.nan]),
    ],
    ids=["none", "one", "three", "all saturated", "broken"],
)
def test_a_curve_without_turnoff_says_so(mean: np.ndarray, variance: np.ndarray) -> None:
    """Fewer than four pairs on a rising curve are told from a turnoff; nothing warns or raises."""
    turnoff = find_turnoff(curve_of(mean, variance))
    assert np.isnan(turnoff.signal)
    assert turnoff.reason.startswith("no turnoff: ")
