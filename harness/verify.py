"""Run checks through pytest and bring back the verdicts: the second half of ``rerun-harness verify``."""

from __future__ import annotations

import io
import os
import sys
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, final

from harness.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    import pytest

    from harness.model import Verdict
    from harness.session import Session

__all__ = ["Outcome", "checks_folder", "judge_with_pytest"]


@final
@dataclass(slots=True)
class Outcome:
    """What came of a run of checks.

    Attributes
    ----------
    verdicts
        All verdicts, in the order they were reached.
    problems
        Checks that went wrong by themselves (an error in the check's code), one line each.
    """

    verdicts: list[Verdict] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


@final
class _Collector:
    """Takes the verdicts off the reports, whichever process the test ran in."""

    def __init__(self, outcome: Outcome) -> None:
        self._outcome = outcome

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        from harness.plugin import verdicts_of

        verdicts = verdicts_of(report)
        self._outcome.verdicts += verdicts
        judged = any(verdict.state != "PASS" for verdict in verdicts)
        if report.failed and not judged:
            self._outcome.problems.append(f"ERROR {report.nodeid}: {_reason(report)}")

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self._outcome.problems.append(f"ERROR {report.nodeid}: {_reason(report)}")


def checks_folder() -> Path:
    """Return the checks to run: the current folder's own, or those that come with the harness."""
    from harness.shipped import shipped

    own = Path("tests/verification")
    return own if own.is_dir() else shipped("verification")


def judge_with_pytest(session: Session, checks: Path | None = None, pytest_args: Sequence[str] = ()) -> Outcome:
    """Run checks with pytest, quietly, and collect their verdicts.

    Parameters
    ----------
    session
        What is judged against what; its request is handed to the plugin.
    checks
        Folder or file of checks; None is `checks_folder`.
    pytest_args
        Further arguments for pytest, such as ``-k``.

    Returns
    -------
    outcome : `Outcome`
        The verdicts, and what went wrong beside them.

    Raises
    ------
    harness.errors.UsageError
        When pytest refuses its arguments, or there is nothing to run.
    harness.errors.HarnessError
        When a rerun cannot be judged at all: it would be compared with itself, or its measurements cannot be read.
    """
    import pytest

    for ref in session.refs:
        session.verification(ref.name)  # what concerns every check is said once
    outcome = Outcome()
    checks = (checks or checks_folder()).resolve()
    folder = checks if checks.is_dir() else checks.parent
    # The checks stand by themselves: no ini file or conftest above them has a say in a verdict.
    isolation = ["-c", os.devnull, "--rootdir", str(folder), "--confcutdir", str(folder), "-p", "no:cacheprovider"]
    swift = ["-p", "no:unraisableexception"]  # collects all garbage several times, to warn where nobody reads it
    arguments = [
        str(checks),
        *isolation,
        *swift,
        "--import-mode=importlib",
        *session.request.as_options(),
        *pytest_args,
    ]
    heard = io.StringIO()
    with redirect_stdout(heard), redirect_stderr(heard), _forgotten(folder):
        code = pytest.main(arguments, plugins=[_Collector(outcome)])
    if code == pytest.ExitCode.NO_TESTS_COLLECTED:
        raise UsageError(f"no check was selected in {checks}")
    if code == pytest.ExitCode.INTERRUPTED and not outcome.problems:
        raise KeyboardInterrupt  # which pytest has taken for itself
    if code in (pytest.ExitCode.USAGE_ERROR, pytest.ExitCode.INTERNAL_ERROR):
        raise UsageError(f"pytest could not run the checks in {checks}: {_last_line(heard.getvalue())}")
    return outcome


@contextmanager
def _forgotten(folder: Path) -> Generator[None]:
    """Forget the checks' modules when done: the next run may have others of the same name."""
    known = set(sys.modules)
    try:
        yield
    finally:
        for name in set(sys.modules) - known:
            path = Path(getattr(sys.modules[name], "__file__", None) or ".")
            if folder in path.parents and path.name.startswith(("test_", "conftest.")):
                del sys.modules[name]


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    """Return what went wrong in one line: the exception, without what pytest shows of its operands."""
    crash = getattr(report.longrepr, "reprcrash", None)
    return crash.message.splitlines()[0] if crash is not None else _last_line(report.longreprtext)


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    told = [line for line in lines if line.startswith(("E ", "ERROR", "INTERNALERROR")) or ": error: " in line]
    return (told or lines or ["no message"])[-1].removeprefix("E ").strip()
