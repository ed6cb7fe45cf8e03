"""The embedded repository in the cache: built once, whole or not at all."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from harness import embedded
from harness.embedded import (
    EMBEDDED_DATASETS,
    cache_folder,
    embedded_repository,
    load_images,
    load_sensor,
    load_survey,
)
from harness.errors import UsageError

BUILD = """
import json, sys
from pathlib import Path
from harness.embedded import embedded_repository, load_sensor
sensor = load_sensor()
lines = []
def progress(line):
    lines.append(line)
    print("progress", line, flush=True)
root = embedded_repository(Path(sys.argv[1]), progress)
loaded_once = sys.modules[sensor.__name__] is sensor
print(json.dumps({"root": str(root), "lines": lines, "loaded_once": loaded_once}), flush=True)
"""

FULL_DISK = """
import resource, sys
from pathlib import Path
from harness.embedded import embedded_repository
from harness.errors import HarnessError
limit = int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
try:
    embedded_repository(Path(sys.argv[1]))
except HarnessError as error:
    print(error)
    sys.exit(error.exit_code)
"""


def start(cache: Path) -> subprocess.Popen[str]:
    """Start a process that builds into a cache folder."""
    return subprocess.Popen([sys.executable, "-c", BUILD, str(cache)], stdout=subprocess.PIPE, text=True)


@dataclass
class History:
    """What happened when one process was killed while it built, and two others then started at once."""

    cache: Path
    left_by_the_killed: list[str]
    exit_codes: list[int]
    roots: set[str]
    loaded_once: list[bool]
    builders: int


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> History:
    """Kill a process with SIGKILL in the middle of the second rerun, then let two processes build at once."""
    cache = tmp_path_factory.mktemp("cache")
    killed = start(cache)
    assert killed.stdout is not None
    for line in killed.stdout:
        if "w_2020_20" in line:
            os.kill(killed.pid, signal.SIGKILL)
            break
    killed.wait(timeout=60)
    killed.stdout.close()
    left = sorted(path.name for path in cache.iterdir())

    both = [start(cache), start(cache)]
    answers = [json.loads(process.communicate(timeout=300)[0].splitlines()[-1]) for process in both]
    return History(
        cache=cache,
        left_by_the_killed=left,
        exit_codes=[process.returncode for process in both],
        roots={answer["root"] for answer in answers},
        loaded_once=[answer["loaded_once"] for answer in answers],
        builders=sum(bool(answer["lines"]) for answer in answers),
    )


def test_killed_build_leaves_nothing_that_looks_finished(history: History) -> None:
    """After a SIGKILL there is a partial folder and a lock file, but no repository."""
    assert [name.split("-")[0] for name in history.left_by_the_killed] == ["embedded", "partial"]
    assert history.left_by_the_killed[0].endswith(".lock")


def test_two_processes_at_once_build_one_repository_after_a_kill(history: History) -> None:
    """Both get the same complete repository, only one has built it, and the partial one is gone."""
    assert history.exit_codes == [0, 0]
    assert len(history.roots) == 1
    assert history.builders == 1
    assert not list(history.cache.glob("partial-*"))

    from lsst.daf.butler import Butler

    butler = Butler.from_config(history.roots.pop())
    for rerun in EMBEDDED_DATASETS["hits2015"]:
        assert len(butler.query_datasets("diaSource", collections=rerun, limit=None)) == 24 * 6
    for rerun in EMBEDDED_DATASETS["rtm007"]:
        assert len(butler.query_datasets("raw", collections=rerun, limit=None)) == 33


def test_packages_are_loaded_once(history: History) -> None:
    """Building does not load a package beside the one that is there: they would share its submodules."""
    assert history.loaded_once == [True, True]


def test_second_call_builds_nothing(history: History) -> None:
    """A repository that is there is used as it is, without a lock."""
    lines: list[str] = []
    before = {path: path.stat().st_mtime_ns for path in history.cache.rglob("*")}
    root = embedded_repository(history.cache, lines.append)
    assert root.parent == history.cache
    assert (root / "butler.yaml").is_file()
    assert lines == []
    assert before == {path: path.stat().st_mtime_ns for path in history.cache.rglob("*")}


@pytest.mark.parametrize("limit", [2_000, 100_000])
def test_full_disk_gives_one_sentence_and_leaves_nothing_behind(tmp_path: Path, limit: int) -> None:
    """When a file cannot grow, the error names folder, reason and way out, and the partial build is gone."""
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path), str(limit)],
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 2, done.stderr
    assert done.stdout.startswith(f"cannot build the embedded repository in {tmp_path} (")
    assert done.stdout.endswith("; set RERUN_HARNESS_CACHE to a folder that can be written and has 100 MB to spare\n")
    assert done.stdout.count("\n") == 1
    assert [path.suffix for path in tmp_path.iterdir()] == [".lock"]


def test_cache_that_cannot_be_written_gives_one_sentence(tmp_path: Path) -> None:
    """A cache folder below a file can be made by nobody; the error says what to set."""
    (tmp_path / "file").touch()
    with pytest.raises(
        UsageError, match=r"^cannot build .* in .*file/cache \(Not a directory\); set RERUN_HARNESS_CACHE"
    ):
        embedded_repository(tmp_path / "file" / "cache")


def test_cache_folder_follows_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Our own variable wins over that of the desktop, which wins over the home folder."""
    monkeypatch.setenv("RERUN_HARNESS_CACHE", "/own")
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    assert cache_folder() == Path("/own")
    monkeypatch.delenv("RERUN_HARNESS_CACHE")
    assert cache_folder() == Path("/xdg/rerun-harness")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/somebody")
    monkeypatch.setattr(sys, "platform", "linux")
    assert cache_folder() == Path("/home/somebody/.cache/rerun-harness")
    monkeypatch.setattr(sys, "platform", "darwin")
    assert cache_folder() == Path("/home/somebody/Library/Caches/rerun-harness")


def test_names_are_those_of_the_packages() -> None:
    """The reruns that the harness announces are the ones that survey, sensor and images have."""
    images = load_images()
    assert EMBEDDED_DATASETS == {
        "hits2015": load_survey().RERUNS,
        "rtm007": load_sensor().RERUNS,
        "latiss": images.latiss_truth.RERUNS,
        "dp02": images.dp02_truth.RERUNS,
        "hsc_sprint": images.flavors.RERUNS,
    }


@pytest.mark.parametrize(
    ("dataset", "part"),
    [
        ("hits2015", "survey"),
        ("rtm007", "sensor"),
        ("latiss", "images"),
        ("hsc_sprint", "images"),
        ("hsc_sprint", "images/flavors"),
    ],
)
def test_repository_changes_its_name_with_its_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dataset: str, part: str
) -> None:
    """A changed source file, or another version of Butler, gives another repository and never a stale one."""
    monkeypatch.setattr(embedded, "shipped", lambda name: tmp_path)
    (tmp_path / part).mkdir(parents=True)
    source = tmp_path / part / "__init__.py"

    def root(text: str, butler: str) -> Path:
        source.write_text(text)
        monkeypatch.setattr(embedded, "version", lambda name: butler)
        packages = embedded._PACKAGES.get(dataset, embedded._OF_TABLES)
        (tmp_path / f"embedded-{embedded._key(packages)}").mkdir(exist_ok=True)
        return embedded_repository(tmp_path, dataset=dataset)

    assert root("one", "30") == root("one", "30")
    assert len({root("one", "30"), root("two", "30"), root("one", "31")}) == 3


def test_flavors_have_a_repository_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asks for LATISS does not wait for the flavors, nor for a repository to change because they do."""
    monkeypatch.setattr(embedded, "shipped", lambda name: tmp_path)
    (tmp_path / "images" / "flavors").mkdir(parents=True)
    source = tmp_path / "images" / "flavors" / "design.py"
    keys = []
    for text in ("one", "two"):
        source.write_text(text)
        keys.append([embedded._key(embedded._PACKAGES[dataset]) for dataset in ("latiss", "dp02", "hsc_sprint")])
    assert keys[0][0] == keys[0][1] == keys[1][0]
    assert len({keys[0][0], keys[0][2], keys[1][2]}) == 3


@pytest.mark.parametrize(("load", "part"), [(load_survey, "survey"), (load_sensor, "sensor"), (load_images, "images")])
def test_missing_part_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, load: Any, part: str) -> None:
    """An installation without survey or sensor says so."""
    monkeypatch.setattr(embedded, "shipped", lambda name: tmp_path)
    with pytest.raises(UsageError, match=rf"the embedded {part} is missing in .*{part}; install rerun-harness again"):
        load.__wrapped__()
