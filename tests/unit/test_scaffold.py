"""Starting a repository of one's own checks: what is written, what is left alone, and that it works."""

from __future__ import annotations

import subprocess
import sys

import pytest
from measured_survey import Survey

from harness.errors import HarnessError, UsageError
from harness.scaffold import start_repository
from harness.shipped import shipped
from harness.workflow import WORKFLOW_PATH

SHIPPED = sorted(path.name for path in shipped("verification").glob("test_*.py"))
FILES = sorted(
    [".gitignore", "README.md", "baselines/.gitkeep", "pyproject.toml", "tests/verification/test_own.py", WORKFLOW_PATH]
    + [f"tests/verification/{name}" for name in SHIPPED]
)


def files(folder):
    """Return the names of all files below a folder."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_repository_holds_checks_baselines_and_configuration(tmp_path):
    """The folder is made, the files are those reported, and the harness's own checks are among them."""
    folder = tmp_path / "deep" / "my-checks"
    written = start_repository(folder)
    assert files(folder) == sorted(str(path.relative_to(folder)) for path in written) == FILES
    for name in SHIPPED:
        assert (folder / "tests/verification" / name).read_bytes() == (shipped("verification") / name).read_bytes()


@pytest.mark.parametrize("name", FILES)
def test_nothing_is_overwritten(tmp_path, name):
    """One file that is there already stops everything, and keeps its content."""
    mine = tmp_path / name
    mine.parent.mkdir(parents=True, exist_ok=True)
    mine.write_text("mine")
    with pytest.raises(UsageError, match=rf"already has {name}; choose a folder without them$"):
        start_repository(tmp_path)
    assert files(tmp_path) == [name]
    assert mine.read_text() == "mine"


def test_other_files_of_the_folder_are_left_alone(tmp_path):
    """A folder with other files in it may become a repository of checks."""
    (tmp_path / "notes.txt").write_text("mine")
    start_repository(tmp_path)
    assert files(tmp_path) == sorted([*FILES, "notes.txt"])


def test_folder_that_cannot_be_written_gives_one_sentence(tmp_path):
    """A folder below a file can be made by nobody; the error names the file and the way out."""
    (tmp_path / "file").touch()
    with pytest.raises(
        HarnessError, match=r"^cannot write .*/file/checks/pyproject.toml: Not a directory; choose a folder that can be"
    ):
        start_repository(tmp_path / "file" / "checks")


def test_checks_of_the_repository_run_under_its_own_configuration(tmp_path):
    """Plain pytest in the new repository finds all checks, and the example among them passes."""
    folder = tmp_path / "my-checks"
    start_repository(folder)
    survey = Survey(folder)
    survey.measure("w_2020_20")
    survey.measure("w_2020_24")
    survey.accept()
    options = survey.options("w_2020_24")

    def pytest_there(*arguments):
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:benchmark", *options, *arguments]
        return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)

    found = pytest_there("--collect-only")
    assert found.returncode == 0, found.stdout
    assert "test_own.py::test_few_sources_come_and_go[w_2020_24]" in found.stdout
    assert "test_dia.py::test_dia_counts_are_unchanged[w_2020_24-dia.numSources]" in found.stdout
    done = pytest_there("-k", "most_sources_are_good or numSources")
    assert done.returncode == 0, done.stdout
    assert done.stdout.splitlines()[-1].startswith("2 passed")
