"""Any number of workers, any executor, any order and grouping: the same numbers and the same verdicts."""

from __future__ import annotations

import pickle
import random
from concurrent.futures import Executor, Future, ThreadPoolExecutor

import pytest
from embedded_survey import JUNE, MAY

from harness.judge import resample
from harness.measure import tasks
from harness.measure.families import pair_tasks, rerun_tasks
from harness.measure.run import measure
from harness.measure.store import MeasurementStore
from harness.metrics.settings import Settings
from harness.rerun import open_rerun

VERIFY = ("verify", "--rerun", JUNE, "--format", "json")


def _content(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


class _Backwards(Executor):
    """Runs so many tasks once it has them all, the last first."""

    def __init__(self, count):
        self._count = count
        self._waiting = []

    def submit(self, function, /, *args, **kwargs):
        future = Future()
        self._waiting.append((future, function, args, kwargs))
        if len(self._waiting) == self._count:
            for waiting, run, positional, named in reversed(self._waiting):
                waiting.set_result(run(*positional, **named))
        return future


@pytest.mark.slow
def test_two_processes_measure_the_same_bytes(measured):
    """``-j 2`` stores what ``-j 1`` stores, to the last byte."""
    one = _content(measured.store)
    measured.store = measured.folder / "fresh"
    measured("measure", "--rerun", JUNE, "--reference", MAY, "-j", 2)
    two = _content(measured.store)
    assert two == {name: one[name] for name in two}
    assert any(JUNE in name for name in two)


@pytest.mark.parametrize("executor", [lambda _: ThreadPoolExecutor(3), _Backwards], ids=["threads", "backwards"])
def test_any_executor_will_do(measured, repository, executor):
    """Threads, or an executor that turns the order around, measure the same bytes."""
    store = MeasurementStore(measured.folder / "fresh")
    rerun = open_rerun(str(repository), JUNE)
    with executor(len(rerun_tasks(rerun, Settings()))) as workers:
        measure(rerun, Settings(), store, executor=workers)
    stored, expected = _content(store.root), _content(measured.store)
    assert stored == {name: expected[name] for name in stored}


def test_tasks_are_small(repository):
    """A task carries references, never arrays: less than 10 kB each, and 500 kB for the whole survey."""
    rerun, reference = (open_rerun(str(repository), name) for name in (JUNE, MAY))
    made = rerun_tasks(rerun, Settings()) + pair_tasks(rerun, reference, Settings())
    sizes = [len(pickle.dumps(task)) for task in made]
    assert len(sizes) > 50
    assert max(sizes) < 10_000
    assert pickle.loads(pickle.dumps(made[0])) == made[0]


def test_same_input_gives_the_same_verdict(measured):
    """Judged twice, every interval and every sentence is the same."""
    assert measured(*VERIFY).out == measured(*VERIFY).out


@pytest.mark.slow
@pytest.mark.parametrize("shards", [1, 5])
def test_grouping_of_visits_makes_no_difference(measured, monkeypatch, shards):
    """However visits are bundled into shards, numbers and verdicts are the same."""
    expected = measured(*VERIFY).json
    monkeypatch.setattr(tasks, "_MAX_SHARDS", shards)
    measured.store = measured.folder / "bundled"
    assert measured(*VERIFY).json == expected
    assert len([path for path in measured.shards if JUNE in str(path) and "sources-" in path.name]) == shards


def test_order_of_visits_makes_no_difference(measured, monkeypatch):
    """Shards read in another order give the same numbers and verdicts."""
    expected = measured(*VERIFY).json
    read = MeasurementStore.read_shards

    def shuffled(store, folder, filenames):
        names = list(filenames)
        random.Random(3).shuffle(names)
        return read(store, folder, tuple(names))

    monkeypatch.setattr(MeasurementStore, "read_shards", shuffled)
    assert measured(*VERIFY).json == expected


def test_unseeded_sample_is_caught(measured, monkeypatch):
    """Were the draws not seeded, the same input would give another interval: this comparison would notice."""
    import numpy as np

    def unseeded(n_units, draws=resample.DRAWS):
        counts = np.random.default_rng().multinomial(n_units, np.full(n_units, 1 / n_units), size=draws)
        return counts.astype(np.float32)

    monkeypatch.setattr(resample, "weights", unseeded)
    assert measured(*VERIFY).out != measured(*VERIFY).out
