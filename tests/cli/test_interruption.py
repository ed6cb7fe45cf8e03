"""Killed and interrupted: what is finished is kept, what is not leaves no trace, and the same command goes on."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from embedded_survey import JUNE, MAY

pytestmark = pytest.mark.slow

MEASURE = ("measure", "--rerun", JUNE, "--reference", MAY)


def _start(run, *arguments):
    """Start a command in a process of its own, the leader of its own group."""
    program = [sys.executable, "-c", "from harness.cli import main; main()", *map(str, arguments)]
    return subprocess.Popen(
        program, cwd=run.folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def _wait_for_shards(run, process, count):
    """Wait until so many shards are stored, or the command has ended."""
    deadline = time.monotonic() + 120
    while len(list(run.store.rglob("*.parquet"))) < count and process.poll() is None:
        assert time.monotonic() < deadline, "nothing was measured"
        time.sleep(0.002)


def _children(pid):
    """Return the processes that a process has started."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid and fields[0] != "Z":
            found.append(int(status.parent.name))
    return found


def _wait_for_end(pids):
    """Return those of some processes that are still there after a while."""
    deadline = time.monotonic() + 20
    while (left := [pid for pid in pids if Path(f"/proc/{pid}").exists()]) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


def _content(run):
    """Return the bytes of everything that is stored, by its place in the store."""
    return {str(path.relative_to(run.store)): path.read_bytes() for path in run.store.rglob("*") if path.is_file()}


@pytest.fixture
def undisturbed(measured):
    """Return what a run that nothing disturbs leaves behind."""
    stored = _content(measured)
    measured.store = measured.folder / "fresh"
    return {name: content for name, content in stored.items() if JUNE in name or (MAY in name and "/own/" in name)}


def _is_whole(run):
    """Require that every file under a final name can be read, and return how many there are."""
    paths = [path for path in run.store.rglob("*.parquet") if not path.name.startswith(".")]
    for path in paths:
        pq.read_table(path)
    return len(paths)


@pytest.mark.parametrize("workers", [1, 2])
def test_killed_measurement_resumes(undisturbed, measured, workers):
    """SIGKILL at random moments: no half file, nothing made twice, and in the end the very same bytes."""
    choose = random.Random(workers)
    arguments = (*MEASURE, "--measurements", measured.store, "-j", workers)
    done = 0
    for _ in range(3):
        process = _start(measured, *arguments)
        _wait_for_shards(measured, process, done + choose.randint(1, 12))
        time.sleep(choose.uniform(0, 0.03))
        children = _children(process.pid)
        process.kill()
        process.communicate(timeout=60)
        assert _wait_for_end(children) == []
        done = _is_whole(measured)
        kept = measured.shards
        assert kept
    before = measured.shards
    measured(*MEASURE, "-j", workers)
    assert measured.shards.items() >= before.items()
    assert _content_without_leftovers(measured) == undisturbed


def _content_without_leftovers(run):
    return {name: content for name, content in _content(run).items() if not name.endswith(".tmp")}


def test_killed_worker_is_told(undisturbed, measured):
    """A worker that dies ends the command with one line; called again, it completes."""
    arguments = (*MEASURE, "--measurements", measured.store, "-j", 2)
    process = _start(measured, *arguments)
    _wait_for_shards(measured, process, 3)
    workers = [pid for pid in _children(process.pid) if "spawn_main" in Path(f"/proc/{pid}/cmdline").read_text()]
    os.kill(workers[0], signal.SIGKILL)
    errors = process.communicate(timeout=60)[1]
    assert process.returncode == 2
    assert "Traceback" not in errors
    assert errors.splitlines()[-1].startswith("Error: a worker process died")
    assert _wait_for_end(workers) == []
    kept = measured.shards
    measured(*MEASURE)
    assert measured.shards.items() >= kept.items()
    assert _content_without_leftovers(measured) == undisturbed


@pytest.mark.parametrize("workers", [1, 2])
def test_interrupted_measurement_resumes(measured, workers):
    """Ctrl-C ends with one line and exit code 130, stops what was queued, and the same command goes on."""
    measured.store = measured.folder / "fresh"
    process = _start(measured, *MEASURE, "--measurements", measured.store, "-j", workers)
    _wait_for_shards(measured, process, 5)
    os.killpg(process.pid, signal.SIGINT)  # what a terminal does: the whole group hears it
    errors = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    complaints = [line for line in errors.splitlines() if not line.startswith("measuring ")]
    assert complaints == ["Interrupted: finished measurements are kept, everything else is as it was"]
    kept = measured.shards
    assert 5 <= len(kept) < 40
    measured(*MEASURE)
    assert measured.shards.items() >= kept.items()


def test_terminated_measurement_leaves_no_workers(measured):
    """SIGTERM, as a batch system sends it, takes the workers along."""
    measured.store = measured.folder / "fresh"
    process = _start(measured, *MEASURE, "--measurements", measured.store, "-j", 2)
    _wait_for_shards(measured, process, 3)
    children = _children(process.pid)
    process.terminate()
    process.communicate(timeout=60)
    assert _wait_for_end(children) == []


def test_interrupted_judging_is_no_verdict(measured):
    """Ctrl-C while pytest judges is an interruption, not a verdict about what had been judged by then."""
    checks = measured.folder / "test_slow.py"
    ready = measured.folder / "ready"
    checks.write_text(
        "import pathlib, time\n\n"
        "def test_first(rerun, expect):\n    expect(rerun['dia.numSources']).within(0, 9e9)\n\n"
        f"def test_second(rerun):\n    pathlib.Path({str(ready)!r}).touch()\n    time.sleep(60)\n"
    )
    process = _start(measured, "verify", "--rerun", JUNE, "--measurements", measured.store, "--checks", checks)
    while not ready.exists() and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    errors = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert errors.splitlines()[-1].startswith("Interrupted")


def test_killed_acceptance_is_all_or_nothing(measured):
    """SIGKILL in the middle of ``accept``: the baseline is the old one or the new one, and can be written at once."""
    path = measured.baselines / "hits2015.json"
    old = path.read_bytes()
    story = ("--reason", "as it should be", "--by", "A. Person")
    arguments = ("accept", JUNE, "dia.numSources", "--measurements", measured.store, *story)
    choose = random.Random(7)
    there = {found.name for found in measured.baselines.glob("*.json")}
    began = time.monotonic()
    _start(measured, *arguments, "--dry-run").communicate(timeout=60)
    duration = time.monotonic() - began
    for _ in range(4):
        process = _start(measured, *arguments)
        time.sleep(duration * choose.uniform(0.6, 1.1))
        process.kill()
        process.communicate(timeout=60)
        assert measured("check", "--format", "json").json["rows"] == []
        if path.read_bytes() != old:
            break
    if path.read_bytes() == old:
        measured(*arguments[:3], *story)  # no kill came late enough
    assert b'"value": 19176.0' in path.read_bytes()
    assert {found.name for found in measured.baselines.glob("*.json")} == there
