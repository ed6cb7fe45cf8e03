"""What there is to do to measure a rerun: small picklable tasks, each of which makes one shard.

A task carries references (repository, rerun, partitions), never arrays, so any `concurrent.futures.Executor` can run it
in another process or on another machine.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, final

import harness
from harness.errors import NotMeasuredError
from harness.model import digest_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pyarrow as pa

    from harness.metrics.settings import Settings
    from harness.rerun.protocol import Partition, Rerun, RerunRef

__all__ = ["DIA", "PAIR", "Task", "dia_tasks", "pair_tasks", "run_task"]

#: The suite of one rerun's metrics, and the suite of two reruns side by side.
DIA = "dia"
PAIR = "pair"

#: More shards than this do not make a resumed run any finer, only the store slower to read.
_MAX_SHARDS = 128


@final
@dataclass(frozen=True, slots=True)
class Task:
    """One shard to be made.

    Attributes
    ----------
    kind
        Which metrics: a key of the table at the end of this module.
    key
        What part of the rerun, readable and unique among tasks of the kind.
    rerun, reference
        What to read; the reference is None unless two reruns are measured together.
    partitions
        Partitions of the kind's main table to read; None reads all of it.
    inputs
        Digest of everything that is read.
    settings
        What the definitions depend on.
    """

    kind: str
    key: str
    rerun: RerunRef
    reference: RerunRef | None
    partitions: tuple[Partition, ...] | None
    inputs: str
    settings: Settings

    @property
    def filename(self) -> str:
        """Name of the shard file; the same work, by the same version of the harness, has the same name."""
        work = digest_of([harness.__version__, self.kind, self.inputs, asdict(self.settings)])
        return f"{self.kind}-{self.key}-{work}.parquet"


def dia_tasks(rerun: Rerun, settings: Settings) -> list[Task]:
    """Return the tasks that measure one rerun's DIA metrics.

    Raises
    ------
    harness.errors.NotMeasuredError
        When the rerun has no DIA source table.
    """
    if "diaSource" not in rerun.tables:
        have = ", ".join(rerun.tables) or "none"
        raise NotMeasuredError(
            f"rerun {rerun.name!r} in {rerun.ref.repo} has no DIA source table (tables found: {have}); "
            "check the collection, or name the table in rerun.toml"
        )
    sources = rerun.tables["diaSource"].partitions()
    places = _content(rerun.regions())
    everything = _inputs([p for table in rerun.tables.values() for p in table.partitions()]) + places

    def task(kind: str, key: str, partitions: Sequence[Partition] | None, inputs: str) -> Task:
        chosen = None if partitions is None else tuple(partitions)
        return Task(kind, key, rerun.ref, None, chosen, inputs, settings)

    tasks = [task("sources", key, group, _inputs(group) + places) for key, group in _grouped(sources)]
    tasks.append(task("structure", "all", None, _inputs(sources)))
    tasks.append(task("objects", "all", None, everything))
    if "source" in rerun.tables:
        groups = _grouped(rerun.tables["source"].partitions())
        tasks += [task("science", key, group, _inputs(group)) for key, group in groups]
    else:
        tasks.append(task("science", "none", (), "none"))
    return tasks


def pair_tasks(rerun: Rerun, reference: Rerun, settings: Settings) -> list[Task]:
    """Return the tasks that measure two reruns against each other: churn, and changed columns."""
    sides = [each.tables["diaSource"].partitions() for each in (rerun, reference)]
    inputs = digest_of([*(_inputs(side) for side in sides), _content(rerun.regions())])
    return [Task(kind, "all", rerun.ref, reference.ref, None, inputs, settings) for kind in ("churn", "columns")]


def run_task(task: Task, opened: Callable[[RerunRef], Rerun]) -> tuple[pa.Table, dict[str, Any]]:
    """Measure one shard.

    Parameters
    ----------
    task
        What to do.
    opened
        Returns a rerun by its reference, opened before or now.

    Returns
    -------
    rows : `pyarrow.Table`
        Metric rows (`harness.metrics.rows`).
    notes : `dict`
        What the shard records beside its rows, such as the digest of the content read.
    """
    rerun = opened(task.rerun)
    if task.reference is None:
        return _KINDS[task.kind](task, rerun)
    return _PAIR_KINDS[task.kind](task, rerun, opened(task.reference))


def _grouped(partitions: Sequence[Partition]) -> list[tuple[str, Sequence[Partition]]]:
    """Bundle partitions so that there are at most `_MAX_SHARDS` groups, each named after its first member."""
    size = -(-len(partitions) // _MAX_SHARDS) or 1
    starts = range(0, len(partitions), size)
    return [(partitions[start].key, partitions[start : start + size]) for start in starts]


def _inputs(partitions: Sequence[Partition]) -> str:
    """Digest what several partitions stand for, in any order."""
    text = "\n".join(sorted(f"{partition.key} {partition.inputs}" for partition in partitions))
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _content(table: pa.Table | None) -> str:
    """Digest a small table by what it holds."""
    import pyarrow as pa

    if table is None:
        return ""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table.combine_chunks())
    return hashlib.blake2b(sink.getvalue(), digest_size=8).hexdigest()


def _sources(task: Task, rerun: Rerun) -> tuple[pa.Table, dict[str, Any]]:
    from harness.metrics.dia_sources import SourceCounter

    table = rerun.tables["diaSource"]
    counter = SourceCounter(task.settings, tuple(table.columns))
    partitions = task.partitions or ()
    for partition in partitions:
        for batch in table.batches(counter.columns, partition):
            counter.add(batch)
    rows = counter.rows(rerun.instrument, _data_ids(partitions), rerun.regions())
    return rows, {"content": counter.content_digest}


def _structure(_: Task, rerun: Rerun) -> tuple[pa.Table, dict[str, Any]]:
    from harness.metrics.structure import structure_rows

    return structure_rows(rerun.tables["diaSource"], rerun.instrument), {}


def _objects(task: Task, rerun: Rerun) -> tuple[pa.Table, dict[str, Any]]:
    from harness.metrics.dia_objects import object_columns, object_rows, source_columns

    sources = rerun.tables["diaSource"]
    objects = rerun.tables.get("diaObject")
    rows = object_rows(
        sources.read(source_columns(tuple(sources.columns), task.settings)),
        None if objects is None else objects.read(object_columns(tuple(objects.columns))),
        rerun.regions(),
        task.settings,
        rerun.instrument,
        expected=_data_ids(sources.partitions()),
    )
    return rows, {}


def _science(task: Task, rerun: Rerun) -> tuple[pa.Table, dict[str, Any]]:
    import pyarrow as pa

    from harness.metrics.dia_sources import science_columns, science_rows

    table = rerun.tables.get("source")
    if table is None:
        return science_rows(None, rerun.instrument), {}
    columns = science_columns(tuple(table.columns))
    parts = [
        science_rows(table.read(columns, partition), rerun.instrument, partition.data_ids)
        for partition in task.partitions or ()
    ]
    return pa.concat_tables(parts), {}


def _data_ids(partitions: Sequence[Partition]) -> list[tuple[int, int]]:
    return [data_id for partition in partitions for data_id in partition.data_ids or ()]


def _churn(task: Task, rerun: Rerun, reference: Rerun) -> tuple[pa.Table, dict[str, Any]]:
    from harness.diagnose.churn import churn_columns, churn_rows

    ours, theirs = (
        each.tables["diaSource"].read(churn_columns(tuple(each.tables["diaSource"].columns)))
        for each in (rerun, reference)
    )
    return churn_rows(ours, theirs, task.settings, rerun.regions(), rerun.instrument), {}


def _columns(_: Task, rerun: Rerun, reference: Rerun) -> tuple[pa.Table, dict[str, Any]]:
    from harness.diagnose.columns import column_rows

    return column_rows(rerun.tables["diaSource"], reference.tables["diaSource"], rerun.instrument), {}


_KINDS: Mapping[str, Callable[[Task, Rerun], tuple[pa.Table, dict[str, Any]]]] = {
    "sources": _sources,
    "structure": _structure,
    "objects": _objects,
    "science": _science,
}
_PAIR_KINDS: Mapping[str, Callable[[Task, Rerun, Rerun], tuple[pa.Table, dict[str, Any]]]] = {
    "churn": _churn,
    "columns": _columns,
}
