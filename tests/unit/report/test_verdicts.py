"""Verdicts as a listing: each story once, in few lines."""

from __future__ import annotations

import pytest

from harness.model import Verdict, VerdictState
from harness.report.verdicts import verdict_listing


def fail(metric, *details, rerun="w_2020_20", trouble="is 8 % higher"):
    """Return a FAIL with its story."""
    sentence = f"{metric} {trouble}"
    return Verdict(metric, rerun, VerdictState.FAIL, "unchanged", 1.0, "ct", sentence, details=details)


@pytest.mark.parametrize(
    ("verdicts", "told"),
    [
        ([fail("a", "visits 24", "churn 9 lost")], ["FAIL a is 8 % higher", "  visits 24", "  churn 9 lost"]),
        (
            [fail("a", "visits 24"), fail("b", "visits 24")],
            ["FAIL 2 metrics: … is 8 % higher", "  metrics    a, b", "  visits 24"],
        ),
        (
            [fail("a", "visits 24", "churn 9 lost"), fail("b", "visits 1", "churn 9 lost", trouble="is gone")],
            [
                "FAIL a is 8 % higher",
                "  visits 24",
                "FAIL b is gone",
                "  visits 1",
                "FAIL in w_2020_20, all of the above:",
                "  churn 9 lost",
            ],
        ),
        (
            [fail("a", "churn 9 lost"), fail("a", "churn 9 lost", rerun="w_2020_24")],
            ["FAIL a is 8 % higher", "  churn 9 lost", "FAIL a is 8 % higher", "  churn 9 lost"],
        ),
    ],
    ids=["one", "alike", "shared", "reruns"],
)
def test_what_is_true_of_all_is_told_once(verdicts, told):
    """Details that all failures of a rerun share stand once, below them; those of another rerun stay with it."""
    listing = verdict_listing(verdicts, "title")
    assert listing.notes[:-1] == told
