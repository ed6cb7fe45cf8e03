"""Efficiency curves: against scipy on the same likelihood, and at the ends where nothing can be told."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import log_expit
from scipy.stats import binomtest, chi2

from harness.metrics.flavor.efficiency import Curve, binned_efficiency, curve_change, fit_curve
from harness.metrics.flavor.injection_fit import best_fit, sample_of


def drawn(seed: int, n: int = 800, ceiling: float = 0.9, *, slope: float = 1.7, n_visits: int = 8):
    """Return signal-to-noise, whether found, and visits of injections whose efficiency is known."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(0, 15, n)
    found = rng.random(n) < ceiling / (1 + np.exp(-slope * (x - 5.0)))
    return x, found, rng.integers(0, n_visits, n)


def log_likelihood(x, found, x50, slope, ceiling):
    """Return the logarithm of the binomial likelihood, written down once more."""
    reached = log_expit(slope * (x - x50))
    missed = np.log1p(-ceiling * np.exp(reached[~found]))
    return np.sum(math.log(ceiling) + reached[found]) + np.sum(missed)


def largest(x, found, x50=None, ceiling=None):
    """Return the largest logarithm of the likelihood that scipy finds, at a held x50 or ceiling where one is given."""

    def loss(free):
        place = free[0] if x50 is None else x50
        share = 1 / (1 + math.exp(-free[2])) if ceiling is None else ceiling
        with np.errstate(divide="ignore"):
            return -max(log_likelihood(x, found, place, math.exp(free[1]), share), -1e9)

    options = {"maxiter": 5000, "maxfev": 5000, "xatol": 1e-8, "fatol": 1e-10}
    starts = [(place, slope, share) for place in (2.0, 5.0, 8.0) for slope in (-1.0, 1.0) for share in (1.0, 6.0)]
    return -min(minimize(loss, start, method="Nelder-Mead", options=options).fun for start in starts)


@pytest.mark.parametrize(("seed", "n", "ceiling", "slope"), [(1, 800, 0.9, 1.7), (2, 200, 0.8, 0.7), (3, 400, 1, 4)])
def test_the_curve_is_the_most_likely_one(seed: int, n: int, ceiling: float, slope: float) -> None:
    """A minimiser without derivatives, from many starts, finds the same likelihood and nothing better."""
    x, found, visit = drawn(seed, n, ceiling, slope=slope)
    curve = fit_curve(x, found, visit, falling=False)
    assert isinstance(curve, Curve)
    share = min(curve.ceiling, 1 - 1e-15)
    assert log_likelihood(x, found, curve.x50, curve.slope, share) == pytest.approx(largest(x, found), abs=1e-6)
    assert (curve.n_found, curve.n, curve.n_visits) == (found.sum(), n, 8)


def test_limits_are_where_the_profile_has_fallen() -> None:
    """At the limits of one visit, scipy's profile is as low as chi-squared and Bartlett's factor ask for."""
    x, found, visit = drawn(4, 3000, 0.9)
    curve = fit_curve(x, found, np.zeros_like(visit), falling=False, confidence=0.9)
    assert isinstance(curve, Curve)
    fit = best_fit(sample_of(x, found, visit, falling=False))
    assert not isinstance(fit, str)
    fallen = chi2.ppf(0.9, 1) / 2 * (1 + 5 / fit.n_informative)
    top = largest(x, found)
    for limit in (curve.interval_x50.low, curve.interval_x50.high):
        assert top - largest(x, found, x50=limit) == pytest.approx(fallen, rel=0.01)
    for limit in (curve.interval_ceiling.low, curve.interval_ceiling.high):
        assert top - largest(x, found, ceiling=limit) == pytest.approx(fallen, rel=0.01)


def test_informative_injections_are_counted_in_halves() -> None:
    """By numerical derivatives: each injection at one half carries a quarter of information about its logit."""
    x, found, visit = drawn(5)
    fit = best_fit(sample_of(x, found, visit, falling=False))
    assert not isinstance(fit, str)
    ceiling, step = float(fit.best.parameters[2]), 1e-3
    values = [log_likelihood(x, found, fit.x50 + move, fit.slope, ceiling) for move in (-step, 0, step)]
    curvature = (values[0] - 2 * values[1] + values[2]) / step**2
    assert fit.n_informative == pytest.approx(-4 * curvature / fit.slope**2, rel=1e-4)


def test_visits_count_as_one_where_they_are_one() -> None:
    """The same injections ten times over are ten times as many, but of no more visits: the error stays."""
    x, found, visit = drawn(6, n_visits=20)
    once = fit_curve(x, found, visit, falling=False)
    repeated = fit_curve(np.tile(x, 10), np.tile(found, 10), np.tile(visit, 10), falling=False)
    apart = fit_curve(np.tile(x, 10), np.tile(found, 10), np.repeat(np.arange(200), 80), falling=False)
    assert isinstance(once, Curve)
    assert isinstance(repeated, Curve)
    assert isinstance(apart, Curve)
    assert repeated.x50 == pytest.approx(once.x50, abs=1e-4)
    assert repeated.uncertainty_x50 > 0.6 * once.uncertainty_x50
    assert apart.uncertainty_x50 < 0.4 * once.uncertainty_x50


def test_the_scatter_between_visits_is_that_of_leaving_each_out() -> None:
    """The influence of visits, and with it the depth of the limits, agrees with a jackknife done by hand."""
    x, found, visit = drawn(7, 3000, n_visits=20)
    fit = best_fit(sample_of(x, found, visit, falling=False))
    assert not isinstance(fit, str)
    without = []
    for left_out in range(20):
        other = best_fit(sample_of(x[visit != left_out], found[visit != left_out], visit, falling=False))
        assert not isinstance(other, str)
        without.append(other.x50)
    moved = fit.influence(x, found)[:, 0] * fit.width
    by_visit = np.bincount(visit, moved)
    assert by_visit == pytest.approx(fit.x50 - np.array(without), abs=0.15 * np.abs(by_visit).max())
    assert moved.sum() == pytest.approx(0, abs=1e-4)


def test_order_of_rows_does_not_matter() -> None:
    """Shuffled injections, many of them at the same signal-to-noise, give the same numbers to the last digit."""
    x, found, visit = drawn(8)
    x = np.round(x, 1)
    _, other, _ = drawn(9)
    order = np.random.default_rng(10).permutation(x.size)
    assert fit_curve(x, found, visit, falling=False) == fit_curve(x[order], found[order], visit[order], falling=False)
    assert curve_change(x, found, found & other, visit, falling=False) == curve_change(
        x[order], found[order], (found & other)[order], visit[order], falling=False
    )


def test_magnitudes_are_signal_to_noise_turned_around() -> None:
    """A curve that falls is the one that rises, mirrored, with its interval."""
    x, found, visit = drawn(11)
    rising, falling = fit_curve(x, found, visit, falling=False), fit_curve(30 - x, found, visit, falling=True)
    assert isinstance(rising, Curve)
    assert isinstance(falling, Curve)
    assert falling.x50 == pytest.approx(30 - rising.x50, abs=1e-6)
    assert falling.slope == pytest.approx(-rising.slope, rel=1e-5)
    assert falling.interval_x50.low == pytest.approx(30 - rising.interval_x50.high, abs=1e-6)
    assert falling.uncertainty_x50 == pytest.approx(rising.uncertainty_x50)
    assert falling.at(np.array([30 - 5.5])) == pytest.approx(rising.at(np.array([5.5])))
    assert rising.at(np.array([rising.x50, 100.0])) == pytest.approx([rising.ceiling / 2, rising.ceiling])


def test_unknown_brightness_is_left_out() -> None:
    """Injections without a signal-to-noise change nothing, found or not."""
    x, found, visit = drawn(12)
    more = (np.append(x, [math.nan, math.nan]), np.append(found, [True, False]), np.append(visit, [77, 78]))
    assert fit_curve(*more, falling=False) == fit_curve(x, found, visit, falling=False)
    other = np.roll(found, 1) | found
    told = curve_change(more[0], more[1], np.append(other, [False, True]), more[2], falling=False)
    assert told == curve_change(x, found, other, visit, falling=False)


def test_an_impossibly_bright_miss_lowers_the_ceiling() -> None:
    """One of 800 lost at a signal-to-noise of 10⁵ is a ceiling below 1, and no overflow."""
    x, found, visit = drawn(13, ceiling=1)
    curve = fit_curve(np.append(x, 1e5), np.append(found, False), np.append(visit, 0), falling=False)
    assert isinstance(curve, Curve)
    assert curve.ceiling == pytest.approx(1 - 1 / found.sum(), abs=0.01)
    assert 4.5 < curve.x50 < 5.5


@pytest.mark.parametrize(
    ("x", "found", "words"),
    [
        ([], [], "there is no injection whose brightness is known"),
        ([math.nan], [True], "there is no injection whose brightness is known"),
        ([3, 4, 7], [0, 0, 0], "none of 3 injections was found, the brightest of which is at 7"),
        ([3, 4, 7], [1, 1, 1], "the share falls to half beyond the faintest of them, at 3"),
        ([3, 4, 7, 8], [1, 1, 1, 0], "beyond all of them, which are from 3 to 8"),
        ([3, 4, 7, 8], [1, 0, 1, 1], "beyond all of them, which are from 3 to 8"),
    ],
)
@pytest.mark.parametrize("falling", [False, True])
def test_what_cannot_be_told_is_said(x: list[float], found: list[int], words: str, falling: bool) -> None:
    """No injections, none found, all found, and none on the faint side have a reason instead of a number."""
    sign = -1 if falling else 1
    args = sign * np.array(x, float), np.array(found, bool), np.zeros(len(x), int)
    if falling:
        words = words.replace("from 3 to 8", "from -8 to -3").replace(" at ", " at -")
    told = fit_curve(*args, falling=falling)
    assert isinstance(told, str)
    assert told.endswith(words)
    changed = curve_change(args[0], args[1], args[1], args[2], falling=falling)
    assert changed == f"rerun: {told}"


def test_a_step_is_in_the_middle_between_two_injections() -> None:
    """A perfect step has a place, an honest interval around the gap, and no change that could be told."""
    x, visit = np.arange(60) / 10, np.zeros(60, int)
    curve = fit_curve(x, x > 2.95, visit, falling=False)
    assert isinstance(curve, Curve)
    assert (curve.x50, curve.slope, curve.ceiling) == (pytest.approx(2.95), math.inf, 1.0)
    assert 2 < curve.interval_x50.low < 2.9
    assert 3.0 < curve.interval_x50.high < 3.9
    assert curve.interval_ceiling.high == 1.0
    assert curve.at(np.array([2.0, 4.0])).tolist() == [0.0, 1.0]
    changed = curve_change(x, x > 2.95, x > 2.95, visit, falling=False)
    assert isinstance(changed, str)
    assert changed.startswith("rerun: ")


def test_a_step_with_a_ceiling_has_both() -> None:
    """Every tenth of the bright ones is lost, and none of the faint ones found."""
    x, visit = np.arange(200) / 10, np.zeros(200, int)
    found = (x > 4.95) & (np.arange(200) % 10 != 5)
    curve = fit_curve(-x, found, visit, falling=True)
    assert isinstance(curve, Curve)
    assert curve.slope < -5
    assert curve.x50 == pytest.approx(-4.95, abs=0.15)
    assert curve.ceiling == pytest.approx(0.9, abs=0.02)


def test_two_injections_bound_nothing() -> None:
    """One found and one missed have a half point between them, and infinite limits."""
    curve = fit_curve(np.array([4.0, 6.0]), np.array([False, True]), np.array([1, 2]), falling=False)
    assert isinstance(curve, Curve)
    assert curve.x50 == 5.0
    assert (curve.interval_x50.low, curve.interval_x50.high) == (-math.inf, math.inf)
    assert curve.uncertainty_x50 == math.inf


def test_a_ceiling_that_may_be_1_has_an_interval_that_ends_there() -> None:
    """Where no bright injection is lost, scipy's profile at 1 is the largest, and falls to the lower limit."""
    x, found, visit = drawn(14, 300, ceiling=1.0)
    curve = fit_curve(x, found, np.zeros_like(visit), falling=False)
    assert isinstance(curve, Curve)
    assert (curve.ceiling, curve.interval_ceiling.high) == (1.0, 1.0)
    low = curve.interval_ceiling.low
    assert largest(x, found, ceiling=1 - 1e-12) - largest(x, found, ceiling=low) > chi2.ppf(0.99, 1) / 2


def test_a_paired_change_is_narrower_than_an_unpaired_one() -> None:
    """The same injections with nearly the same noise: the shift is found, though either curve is more uncertain."""
    rng = np.random.default_rng(15)
    x, visit = rng.uniform(0, 15, 1500), rng.integers(0, 12, 1500)
    noise, seeing = rng.logistic(0, 0.6, x.size), rng.normal(0, 0.5, 12)[visit]
    reference = x + noise > 5 + seeing
    rerun = x + noise + rng.normal(0, 0.1, x.size) > 5.2 + seeing
    told = curve_change(x, rerun, reference, visit, falling=False)
    curves = [fit_curve(x, side, visit, falling=False) for side in (rerun, reference)]
    assert not isinstance(told, str)
    assert not any(isinstance(curve, str) for curve in curves)
    change, uncertainty = told
    assert change == pytest.approx(0.2, abs=3 * uncertainty)
    assert change > 3 * uncertainty
    assert uncertainty < 0.25 * math.hypot(*(curve.uncertainty_x50 for curve in curves))  # type: ignore[union-attr]


def test_identical_detections_are_not_known_to_be_equal_for_good() -> None:
    """Of 50 injections that all did the same, the next may not: the change is 0 and its uncertainty is not."""
    x, found, visit = drawn(16, 50)
    told = curve_change(x, found, found, visit, falling=False)
    assert not isinstance(told, str)
    assert told[0] == 0
    assert 0.01 < told[1] < 1


def test_bins_have_the_exact_binomial_interval() -> None:
    """Each bin as of scipy's binomial test, with empty ones and ones of nothing or everything."""
    x = np.array([0.5, 0.7, 1.0, 1.2, 1.9, 2.5, 2.6, 4.0, 4.5, 9.0, -3.0, math.nan, math.inf])
    found = np.array([0, 0, 1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1], bool)
    bins = binned_efficiency(x, found, [0, 1, 2, 3, 4, 5], confidence=0.9)
    assert bins.columns == ["low", "high", "n", "found", "efficiency", "ciLow", "ciHigh"]
    assert bins["n"].to_list() == [2, 3, 2, 0, 2]
    assert bins["found"].to_list() == [0, 2, 2, 0, 2]
    for row in bins.filter(bins["n"] > 0).iter_rows(named=True):
        exact = binomtest(row["found"], row["n"]).proportion_ci(0.9, "exact")
        assert (row["ciLow"], row["ciHigh"]) == (pytest.approx(exact.low), pytest.approx(exact.high))
        assert row["efficiency"] == row["found"] / row["n"]
    empty = bins.row(3, named=True)
    assert math.isnan(empty["efficiency"])
    assert (empty["ciLow"], empty["ciHigh"]) == (0.0, 1.0)
