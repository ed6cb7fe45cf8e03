"""Walking through what changed, one entry at a time: the logic without the prompting."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final, final

if TYPE_CHECKING:
    from harness.baseline.plan import Change, Plan

__all__ = ["Decision", "Review"]


class Decision(StrEnum):
    """What a person says about the entry on show, each with its key."""

    ACCEPT = "a"
    REJECT = "r"
    SKIP = "s"
    ACCEPT_REST = "A"
    REJECT_REST = "R"
    SKIP_REST = "S"
    QUIT = "q"


#: What a decision about the rest means for each entry of it.
_EACH: Final = {
    Decision.ACCEPT_REST: Decision.ACCEPT,
    Decision.REJECT_REST: Decision.REJECT,
    Decision.SKIP_REST: Decision.SKIP,
}


@final
@dataclass(frozen=True, slots=True)
class Review:
    """How far a review has come; every decision returns the next state.

    A rejected change is a regression that somebody has seen, a skipped one is left for another time; neither touches
    the baseline.  To quit is to change nothing at all.

    Attributes
    ----------
    plan
        The changes to decide about.
    decisions
        One for each change decided so far, in order.
    has_quit
        Whether the review was given up.
    """

    plan: Plan
    decisions: tuple[Decision, ...] = ()
    has_quit: bool = False

    @property
    def current(self) -> Change | None:
        """The change to decide about now; None when the review is over."""
        if self.has_quit or len(self.decisions) == len(self.plan.changes):
            return None
        return self.plan.changes[len(self.decisions)]

    def decide(self, decision: Decision) -> Review:
        """Return the review after one more decision.

        Parameters
        ----------
        decision
            What was said about `current`.

        Raises
        ------
        ValueError
            When the review is over.
        """
        if self.current is None:
            raise ValueError("the review is over")
        if decision is Decision.QUIT:
            return replace(self, has_quit=True)
        if decision in _EACH:
            left = len(self.plan.changes) - len(self.decisions)
            return replace(self, decisions=self.decisions + left * (_EACH[decision],))
        return replace(self, decisions=(*self.decisions, decision))

    def decided(self, decision: Decision) -> tuple[str, ...]:
        """Return the metrics that were accepted, rejected or skipped.

        Parameters
        ----------
        decision
            One of `Decision.ACCEPT`, `Decision.REJECT` and `Decision.SKIP`.
        """
        pairs = zip(self.plan.changes, self.decisions, strict=False)  # the decisions are fewer until the end
        return tuple(change.metric for change, made in pairs if made is decision)

    @property
    def accepted(self) -> Plan:
        """The plan of what was accepted; empty after quitting."""
        return self.plan.only(() if self.has_quit else self.decided(Decision.ACCEPT))
