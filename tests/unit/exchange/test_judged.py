"""`harness.exchange.judged`: specifications of another tool decide what its own comparison decides."""

from __future__ import annotations

import math
import operator

import pytest
from astropy import units
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import UsageError
from harness.exchange.judged import applicable, foreign_quantity, judge_job
from harness.exchange.value import OPERATORS, Foreign, Job, Specification
from harness.exchange.verify_job import read_verify_job
from harness.model import VerdictState

COMPARE = {
    "<=": operator.le,
    "<": operator.lt,
    ">=": operator.ge,
    ">": operator.gt,
    "==": operator.eq,
    "!=": operator.ne,
}


def judged(value, sign, threshold, unit="mmag", bound_unit="mmag"):
    """Return the verdict about one number."""
    job = Job(
        {"demo.PA1": Foreign("demo.PA1", value, unit)}, (Specification("demo.PA1.x", sign, threshold, bound_unit),)
    )
    (verdict,) = judge_job(job, "mine")
    return verdict


numbers = st.floats(allow_nan=False, allow_infinity=False)


@given(numbers, st.sampled_from(list(OPERATORS)), numbers, st.integers(-1, 1))
def test_agrees_with_the_comparison(value, sign, threshold, beside):
    """A bare number passes where it stands in the relation to the threshold, to the last bit, and fails elsewhere."""
    near = math.nextafter(threshold, beside * math.inf) if beside else threshold
    for tried in filter(math.isfinite, (value, near)):
        state = VerdictState.PASS if COMPARE[sign](tried, threshold) else VerdictState.FAIL
        verdict = judged(tried, sign, threshold)
        assert verdict.state is state
        assert verdict.value == tried
        assert verdict.interval.low == verdict.interval.high == tried


@given(st.floats(0.1, 100), st.sampled_from(list(OPERATORS)), st.sampled_from([("mag", 1e3), ("mmag", 1.0)]))
def test_converts_the_threshold(value, sign, unit):
    """Units that differ are converted as astropy compares quantities."""
    name, scale = unit
    bound = 20.0 / scale
    expected = COMPARE[sign](units.Quantity(value, "mmag"), units.Quantity(bound, name))
    assert judged(value, sign, bound, bound_unit=name).state is (VerdictState.PASS if expected else VerdictState.FAIL)


def test_says_what_was_judged():
    """The first line names value, bound and specification; the details say that there is no uncertainty."""
    verdict = judged(16.5, "<=", 0.008, bound_unit="mag")
    assert verdict.sentence == "demo.PA1 = 16.5 mmag (allowed at most 0.008 mag by demo.PA1.x)"
    assert verdict.expectation == "<= 0.008 mag (demo.PA1.x)"
    assert verdict.rerun == "mine"
    assert any("taken at its word, as it has no uncertainty" in line for line in verdict.details)


def test_a_close_call_shows_by_how_much():
    """Where value and limit look alike, the sentence tells them apart."""
    verdict = judged(20.0000001, "<=", 20.0)
    assert verdict.state is VerdictState.FAIL
    assert verdict.sentence.startswith("demo.PA1 = 20 mmag, +1e-07 mmag from the limit (allowed")
    assert "from the limit" not in judged(20.0, "<=", 20.0).sentence


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("sign", OPERATORS)
def test_no_number_is_not_measured(value, sign):
    """Neither NaN nor infinity passes or fails anything, not even being different."""
    assert judged(value, sign, 1.0).state is VerdictState.NOT_MEASURED


def test_what_the_job_does_not_measure():
    """A specification without a measurement is told, and does not vanish."""
    (verdict,) = judge_job(Job({}, (Specification("demo.PA1.x", "<=", 8.0, "mmag"),)), "mine")
    assert verdict.state is VerdictState.NOT_MEASURED
    assert verdict.sentence == "demo.PA1 was not measured in mine: the job has no measurement of it"
    assert verdict.unit == "mmag"


def test_units_of_another_kind():
    """A magnitude and an angle are not comparable, and the sentence says which is which."""
    verdict = judged(16.5, "<=", 8.0, bound_unit="marcsec")
    assert verdict.state is VerdictState.NOT_COMPARABLE
    assert verdict.sentence == (
        "demo.PA1 of mine cannot be compared with the 8 marcsec of demo.PA1.x: "
        "'marcsec' cannot be converted into 'mmag'"
    )


def test_only_what_applies_is_judged(write, document):
    """A specification applies where all keys of its query are in the metadata with equal values."""
    job = read_verify_job(write(document))
    verdicts = judge_job(job, "mine")
    assert [(verdict.expectation.split()[-1], verdict.state) for verdict in verdicts] == [
        ("(demo.PA1.minimum_r)", VerdictState.FAIL),
        ("(demo.PA1.loose)", VerdictState.PASS),
        ("(demo.AM1.two_visits)", VerdictState.NOT_MEASURED),
    ]
    document["meta"] = {"filter_name": "u", "visits": [2, 1]}
    names = [specification.name for specification in applicable(read_verify_job(write(document)))]
    assert names == ["demo.PA1.minimum_u", "demo.PA1.loose"]


def test_tags_choose(write, document):
    """Specifications need all tags that are asked for; tags that nothing has are a mistake in the command."""
    document["specs"][0]["tags"] = ["minimum", "release"]
    job = read_verify_job(write(document))
    assert len(judge_job(job, "mine", tags={"minimum"})) == 3
    assert len(judge_job(job, "mine", tags={"minimum", "release"})) == 1
    with pytest.raises(UsageError, match=r"^no specification is tagged design; tags in use are minimum, release$"):
        judge_job(job, "mine", tags={"design"})


def test_a_foreign_number_is_exact():
    """It is a census: a value of one unit without an uncertainty."""
    quantity = foreign_quantity(Foreign("demo.PA1", 16.5, "mmag"), "mine")
    assert (quantity.value, quantity.standard_error, quantity.metric.unit) == (16.5, 0.0, "mmag")
