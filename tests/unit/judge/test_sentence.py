"""What verdicts say."""

import math

import numpy as np
import pytest

from harness.judge import Accepted, agrees_with, below, number, percent, tell_more, unchanged, within
from harness.model import DataId


@pytest.mark.parametrize(
    ("value", "uncertainty", "text"),
    [
        (229290.0, math.nan, "229290"),
        (0.1 + 0.2, math.nan, "0.3"),
        (0.30056787033, 0.00026, "0.30057"),
        (20.004363387, 0.0094, "20.0044"),
        (1e-9, math.nan, "1e-09"),
        (-0.05, math.nan, "-0.05"),
        (0.0, math.nan, "0"),
        (math.nan, math.nan, "nan"),
        (-math.inf, math.nan, "-inf"),
        (1234567.5, math.nan, "1234568"),
        (5.0000000000001, 1e-13, "5.0000000"),
    ],
)
def test_numbers_have_the_digits_they_deserve(value, uncertainty, text):
    """Whole numbers are whole, others show two digits of their uncertainty, and no float noise is seen."""
    assert number(value, uncertainty) == text


@pytest.mark.parametrize(
    ("fraction", "limits", "text"),
    [
        (0.0880, (), "+8.8 %"),
        (0.394, (), "+39 %"),
        (1.394, (), "+139 %"),
        (-0.00003, (), "-0.0030 %"),
        (0.02004, (-0.02, 0.02), "+2.004 %"),
        (0.01996, (-0.02, 0.02), "+2.0 %"),
        (math.inf, (), "+inf %"),
    ],
)
def test_percent_stays_on_its_side_of_a_limit(fraction, limits, text):
    """Two digits, or as many as it takes not to say that the limit was kept when it was not."""
    assert percent(fraction, limits) == text


def test_first_line_tells_the_whole_story(quantity):
    """Metric, value, relative change, reference and what is allowed, then what the diagnosis adds."""
    rng = np.random.default_rng(1)
    april = rng.poisson(rng.gamma(4, 625, 84))
    june = np.round(april * 1.088)
    verdict = unchanged(
        quantity(june, name="dia.numGoodSources"),
        quantity(april, name="dia.numGoodSources", rerun="w_2020_15"),
        rtol=0.02,
    )
    told = tell_more(
        verdict,
        "62 % of the gain within 40 px of a CCD edge",
        "",
        "first stage that differs: differenceExp",
        details=["next       rerun-harness diff w_2020_15 w_2020_24", ""],
    )
    assert told.sentence == (
        f"dia.numGoodSources = {june.sum():.0f}, +8.8 % against w_2020_15 (allowed ±2 %); "
        "62 % of the gain within 40 px of a CCD edge; first stage that differs: differenceExp"
    )
    assert told.details == (*verdict.details, "next       rerun-harness diff w_2020_15 w_2020_24")


def test_details_give_limits_interval_visits_and_reference(quantity):
    """The lines below say rule and resolved limits, interval and what it rests on, visits, and the reference."""
    ours = quantity([1000] * 10, units=range(10))
    theirs = quantity([1000] * 8 + [1100] * 3, units=range(11), rerun="w_2020_15")
    verdict = unchanged(ours, theirs, rtol=0.02, atol=5)
    rule, estimate, visits, reference = verdict.details
    assert rule == "rule       unchanged within 2 % or 5: from -204 to 204"
    assert estimate.startswith("estimate   -200, between -")
    assert estimate.endswith("at 99 % confidence (visits paired and resampled)")
    assert visits == "visits     10 in common; 0 only here and 1 only there are left out"
    assert reference == "reference  w_2020_15: 11300"
    assert "over the 10 visits in common" in verdict.sentence


def test_reference_of_a_baseline_says_who_accepted_it(quantity):
    """A baseline's value stands with its story."""
    ours = quantity([1000] * 10)
    story = "accepted 2026-11-03, DM-48211: new detection threshold"
    accepted = Accepted(9000.0, 0.0, "ct", ours.metric.definition_digest, 10, "w_2026_44", story)
    verdict = unchanged(ours, accepted, rtol=0.02)
    assert verdict.sentence == "dia.numSources = 10000, +11 % against the baseline of w_2026_44 (allowed ±2 %)"
    assert verdict.details[-1] == f"reference  the baseline of w_2026_44: 9000, {story}"
    assert verdict.against == "baseline"


def test_doubt_gives_interval_and_way_out(quantity):
    """What cannot be told says between which limits it is, and about how many visits would decide."""
    ours, theirs = quantity([105, 96, 108, 99, 104, 95]), quantity([100] * 6, rerun="old")
    sentence = unchanged(ours, theirs, rtol=0.02).sentence
    assert sentence.startswith("dia.numSources = 607, +1.2 % against old (allowed ±2 %); cannot tell: between -")
    assert "at 99 % confidence; about " in sentence
    assert sentence.endswith(" more visits would decide")


def test_relative_tolerance_of_zero_says_what_to_do(quantity):
    """A relative tolerance around zero allows nothing, which no number of visits can change."""
    sentence = unchanged(quantity([0, 1, 0]), quantity([0, 0, 0], rerun="old"), rtol=0.02).sentence
    assert sentence.startswith("dia.numSources = 1, +1 against old (allowed ±0); cannot tell")
    assert sentence.endswith("only the very same value is allowed: give an absolute tolerance")


def test_same_number_is_called_the_same(quantity):
    """No change is not written as a change of +0 %."""
    same = quantity([100] * 9)
    assert unchanged(same, quantity([100] * 9, rerun="old"), rtol=0.02).sentence == (
        "dia.numSources = 900, the same as old (allowed ±2 %)"
    )


def test_one_sided_limits_name_their_side(quantity):
    """Where one direction is welcome the allowed change has one side."""
    ours, old = quantity([120] * 9), quantity([100] * 9, rerun="old")
    assert "(allowed at most +2 %)" in unchanged(ours, old, rtol=0.02, direction="lower_is_better").sentence
    assert "(allowed at least -5)" in unchanged(ours, old, atol=5, direction="higher_is_better").sentence


def test_other_expectations_read_like_sentences(quantity):
    """Order, share, agreement and range each say what was compared with what."""
    good = quantity([5.0, 5.2, 5.1, 5.3], [1] * 4, unit="pixel", name="good", data_id=DataId(band="g"))
    deep = quantity([4.0, 4.2, 4.1, 4.3], [1] * 4, unit="pixel", name="deep")
    assert below(good, deep).sentence == "good of band g = 5.15 pixel, +1 pixel against deep (allowed only below)"
    assert below(good, deep).details[0] == "rule       below deep: less than 0 pixel"
    assert below(good, 5.25, for_at_least=0.95).sentence.startswith(
        "good of band g = 5.15 pixel, below 5.25 pixel in 75 % of 4 visits (allowed at least 95 %); cannot tell"
    )
    assert agrees_with(good, deep, rtol=0.01).sentence == (
        "good of band g = 5.15 pixel, +24 % against deep (allowed ±1 %)"
    )
    assert within(good, 7, 8).sentence == "good of band g = 5.15 pixel (allowed 7 to 8 pixel)"


def test_not_measured_gives_the_reason(quantity):
    """A number that is not there says why, with the metric's own words where there are any."""
    assert unchanged(quantity([math.nan], detail="column ra is missing"), quantity([1]), rtol=1).sentence == (
        "dia.numSources was not measured in new: column ra is missing"
    )
