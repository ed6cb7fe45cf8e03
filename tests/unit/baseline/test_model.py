"""`harness.baseline.model`: rules that no baseline may break, however it is made."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from harness.baseline.files import canonical_bytes, parse_baseline
from harness.baseline.model import (
    Above,
    AgreesWith,
    AmplifierValue,
    Below,
    Closes,
    Unchanged,
    Within,
)


def test_tolerance_is_the_larger_of_the_two():
    """The allowed change is the larger of the absolute tolerance and the relative one of the baseline's size."""
    assert Unchanged(rtol=0.25, atol=3.0).tolerance(-16.0) == 4.0
    assert Unchanged(rtol=0.25, atol=3.0).tolerance(4.0) == 3.0
    assert Unchanged(rtol=0.0, atol=0.0).tolerance(4.0) == 0.0


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (Unchanged(rtol=0.02, atol=0.0), "unchanged within 2 %"),
        (Unchanged(rtol=0.0, atol=0.5), "unchanged within 0.5"),
        (Unchanged(rtol=0.02, atol=3.0), "unchanged within 2 % or 3"),
        (Unchanged(rtol=0.0, atol=0.0), "unchanged within 0 %"),
        (Within(low=0.0, high=0.5), "within 0 to 0.5"),
        (Below(metric="template.psfFwhm.deep", for_at_least=0.95), "below template.psfFwhm.deep for at least 95 %"),
        (Above(value=0.0), "above 0"),
        (AgreesWith(metric="eotest.ptcGain", rtol=0.01), "agrees with eotest.ptcGain within 1 %"),
        (Closes(ulp=0.5), "closes within 0.5 ulp"),
    ],
)
def test_rules_in_words(rule, words):
    """Every expectation can be said in words."""
    assert str(rule) == words


@pytest.mark.parametrize(
    ("rule", "fields", "message"),
    [
        (Within, {"low": 1.0, "high": 0.0}, "must have low <= high"),
        (Below, {}, "must give either metric or value"),
        (Above, {"metric": "a", "value": 1.0}, "must give either metric or value"),
        (Below, {"value": 1.0, "for_at_least": 0.0}, "greater than 0"),
        (Below, {"value": 1.0, "for_at_least": 1.5}, "less than or equal to 1"),
        (Unchanged, {"rtol": float("nan"), "atol": 0.0}, "finite number"),
        (Unchanged, {"rtol": 0.02}, "Field required"),
        (Within, {"low": 0.0, "high": float("inf")}, "finite number"),
    ],
)
def test_contradictory_rules_are_refused(rule, fields, message):
    """A rule that contradicts itself, or leaves a tolerance out, cannot be made."""
    with pytest.raises(ValidationError, match=message):
        rule(**fields)


def test_relative_tolerance_around_zero_is_refused(entry):
    """A relative tolerance around the value 0 allows nothing and needs an absolute one beside it."""
    with pytest.raises(ValidationError, match="give an atol"):
        entry(0.0)
    assert entry(0.0, Unchanged(rtol=0.02, atol=1.0)).value == 0.0
    assert entry(0.0, Unchanged(rtol=0.0, atol=0.0)).value == 0.0


def test_models_are_frozen_and_copies_are_validated(baseline, entry):
    """Nothing can be changed in place, and a copy with other fields obeys the same rules."""
    with pytest.raises(ValidationError, match="frozen"):
        baseline.dataset = "other"
    with pytest.raises(ValidationError, match="not among its acceptances"):
        baseline.replaced(metrics={"dia.a": entry(accepted="gone")})


def test_entry_keeps_its_amplifiers(baseline, entry):
    """Values, errors and exposures of single amplifiers survive the way into the file and back."""
    amplifiers = {
        "94-C06": AmplifierValue(value=1.5, uncertainty=0.002, sample="a1"),
        "94-C07": AmplifierValue(value=1.6, uncertainty=0.0),
    }
    written = baseline.replaced(metrics={"ptc.gain": entry(1.55, amplifiers=amplifiers)})
    assert (
        dict(parse_baseline(canonical_bytes(written), Path("hits.json")).metrics["ptc.gain"].amplifiers) == amplifiers
    )


def test_entry_without_amplifiers_does_not_mention_them(baseline, entry):
    """Entries of what amplifiers do not have are written as before there were any, and read without."""
    text = canonical_bytes(baseline).decode()
    assert "amplifiers" not in text
    assert parse_baseline(text.encode(), Path("hits.json")) == baseline
    amplifiers = {"94-C06": AmplifierValue(value=1.5, uncertainty=0.002)}
    mixed = baseline.replaced(metrics={**baseline.metrics, "ptc.gain": entry(1.5, amplifiers=amplifiers)})
    assert canonical_bytes(mixed).decode().count("amplifiers") == 1


@pytest.mark.parametrize(
    "wrong", [{"value": 1.5}, {"value": 1.5, "uncertainty": -0.1}, {"value": float("nan"), "uncertainty": 0.1}]
)
def test_half_an_amplifier_is_refused(entry, wrong):
    """What is kept of an amplifier has a value and an error of at least 0, both finite."""
    with pytest.raises(ValidationError):
        entry(1.5, amplifiers={"94-C06": wrong})
