"""`harness.baseline.review`: decisions one by one, and what comes of them."""

from __future__ import annotations

import pytest

from harness.baseline.plan import plan_acceptance
from harness.baseline.review import Decision, Review


@pytest.fixture
def review(baseline, measured):
    """Start a review of three changes."""
    return Review(plan_acceptance(baseline, {name: measured(name, 101.0) for name in baseline.metrics}))


def walk(review, keys):
    """Press some keys."""
    for key in keys:
        review = review.decide(Decision(key))
    return review


@pytest.mark.parametrize(
    ("keys", "accepted", "rejected", "skipped"),
    [
        ("ars", ["dia.a"], ["dia.b"], ["sci.c"]),
        ("A", ["dia.a", "dia.b", "sci.c"], [], []),
        ("rA", ["dia.b", "sci.c"], ["dia.a"], []),
        ("aR", ["dia.a"], ["dia.b", "sci.c"], []),
        ("saS", ["dia.b"], [], ["dia.a", "sci.c"]),
    ],
)
def test_decisions(review, keys, accepted, rejected, skipped):
    """Each change gets the decision made about it, and only what was accepted is in the plan."""
    done = walk(review, keys)
    assert done.current is None
    assert [change.metric for change in done.accepted.changes] == accepted
    assert list(done.decided(Decision.REJECT)) == rejected
    assert list(done.decided(Decision.SKIP)) == skipped


def test_changes_are_shown_in_order(review):
    """The changes come one after the other, and deciding leaves the earlier state as it was."""
    next_one = review.decide(Decision.ACCEPT)
    assert review.current.metric == "dia.a"
    assert next_one.current.metric == "dia.b"


def test_half_a_review_accepts_what_was_accepted(review):
    """A review that has not ended holds what was accepted so far."""
    assert [change.metric for change in walk(review, "a").accepted.changes] == ["dia.a"]


def test_quitting_accepts_nothing(review):
    """To quit is to change nothing, whatever was said before."""
    done = walk(review, "aaq")
    assert done.current is None
    assert done.accepted.changes == ()


def test_review_that_is_over(review):
    """There is nothing more to decide at the end."""
    for keys in ("A", "q"):
        with pytest.raises(ValueError, match="over"):
            walk(review, keys).decide(Decision.ACCEPT)
