"""Known failures."""

import math
from datetime import date

import pytest

from harness.judge import acknowledged, unchanged
from harness.model import VerdictState

UNTIL = date(2026, 12, 31)


def _known(verdict, today):
    return acknowledged(verdict, until=UNTIL, ticket="DM-25149", reason="edge sources", today=today)


@pytest.fixture
def failed(quantity):
    """Return a verdict that fails."""
    return unchanged(quantity([120] * 9), quantity([100] * 9, rerun="old"), rtol=0.02)


@pytest.mark.parametrize("today", [date(2026, 1, 1), UNTIL])
def test_failure_is_excused_through_the_last_day(failed, today):
    """Up to and on the date a FAIL is ACKNOWLEDGED, and says by whom to ask."""
    verdict = _known(failed, today)
    assert verdict.state is VerdictState.ACKNOWLEDGED
    assert verdict.sentence.endswith("; acknowledged until 2026-12-31 (DM-25149: edge sources)")


def test_failure_fails_after_the_date(failed):
    """Past the date it fails again, and says why now."""
    verdict = _known(failed, date(2027, 1, 1))
    assert verdict.state is VerdictState.FAIL
    assert verdict.sentence.endswith("; the acknowledgement of DM-25149 expired on 2026-12-31")


@pytest.mark.parametrize("today", [date(2026, 1, 1), date(2027, 1, 1)])
def test_what_passes_again_fails_until_the_acknowledgement_is_removed(quantity, today):
    """An acknowledgement must not outlive its failure and excuse the next one."""
    passed = unchanged(quantity([100] * 9), quantity([100] * 9, rerun="old"), rtol=0.02)
    verdict = _known(passed, today)
    assert verdict.state is VerdictState.FAIL
    assert verdict.sentence.endswith("; passes again: remove the acknowledgement of DM-25149")


def test_other_findings_are_not_excused(quantity):
    """What is inconclusive, not measured or not comparable is another finding than the known one."""
    old = quantity([100] * 9, rerun="old")
    others = [
        unchanged(quantity([101, 95, 104, 99, 100, 103, 95, 98, 107]), old, rtol=0.001),
        unchanged(quantity([100] * 9, unit="nJy"), old, rtol=0.02),
        unchanged(quantity([math.nan] * 9), old, rtol=0.02),
    ]
    assert [each.state for each in others] == ["INCONCLUSIVE", "NOT_COMPARABLE", "NOT_MEASURED"]
    assert [_known(each, date(2026, 1, 1)) for each in others] == others
