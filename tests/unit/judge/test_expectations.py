"""What each expectation passes, fails and refuses."""

import math
from dataclasses import replace

import numpy as np
import pytest

from harness.judge import (
    Accepted,
    above,
    agrees_with,
    below,
    closes,
    unchanged,
    within,
)
from harness.model import Interval, VerdictState

PASS, FAIL, INCONCLUSIVE = VerdictState.PASS, VerdictState.FAIL, VerdictState.INCONCLUSIVE
NOT_MEASURED, NOT_COMPARABLE = VerdictState.NOT_MEASURED, VerdictState.NOT_COMPARABLE


@pytest.fixture(scope="module")
def old(quantity):
    """Return the counts of 28 visits of the older rerun."""
    rng = np.random.default_rng(1)
    return quantity(rng.poisson(rng.gamma(4, 50, 28)), rerun="old")


def _accepted(of, value=None, **rest):
    accepted = Accepted(
        of.value if value is None else value, 0.0, of.metric.unit, of.metric.definition_digest, of.n_units, "old"
    )
    return replace(accepted, **rest)


@pytest.mark.parametrize(
    ("factor", "direction", "state"),
    [
        (1.10, "both", FAIL),
        (1.10, "lower_is_better", FAIL),
        (1.10, "higher_is_better", PASS),
        (0.90, "both", FAIL),
        (0.90, "lower_is_better", PASS),
        (0.90, "higher_is_better", FAIL),
        (1.00, "both", PASS),
    ],
)
def test_unchanged_knows_which_way_is_better(quantity, old, factor, direction, state):
    """A change of a tenth against 2 % fails, unless it is one for the better."""
    new = quantity(np.round(old.numerator * factor))
    assert unchanged(new, old, rtol=0.02, direction=direction).state is state


def test_tolerance_is_the_larger_one_and_scales_with_the_reference(quantity, old):
    """The acceptable interval is max(atol, rtol × abs(reference)), the reference being the older rerun."""
    new = quantity(old.numerator * 2)
    assert unchanged(new, old, rtol=0.02).acceptable == Interval(-0.02 * old.value, 0.02 * old.value)
    assert unchanged(new, old, rtol=0.02, atol=1e4).acceptable == Interval(-1e4, 1e4)


def test_no_tolerance_asks_for_the_very_same_number(quantity, old):
    """With rtol = atol = 0 identical visits pass, one source more does not, and a complete count fails by one."""
    more = old.numerator.copy()
    more[0] += 1
    assert unchanged(quantity(old.numerator), old).state is PASS
    assert unchanged(quantity(more), old).state is INCONCLUSIVE
    assert unchanged(quantity([1], census=True), quantity([0], census=True)).state is FAIL


def test_one_changed_visit_of_one_cannot_be_judged(quantity):
    """One visit has no scatter: INCONCLUSIVE, however wide the tolerance."""
    verdict = unchanged(quantity([101]), quantity([100]), rtol=10)
    assert verdict.state is INCONCLUSIVE
    assert verdict.sentence.endswith("cannot tell from a single visit, which has no scatter")


def test_baseline_alone_is_judged_by_counting(quantity, old):
    """An accepted value without visits gives counting errors: 10 % fails, none passes."""
    assert unchanged(old, _accepted(old), rtol=0.05).state is PASS
    assert unchanged(old, _accepted(old, old.value * 1.15), rtol=0.05).state is FAIL


@pytest.mark.parametrize("broken", [[math.nan] * 28, [math.inf] * 28, [1.0] * 27 + [math.nan], []])
def test_what_is_not_a_number_never_passes(quantity, old, broken):
    """NaN, infinite, partly NaN or empty is NOT_MEASURED on either side, under every expectation."""
    missing = quantity(broken)
    verdicts = [
        unchanged(missing, old, rtol=1),
        unchanged(old, missing, rtol=1),
        unchanged(missing, _accepted(old), rtol=1),
        below(missing, old),
        below(old, missing),
        above(missing, 0, for_at_least=0.1),
        agrees_with(missing, old, rtol=1),
        within(missing, -math.inf, math.inf),
    ]
    assert {verdict.state for verdict in verdicts} == {NOT_MEASURED}
    assert {verdict.interval for verdict in verdicts} == {None}


def test_reference_that_is_not_a_number_cannot_be_judged_against(old):
    """A NaN on the other side is no reference."""
    verdict = unchanged(old, _accepted(old, math.nan), rtol=0.1)
    assert verdict.state is NOT_MEASURED
    assert "the baseline of old has no value" in verdict.sentence
    assert below(old, math.nan).state is NOT_MEASURED


def test_other_definition_unit_or_reduction_is_not_comparable(quantity, old):
    """A number that means something else is refused, and the first line says what differs."""
    counts = old.numerator
    others = [quantity(counts, unit="nJy"), quantity(counts, np.ones(28)), quantity(counts, name="dia.numGoodSources")]
    for other in others:
        assert unchanged(other, old, rtol=1).state is NOT_COMPARABLE
    assert unchanged(old, _accepted(old, unit="nJy"), rtol=1).state is NOT_COMPARABLE
    verdict = unchanged(old, _accepted(old, definition="0123456789abcdef"), rtol=1)
    assert verdict.state is NOT_COMPARABLE
    assert verdict.sentence == (
        "dia.numSources of old cannot be compared with the baseline of old: "
        f"the definition is {old.metric.definition_digest} here and 0123456789abcdef there"
    )
    assert below(old, quantity(counts, unit="nJy")).state is NOT_COMPARABLE
    assert agrees_with(old, quantity(counts, unit="nJy"), rtol=1).state is NOT_COMPARABLE


def test_no_visit_in_common_is_not_comparable(quantity, old):
    """Reruns of different visits are refused by every expectation that pairs."""
    other = quantity(old.numerator, units=old.units + 1000)
    for verdict in (unchanged(other, old, rtol=1), below(other, old), agrees_with(other, old, rtol=1)):
        assert verdict.state is NOT_COMPARABLE
        assert "no visit in common" in verdict.sentence
    assert below(other, old, for_at_least=0.5).state is NOT_COMPARABLE


def test_shifted_visits_do_not_pass(quantity, old):
    """Numbers that stand beside the wrong visit are a change, although their sum is the same."""
    shifted = unchanged(quantity(np.roll(old.numerator, 1)), old, rtol=0.02)
    assert shifted.estimate == 0
    assert shifted.state is INCONCLUSIVE


def test_below_and_above_are_strict(quantity):
    """Less passes below, more fails it, and equal is neither below nor above."""
    low = quantity([4.0 + 0.1 * i for i in range(10)], [1.0] * 10, unit="pixel", name="good")
    high = quantity([5.0 + 0.2 * i for i in range(10)], [1.0] * 10, unit="pixel", name="deep")
    assert (below(low, high).state, above(low, high).state) == (PASS, FAIL)
    assert (below(high, low).state, above(high, low).state) == (FAIL, PASS)
    assert (below(low, low).state, above(low, low).state) == (FAIL, FAIL)
    assert (below(low, 9).state, above(low, 9).state) == (PASS, FAIL)
    census = quantity([3], census=True)
    assert (below(census, 3).state, above(census, 3).state) == (FAIL, FAIL)


def test_what_would_decide_is_the_same_beside_a_number(quantity):
    """A share that cannot be above 1 lies above 0.9 with as many more visits as it lies within 0.9 and no limit."""
    share = quantity([30.0] * 14 + [15.0, 25.0], [30.0] * 16)
    beside, inside = above(share, 0.9), within(share, 0.9, math.inf)
    assert (beside.state, inside.state) == (INCONCLUSIVE, INCONCLUSIVE)
    told = [verdict.sentence.rpartition("; ")[2] for verdict in (beside, inside)]
    assert told == ["about 27 more visits would decide"] * 2


@pytest.mark.parametrize(("holds", "state"), [(105, PASS), (90, INCONCLUSIVE), (50, FAIL)])
def test_share_of_visits(quantity, holds, state):
    """All of 105 visits show more than nine tenths, half of them show less; 90 leave it open."""
    ours = quantity([1.0] * holds + [3.0] * (105 - holds), unit="pixel")
    assert below(ours, quantity([2.0] * 105, unit="pixel"), for_at_least=0.9).state is state
    assert below(ours, 2, for_at_least=0.9).state is state
    assert above(quantity([2.0] * 105, unit="pixel"), ours, for_at_least=0.9).state is state


def test_pairing_finds_what_totals_do_not(quantity):
    """A template that is sharper in each visit by little passes, although visits differ by much more."""
    rng = np.random.default_rng(3)
    seeing = rng.normal(6, 1, 60)
    good = quantity(seeing - rng.normal(0.1, 0.05, 60), np.ones(60), unit="pixel", name="good")
    deep = quantity(seeing, np.ones(60), unit="pixel", name="deep")
    assert below(good, deep).state is PASS
    unpaired = quantity(rng.permutation(seeing), np.ones(60), unit="pixel", name="deep")
    assert below(good, unpaired).state is INCONCLUSIVE


def test_agrees_with_takes_the_predicted_offset_away(quantity):
    """Two gains that differ by 9 % as predicted agree within 1 %; without the prediction they do not."""
    model = quantity([1.500], unit="electron/adu", name="ptc.gain", uncertainty=np.array([0.001]))
    slope = quantity([1.635], unit="electron/adu", name="slope.gain", uncertainty=np.array([0.001]))
    assert agrees_with(slope, model, rtol=0.01, predicted=0.09).state is PASS
    assert agrees_with(slope, model, rtol=0.01).state is FAIL
    verdict = agrees_with(slope, model, rtol=0.01, predicted=0.09)
    assert verdict.estimate == pytest.approx(0, abs=1e-12)


def _gain(quantity, values, *, offset=False, error=0.001, **rest):
    n = len(values)
    return quantity(
        *(values, np.ones(n)),
        unit="" if offset else "electron / adu",
        uncertainty=np.full(n, error),
        units=range(10, 10 + n),
        **rest,
    )


def test_offset_of_each_amplifier_is_removed_before_comparing(quantity):
    """What theory predicts of each amplifier is taken away from it; the sentence tells observed, predicted and rest."""
    true = np.linspace(1.4, 1.6, 16)
    predicted = np.linspace(0.05, 0.10, 16)
    model = _gain(quantity, true, name="ptc.gain")
    slope = _gain(quantity, true * (1 + predicted), name="ptc.gainSlope")
    offset = _gain(quantity, predicted, offset=True)
    assert agrees_with(slope, model, rtol=0.01).state is FAIL
    verdict = agrees_with(slope, model, rtol=0.01, offsets=(offset, None))
    assert verdict.state is PASS
    assert verdict.estimate == pytest.approx(0, abs=1e-12)
    wrong = agrees_with(replace(slope, numerator=slope.numerator * 1.01), model, rtol=0.005, offsets=(offset, None))
    assert wrong.state is FAIL
    assert wrong.sentence == (
        "ptc.gainSlope = 1.62958 electron / adu, +8.6 % against ptc.gain: +7.6 % predicted, +1.0 % unexplained "
        "(allowed ±0.5 %)"
    )


def test_error_of_a_predicted_offset_counts(quantity):
    """An offset that is known to a percent leaves a percent of doubt, on either side of the ratio."""
    gain, exact = (_gain(quantity, [value], name=f"ptc.{value}") for value in (1.5, 1.5001))
    vague = _gain(quantity, [0.0], offset=True, error=0.01)
    for offsets in ((vague, None), (None, vague)):
        verdict = agrees_with(gain, exact, rtol=0.02, offsets=offsets)
        assert verdict.state is INCONCLUSIVE
        half = (verdict.interval.high - verdict.interval.low) / 2
        assert half == pytest.approx(2.576 * np.hypot(0.01, 0.001 * np.sqrt(2) / 1.5), rel=1e-3)


def test_unknown_offset_is_not_measured(quantity):
    """Where theory gives no number there is nothing to compare like with like."""
    gain, other = (_gain(quantity, [1.5, 1.6], name=name) for name in ("ptc.gainSlope", "ptc.gain"))
    for offset in (_gain(quantity, [0.1], offset=True), _gain(quantity, [0.1, math.nan], offset=True)):
        verdict = agrees_with(gain, other, rtol=1, offsets=(offset, None))
        assert verdict.state is NOT_MEASURED
        assert "its predicted offset is unknown" in verdict.sentence


def test_ratio_to_zero_is_not_comparable(quantity):
    """Agreement with zero has no ratio."""
    assert agrees_with(quantity([1, 2]), quantity([0, 0]), rtol=1).state is NOT_COMPARABLE


def test_within_holds_the_whole_interval(quantity):
    """The value's interval, not only the value, has to be inside."""
    fraction = quantity([30] * 14 + [34] * 14, [100] * 28, unit="")
    assert within(fraction, 0.25, 0.40).state is PASS
    assert within(fraction, 0.319, 0.321).state is INCONCLUSIVE
    assert within(fraction, 0.5, 0.6).state is FAIL


def test_one_count_of_a_complete_table_is_judged_as_it_is(quantity):
    """Duplicate rows are a census: none passes, a single one fails."""
    assert within(quantity([0], units=[-1], census=True), 0, 0).state is PASS
    assert within(quantity([1], units=[-1], census=True), 0, 0).state is FAIL


@pytest.mark.parametrize(("residual", "state"), [(0.5, PASS), (1.5, FAIL), (math.inf, NOT_MEASURED)])
def test_closes(quantity, residual, state):
    """At most so many units pass; more fail; what is not a number was not measured."""
    verdict = closes(quantity([residual], unit="", name="background.closure", census=True), 1)
    assert verdict.state is state
    if state is FAIL:
        assert verdict.sentence == "background.closure = 1.5 (allowed at most 1)"
