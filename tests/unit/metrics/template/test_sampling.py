"""Samples that depend on nothing but the visits and the seed."""

from __future__ import annotations

import numpy as np

from harness.metrics.template.sampling import sample_visits

VISITS = range(1000, 1100)


def test_a_sample_does_not_depend_on_the_order_of_visits() -> None:
    """Shuffled and repeated visits give the same sample."""
    shuffled = np.random.default_rng(1).permutation(VISITS).tolist()
    assert sample_visits(shuffled + shuffled[:30], 10, 1) == sample_visits(VISITS, 10, 1)


def test_samples_contain_smaller_ones() -> None:
    """One more is one more of the same, and a visit that is gone is replaced by one other."""
    ten, eleven = sample_visits(VISITS, 10, 1), sample_visits(VISITS, 11, 1)
    assert set(ten) < set(eleven)
    without = sample_visits(set(VISITS) - {ten[0]}, 10, 1)
    assert set(without) == set(eleven) - {ten[0]}


def test_a_short_list_is_taken_whole() -> None:
    """All visits, when there are no more than asked for."""
    assert sample_visits([3, 1, 2], 10, 1) == (1, 2, 3)


def test_every_visit_is_as_likely() -> None:
    """Over 2000 seeds each of 20 visits is drawn in a quarter of them, within 4 sigma."""
    drawn = [visit for seed in range(2000) for visit in sample_visits(range(20), 5, seed)]
    counts = np.bincount(drawn, minlength=20)
    assert np.all(np.abs(counts - 500) < 4 * np.sqrt(2000 * 0.25 * 0.75))


def test_the_sample_is_the_same_for_ever() -> None:
    """A recorded seed gives the recorded visits: the draw must not change with versions of Python or numpy."""
    assert sample_visits(VISITS, 5, 20231207) == (1009, 1029, 1057, 1060, 1078)
