"""Measure reruns: find what is missing from the store, make it through an executor, declare it complete."""

from __future__ import annotations

import os
from concurrent.futures import BrokenExecutor, Executor, as_completed
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, Protocol

import harness
from harness.errors import HarnessError
from harness.measure.families import families_of, pair_tasks, rerun_tasks, run_task, summary_tasks
from harness.measure.store import Manifest, MeasurementStore, table_filename
from harness.measure.tasks import UNREADABLE
from harness.model import digest_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from concurrent.futures import Future
    from pathlib import Path

    from harness.measure.tasks import Made, Task
    from harness.metrics.settings import Settings
    from harness.rerun.protocol import Rerun, RerunRef

__all__ = ["OWN", "Progress", "measure", "measure_pair", "pair_suite", "process_executor"]

OWN = "own"
"""The suite of what is measured of one rerun alone."""


class Progress(Protocol):
    """What long work reports to: a bar on a terminal, plain lines elsewhere, nothing in a library call."""

    def __call__(self, done: int, total: int, what: str, /) -> None:
        """Take note that ``done`` of ``total`` shards of ``what`` are finished."""


def process_executor(workers: int) -> AbstractContextManager[Executor | None]:
    """Return an executor of spawned processes, or of none: one worker runs in this process.

    Processes are spawned and not forked: compiled kernels and database drivers hold threads that a fork would break.
    """
    if workers <= 1:
        return nullcontext()
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    return ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"), initializer=_depend_on_parent)


def _depend_on_parent() -> None:
    """Leave Ctrl-C to the parent, and end with it: a worker that waits for work outlives a parent that is killed."""
    import signal
    from multiprocessing import parent_process
    from threading import Thread

    parent = parent_process()
    if parent is None:
        raise AssertionError("the initializer of a worker process runs in a worker process")

    def follow() -> None:
        parent.join()
        os._exit(1)

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=follow, daemon=True).start()


def measure(
    rerun: Rerun,
    settings: Settings,
    store: MeasurementStore,
    *,
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> Manifest:
    """Measure what is not measured yet of one rerun.

    Parameters
    ----------
    rerun
        What to measure.
    settings
        What the definitions depend on.
    store
        Where measurements are kept; finished shards with the same inputs are not made again.
    executor
        Runs the tasks; None runs them one after the other in this process.
    progress
        Called after each shard.

    Returns
    -------
    manifest : `Manifest`
        What the complete measurement consists of.

    Raises
    ------
    harness.errors.HarnessError
        When some of the input cannot be read.  Everything else has been measured and stored by then, so that the next
        call only makes what failed.
    """
    tasks = rerun_tasks(rerun, settings)
    return _complete(OWN, rerun, None, tasks, store, executor=executor, progress=progress)


def measure_pair(
    rerun: Rerun,
    reference: Rerun,
    settings: Settings,
    store: MeasurementStore,
    *,
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> Manifest | None:
    """Measure what is not measured yet of two reruns side by side, such as churn and changed columns.

    Parameters and errors are those of `measure`.  Returns None when there is nothing to measure side by side.
    """
    tasks = pair_tasks(rerun, reference, settings)
    if not tasks:
        return None
    return _complete(pair_suite(reference.ref), rerun, reference, tasks, store, executor=executor, progress=progress)


def pair_suite(reference: RerunRef) -> str:
    """Return the name of the suite that measures a rerun against this reference."""
    return f"pair-{digest_of([reference.repo, reference.name])[:8]}"


def _complete(
    suite: str,
    rerun: Rerun,
    reference: Rerun | None,
    tasks: Sequence[Task],
    store: MeasurementStore,
    *,
    executor: Executor | None,
    progress: Progress | None,
) -> Manifest:
    from harness.metrics.dia_sources import combine_digests

    folder = store.folder(rerun.ref, suite)
    settings = asdict(tasks[0].settings)
    summaries = summary_tasks(rerun, tasks) if reference is None else {}
    shards = tuple(task.filename for task in (*tasks, *summaries))
    known = store.read_manifest(folder, settings)
    notes = {shard: store.shard_metadata(folder / shard) for shard in shards}
    for shard, note in notes.items():
        if note is not None and note.get(UNREADABLE):  # what could not be read may have been restored
            notes[shard] = None
    missing = [task for task in tasks if notes[task.filename] is None]
    if known is not None and known.shards == shards and not any(note is None for note in notes.values()):
        return known
    store.forget_manifest(folder, settings)
    label = rerun.name if reference is None else f"{rerun.name} against {reference.name}"
    opened = {side.ref: side for side in (rerun, reference) if side is not None}
    for filename, note in _run(missing, folder, opened, executor=executor, progress=progress, label=label):
        notes[filename] = note
    anew = {task.filename for task in missing}
    for task, (summary, parts) in summaries.items():
        if notes[task.filename] is None or anew.intersection(parts):
            made = summary.make(partial(store.read_tables, folder, parts), rerun, task.settings)
            notes[task.filename] = _store_shard(task, folder, made)

    provenance = rerun.provenance()
    contents = [note["content"] for note in notes.values() if note and "content" in note]
    rows = combine_digests(contents) if contents else ""
    manifest = Manifest(
        rerun=rerun.name,
        source=provenance.source,
        suite=suite,
        settings=settings,
        shards=shards,
        inputs=digest_of(sorted({task.inputs for task in tasks})),
        rows=rows,
        content=digest_of([rows, list(rerun.tables["diaSource"].stored_columns)]) if rows else "",
        harness=harness.__version__,
        datasets=dict(provenance.inputs),
        versions=dict(provenance.versions),
        schema=provenance.schema,
        families=tuple(family.name for family in families_of(rerun)),
        reference="" if reference is None else reference.name,
    )
    store.write_manifest(folder, manifest)
    return manifest


def _run(
    tasks: Sequence[Task],
    folder: Path,
    opened: Mapping[RerunRef, Rerun],
    *,
    executor: Executor | None,
    progress: Progress | None,
    label: str,
) -> list[tuple[str, dict[str, Any]]]:
    """Make shards, all that can be made, and then complain about the rest."""
    done: list[tuple[str, dict[str, Any]]] = []
    failed: list[HarnessError] = []
    futures: list[Future[tuple[str, dict[str, Any]]]] = []
    results: Iterable[Callable[[], tuple[str, dict[str, Any]]]]
    try:
        if executor is None:
            results = (partial(_make_shard, task, folder, opened.__getitem__) for task in tasks)
        else:
            futures += [executor.submit(make_shard, task, folder) for task in tasks]
            results = (future.result for future in as_completed(futures))
        for count, result in enumerate(results, start=1):
            try:
                done.append(result())
            except HarnessError as fault:
                failed.append(fault)
            if progress is not None:
                progress(count, len(tasks), label)
    except BrokenExecutor:
        raise HarnessError(
            "a worker process died (out of memory, or killed); what it had finished is stored, so call it again, "
            "perhaps with fewer workers"
        ) from None
    finally:
        for future in futures:  # after Ctrl-C nobody waits for them
            future.cancel()
    if failed:
        others = f" ({len(failed) - 1} more like it)" if len(failed) > 1 else ""
        raise type(failed[0])(f"{failed[0]}{others}")
    return done


def make_shard(task: Task, folder: Path) -> tuple[str, dict[str, Any]]:
    """Measure one task and store its shard; what an executor is given to run.

    Raises
    ------
    harness.errors.HarnessError
        When the input cannot be read or the shard cannot be written.
    """
    return _make_shard(task, folder, _opened_here)


@lru_cache(maxsize=2)
def _opened_here(ref: RerunRef) -> Rerun:
    """Open a rerun once in a worker process, which lives no longer than its executor."""
    from harness.rerun import open_ref

    return open_ref(ref)


def _make_shard(task: Task, folder: Path, opened: Callable[[RerunRef], Rerun]) -> tuple[str, dict[str, Any]]:
    try:
        made = run_task(task, opened)
    except OSError as fault:  # no input that cannot be read, which says so itself, but a disk or memory that is full
        raise HarnessError(f"cannot measure {task.kind} {task.key} of {task.rerun.name}: {fault}") from None
    return task.filename, _store_shard(task, folder, made)


def _store_shard(task: Task, folder: Path, made: Made) -> dict[str, Any]:
    metadata = {"harness": harness.__version__, "kind": task.kind, "inputs": task.inputs, **made.notes}
    store = MeasurementStore(folder)
    for name, table in made.tables.items():  # before the shard, whose presence says that all is there
        store.write_shard(folder, table_filename(task.filename, name), table, {"kind": task.kind})
    store.write_shard(folder, task.filename, made.rows, metadata | {"tables": list(made.tables)})
    return metadata
