"""Zeros of lines: against simulations of known truth."""

from __future__ import annotations

import numpy as np
import pytest

from harness.metrics.template.fieller import zero_of_line

CLUSTERS, POINTS = 14, 8
TRUTH = 0.1


def drawn(rng: np.random.Generator, slope: float = 1.0, between: float = 0.02, n_clusters: int = CLUSTERS):
    """Return points whose clusters have offsets of their own, as visits have that share a template."""
    cluster = np.repeat(np.arange(n_clusters), POINTS)
    x = rng.uniform(-0.3, 0.3, n_clusters)[cluster] + rng.normal(0, 0.1, cluster.size)
    offset = rng.normal(0, between, n_clusters)[cluster]
    return x, slope * (x - TRUTH) + offset + rng.normal(0, 0.02, cluster.size), cluster


def test_the_line_is_that_of_least_squares() -> None:
    """Intercept and slope agree with numpy, and the zero is where that line crosses."""
    x, y, cluster = drawn(np.random.default_rng(1))
    found = zero_of_line(x, y, cluster, 0.99)
    slope, intercept = np.polyfit(x, y, 1)
    assert (found.intercept, found.slope) == (pytest.approx(intercept), pytest.approx(slope))
    assert found.at == pytest.approx(-intercept / slope)
    assert found.low < found.at < found.high
    assert (found.n_points, found.n_clusters, found.lack) == (CLUSTERS * POINTS, CLUSTERS, "")


def test_limits_are_where_the_line_is_just_not_zero() -> None:
    """At Fieller's limits the line is t of its own standard errors away from zero, by a jackknife done by hand."""
    x, y, cluster = drawn(np.random.default_rng(2))
    found = zero_of_line(x, y, cluster, 0.9)
    lines = np.array([np.polyfit(x[cluster != left_out], y[cluster != left_out], 1) for left_out in range(CLUSTERS)])
    for place in (found.low, found.high):
        values = lines @ [place, 1]
        error = np.sqrt((CLUSTERS - 1) / CLUSTERS * np.sum((values - values.mean()) ** 2))
        assert abs(found.intercept + found.slope * place) / error == pytest.approx(2.178813, rel=1e-5)  # t of 12


def test_points_in_any_order_give_the_same() -> None:
    """Order and names of clusters do not matter."""
    x, y, cluster = drawn(np.random.default_rng(3))
    order = np.random.default_rng(4).permutation(x.size)
    names = np.array([f"{number} r" for number in cluster], object)
    shuffled = zero_of_line(x[order], y[order], names[order], 0.99)
    straight = zero_of_line(x, y, cluster, 0.99)
    assert (shuffled.low, shuffled.at, shuffled.high) == pytest.approx((straight.low, straight.at, straight.high))


def test_what_cannot_be_told_is_not_told() -> None:
    """Too few clusters, points all alike, a slope of nothing or downwards, and a zero beyond the points."""
    rng = np.random.default_rng(5)
    x, y, cluster = drawn(rng)
    assert zero_of_line(x[:16], y[:16], cluster[:16], 0.99).lack == "few"
    assert zero_of_line(np.ones(x.size), y, cluster, 0.99).lack == "alike"
    assert zero_of_line(np.where(cluster == 3, x, 1.0), y, cluster, 0.99).lack == "alike"
    assert zero_of_line(x, rng.normal(0, 1, x.size), cluster, 0.99).lack == "flat"
    assert zero_of_line(x, -y, cluster, 0.99).lack == "flat"
    assert zero_of_line(x, y - 2, cluster, 0.99).lack == "after"
    assert zero_of_line(x, y + 2, cluster, 0.99).lack == "before"
    assert np.isnan(zero_of_line(x, y + 2, cluster, 0.99).at)


@pytest.mark.slow
@pytest.mark.parametrize("confidence", [0.95, 0.99])
@pytest.mark.parametrize(("n_clusters", "between"), [(5, 0.02), (14, 0.0), (14, 0.06), (40, 0.06)])
def test_limits_hold_the_truth_as_often_as_they_say(confidence: float, n_clusters: int, between: float) -> None:
    """Over 2000 surveys, with clusters that differ from nothing to three times as much as points do."""
    rng = np.random.default_rng(6)
    found = [zero_of_line(*drawn(rng, between=between, n_clusters=n_clusters), confidence) for _ in range(2000)]
    told = [each for each in found if not each.lack]
    assert len(told) > 0.7 * len(found)
    held = np.mean([each.low <= TRUTH <= each.high for each in told])
    assert held >= confidence - 3 * np.sqrt(confidence * (1 - confidence) / len(told))
