"""Exact laws of counts, against scipy.stats."""

import math

import numpy as np
import pytest
from scipy import stats

from harness.judge import WHOLE_RERUN
from harness.judge.counting import (
    binomial_interval,
    chance_of_equality,
    counting_interval,
    difference_interval,
    poisson_interval,
)
from harness.model import Interval


@pytest.mark.parametrize("count", [0, 1, 7, 300])
@pytest.mark.parametrize("confidence", [0.9, 0.99])
def test_poisson_limits_are_where_the_tails_hold_their_share(count, confidence):
    """At each limit, counts as extreme as the one seen have half of the allowed error."""
    interval = poisson_interval(count, confidence)
    tail = (1 - confidence) / 2
    assert stats.poisson.cdf(count, interval.high) == pytest.approx(tail)
    assert interval.low == 0 if count == 0 else stats.poisson.sf(count - 1, interval.low) == pytest.approx(tail)


@pytest.mark.parametrize(("successes", "trials"), [(0, 105), (5, 10), (84, 84)])
def test_binomial_limits_are_clopper_pearson(successes, trials):
    """The share's interval is scipy's exact one, at the borders too."""
    theirs = stats.binomtest(successes, trials).proportion_ci(0.95, method="exact")
    ours = binomial_interval(successes, trials, 0.95)
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high))


def test_published_zero_is_an_upper_limit():
    """None of 105 visits means below 2.8 % at 95 % (one-sided), not impossible."""
    assert binomial_interval(0, 105, 0.90).high == pytest.approx(0.028, abs=0.0005)


def test_ratio_of_counts_covers(quantity):
    """The exact interval of a ratio of two Poisson counts holds the true ratio at least as often as promised."""
    rng = np.random.default_rng(3)
    hits = 0
    for above, below in zip(rng.poisson(30, 1000), rng.poisson(12, 1000), strict=True):
        hits += 30 / 12 in counting_interval(quantity([above], [max(below, 1)], units=[WHOLE_RERUN], unit=""), 0.9)
    assert hits >= 880


def test_difference_of_gaussian_intervals_is_quadrature():
    """For symmetric intervals the limits of a difference add in quadrature; unequal tails stay on their side."""
    assert difference_interval(5, Interval(2, 8), 1, Interval(-3, 5)) == Interval(-1, 9)
    lopsided = difference_interval(0, Interval(0, 5), 0, Interval(0, 0))
    assert (lopsided.low, lopsided.high) == (0, 5)


def test_difference_of_poisson_counts_covers():
    """The interval of a difference of two small counts keeps its promise."""
    rng = np.random.default_rng(4)
    pairs = zip(rng.poisson(3, 2000).tolist(), rng.poisson(5, 2000).tolist(), strict=True)
    hits = sum(-2 in difference_interval(a, poisson_interval(a, 0.99), b, poisson_interval(b, 0.99)) for a, b in pairs)
    assert hits >= 1980


def test_chance_of_equality_is_skellam():
    """Two reruns repeat counts by chance as often as the Skellam law says."""
    assert chance_of_equality(np.array([4.0])) == pytest.approx(stats.skellam.pmf(0, 4, 4))
    assert chance_of_equality(np.zeros(3)) == 1
    assert chance_of_equality(np.array([2000.0])) == pytest.approx(1 / math.sqrt(4 * math.pi * 2000), rel=1e-3)
