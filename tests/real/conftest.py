"""The command line, in this process, on folders that describe the real data."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, final

import pytest
from click.testing import CliRunner
from real_reruns import VINTAGES, describe_comcam, describe_hits

from harness.cli import main

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def hits(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the four vintages of HiTS 2015 as reruns."""
    folder = tmp_path_factory.mktemp("hits2015")
    for vintage in VINTAGES:
        describe_hits(real_data, folder, vintage)
    return folder


@pytest.fixture(scope="session")
def comcam(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the LSSTComCam table as a rerun."""
    folder = tmp_path_factory.mktemp("comcam")
    describe_comcam(real_data, folder)
    return folder


@final
class CommandLine:
    """``run("verify", "--repo", folder)`` with a measurement store and baselines of the tests' own."""

    def __init__(self, measurements: Path, baselines: Path) -> None:
        self.measurements = measurements
        self.baselines = baselines

    def __call__(self, command: str, *words: object, code: int = 0) -> str:
        """Run one command, require its exit code, and return what it printed."""
        where = [f"--measurements={self.measurements}", f"--baselines={self.baselines}"]
        result = CliRunner().invoke(main, [command, *where, *map(str, words)])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == code, result.output
        return result.output if code == 2 else result.stdout

    def rows(self, command: str, *words: object, code: int = 0) -> list[dict[str, Any]]:
        """Run one command and return the rows of its JSON."""
        rows: list[dict[str, Any]] = json.loads(self(command, "--format", "json", *words, code=code))["rows"]
        return rows

    def accept(self, *words: object) -> None:
        """Accept a rerun."""
        self("accept", "--allow-ci", "--by", "A. Person", "--reason", "is right", *words)


@pytest.fixture(scope="session")
def _measurements(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("measurements")


@pytest.fixture
def run(_measurements: Path, tmp_path: Path) -> CommandLine:
    """Return the command line, with nothing accepted; what one test measured the next one finds measured."""
    return CommandLine(_measurements, tmp_path / "baselines")
