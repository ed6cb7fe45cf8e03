"""A wheel built from the checkout works where there is no checkout, with nothing but what it requires."""

from __future__ import annotations

import subprocess
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

import harness

pytestmark = pytest.mark.slow

OWN_CHECK = '''
def test_rerun_has_sources_in_most_visits(rerun, expect):
    """A check of one's own."""
    expect(rerun["dia.numSources"]).above(10_000)


def test_sources_are_far_fewer(rerun, expect):
    """A check of one's own that does not hold."""
    expect(rerun["dia.numSources"]).below(100)
'''


@dataclass(frozen=True)
class Installed:
    """An environment into which only the wheel was installed."""

    wheel: Path
    programs: Path
    environment: dict[str, str]

    def run(self, folder, program, *arguments):
        """Run a program of the environment in a folder; return what came of it, both streams in ``stdout``."""
        return subprocess.run(
            [self.programs / program, *arguments],
            cwd=folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=900,
        )


@pytest.fixture(scope="module")
def installed(checkout, user_environment, tmp_path_factory):
    """Build the wheel and install it into an environment of its own."""
    folder = tmp_path_factory.mktemp("wheel")
    script = f"""
        set -e
        python3 -m venv {folder}/venv
        {folder}/venv/bin/pip wheel -q --no-deps -w {folder} {checkout}
        {folder}/venv/bin/pip install -q {folder}/*.whl
    """
    done = subprocess.run(
        ["bash", "-c", script], cwd=folder, env=user_environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    (wheel,) = folder.glob("*.whl")
    return Installed(wheel, folder / "venv" / "bin", user_environment)


def test_wheel_holds_the_package_and_nothing_else(installed):
    """Checks, baselines and the embedded survey travel inside; caches and the project's own tests do not."""
    names = zipfile.ZipFile(installed.wheel).namelist()
    for part in ("baselines/hits2015.json", "fixtures/survey/__init__.py", "verification/test_dia.py"):
        assert f"harness/_shipped/{part}" in names
    assert {name.split("/")[0].split("-")[0] for name in names} == {"harness", "rerun_harness"}
    assert [name for name in names if "__pycache__" in name or "/unit/" in name] == []


def test_nothing_of_the_checkout_is_imported(installed, tmp_path):
    """The package, its checks and its survey all lie in the environment, which has no test extras."""
    script = (
        "import harness, harness.shipped as s, importlib.util as u;"
        "print(harness.__file__, *map(s.shipped, ('baselines', 'fixtures', 'verification')), sep='\\n');"
        "print(u.find_spec('hypothesis'), u.find_spec('xdist'), u.find_spec('psycopg2'))"
    )
    done = installed.run(tmp_path, "python", "-c", script)
    *paths, extras = done.stdout.splitlines()
    assert len(paths) == 4, done.stdout
    assert all(Path(path).is_relative_to(installed.programs.parent) for path in paths)
    assert extras == "None None None"


def test_command_tells_its_version(installed, tmp_path):
    """The version is that of the checkout."""
    done = installed.run(tmp_path, "rerun-harness", "--version")
    assert (done.returncode, done.stdout) == (0, f"rerun-harness, version {harness.__version__}\n")


def test_main_job_passes_in_an_empty_folder(installed, tmp_path):
    """The embedded survey is judged by the baseline inside, and nothing is left in the folder."""
    done = installed.run(tmp_path, "rerun-harness", "verify")
    assert done.returncode == 0, done.stdout
    assert "w_2020_24 of the embedded repository against w_2020_20 and baseline hits2015" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_own_checks_run_under_plain_pytest(installed, tmp_path):
    """In a repository of one's own, pytest judges what is measured, and a failure tells its story in one line."""
    installed.run(tmp_path, "rerun-harness", "init", "my-checks")
    folder = tmp_path / "my-checks"
    (folder / "tests" / "verification" / "test_mine.py").write_text(OWN_CHECK)
    measured = installed.run(folder, "rerun-harness", "measure", "--rerun", "w_2020_24", "--reference", "w_2020_20")
    assert measured.returncode == 0, measured.stdout
    done = installed.run(folder, "pytest", "--rerun=w_2020_24", "--reference=w_2020_20", "-k", "test_mine or test_own")
    assert done.returncode == 1, done.stdout
    assert "FAILED tests/verification/test_mine.py::test_sources_are_far_fewer[w_2020_24]" in done.stdout
    assert "dia.numSources = 19176" in done.stdout
    assert "1 failed, 3 passed" in done.stdout.splitlines()[-1]


def test_database_without_its_driver_is_one_sentence(installed, tmp_path):
    """PostgreSQL is an extra: without it, one line says what to install."""
    done = installed.run(tmp_path, "rerun-harness", "verify", "--repo", "postgresql://nowhere/apdb", "--rerun", "w_1")
    assert done.returncode == 2
    assert done.stdout.startswith("Error: ")
    assert done.stdout.count("\n") == 1
    assert "rerun-harness[postgresql]" in done.stdout
