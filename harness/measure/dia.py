"""Measuring the DIA sources and objects of a rerun, alone and beside a reference."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.measure.tasks import Family, Made, Task, digest_of_partitions, digest_of_table, grouped
from harness.model import digest_of
from harness.rerun.tables import CATALOGUES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.metrics.settings import Settings
    from harness.rerun.protocol import Partition, Rerun

__all__ = ["DIA", "dia_tasks", "pair_tasks"]


def dia_tasks(rerun: Rerun, settings: Settings) -> list[Task]:
    """Return the tasks that measure one rerun's DIA metrics.

    Parameters
    ----------
    rerun
        With a DIA source table.
    settings
        What the definitions depend on.
    """
    sources = rerun.tables["diaSource"].partitions()
    places = digest_of_table(rerun.regions())
    own = [table for name, table in rerun.tables.items() if name not in CATALOGUES]
    everything = digest_of_partitions([p for table in own for p in table.partitions()]) + places

    def task(kind: str, key: str, partitions: Sequence[Partition] | None, inputs: str) -> Task:
        chosen = None if partitions is None else tuple(partitions)
        return Task(kind, key, rerun.ref, None, chosen, inputs, settings)

    tasks = [task("sources", key, group, digest_of_partitions(group) + places) for key, group in grouped(sources)]
    tasks.append(task("structure", "all", None, digest_of_partitions(sources)))
    tasks.append(task("objects", "all", None, everything))
    if "source" in rerun.tables:
        groups = grouped(rerun.tables["source"].partitions())
        tasks += [task("science", key, group, digest_of_partitions(group)) for key, group in groups]
    else:
        tasks.append(task("science", "none", (), "none"))
    return tasks


def pair_tasks(rerun: Rerun, reference: Rerun, settings: Settings) -> list[Task]:
    """Return the tasks that measure two reruns against each other: churn, and changed columns."""
    sides = [each.tables["diaSource"].partitions() for each in (rerun, reference)]
    inputs = digest_of([*(digest_of_partitions(side) for side in sides), digest_of_table(rerun.regions())])
    return [Task(kind, "all", rerun.ref, reference.ref, None, inputs, settings) for kind in ("churn", "columns")]


def _sources(task: Task, rerun: Rerun) -> Made:
    from harness.metrics.dia_sources import SourceCounter

    table = rerun.tables["diaSource"]
    counter = SourceCounter(task.settings, tuple(table.columns))
    partitions = task.partitions or ()
    for partition in partitions:
        for batch in table.batches(counter.columns, partition):
            counter.add(batch)
    rows = counter.rows(rerun.instrument, _data_ids(partitions), rerun.regions())
    return Made(rows, {"content": counter.content_digest})


def _structure(_: Task, rerun: Rerun) -> Made:
    from harness.metrics.structure import structure_rows

    return Made(structure_rows(rerun.tables["diaSource"], rerun.instrument))


def _objects(task: Task, rerun: Rerun) -> Made:
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
    return Made(rows)


def _science(task: Task, rerun: Rerun) -> Made:
    import pyarrow as pa

    from harness.metrics.dia_sources import science_columns, science_rows

    table = rerun.tables.get("source")
    if table is None:
        return Made(science_rows(None, rerun.instrument))
    columns = science_columns(tuple(table.columns))
    parts = [
        science_rows(table.read(columns, partition), rerun.instrument, partition.data_ids)
        for partition in task.partitions or ()
    ]
    return Made(pa.concat_tables(parts))


def _data_ids(partitions: Sequence[Partition]) -> list[tuple[int, int]]:
    return [data_id for partition in partitions for data_id in partition.data_ids or ()]


def _churn(task: Task, rerun: Rerun, reference: Rerun) -> Made:
    from harness.diagnose.churn import churn_columns, churn_rows

    ours, theirs = (
        each.tables["diaSource"].read(churn_columns(tuple(each.tables["diaSource"].columns)))
        for each in (rerun, reference)
    )
    return Made(churn_rows(ours, theirs, task.settings, rerun.regions(), rerun.instrument))


def _columns(_: Task, rerun: Rerun, reference: Rerun) -> Made:
    from harness.diagnose.columns import column_rows

    return Made(column_rows(rerun.tables["diaSource"], reference.tables["diaSource"], rerun.instrument))


DIA = Family(
    name="dia",
    needs="a DIA source table",
    groups=frozenset(
        {
            "churn",
            "columns",
            "dia_bookkeeping",
            "dia_count",
            "dia_coverage",
            "dia_flags",
            "dia_parts",
            "dia_ratio",
            "dia_sanity",
            "dia_schema",
        }
    ),
    applies=lambda rerun: "diaSource" in rerun.tables,
    tasks=dia_tasks,
    kinds={"sources": _sources, "structure": _structure, "objects": _objects, "science": _science},
    pair_tasks=pair_tasks,
    pair_kinds={"churn": _churn, "columns": _columns},
)
