"""Verdicts as a listing: each story once, in few lines."""

from __future__ import annotations

import math

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
