"""`harness.baseline.plan`: what an acceptance would change, and what it refuses."""

from __future__ import annotations

import math

import pytest

from harness.baseline.model import Above, AgreesWith, AmplifierValue, Baseline, Below, Unchanged, Within
from harness.baseline.plan import Category, expectation_of, plan_acceptance
from harness.errors import UsageError
from harness.model import DataId, Verdict, VerdictState

RULE = Unchanged(rtol=0.02, atol=0.0)


def verdict(metric, state):
    """Make a verdict of which only the state matters."""
    return Verdict(metric, "w_2020_24", state, "unchanged within 2 %", 1.0, "ct", "sentence")


def by_name(changes):
    """Return the categories of changes by metric."""
    return {change.metric: change.category for change in changes}


def test_every_entry_has_its_category(baseline, measured):
    """New, changed, removed and unchanged entries are told apart; removal must be asked for."""
    measurements = {
        "dia.a": measured("dia.a", 101.0),
        "dia.b": measured("dia.b", 200.0),
        "dia.d": measured("dia.d", 7.0),
    }
    plan = plan_acceptance(baseline, measurements, expectation=RULE)
    assert by_name(plan.changes) == {"dia.a": Category.CHANGED, "dia.d": Category.NEW}
    assert by_name(plan.left_alone) == {"dia.b": Category.UNCHANGED, "sci.c": Category.REMOVED}
    removing = plan_acceptance(baseline, measurements, categories=["removed"])
    assert by_name(removing.changes) == {"sci.c": Category.REMOVED}


def test_difference_of_a_change(baseline, measured):
    """The change is new minus old, and has no value where there are not both."""
    measurements = {"dia.a": measured("dia.a", 97.5), "dia.d": measured("dia.d", 7.0)}
    changed, new = plan_acceptance(baseline, measurements, expectation=RULE).changes
    assert changed.difference == -2.5
    assert math.isnan(new.difference)


def test_patterns_narrow_the_plan(baseline, measured):
    """Only entries that a pattern names are looked at, and a typo is refused."""
    measurements = {name: measured(name, 101.0) for name in baseline.metrics}
    assert list(by_name(plan_acceptance(baseline, measurements, globs=["dia.*"]).changes)) == ["dia.a", "dia.b"]
    with pytest.raises(UsageError, match=r"no metric matches 'di\.a'; did you mean dia\.a"):
        plan_acceptance(baseline, measurements, globs=["dia.*", "di.a"])


@pytest.mark.parametrize(
    ("value", "state", "message"),
    [
        ((math.nan, 1.0), VerdictState.NOT_MEASURED, r"dia\.a was not measured \(no column\)"),
        ((math.inf, 1.0), VerdictState.FAIL, r"dia\.a was not measured"),
        ((101.0, math.nan), VerdictState.FAIL, r"dia\.a = 101 has no uncertainty"),
        ((101.0, -1.0), VerdictState.FAIL, r"dia\.a = 101 has no uncertainty"),
        ((101.0, 1.0), VerdictState.INCONCLUSIVE, r"dia\.a is INCONCLUSIVE"),
        ((101.0, 1.0), VerdictState.NOT_MEASURED, r"dia\.a is NOT_MEASURED"),
    ],
)
def test_what_nobody_knows_is_not_accepted(baseline, measured, value, state, message):
    """A value that was not shown is refused when it is named, and left alone with its reason when it is not."""
    measurements = {
        "dia.a": measured("dia.a", *value, detail="no column"),
        "dia.b": measured("dia.b", 201.0),
    }
    verdicts = {"dia.a": verdict("dia.a", state), "dia.b": verdict("dia.b", VerdictState.FAIL)}
    with pytest.raises(UsageError, match=message):
        plan_acceptance(baseline, measurements, verdicts=verdicts, globs=["dia.*"])
    plan = plan_acceptance(baseline, measurements, verdicts=verdicts)
    assert list(by_name(plan.changes)) == ["dia.b"]
    assert [change.metric for change in plan.left_alone if change.refusal] == ["dia.a"]


def test_refused_values_that_do_not_change_anything_are_no_obstacle(baseline, measured):
    """An entry that stays as it is needs no verdict."""
    measurements = {"dia.a": measured("dia.a", 100.0), "dia.b": measured("dia.b", 201.0)}
    verdicts = {"dia.a": verdict("dia.a", VerdictState.INCONCLUSIVE)}
    plan = plan_acceptance(baseline, measurements, verdicts=verdicts, globs=["dia.*"])
    assert list(by_name(plan.changes)) == ["dia.b"]


def test_new_entry_needs_an_expectation(measured):
    """There is no default tolerance: a new entry says how to give one."""
    measurements = {name: measured(name, 7.0) for name in ("dia.d", "dia.e")}
    with pytest.raises(UsageError, match=r"dia\.d is new and needs an expectation; say --rtol.* \(and 1 more like it"):
        plan_acceptance(Baseline(dataset="hits"), measurements, globs=["*"])


def test_new_census_of_nothing_is_expected_to_stay_nothing(measured):
    """A complete count of broken rows that found none expects none; one that found some needs a person."""
    measurements = {
        "dia.dup": measured("dia.dup", 0.0, 0.0),
        "dia.bad": measured("dia.bad", 3.0, 0.0),
        "dia.n": measured("dia.n", 0.0, 0.0),
    }
    plan = plan_acceptance(Baseline(dataset="hits"), measurements, census={"dia.dup", "dia.bad"})
    (change,) = plan.changes
    refusals = {change.metric: change.refusal for change in plan.left_alone}
    assert change.metric == "dia.dup"
    assert "needs an expectation" in refusals["dia.bad"]
    assert "needs an expectation" in refusals["dia.n"]
    assert change.entry("first").expectation == Within(low=0.0, high=0.0)


def test_relative_tolerance_around_zero_is_refused(measured):
    """A relative tolerance for a value of 0 asks for an absolute one."""
    with pytest.raises(UsageError, match=r"dia\.d is 0, where a relative tolerance allows nothing; say --atol"):
        plan_acceptance(Baseline(dataset="h"), {"dia.d": measured("dia.d", 0.0)}, globs=["*"], expectation=RULE)


def test_value_outside_its_own_rule_is_refused(baseline, measured, entry):
    """A value that would fail the moment it is accepted is refused."""
    metrics = {"dia.a": entry(0.0, Within(low=0.0, high=0.0))}
    with pytest.raises(UsageError, match=r"dia\.a = 3 would fail its own rule \(within 0 to 0\)"):
        plan_acceptance(baseline.replaced(metrics=metrics), {"dia.a": measured("dia.a", 3.0)}, globs=["*"])


def test_another_tolerance_is_a_change_and_is_said(baseline, measured):
    """A tolerance given for an entry replaces the old one, with a warning, although the value stays."""
    measurements = {"dia.a": measured("dia.a", 100.0)}
    plan = plan_acceptance(
        baseline,
        measurements,
        globs=["dia.a"],
        expectation=Unchanged(rtol=0.05, atol=0.0),
        direction="lower_is_better",
    )
    (change,) = plan.changes
    assert change.category is Category.CHANGED
    assert change.entry("next").expectation == Unchanged(rtol=0.05, atol=0.0)
    assert change.entry("next").direction == "lower_is_better"
    assert change.warnings == (
        "dia.a will be expected unchanged within 5 % (was unchanged within 2 %)",
        "dia.a will be lower_is_better (was both)",
    )


def test_ten_small_steps_are_a_large_one(baseline, acceptance, measured):
    """Ten accepted steps of +1.5 %, each within 2 %, warn from the second on and say how far they have come."""
    current, value, warned = baseline, 100.0, []
    for step in range(10):
        value *= 1.015
        plan = plan_acceptance(current, {"dia.a": measured("dia.a", value)}, globs=["dia.a"])
        warned.append(bool(plan.warnings))
        key = f"step{step}"
        current = current.replaced(
            acceptances={**current.acceptances, key: acceptance},
            metrics={**current.metrics, "dia.a": plan.changes[0].entry(key)},
        )
        assert current.metrics["dia.a"].original == baseline.metrics["dia.a"].original
    assert warned == [False] + [True] * 9
    assert " ".join(plan.warnings) == (
        "dia.a has drifted by +16.1 % since the original 100 (accepted 2020-06-01 from w_2020_20), "
        "beyond what one change is allowed (unchanged within 2 %): small steps add up"
    )


def test_drift_downwards_warns(baseline, measured, entry):
    """Small losses add up as small gains do."""
    metrics = {"dia.a": entry(99.0, original={"value": 100.0, "accepted": "first"})}
    plan = plan_acceptance(baseline.replaced(metrics=metrics), {"dia.a": measured("dia.a", 97.5)})
    assert plan.warnings[0].startswith("dia.a has drifted by -2.5 % since the original 100")


def test_one_large_step_is_plain_to_see(baseline, measured):
    """The first change since the original is the change on show, and no drift, however large."""
    assert plan_acceptance(baseline, {"dia.a": measured("dia.a", 150.0)}).warnings == ()


def test_another_uncertainty_is_a_change(baseline, measured):
    """An entry of the same value with another uncertainty is not the same."""
    plan = plan_acceptance(baseline, {"dia.a": measured("dia.a", 100.0, 2.0)})
    assert by_name(plan.changes) == {"dia.a": Category.CHANGED}


def test_drift_back_does_not_warn(baseline, measured, entry):
    """Steps that end near the original are no drift."""
    metrics = {"dia.a": entry(101.9, original={"value": 100.0, "accepted": "first"})}
    plan = plan_acceptance(baseline.replaced(metrics=metrics), {"dia.a": measured("dia.a", 100.5)})
    assert plan.changes
    assert not plan.warnings


@pytest.mark.parametrize("other", [{"definition": "d2"}, {"unit": "deg-2"}])
def test_another_definition_resets_the_original(baseline, measured, other):
    """A value of another definition or unit starts a new story, and says so."""
    (change,) = plan_acceptance(baseline, {"dia.a": measured("dia.a", 300.0, **other)}, globs=["dia.a"]).changes
    assert change.is_redefined
    assert math.isnan(change.difference)
    assert "another definition" in change.warnings[0]
    assert "its original value becomes 300" in change.warnings[0]
    assert change.entry("next").original.model_dump() == {"value": 300.0, "accepted": "next"}


def test_only_keeps_the_rest_in_sight(baseline, measured):
    """Narrowing a plan leaves the other changes among those left alone."""
    measurements = {name: measured(name, 101.0) for name in baseline.metrics}
    plan = plan_acceptance(baseline, measurements).only({"dia.b"})
    assert list(by_name(plan.changes)) == ["dia.b"]
    assert list(by_name(plan.left_alone)) == ["dia.a", "sci.c"]


def test_expectation_of_numbers():
    """Two pairs of numbers stand for two rules, and no number for none."""
    assert expectation_of() is None
    assert expectation_of(rtol=0.02) == Unchanged(rtol=0.02, atol=0.0)
    assert expectation_of(atol=3) == Unchanged(rtol=0.0, atol=3.0)
    assert expectation_of(low=0, high=1) == Within(low=0.0, high=1.0)
    assert expectation_of(low=1) == Above(value=1.0)
    assert expectation_of(high=0) == Below(value=0.0)


@pytest.mark.parametrize(
    "numbers",
    [
        {"rtol": -0.1},
        {"rtol": math.nan},
        {"high": math.inf, "low": 0.0},
        {"low": 2.0, "high": 1.0},
        {"rtol": 0.1, "low": 0.0, "high": 1.0},
        {"agrees_with": "eotest.ptcGain"},
        {"agrees_with": "eotest.ptcGain", "rtol": -0.1},
        {"agrees_with": "eotest.ptcGain", "rtol": math.nan},
        {"agrees_with": "eotest.ptcGain", "rtol": math.inf},
        {"agrees_with": "eotest.ptcGain", "atol": 0.1},
        {"agrees_with": "eotest.ptcGain", "rtol": 0.1, "atol": 0.1},
        {"agrees_with": "eotest.ptcGain", "rtol": 0.1, "low": 0.0},
    ],
)
def test_contradictory_numbers_are_refused(numbers):
    """Numbers that stand for no rule are refused by the names of their options."""
    with pytest.raises(UsageError, match=r"--rtol|--low"):
        expectation_of(**numbers)


def test_agreement_with_another_estimate():
    """The tolerance is then that of the ratio; none at all is a tolerance of 0."""
    assert expectation_of(agrees_with="eotest.ptcGain", rtol=0.01) == AgreesWith(metric="eotest.ptcGain", rtol=0.01)
    assert expectation_of(agrees_with="eotest.ptcGain", rtol=0.0) == AgreesWith(metric="eotest.ptcGain", rtol=0.0)


@pytest.fixture
def gain(measured):
    """Return a function that makes a gain with its amplifiers: value and error of each."""

    def make(**amplifiers):
        parts = tuple(
            measured("ptc.gain", *numbers, data_id=DataId(detector=94, amplifier=name), sample=f"flats of {name}")
            for name, numbers in amplifiers.items()
        )
        return measured("ptc.gain", 1.55, 0.05, parts=parts)

    return make


def _accepted(baseline, measurement, **more):
    plan = plan_acceptance(baseline, {"ptc.gain": measurement}, globs=["ptc.gain"], expectation=RULE, **more)
    return plan.changes[0].entry("next") if plan.changes else None


def test_amplifiers_are_accepted_with_their_mean(baseline, gain):
    """Each keeps its value, its error and its exposures; one without either could not be compared and is left out."""
    entry = _accepted(baseline, gain(C06=(1.5, 0.002), C07=(1.6, 0.0), C00=(math.nan, 0.1), C01=(1.5, math.nan)))
    assert dict(entry.amplifiers) == {
        "94-C06": AmplifierValue(value=1.5, uncertainty=0.002, sample="flats of C06"),
        "94-C07": AmplifierValue(value=1.6, uncertainty=0.0, sample="flats of C07"),
    }


def test_amplifiers_that_change_places_are_a_change(baseline, gain):
    """The mean is the same, the entry is not."""
    entry = _accepted(baseline, gain(C06=(1.5, 0.002), C07=(1.6, 0.002)))
    known = baseline.replaced(
        metrics={"ptc.gain": entry.replaced(accepted="first", original=baseline.metrics["dia.a"].original)}
    )
    assert _accepted(known, gain(C06=(1.5, 0.002), C07=(1.6, 0.002))) is None
    swapped = _accepted(known, gain(C06=(1.6, 0.002), C07=(1.5, 0.002)))
    assert swapped.amplifiers["94-C06"].value == 1.6
