"""Killed at any moment, the next night completes the same work: each rerun once, each announcement at least once."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time

import pyarrow.parquet as pq
import pytest

#: Spends a night; where a name is given, kills itself before or after that has been called for the n-th time.
NIGHT = """
import importlib, os, signal, sys
from pathlib import Path
from harness.nightly.config import read_nightly_toml
from harness.nightly.run import nightly

def ends(module, path, when, count):
    owner = importlib.import_module(module)
    *outer, name = path.split(".")
    for each in outer:
        owner = getattr(owner, each)
    function, calls = getattr(owner, name), []
    def last(*args, **kwargs):
        calls.append(1)
        if when == "before" and len(calls) == int(count):
            os.kill(os.getpid(), signal.SIGKILL)
        result = function(*args, **kwargs)
        if when == "after" and len(calls) == int(count):
            os.kill(os.getpid(), signal.SIGKILL)
        return result
    setattr(owner, name, last)

if sys.argv[2:]:
    ends(*sys.argv[2:])
night = nightly(read_nightly_toml(Path(sys.argv[1])))
sys.exit(night.exit_code)
"""


def start(place, *end):
    """Start a night in a process of its own."""
    command = [sys.executable, "-c", NIGHT, str(place.folder / "nightly.toml"), *map(str, end)]
    return subprocess.Popen(command, cwd=place.folder, stderr=subprocess.PIPE, text=True)


def killed(place, *end):
    """Spend a night that ends itself."""
    process = start(place, *end)
    errors = process.communicate(timeout=60)[1]
    assert process.returncode == -signal.SIGKILL, errors


def is_complete(place):
    """Require that all reruns were judged, kept, reported and announced, and that every file is whole."""
    assert place.history == ["w_1", "w_2", "w_3"]
    assert len(place.files("nightly/reports/mine/w_*.html")) == 3
    assert set(place.messages) == {"w_3 of mine: 1 judged: 1 FAIL; 1 new"}
    assert place.files("nightly/announcements/pending/*.txt") == []
    assert not (place.folder / "nightly" / "again").exists()
    assert not (place.folder / "nightly" / "lock").exists()
    for path in place.folder.glob("history/mine/*.parquet"):
        pq.read_table(path)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("end", "announced"),
    [
        (("harness.nightly.judged", "judge_with_pytest", "before", 1), 1),
        (("harness.nightly.judged", "judge_with_pytest", "before", 3), 1),  # of what was measured once more
        (("harness.nightly.keep", "report_page", "after", 3), 1),
        (("harness.nightly.keep", "Outbox.put", "before", 1), 1),
        (("harness.nightly.keep", "Outbox.put", "after", 1), 1),
        (("harness.nightly.keep", "HistoryStore.append", "before", 3), 1),
        (("harness.history.store", "write_atomic", "before", 2), 1),
        (("harness.nightly.keep", "HistoryStore.append", "after", 3), 1),
        (("harness.nightly.keep", "announce", "before", 1), 1),
        (("harness.nightly.announce", "_run", "after", 1), 2),  # told, and not yet crossed out
        (("harness.nightly.keep", "Outbox.deliver", "after", 4), 1),
    ],
    ids=lambda value: "-".join(map(str, value[1:])) if isinstance(value, tuple) else str(value),
)
def test_killed_at_each_step(place, end, announced):
    """What was done stays, what was not is done by the next night; told twice at the worst, never not at all."""
    place.appear("w_3", 1.1)
    killed(place, *end)
    for path in place.folder.glob("history/mine/*.parquet"):
        pq.read_table(path)
    place.night()
    is_complete(place)
    assert len(place.messages) == announced
    night = place.night()
    assert (night.results, night.exit_code) == ([], 0)
    is_complete(place)


@pytest.mark.slow
def test_killed_at_random(place):
    """SIGKILL at random moments, night after night, until one has come through."""
    place.appear("w_3", 1.1)
    choose = random.Random(6)
    for _ in range(6):
        process = start(place)
        time.sleep(choose.uniform(0.8, 2.5))
        process.kill()
        process.communicate(timeout=60)
    place.night()
    is_complete(place)


@pytest.mark.slow
def test_two_at_once_do_the_work_once(place):
    """One does it; the other says who does, and leaves."""
    place.appear("w_3", 1.1)
    script = f'while [ ! -e "{place.folder}/go" ]; do sleep 0.05; done; cat >> "{place.told}"'
    place.configure(announce=f"command = ['sh', '-c', '{script}']")
    first = start(place)
    while not place.files("nightly/announcements/pending/*") and first.poll() is None:
        time.sleep(0.02)
    second = start(place)
    told = second.communicate(timeout=60)[1]
    (place.folder / "go").touch()
    first.communicate(timeout=60)
    assert (first.returncode, second.returncode) == (1, 1)
    assert f"another nightly is at work in {place.folder / 'nightly'}: process {first.pid} on " in told
    is_complete(place)
    assert len(place.messages) == 1


@pytest.mark.slow
def test_lock_of_a_killed_night_is_taken_over(place):
    """A night that was killed does not keep the next one from working."""
    killed(place, "harness.nightly.judged", "judge_with_pytest", "before", 1)
    assert (place.folder / "nightly" / "lock").exists()
    assert place.night().exit_code == 0
    assert [path.name for path in (place.folder / "nightly").iterdir()] == ["reports"]
