"""One exit code for all verdicts together, and the one line that counts them."""

from __future__ import annotations

import itertools

import pytest

from harness.model import Verdict, VerdictState
from harness.report.verdicts import exit_code, summary

P, A, I, C, M, F = (  # noqa: E741 - a table of states reads best in single letters
    VerdictState.PASS,
    VerdictState.ACKNOWLEDGED,
    VerdictState.INCONCLUSIVE,
    VerdictState.NOT_COMPARABLE,
    VerdictState.NOT_MEASURED,
    VerdictState.FAIL,
)


@pytest.mark.parametrize(
    ("states", "code", "tolerant"),
    [
        ([], 3, 3),
        ([P], 0, 0),
        ([P, A], 0, 0),
        ([A], 0, 0),
        ([P, I], 3, 0),
        ([P, C], 3, 3),
        ([P, M], 3, 3),
        ([P, F], 1, 1),
        ([P, F, I], 1, 1),
        ([A, F], 1, 1),
        ([I, C], 3, 3),
    ],
)
def test_exit_code_of_verdicts(states, code, tolerant):
    """All hold, something fails, something could not be judged; nothing judged at all is no good news."""
    assert exit_code(states) == code
    assert exit_code(states, tolerate_inconclusive=True) == tolerant


def test_failure_outranks_everything():
    """Whatever else there is, a FAIL is exit code 1, and only PASS and ACKNOWLEDGED are 0."""
    for others in itertools.product(VerdictState, repeat=2):
        assert exit_code([F, *others]) == 1
        assert (exit_code(others) == 0) == (set(others) <= {P, A})


def test_summary_counts_worst_first():
    """Every verdict is counted once."""
    verdicts = [Verdict("m", "r", state, "", 0.0, "", "") for state in (P, P, I, F)]
    assert summary(verdicts) == "4 judged: 1 FAIL, 1 INCONCLUSIVE, 2 PASS"
    assert summary([]) == "nothing was judged"
