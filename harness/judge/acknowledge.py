"""Known failures: excused until a date, and only while they fail."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from harness.judge.sentence import tell_more
from harness.model import VerdictState

if TYPE_CHECKING:
    from datetime import date

    from harness.model import Verdict

__all__ = ["acknowledged"]


def acknowledged(verdict: Verdict, *, until: date, ticket: str, reason: str, today: date) -> Verdict:
    """Apply an acknowledgement to a verdict.

    What is acknowledged is that the expectation was shown not to hold.  So only FAIL is excused: INCONCLUSIVE,
    NOT_MEASURED and NOT_COMPARABLE are other findings than the known one, and stay what they are.  PASS becomes FAIL,
    since an acknowledgement that outlives its failure would excuse the next one.

    Parameters
    ----------
    verdict
        What was judged.
    until
        The last day on which the failure is excused.
    ticket, reason
        Where it is being worked on, and why it is known.
    today
        The day of judging.

    Returns
    -------
    verdict : `harness.model.Verdict`
        ACKNOWLEDGED, FAIL, or the verdict as it was.
    """
    story = f"{ticket}: {reason}"
    if verdict.state is VerdictState.PASS:
        clause = f"passes again: remove the acknowledgement of {ticket}"
        return tell_more(replace(verdict, state=VerdictState.FAIL), clause, details=[f"known      {story}"])
    if verdict.state is not VerdictState.FAIL:
        return verdict
    if today > until:
        clause = f"the acknowledgement of {ticket} expired on {until.isoformat()}"
        return tell_more(verdict, clause, details=[f"known      {story}"])
    clause = f"acknowledged until {until.isoformat()} ({story})"
    return tell_more(replace(verdict, state=VerdictState.ACKNOWLEDGED), clause)
