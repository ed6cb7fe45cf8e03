"""One rerun, measured and judged, and once more from scratch where it fails anew."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, final

from harness.errors import HarnessError, NotMeasuredError
from harness.measure.run import OWN, process_executor
from harness.nightly.confirm import agreed, missing_visits
from harness.report.verdicts import not_judged
from harness.rerun import open_ref
from harness.session import Session
from harness.verify import Outcome, judge_with_pytest

if TYPE_CHECKING:
    from pathlib import Path

    from harness.measure.run import Progress
    from harness.measure.store import Manifest
    from harness.rerun.protocol import RerunRef

__all__ = ["ChangingRerunError", "Judged", "Judging"]


@final
class ChangingRerunError(HarnessError):
    """A rerun that somebody is still writing."""

    exit_code = NotMeasuredError.exit_code


@final
@dataclass(frozen=True, slots=True)
class Judged:
    """What came of one rerun.

    Attributes
    ----------
    session
        What it was judged against.
    outcome
        The verdicts.
    unjudged
        Why there are none: it is what others are held against.
    remarks
        Whether that is confirmed, and its input complete.
    """

    session: Session
    outcome: Outcome
    unjudged: str = ""
    remarks: tuple[str, ...] = ()

    @property
    def ref(self) -> RerunRef:
        """The rerun."""
        return self.session.refs[0]

    @property
    def manifest(self) -> Manifest:
        """What was measured."""
        manifest = self.session.manifest(self.ref)
        if manifest is None:
            raise NotMeasuredError(f"the measurements of {self.ref.name} have gone while they were judged")
        return manifest

    @property
    def notes(self) -> tuple[str, ...]:
        """What else is to be said of it."""
        line = f"not judged: {self.unjudged}" if self.unjudged else not_judged(self.session, self.ref)
        return (*self.remarks, line) if line else self.remarks


@final
@dataclass(frozen=True, slots=True)
class Judging:
    """How reruns are measured and judged.

    Attributes
    ----------
    checks
        Folder or file of checks.
    scratch
        Folder for what is measured once more; whatever is there is removed.
    workers
        Number of processes that measure.
    progress
        Called as work goes on; None is silence.
    """

    checks: Path
    scratch: Path
    workers: int = 1
    progress: Progress | None = None

    def judge(self, session: Session, *, is_reference: bool = False) -> Judged:
        """Measure what is missing of a session's one rerun, and judge it.

        What others are held against is measured, and not held against itself: the rerun that the baseline was accepted
        from, and the reference, where there is no baseline.

        Parameters
        ----------
        session
            What is judged against what.
        is_reference
            Whether the rerun is the reference of the others.

        Raises
        ------
        harness.errors.HarnessError
            When it cannot be measured or judged at all.
        """
        with process_executor(self.workers) as executor:
            session.measure(executor=executor, progress=self.progress)
        if _is_accepted(session):
            return Judged(session, Outcome(), unjudged=f"baseline {session.dataset} was accepted from it")
        if is_reference and session.baseline is None:
            return Judged(session, Outcome(), unjudged="it is the reference, and there is no baseline")
        return Judged(session, judge_with_pytest(session, self.checks))

    def confirm(self, judged: Judged, *, doubted: bool) -> Judged:
        """Return what is sure about a rerun.

        Parameters
        ----------
        judged
            What came of it.
        doubted
            Whether it and its reference are measured from scratch, and it is judged again.

        Raises
        ------
        harness.nightly.judged.ChangingRerunError
            When its inputs are not what they were.
        harness.errors.HarnessError
            When it cannot be measured or judged any more.
        """
        if doubted:
            judged = self._repeated(judged)
        else:
            _require_same_inputs(judged, open_ref(judged.ref).provenance().inputs_digest)
        session = judged.session
        reference = None if session.reference is None else session.measurements(session.reference)
        missing = missing_visits(session.measurements(judged.ref), reference)
        return replace(judged, remarks=(*judged.remarks, missing)) if missing else judged

    def _repeated(self, judged: Judged) -> Judged:
        session = judged.session
        asked = replace(session.request, measurements=self._emptied())
        if session.reference is not None:  # this one or none, should it have gone
            asked = replace(asked, reference=session.request.reference or session.reference.name)
        again = self.judge(Session(asked))
        _require_same_inputs(judged, again.manifest.datasets_digest)
        outcome = agreed(judged.outcome, again.outcome)
        if outcome is judged.outcome:
            return replace(judged, remarks=("confirmed: the same when measured again from scratch",))
        stored = session.store.folder(judged.ref, OWN).parent
        remark = (
            "not confirmed: it is not the same when measured again from scratch, which is what is kept; delete "
            f"{stored} (and what is stored of the reference), and verify it by hand"
        )
        return replace(again, outcome=outcome, remarks=(remark,))

    def _emptied(self) -> Path:
        self.clean()
        if self.scratch.exists():
            raise HarnessError(f"cannot empty the folder {self.scratch}; remove it")
        return self.scratch

    def clean(self) -> None:
        """Remove what was measured once more."""
        shutil.rmtree(self.scratch, ignore_errors=True)


def _is_accepted(session: Session) -> bool:
    """Whether the baseline that a rerun is judged by was accepted from it."""
    manifest = session.manifest(session.refs[0])
    if manifest is None or session.baseline is None or session.reference is not None:
        return False
    own = (manifest.rerun, manifest.datasets_digest)
    return any((each.rerun, each.inputs) == own for each in session.baseline.acceptances.values())


def _require_same_inputs(judged: Judged, inputs: str) -> None:
    if inputs != judged.manifest.datasets_digest:
        raise ChangingRerunError(f"{judged.ref.name} has changed while it was measured; it is left to the next night")
