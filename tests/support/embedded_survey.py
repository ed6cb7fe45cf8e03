"""The real commands on the embedded survey, run in this process with a store and baselines of their own."""

from __future__ import annotations

import json
import os
import shutil
from functools import cache
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from harness.cli import main
from harness.embedded import EMBEDDED_RERUNS, embedded_repository, load_survey
from harness.shipped import shipped

APRIL, MAY, JUNE = EMBEDDED_RERUNS

#: Commands that read the measurement store.
_MEASURING = {"verify", "measure", "diff", "accept", "review", "report"}

#: What standard error holds beside a complaint.
_PROGRESS = ("measuring ", "embedded survey: ", "embedded sensor: ")

#: Dataset types of the survey by canonical table.
_STORED_AS = {"diaSource": "diaSource", "diaObject": "diaObject", "source": "src"}


class Answer:
    """What a command said, and the code it ended with."""

    def __init__(self, result):
        self.code = result.exit_code
        self.out = result.stdout
        self.err = result.stderr

    @property
    def complaints(self):
        """Lines of standard error that are not progress."""
        return [line for line in self.err.splitlines() if not line.startswith(_PROGRESS)]

    @property
    def complaint(self):
        """The one line that says what is wrong."""
        (line,) = self.complaints
        assert line.startswith("Error: ")
        return line.removeprefix("Error: ")

    @property
    def json(self):
        """Standard output as strict JSON."""
        return json.loads(self.out, parse_constant=pytest.fail)

    @property
    def rows(self):
        """Rows of the JSON by metric."""
        return {row["metric"]: row for row in self.json["rows"]}

    @property
    def states(self):
        """Verdicts by metric."""
        return {metric: row["state"] for metric, row in self.rows.items()}


class CommandLine:
    """``run("verify", "--rerun", name)`` in a folder of its own; the exit code is part of every call."""

    def __init__(self, folder):
        self.folder = folder
        self.store = folder / "measurements"
        self.baselines = folder / "baselines"

    def __call__(self, command, *arguments, code=0, typed=None):
        """Run one command and require its exit code."""
        options = [f"--measurements={self.store}"] if command in _MEASURING else []
        result = CliRunner().invoke(main, [command, *options, *map(str, arguments)], input=typed)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert "Traceback" not in result.output
        assert result.exit_code == code, f"{result.stderr}\n{result.stdout[-2000:]}"
        return Answer(result)

    @property
    def shards(self):
        """What identifies each measurement file that is stored: its time and its place on the disk."""
        return {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in self.store.rglob("*.parquet")}


@pytest.fixture(scope="session")
def survey_folder(tmp_path_factory):
    """Return the folder that holds the embedded repository, measured."""
    return tmp_path_factory.getbasetemp() / "embedded"


@pytest.fixture(scope="session")
def repository(survey_folder):
    """Return the embedded repository."""
    return embedded_repository(survey_folder)


@pytest.fixture
def run(tmp_path, monkeypatch, survey_folder):
    """Return the command line in an empty folder, where nothing has been measured or accepted."""
    monkeypatch.setenv("RERUN_HARNESS_CACHE", str(survey_folder))
    for name in ("CI", "GITHUB_ACTIONS", "BUILD_ID", "PYTEST_ADDOPTS"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return CommandLine(folder)


@pytest.fixture
def measured(run, survey_folder):
    """Return the command line where all three reruns are measured, with the baseline that comes with the harness."""
    shutil.copytree(_measured_once(survey_folder / "measured"), run.store, copy_function=os.link)
    shutil.copytree(shipped("baselines"), run.baselines)
    return run


@cache
def _measured_once(folder):
    folder.mkdir(parents=True)
    run = CommandLine(folder)
    run("measure", "--rerun", APRIL, "--rerun", JUNE, "--reference", MAY)
    run("measure", "--rerun", MAY, "--reference", APRIL)
    return run.store


@cache
def survey_tables(rerun):
    """Return the tables of one of the survey's reruns by canonical name, and its geometry as ``ccdVisitTable``."""
    parts = {}
    for name, _, table in load_survey().tables(rerun):
        parts.setdefault(name, []).append(table)
    stored = {name: pa.concat_tables(tables) for name, tables in parts.items()}
    tables = {table: stored[name] for table, name in _STORED_AS.items()}
    return {**tables, "ccdVisitTable": stored["ccdVisitTable"]}


def write_rerun(folder, name, tables, **versions):
    """Write tables (by canonical name) as a rerun in a folder of files; return the ``rerun.toml``."""
    place = Path(folder) / name
    place.mkdir(parents=True)
    lines = [f'name = "{name}"', 'instrument = "DECam"', 'dataset = "hits2015"']
    for table, rows in tables.items():
        pq.write_table(rows, place / f"{table}.parquet")
        section = "regions" if table == "ccdVisitTable" else f"tables.{table}"
        key = f'file = "{table}.parquet"' if section == "regions" else f'files = ["{table}.parquet"]'
        lines += [f"[{section}]", key]
    toml = place / "rerun.toml"
    toml.write_text("\n".join(lines) + "\n")
    return toml


def column_set(table, name, values):
    """Return a table with other values in one column."""
    index = table.schema.get_field_index(name)
    return table.set_column(index, name, pa.array(values).cast(table.schema.field(name).type))


def cut_short(path, keep=0.5):
    """Cut a file short, as a writer that was killed leaves it; other links to it stay whole."""
    content = Path(path).read_bytes()
    Path(path).unlink()
    Path(path).write_bytes(content[: int(len(content) * keep)])
