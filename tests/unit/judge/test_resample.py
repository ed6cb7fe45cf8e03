"""Resampling of whole visits, against a plain loop."""

import numpy as np
import pytest
from scipy import stats

from harness.judge.resample import DRAWS, MAX_GROUPS, pivot_limits, weights


def _loop(deviations, confidence, draws, seed):
    """Return the limits as a textbook writes them: one resample after the other."""
    rng = np.random.default_rng(seed)
    n_units = len(deviations)
    pivots = []
    while len(pivots) < draws:
        drawn = deviations[rng.integers(n_units, size=n_units)]
        if drawn.std() > 0:
            pivots.append(drawn.sum() / (np.sqrt(n_units) * drawn.std(ddof=1)))
    tail = (1 - confidence) / 8
    student = stats.t.ppf(1 - (1 - confidence) / 4, n_units - 1)
    low, high = np.quantile(pivots, [tail, 1 - tail])
    return min(low, -student), max(high, student)


@pytest.mark.parametrize("n_units", [10, 84])
def test_limits_are_those_of_a_plain_loop(n_units):
    """The matrix product gives what a loop over resamples gives, within Monte-Carlo error."""
    deviations = np.random.default_rng(1).lognormal(0, 1, n_units)
    deviations -= deviations.mean()
    ours = pivot_limits(deviations, 0.9)
    loops = np.array([_loop(deviations, 0.9, 4000, seed) for seed in range(6)])
    assert np.all(np.abs(ours - loops.mean(axis=0)) < 4 * loops.std(axis=0) + 1e-9)


def test_every_resample_has_as_many_visits():
    """Each draw takes n visits with replacement, each visit equally often on average."""
    drawn = weights(28)
    assert drawn.shape == (DRAWS, 28)
    assert np.all(drawn.sum(axis=1) == 28)
    assert np.allclose(drawn.mean(axis=0), 1, atol=6 / np.sqrt(DRAWS))
    assert np.allclose(drawn.var(axis=0), 27 / 28, atol=0.1)


def test_limits_do_not_depend_on_the_order_of_visits():
    """Renumbering visits changes nothing, to the last bit."""
    deviations = np.random.default_rng(2).normal(size=20)
    assert pivot_limits(deviations, 0.99) == pivot_limits(np.random.default_rng(3).permutation(deviations), 0.99)


def test_limits_turn_with_the_sign_and_keep_with_the_scale():
    """Negated deviations mirror the limits; a power of two leaves them as they are, to the last bit."""
    deviations = np.random.default_rng(4).lognormal(size=20) - 1.6
    low, high = pivot_limits(deviations, 0.99)
    assert pivot_limits(-deviations, 0.99) == pytest.approx((-high, -low), rel=1e-3)
    assert pivot_limits(deviations * 2.0**40, 0.99) == (low, high)
    assert pivot_limits(deviations * 2.0**-40, 0.99) == (low, high)


def test_limits_are_never_inside_students():
    """Few visits never look better than Student's law allows."""
    rng = np.random.default_rng(5)
    for n_units in (2, 3, 4, 5, 10):
        low, high = pivot_limits(rng.normal(size=n_units), 0.95)
        assert min(-low, high) >= stats.t.ppf(0.975, n_units - 1)


def test_many_visits_are_resampled_in_groups():
    """Ten thousand visits need no larger matrix, and their limits approach the normal law's."""
    deviations = np.random.default_rng(6).exponential(size=10_000)
    deviations -= deviations.mean()
    low, high = pivot_limits(deviations, 0.99)
    assert weights(MAX_GROUPS).nbytes <= 21_000_000
    assert -low == pytest.approx(stats.norm.ppf(1 - 0.01 / 8), rel=0.1)
    assert high == pytest.approx(stats.norm.ppf(1 - 0.01 / 8), rel=0.1)
