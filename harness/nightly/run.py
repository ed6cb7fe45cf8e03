"""``rerun-harness nightly``: find what is new, judge it, confirm what fails, keep it, report it, tell people.

The history says what is done.  A rerun enters it after its report and its announcement were written down, each as a
whole: killed at any moment, the next night finds the rerun new and does the same work again, of which finished
measurements are kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from harness.errors import HarnessError, UsageError
from harness.nightly.discover import find_reruns
from harness.nightly.judged import ChangingRerunError, Judging
from harness.nightly.keep import Keeper
from harness.nightly.lock import only_one
from harness.nightly.night import Night, Result, worst
from harness.report.verdicts import exit_code, summary
from harness.request import Request
from harness.rerun.shown import shown_repo
from harness.session import Session
from harness.shipped import shipped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from harness.measure.run import Progress
    from harness.nightly.config import NightlyToml
    from harness.nightly.discover import Candidate
    from harness.nightly.judged import Judged

__all__ = ["nightly"]

_NOT_JUDGED = "could not be judged"


def nightly(
    config: NightlyToml,
    *,
    since: str = "",
    dry_run: bool = False,
    workers: int = 1,
    progress: Progress | None = None,
    tell: Callable[[str], None] | None = None,
) -> Night:
    """Judge the reruns that have appeared since the last time.

    Parameters
    ----------
    config
        What to look for, and what to do (`harness.nightly.config.read_nightly_toml`).
    since
        Only reruns after this one, in the order of names.
    dry_run
        Whether only to say what is new: nothing is measured, written or announced.
    workers
        Number of processes that measure.
    progress
        Called as measuring goes on.
    tell
        Called with a line about work that takes a while.

    Returns
    -------
    night : `harness.nightly.night.Night`
        What came of it, with the exit code of the command.  What is wrong with one rerun or one source is told there.

    Raises
    ------
    harness.errors.HarnessError
        When another nightly is at work in the same folder, or that folder or the history cannot be used at all.
    """
    candidates, faults = find_reruns(config.reruns, since)
    night = Night(problems=[(fault.exit_code, str(fault)) for fault in faults], dry_run=dry_run)
    judging = Judging(_checks(config), config.folder / "again", workers, progress)
    if dry_run:
        _Work(config, judging, night, tell).look(candidates)
        return night
    with only_one(config.folder):
        _Work(config, judging, night, tell).do(candidates)
    return night


@final
class _Work:
    """The work of one night; what comes of it is added to a `Night`."""

    def __init__(self, config: NightlyToml, judging: Judging, night: Night, tell: Callable[[str], None] | None) -> None:
        self._config = config
        self._judging = judging
        self._night = night
        self._tell = tell
        self._keeper = Keeper(config)  # reads the history, which no other nightly writes now

    def look(self, candidates: Iterable[Candidate]) -> None:
        """Say what is new, and do nothing about it."""
        for candidate in candidates:
            try:
                session = self._new_session(candidate)
            except HarnessError as fault:
                self._add(candidate, _NOT_JUDGED, fault.exit_code, notes=[str(fault)])
                continue
            if session is not None:
                self._add(candidate, "new", 0, dataset=session.dataset)

    def do(self, candidates: Iterable[Candidate]) -> None:
        """Deliver what waits, and do all that is to be done about what is new."""
        self._night.notes += self._keeper.oddities
        self._night.problems += [(HarnessError.exit_code, problem) for problem in self._keeper.deliver()]
        for candidate in candidates:
            try:
                session = self._new_session(candidate)
                if session is not None:
                    self._judge(candidate, session)
            except ChangingRerunError as fault:
                self._add(candidate, _NOT_JUDGED, fault.exit_code, notes=[str(fault)])
            except HarnessError as fault:
                problems = self._keeper.tell(f"{candidate} {fault.exit_code}", f"{candidate} {_NOT_JUDGED}: {fault}")
                codes = [fault.exit_code, *(HarnessError.exit_code for _ in problems)]
                self._add(candidate, _NOT_JUDGED, worst(codes), notes=[str(fault), *problems])
            finally:
                self._judging.clean()

    def _new_session(self, candidate: Candidate) -> Session | None:
        """Return what a rerun is judged by, or None when the history has it, made of the same inputs."""
        session = Session(_request(candidate, self._config), self._tell)
        session.resolve()
        if session.dataset is None:
            raise UsageError(f"nothing says which dataset {candidate} belongs to; write dataset = … beside its repo")
        rerun = session.open(session.refs[0])
        if (session.dataset, rerun.name, rerun.provenance().inputs_digest) in self._keeper.past:
            self._night.known += 1
            return None
        return session

    def _judge(self, candidate: Candidate, session: Session) -> None:
        judged = self._judging.judge(session, is_reference=candidate.source.reference == candidate.name)
        doubted = bool(self._new_troubles(judged))
        judged = self._judging.confirm(judged, doubted=doubted)
        new = self._new_troubles(judged)
        kept = self._keeper.keep(judged, new)
        outcome = judged.outcome
        codes = [HarnessError.exit_code for _ in kept.problems] + [1 for _ in outcome.problems]
        if not judged.unjudged:
            states = [verdict.state for verdict in outcome.verdicts]
            codes.append(exit_code(states, tolerate_inconclusive=session.request.tolerate_inconclusive))
        self._add(
            *(candidate, summary(outcome.verdicts), worst(codes)),
            dataset=session.dataset,
            new=len(new),
            report=kept.report,
            notes=(*outcome.problems, *judged.notes, *kept.warnings, *kept.problems),
        )

    def _new_troubles(self, judged: Judged) -> frozenset[str]:
        dataset = judged.session.dataset or ""
        return self._keeper.past.new_troubles(dataset, judged.ref.name, judged.outcome.verdicts)

    def _add(
        self,
        candidate: Candidate,
        told: str,
        code: int,
        *,
        dataset: str | None = None,
        new: int = 0,
        report: Path | None = None,
        notes: Sequence[str] = (),
    ) -> None:
        repo = shown_repo(candidate.source.repo)
        self._night.results.append(Result(candidate.name, repo, dataset or "", told, code, new, report, tuple(notes)))


def _request(candidate: Candidate, config: NightlyToml) -> Request:
    source = candidate.source
    baselines = config.baselines
    if not source.repo and not baselines.is_dir():
        baselines = shipped("baselines")
    return Request(
        repo=source.repo or None,
        reruns=(candidate.name,),
        reference=None if source.reference == candidate.name else source.reference,
        baselines=baselines,
        dataset=source.dataset,
        measurements=config.measurements,
        tolerate_inconclusive=config.inconclusive == "warn",
    )


def _checks(config: NightlyToml) -> Path:
    return config.checks if config.checks.exists() else shipped("verification")
