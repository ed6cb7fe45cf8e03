"""Verdicts as a listing: each story once, in few lines."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from harness.model import Interval, Verdict, VerdictState
from harness.report.verdicts import verdict_listing


def fail(metric, *, rerun="w_2020_20", trouble="is 8 % higher", details=(), context=()):
    """Return a FAIL with its story."""
    sentence = f"{metric} {trouble}"
    return Verdict(metric, rerun, VerdictState.FAIL, "unchanged", 1.0, "ct", sentence, details=details, context=context)


@pytest.mark.parametrize(
    ("verdicts", "told"),
    [
        ([fail("a", details=("visits 24",))], ["FAIL a is 8 % higher"]),
        ([fail("a"), fail("b")], ["FAIL a, b is 8 % higher"]),
        ([fail("a"), fail("a")], ["FAIL a is 8 % higher"]),
        (
            [fail("a"), fail("b"), fail("c")],
            ["FAIL 3 metrics: … is 8 % higher", "  metrics    a, b, c"],
        ),
        (
            [fail("a", context=("churn 9", "next x")), fail("b", trouble="is gone", context=("churn 9", "next x"))],
            ["FAIL a is 8 % higher", "FAIL b is gone", "w_2020_20 as a whole:", "  churn 9", "  next x"],
        ),
        (
            [fail("a", context=("next x",)), fail("b", trouble="is gone", context=("objects 3", "next x"))],
            ["FAIL a is 8 % higher", "FAIL b is gone", "w_2020_20 as a whole:", "  objects 3", "  next x"],
        ),
        (
            [fail("a", context=("churn 9",)), fail("a", rerun="w_2020_24", context=("churn 9",))],
            [
                "FAIL w_2020_20: a is 8 % higher",
                "FAIL w_2020_24: a is 8 % higher",
                "w_2020_20 as a whole:",
                "  churn 9",
                "w_2020_24 as a whole:",
                "  churn 9",
            ],
        ),
    ],
    ids=["one", "two alike", "judged twice", "three alike", "shared", "next last", "two reruns"],
)
def test_each_story_is_told_once(verdicts, told):
    """A sentence stands once for all metrics it is true of, and what is known of a rerun once below them."""
    assert verdict_listing(verdicts, "title").notes[:-1] == told


def test_details_are_told_when_asked_for():
    """A verbose listing has rule and estimate of each verdict that does not hold."""
    listing = verdict_listing([fail("a", details=("visits 24",))], "title", verbose=True)
    assert listing.notes[:-1] == ["FAIL a is 8 % higher", "  visits 24"]


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (-2.5, 2.5, "-2.5 … 2.5"),
        (-math.inf, math.nextafter(0, -1), "< 0"),
        (math.nextafter(0, 1), math.inf, "> 0"),
        (-math.inf, 0.0, "−∞ … 0"),
    ],
)
def test_open_bounds_at_zero_are_told_as_such(low, high, text):
    """An interval that ends beside zero is shown as "less than zero", not with the smallest number there is."""
    verdict = Verdict("a", "w", VerdictState.FAIL, "below", 1.0, "ct", "a", acceptable=Interval(low, high))
    assert verdict_listing([verdict], "title").rows[0]["allowed"] == text


def _headings(*verdicts):
    return [column.heading for column in verdict_listing(list(verdicts), "title").columns]


def test_place_has_a_column_where_a_verdict_has_one():
    """Verdicts of amplifiers say which one; those of whole reruns have no empty column."""
    whole = fail("ptc.gain")
    of_one = replace(whole, place="detector 94, amplifier C06")
    assert "of" not in _headings(whole)
    assert _headings(whole, of_one)[2:4] == ["rerun", "of"]
    listing = verdict_listing([of_one, whole, replace(whole, place="detector 94, amplifier C00")], "title")
    assert [row["place"] for row in listing.rows] == ["", "detector 94, amplifier C00", "detector 94, amplifier C06"]


@pytest.mark.parametrize(
    ("expectation", "value", "reference", "estimate", "change"),
    [
        ("unchanged within 2 %", 1.1, 1.0, 0.1, "+10.00 %"),
        ("agrees with ptc.gain within 2 %", 1.1, 1.0, 0.012, "+1.20 %"),
        ("agrees with ptc.gain within 2 %", 1.1, 1.0, 0.0, "0"),
        ("agrees with ptc.gain within 2 %", 1.1, 1.0, math.nan, ""),
        ("agrees with ptc.gain within 2 %", math.nan, 1.0, math.nan, ""),
        ("unchanged within 2 %", 1.1, math.nan, math.nan, ""),
        ("unchanged within 2", 3.0, 0.0, 3.0, "+3"),
    ],
)
def test_change_of_an_agreement_is_what_is_left_unexplained(expectation, value, reference, estimate, change):
    """Two estimates may differ by what is predicted; the change that counts is the rest of their ratio."""
    verdict = Verdict(
        *("a", "w", VerdictState.FAIL, expectation, value, "electron / adu", "a"),
        reference=reference,
        estimate=estimate,
    )
    (row,) = verdict_listing([verdict], "title").rows
    assert row["change"] == change
