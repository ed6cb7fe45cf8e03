"""What a report says, before it is a page, Markdown, JSON or annotations: everything in the order it is told."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, final

from harness import __version__
from harness.model import VerdictState
from harness.report.size import size_over_tolerance
from harness.report.verdicts import RANK, summary

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from harness.baseline.model import Acknowledgement
    from harness.measure.store import Manifest
    from harness.model import Verdict
    from harness.session import Session
    from harness.verify import Outcome

__all__ = ["Content", "Finding", "Side", "Story", "labelled", "report_content"]

#: Lines about the whole rerun that each verdict repeats.
_TOLD_WITH_EACH = frozenset({"churn", "next"})


@final
@dataclass(frozen=True, slots=True)
class Side:
    """One rerun as the head of a report has it.

    Attributes
    ----------
    name
        The rerun.
    is_reference
        Whether it is what the others are compared with.
    manifest
        What is known of its measurement; None when it has not been measured.
    software
        What differs from the reference's software, in one line; empty for the reference, and without one.
    """

    name: str
    is_reference: bool
    manifest: Manifest | None
    software: str = ""


@final
@dataclass(frozen=True, slots=True)
class Finding:
    """One verdict, and how far it is from what is acceptable (`harness.report.size.size_over_tolerance`)."""

    verdict: Verdict
    size: float

    @property
    def subject(self) -> str:
        """The metric, and what of."""
        place = self.verdict.place
        return f"{self.verdict.metric} of {place}" if place else self.verdict.metric

    @property
    def magnitude(self) -> str:
        """The size in words; empty where it is not beyond what is acceptable."""
        if math.isinf(self.size):
            return "nothing is tolerated"
        return f"{self.size:.3g} × tolerance" if self.size > 1 else ""

    @property
    def lines(self) -> tuple[tuple[str, str], ...]:
        """Label and text of the lines below the sentence: its details, and of the rerun's churn and what to do next."""
        shared = (pair for pair in labelled(self.verdict.context) if pair[0] in _TOLD_WITH_EACH)
        return (*labelled(self.verdict.details), *shared)


@final
@dataclass(frozen=True, slots=True)
class Story:
    """What is said of one verdict, or in the very same words of several metrics."""

    state: VerdictState
    rerun: str
    sentence: str
    findings: tuple[Finding, ...]


@final
@dataclass(frozen=True, slots=True)
class Content:
    """What a report says.

    Attributes
    ----------
    title
        Names of the reruns.
    against
        What was judged against what, in one line.
    at
        When (UTC).
    harness
        Version of the harness.
    sides
        The reruns and, last, the reference.
    findings
        All verdicts, worst first; failures by their size over the tolerance.
    known
        Acknowledgements by metric.
    context
        What is known of each rerun as a whole, the command to run next at the end.
    problems
        Checks that went wrong by themselves.
    notes
        Further lines, such as what was not judged.
    tolerated
        States of a verdict that let a check pass.
    """

    title: str
    against: str
    at: datetime
    harness: str
    sides: tuple[Side, ...]
    findings: tuple[Finding, ...]
    known: Mapping[str, Acknowledgement]
    context: Mapping[str, tuple[str, ...]]
    problems: tuple[str, ...]
    notes: tuple[str, ...]
    tolerated: frozenset[VerdictState]

    @property
    def summary(self) -> str:
        """The counts of the verdicts in one line."""
        return summary([finding.verdict for finding in self.findings])

    @property
    def counts(self) -> dict[VerdictState, int]:
        """How many verdicts of each state there are, worst first."""
        counts = Counter(finding.verdict.state for finding in self.findings)
        return {state: counts[state] for state in RANK if counts[state]}

    def of(self, *states: VerdictState) -> tuple[Finding, ...]:
        """Return the verdicts of some states, in order."""
        return tuple(finding for finding in self.findings if finding.verdict.state in states)

    def stories(self, *states: VerdictState) -> list[Story]:
        """Return what is said of the verdicts of some states, once where it is said of several metrics."""
        alike: dict[tuple[VerdictState, str, str], list[Finding]] = {}
        for finding in self.of(*states):
            verdict = finding.verdict
            told = verdict.sentence.replace(verdict.metric, "…")
            alike.setdefault((verdict.state, verdict.rerun, told), []).append(finding)
        return [
            Story(state, rerun, group[0].verdict.sentence if len(group) == 1 else told, tuple(group))
            for (state, rerun, told), group in alike.items()
        ]


def report_content(
    session: Session, outcome: Outcome, notes: Sequence[str] = (), *, at: datetime | None = None
) -> Content:
    """Return what a report says of what was judged.

    Parameters
    ----------
    session
        What was judged against what.
    outcome
        The verdicts, and the checks that went wrong by themselves.
    notes
        Further lines, such as what was not judged.
    at
        When it was judged; None is now.
    """
    findings = tuple(sorted((Finding(each, size_over_tolerance(each)) for each in outcome.verdicts), key=_order))
    untold = (finding.verdict for finding in findings if finding.verdict.state not in session.tolerated)
    return Content(
        title=", ".join(ref.name for ref in session.refs),
        against=session.describe(),
        at=at or datetime.now(UTC),
        harness=__version__,
        sides=tuple(_sides(session)),
        findings=findings,
        known={} if session.baseline is None else session.baseline.acknowledgements,
        context=_context(untold),
        problems=tuple(outcome.problems),
        notes=tuple(notes),
        tolerated=session.tolerated,
    )


def labelled(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield label and text of the lines below a verdict (``rule       unchanged within 2 %``)."""
    for line in lines:
        label, _, text = line.partition(" ")
        yield label, text.strip()


def _order(finding: Finding) -> tuple[int, float, str, str, str]:
    verdict = finding.verdict
    size = finding.size if verdict.state is VerdictState.FAIL and not math.isnan(finding.size) else 0.0
    return RANK.index(verdict.state), -size, verdict.rerun, verdict.metric, verdict.place


def _sides(session: Session) -> Iterator[Side]:
    from harness.diagnose.environment import environment_difference

    reference = None if session.reference is None else session.manifest(session.reference)
    for ref in session.refs:
        manifest = session.manifest(ref)
        software = ""
        if manifest is not None and reference is not None:
            software = environment_difference(manifest, reference).text()
        yield Side(ref.name, is_reference=False, manifest=manifest, software=software)
    if session.reference is not None:
        yield Side(session.reference.name, is_reference=True, manifest=reference)


def _context(verdicts: Iterable[Verdict]) -> dict[str, tuple[str, ...]]:
    known: dict[str, dict[str, None]] = {}
    for verdict in verdicts:
        if verdict.context:
            known.setdefault(verdict.rerun, {}).update(dict.fromkeys(verdict.context))
    return {rerun: tuple(sorted(lines, key=lambda line: line.startswith("next"))) for rerun, lines in known.items()}
