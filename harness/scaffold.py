"""Start a repository of one's own checks and baselines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.errors import HarnessError, UsageError
from harness.shipped import shipped
from harness.workflow import WORKFLOW, WORKFLOW_PATH

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["start_repository"]

_PYPROJECT = """\
[tool.pytest.ini_options]
testpaths = ["tests/verification"]
addopts = ["--import-mode=importlib"]
# What is judged; each has a twin on the command line (harness_repo is --repo).
# harness_repo = "/path/to/butler/repository"
# harness_dataset = "mine"
harness_baselines = "baselines"
"""

_OWN_CHECK = '''\
"""Checks of our own; every function here runs once per rerun."""


def test_most_sources_are_good(rerun, expect):
    """At least a tenth of the DIA sources survive the flags."""
    expect(rerun["dia.ratioGoodToAllSources"]).above(0.1)


def test_few_sources_come_and_go(rerun, reference, expect):
    """Nine of ten sources of the reference are found again."""
    expect(rerun["churn.fracLost"]).below(0.1)
'''

_README = """\
# Verification of our reruns

    rerun-harness accept OLD --repo REPO --dataset mine --rtol 0.02 --reason "first baseline"
    rerun-harness verify --repo REPO --rerun NEW     # measure, judge against OLD and what was accepted of it, report
    pytest --repo REPO --rerun NEW                   # only judge what is measured

Checks are in `tests/verification`, accepted values in `baselines`; both belong under version control.
"""


def start_repository(folder: Path) -> list[Path]:
    """Write the files of a new repository of checks: checks, an empty folder of baselines, pytest configuration.

    Parameters
    ----------
    folder
        Where; made if need be.  Nothing that is there is overwritten.

    Returns
    -------
    paths : `list` [`pathlib.Path`]
        The files written.

    Raises
    ------
    harness.errors.UsageError
        When one of the files exists already; then nothing is written.
    harness.errors.HarnessError
        When the folder cannot be written.
    """
    files = {
        "pyproject.toml": _PYPROJECT,
        "README.md": _README,
        ".gitignore": "measurements/\n",
        "baselines/.gitkeep": "",
        "tests/verification/test_own.py": _OWN_CHECK,
        WORKFLOW_PATH: WORKFLOW,
    }
    for check in sorted(shipped("verification").glob("test_*.py")):
        files[f"tests/verification/{check.name}"] = check.read_text(encoding="utf-8")
    written = []
    path = folder
    try:
        taken = [name for name in files if (folder / name).exists()]
        if taken:
            raise UsageError(f"{folder} already has {', '.join(taken)}; choose a folder without them")
        for name, text in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
            written.append(path)
    except OSError as fault:
        raise HarnessError(f"cannot write {path}: {fault.strerror}; choose a folder that can be written") from None
    return written
