"""Gained less lost items of two sides that have seen the same ones: McNemar's law, by visits and within one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy import stats

from harness.judge import WHOLE_RERUN, Quantity, level, within
from harness.judge.counting import counting_interval, exchange_interval
from harness.model import Interval, Metric, VerdictState

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import ArrayLike, NDArray

METRIC = Metric("flavor.efficiencyChange", "", "Gained less lost.", "flavor_change", reduce="ratio", paired=True)


def exchange(
    gained: ArrayLike, lost: ArrayLike, n_items: ArrayLike, units: Sequence[int] | None = None, **more: object
) -> Quantity:
    """Return the share of gained less lost items, by visit."""
    up, down, below = (np.atleast_1d(np.asarray(values, np.float64)) for values in (gained, lost, n_items))
    error = np.full(len(below), np.nan)
    np.divide(np.sqrt(up + down), below, out=error, where=below > 0)
    visits = np.arange(len(below)) if units is None else np.array(units)
    return Quantity(METRIC, "auto", visits, up - down, below, uncertainty=error, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99])
def test_zero_is_left_out_only_where_mcnemars_exact_test_does(confidence: float) -> None:
    """For every number of gained and lost items up to 40, against scipy's exact binomial test."""
    for moved in range(1, 41):
        for gained in range(moved + 1):
            interval = exchange_interval(gained, moved - gained, confidence)
            p_value = stats.binomtest(gained, moved).pvalue
            assert 0 in interval or p_value <= 1 - confidence + 1e-12, (gained, moved)


@pytest.mark.parametrize(("gained", "lost"), [(60, 24), (24, 60), (700, 560), (13, 1)])
def test_clear_differences_leave_out_zero(gained: int, lost: int) -> None:
    """What the exact test shows far beyond its level is shown, with its sign."""
    assert stats.binomtest(gained, gained + lost).pvalue < 0.002
    interval = exchange_interval(gained, lost, 0.99)
    assert interval.low > 0 if gained > lost else interval.high < 0


def test_limits_change_places_with_the_sides() -> None:
    """Whoever is called the reference, the same is said."""
    ours, theirs = exchange_interval(7, 3, 0.99), exchange_interval(3, 7, 0.99)
    assert (ours.low, ours.high) == pytest.approx((-theirs.high, -theirs.low))


def test_nothing_moved_is_a_limit_and_no_identity() -> None:
    """Of 200 items none was gained or lost: at 99 % at most 5.3 were, either way."""
    interval = level(exchange(0, 0, 200)).interval
    assert (interval.low, interval.high) == pytest.approx((-5.298 / 200, 5.298 / 200), rel=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize(("gained", "lost"), [(0.5, 0.5), (2, 2), (10, 3), (5, 0.2), (30, 30), (1000, 1100)])
def test_counts_are_covered(gained: float, lost: float) -> None:
    """The interval holds the difference of the means at least as often as it promises."""
    rng = np.random.default_rng(5)
    draws, times = np.unique(rng.poisson([gained, lost], (4000, 2)), axis=0, return_counts=True)
    hits = [gained - lost in exchange_interval(up, down, 0.99) for up, down in draws.tolist()]
    assert np.average(hits, weights=times) >= 0.99 - 3 * np.sqrt(0.99 * 0.01 / 4000)


def test_a_single_visit_rests_on_its_injections() -> None:
    """One visit has no scatter between visits; its injections are independent, and the method says so."""
    estimate = level(exchange(40, 10, 500))
    assert estimate.method == "injections, each seen by both"
    assert estimate.value == pytest.approx(0.06)
    assert estimate.uncertainty == pytest.approx(np.sqrt(50) / 500)
    counted = exchange_interval(40, 10, 0.99)
    assert (estimate.interval.low, estimate.interval.high) == pytest.approx((counted.low / 500, counted.high / 500))


def test_a_number_of_the_whole_rerun_does_too() -> None:
    """Totals without visits are judged by the same law."""
    assert level(exchange(40, 10, 500, [WHOLE_RERUN])).interval == level(exchange(40, 10, 500)).interval


def test_visits_are_resampled_and_never_beat_counting() -> None:
    """Where all visits agree too well, counting limits the interval; where they scatter, their scatter does."""
    even = exchange([10, 10, 10, 10], [10, 10, 10, 10], [100, 100, 100, 100])
    assert level(even).interval == counting_interval(even, 0.99)
    assert level(even).method == "visits resampled"
    uneven = exchange([40, 0, 40, 0], [0, 40, 0, 40], [100, 100, 100, 100])
    assert uneven.value == even.value
    assert level(uneven).interval.high > 2 * level(even).interval.high


def test_a_change_has_either_sign_and_is_a_share() -> None:
    """The interval of gains alone is not cut off at zero, and ends at one where all items were gained."""
    assert level(exchange(1, 0, 10)).interval.low < 0
    assert level(exchange(10, 0, 10)).interval.high == 1
    assert level(exchange(0, 10, 10)).interval.low == -1


def test_visits_without_items_say_nothing() -> None:
    """A visit without any common item has neither share nor uncertainty, and does not count."""
    with_empty, without = exchange([5, 0, 7], [2, 0, 3], [50, 0, 60]), exchange([5, 7], [2, 3], [50, 60])
    assert with_empty.value == without.value
    assert counting_interval(with_empty, 0.99) == counting_interval(without, 0.99)


def test_without_its_uncertainty_nothing_is_counted() -> None:
    """A net of three says nothing of how many were gained and lost: it is no share of three in ten."""
    net = Quantity(METRIC, "auto", np.array([1]), np.array([3.0]), np.array([10.0]))
    broken = Quantity(METRIC, "auto", np.array([1]), np.array([3.0]), np.array([10.0]), uncertainty=np.array([np.nan]))
    for quantity in (net, broken):
        assert not quantity.is_counted
        assert level(quantity).interval == Interval(-np.inf, np.inf)
        assert quantity.possible == Interval(-np.inf, np.inf)


def test_undecided_visits_say_how_many_more_would_do() -> None:
    """The way out of a single visit is more data, that of several is more visits."""
    one = within(exchange(12, 10, 200), -0.05, 0.05)
    assert one.state is VerdictState.INCONCLUSIVE
    assert "times the data would decide" in one.sentence
    several = within(exchange([12, 9, 11], [10, 12, 10], [200] * 3), -0.02, 0.02)
    assert several.state is VerdictState.INCONCLUSIVE
    assert "more visits would decide" in several.sentence


def _seen(
    rng: np.random.Generator, n: int, shared: float, shift: float | NDArray[np.float64], visits: NDArray[np.int64]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return who found which of n injections: noise partly shared, significance shifted for one side by visit."""
    snr = rng.uniform(2, 9, n) + rng.normal(0, 0.5, visits.max() + 1)[visits]  # the seeing of a visit is everyone's
    common = rng.normal(0, np.sqrt(shared), n)
    ours, theirs = (snr + common + rng.normal(0, np.sqrt(1 - shared), n) for _ in range(2))
    return ours + shift > 5, theirs > 5


def _by_visit(ours: NDArray[np.bool_], theirs: NDArray[np.bool_], visits: NDArray[np.int64]) -> Quantity:
    def count(which: NDArray[np.bool_]) -> NDArray[np.int64]:
        return np.bincount(visits[which], minlength=visits.max() + 1)

    return exchange(count(ours & ~theirs), count(theirs & ~ours), count(np.ones(len(visits), bool)))


def _flavors(n_visits: int, per_visit: int, shared: float, scatter: float) -> Callable[..., Quantity]:
    visits = np.repeat(np.arange(n_visits), per_visit)

    def draw(rng: np.random.Generator, better: float = 0.0) -> Quantity:
        shift = better + rng.normal(0, scatter, n_visits)[visits]
        return _by_visit(*_seen(rng, len(visits), shared, shift, visits), visits)

    return draw


REPETITIONS = 1500


@pytest.mark.slow
@pytest.mark.parametrize(
    ("n_visits", "per_visit", "scatter"),
    [(1, 60, 0), (1, 1000, 0), (4, 50, 0), (12, 100, 0), (5, 200, 0.3), (20, 50, 0.3)],
)
@pytest.mark.parametrize("shared", [0.0, 0.8])
def test_equal_flavors_are_called_different_no_more_often_than_promised(
    n_visits: int, per_visit: int, scatter: float, shared: float
) -> None:
    """Same injections, noise partly shared, visits that favour one side or the other: at most 1 % false alarms."""
    rng = np.random.default_rng([n_visits, per_visit])
    draw = _flavors(n_visits, per_visit, shared, scatter)
    alarms = sum(0 not in level(draw(rng)).interval for _ in range(REPETITIONS))
    assert alarms <= stats.binom.isf(1e-3, REPETITIONS, 0.01)


@pytest.mark.slow
def test_verdicts_keep_the_level_at_the_border_of_what_is_allowed() -> None:
    """A flavor that is better by exactly what is allowed passes, and fails, at most in 1 % each."""
    rng = np.random.default_rng(11)
    draw = _flavors(15, 80, 0.5, 0.2)
    truth = float(np.mean([draw(rng, 0.4).value for _ in range(4000)]))
    states = [within(draw(rng, 0.4), -truth, truth).state for _ in range(REPETITIONS)]
    limit = stats.binom.isf(1e-3, REPETITIONS, 0.01)
    assert states.count(VerdictState.FAIL) <= limit
    assert states.count(VerdictState.PASS) <= limit


@pytest.mark.slow
def test_better_flavors_are_told_apart() -> None:
    """A flavor that sees everything half a sigma deeper is told apart nearly always, and is within what is allowed."""
    rng = np.random.default_rng(12)
    draw = _flavors(15, 80, 0.8, 0.1)
    quantities = [draw(rng, 0.5) for _ in range(300)]
    power = np.mean([level(quantity).interval.low > 0 for quantity in quantities])
    assert power > 0.97
    tight = [within(quantity, -0.15, 0.15).state is VerdictState.PASS for quantity in quantities]
    assert np.mean(tight) > 0.97
