"""The one rule, and what would decide."""

import math
from itertools import count

import pytest
from scipy import stats

from harness.judge import Estimate, change, decide, level, more_units_needed
from harness.model import Interval, VerdictState


def _estimate(value, low, high, n_units=10):
    return Estimate(value, Interval(low, high), (high - low) / 5, n_units, "made up")


@pytest.mark.parametrize(
    ("low", "high", "state"),
    [
        (-1, 1, VerdictState.PASS),
        (-2, 2, VerdictState.PASS),
        (-3, 3, VerdictState.INCONCLUSIVE),
        (1, 3, VerdictState.INCONCLUSIVE),
        (2, 3, VerdictState.INCONCLUSIVE),
        (2.1, 3, VerdictState.FAIL),
        (-math.inf, math.inf, VerdictState.INCONCLUSIVE),
    ],
)
def test_interval_inside_passes_and_outside_fails(low, high, state):
    """Inside is PASS, wholly outside is FAIL, anything else is INCONCLUSIVE; ends belong to the acceptable."""
    assert decide(_estimate((low + high) / 2 if math.isfinite(low) else 0, low, high), Interval(-2, 2)) is state


def _needed(times: float) -> int:
    """Return how many visits more than 10 make Student's interval of a mean so many times narrower."""
    of_ten = stats.t.ppf(0.9975, 9) / math.sqrt(10)
    return next(n for n in count(10) if stats.t.ppf(0.9975, n - 1) / math.sqrt(n) * times <= of_ten) - 10


@pytest.mark.parametrize(
    ("estimate", "acceptable", "more"),
    [
        (_estimate(0, -4, 4), Interval(-2, 2), _needed(2)),
        (_estimate(1, -1, 3), Interval(-2, 2), _needed(2)),
        (_estimate(3, 1, 5), Interval(-2, 2), _needed(2)),
        (_estimate(-3, -5, -1), Interval(-2, 2), _needed(2)),
        (_estimate(1, -1, 3), Interval(-math.inf, 2), _needed(2)),
        (_estimate(0.1, -1.9, 2.05), Interval(-2, 2), 1),
        (_estimate(2, 1, 3), Interval(-2, 2), None),
        (_estimate(0, -4, 4), Interval(-1e-170, 1e-170), None),
        (_estimate(0, -1, 1), Interval(-2, 2), 0),
        (_estimate(5, 5, 5), Interval(-2, 2), 0),
        (_estimate(0, 0, 0), Interval(0, 0), 0),
        (_estimate(0, -math.inf, math.inf), Interval(-2, 2), None),
        (_estimate(0, -math.inf, math.inf), Interval(-math.inf, 2), None),
        (_estimate(0, -4, 4), Interval(0, 0), None),
    ],
)
def test_how_many_more_visits_would_decide(estimate, acceptable, more):
    """The number follows from Student's interval; None where no number of visits is known to help."""
    assert more_units_needed(estimate, acceptable) == more


def test_so_many_more_visits_do_decide(quantity):
    """A rerun repeated over as many visits as were asked for is decided."""
    new, old = [103, 98, 110, 97, 104, 99, 101, 96], [100, 101, 105, 99, 100, 103, 98, 97]
    acceptable = Interval(-0.02 * sum(old), 0.02 * sum(old))
    estimate = change(quantity(new), quantity(old))
    assert decide(estimate, acceptable) is VerdictState.INCONCLUSIVE
    times = 1 + math.ceil(more_units_needed(estimate, acceptable) / 8)
    acceptable = Interval(times * acceptable.low, times * acceptable.high)
    estimate = change(quantity(new * times), quantity(old * times))
    assert decide(estimate, acceptable) is VerdictState.PASS


def test_more_visits_are_reckoned_from_the_whole_interval(quantity):
    """That a share is not above 1 does not make two visits say more about it."""
    estimate = level(quantity([10, 60], [100, 90]))
    assert estimate.interval == Interval(0, 1)
    assert more_units_needed(estimate, Interval(0, 0.05)) > 10
