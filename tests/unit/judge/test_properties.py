"""Properties that hold for any numbers."""

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.judge import Accepted, above, agrees_with, below, unchanged, within
from harness.model import Interval, VerdictState

calmly = settings(deadline=None, max_examples=60)
# Few different numbers of visits, so that each needs its weights but once.
pairs = st.sampled_from([1, 2, 3, 8, 20]).flatmap(
    lambda n: st.tuples(*[st.lists(st.integers(0, 500), min_size=n, max_size=n)] * 2)
)
tolerances = st.floats(0, 1)
directions = st.sampled_from(["both", "lower_is_better", "higher_is_better"])
_BETTER = {VerdictState.FAIL: 0, VerdictState.INCONCLUSIVE: 1, VerdictState.PASS: 2}


@calmly
@given(pairs, st.tuples(tolerances, tolerances), st.tuples(st.floats(0, 100), st.floats(0, 100)), directions)
def test_wider_tolerance_is_never_worse(quantity, numbers, rtols, atols, direction):
    """A verdict is monotone in rtol and in atol."""
    new, old = map(quantity, numbers)
    (rtol, more), (atol, more_atol) = rtols, atols
    narrow = unchanged(new, old, rtol=rtol, atol=atol, direction=direction)
    for wide in (
        unchanged(new, old, rtol=rtol + more, atol=atol, direction=direction),
        unchanged(new, old, rtol=rtol, atol=atol + more_atol, direction=direction),
    ):
        assert _BETTER[wide.state] >= _BETTER[narrow.state]


@calmly
@given(st.lists(st.integers(0, 500), min_size=7, max_size=20), tolerances, st.floats(0, 10), directions)
def test_equal_numbers_pass(quantity, numbers, rtol, atol, direction):
    """A rerun equal to its reference in seven visits or more passes with any tolerance, and with none."""
    verdict = unchanged(quantity(numbers), quantity(numbers, rerun="old"), rtol=rtol, atol=atol, direction=direction)
    assert verdict.state is VerdictState.PASS


@calmly
@given(st.integers(1, 10**9), tolerances, directions)
def test_value_equal_to_an_exact_baseline_passes(quantity, value, rtol, direction):
    """A complete count equal to the accepted one passes with any tolerance."""
    ours = quantity([value], census=True)
    accepted = Accepted(float(value), 0.0, "ct", ours.metric.definition_digest)
    assert unchanged(ours, accepted, rtol=rtol, direction=direction).state is VerdictState.PASS


@calmly
@given(pairs, tolerances, st.integers(-30, 30))
def test_scale_by_a_power_of_two_changes_nothing(quantity, numbers, rtol, exponent):
    """With atol = 0 the unit does not matter: scaled by a power of two, interval and verdict are the same bits."""
    new, old = (quantity(each, unit="nJy") for each in numbers)
    factor = 2.0**exponent
    scaled = [quantity(np.multiply(each, factor), unit="nJy") for each in numbers]
    plain, other = unchanged(new, old, rtol=rtol), unchanged(*scaled, rtol=rtol)
    assert other.state is plain.state
    assert other.interval == Interval(plain.interval.low * factor, plain.interval.high * factor)


@calmly
@given(pairs, tolerances)
def test_sign_changes_nothing(quantity, numbers, rtol):
    """With atol = 0 negated numbers give the mirrored interval."""
    new, old = (quantity(each, unit="nJy") for each in numbers)
    negated = [quantity(np.negative(each), unit="nJy") for each in numbers]
    plain, other = unchanged(new, old, rtol=rtol), unchanged(*negated, rtol=rtol)
    mirrored = [-other.interval.high, -other.interval.low]
    assert np.allclose([plain.interval.low, plain.interval.high], mirrored, rtol=1e-3, atol=1e-9)


@calmly
@given(pairs, st.randoms(use_true_random=False), tolerances)
def test_order_of_visits_does_not_matter(quantity, numbers, random, rtol):
    """Both sides renumbered alike give the same verdict, up to the rounding of a sum."""
    order = list(range(len(numbers[0])))
    random.shuffle(order)
    plain = unchanged(*map(quantity, numbers), rtol=rtol)
    other = unchanged(*(quantity([each[i] for i in order]) for each in numbers), rtol=rtol)
    limits = [[each.interval.low, each.interval.high] for each in (plain, other)]
    assert np.allclose(*limits, rtol=1e-6, atol=1e-9)
    assert other.state is plain.state


@calmly
@given(pairs, tolerances)
def test_same_input_gives_the_same_verdict(quantity, numbers, rtol):
    """Judged twice, a verdict is the same to the last digit and word."""
    first, second = (unchanged(*map(quantity, numbers), rtol=rtol) for _ in range(2))
    assert first == second


@calmly
@given(pairs, tolerances)
def test_improvement_never_fails(quantity, numbers, rtol):
    """Where fewer are better, fewer never fail; where more are better, more never do."""
    fewer, more = (quantity(each) for each in (np.minimum(*numbers), np.maximum(*numbers)))
    assert unchanged(fewer, more, rtol=rtol, direction="lower_is_better").state is not VerdictState.FAIL
    assert unchanged(more, fewer, rtol=rtol, direction="higher_is_better").state is not VerdictState.FAIL


@calmly
@given(pairs, st.sampled_from([math.nan, math.inf, -math.inf]), st.integers(0, 19), st.booleans())
def test_not_a_number_never_passes(quantity, numbers, value, at, in_reference):
    """One NaN or infinity in any visit of either side, and no expectation passes."""
    new, old = numbers
    spoiled = [float(each) for each in (old if in_reference else new)]
    spoiled[at % len(spoiled)] = value
    sides = (quantity(new), quantity(spoiled)) if in_reference else (quantity(spoiled), quantity(old))
    verdicts = [unchanged(*sides, rtol=1), below(*sides), above(*sides), agrees_with(*sides, rtol=1)]
    if not in_reference:
        verdicts.append(within(sides[0], -math.inf, math.inf))
    assert {verdict.state for verdict in verdicts} == {VerdictState.NOT_MEASURED}


@calmly
@given(pairs, tolerances)
def test_estimate_lies_in_its_interval(quantity, numbers, rtol):
    """Whatever the numbers, the interval holds the estimate, and the verdict has one line."""
    verdict = unchanged(*map(quantity, numbers), rtol=rtol)
    assert verdict.interval.low - 1e-6 <= verdict.estimate <= verdict.interval.high + 1e-6
    assert "\n" not in verdict.sentence
