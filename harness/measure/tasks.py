"""What there is to do to measure a rerun: small picklable tasks, each of which makes one shard.

A task carries references (repository, rerun, partitions), never arrays, so any `concurrent.futures.Executor` can run it
in another process or on another machine.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, final

import harness
from harness.measure.store import MANIFEST_FORMAT
from harness.model import digest_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pyarrow as pa

    from harness.metrics.settings import Settings
    from harness.rerun.protocol import Partition, Rerun, RerunRef

__all__ = ["UNREADABLE", "Family", "Made", "Summary", "Task", "digest_of_partitions", "digest_of_table", "grouped"]

#: Key of a shard's notes that says that some of its input could not be read: the next measurement tries again.
UNREADABLE = "unreadable"

#: More shards than this do not make a resumed run any finer, only the store slower to read.
_MAX_SHARDS = 128


@final
@dataclass(frozen=True, slots=True)
class Task:
    """One shard to be made.

    Attributes
    ----------
    kind
        Which metrics: a key of a family's ``kinds`` or ``pair_kinds``.
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
        work = digest_of([harness.__version__, MANIFEST_FORMAT, self.kind, self.inputs, asdict(self.settings)])
        return f"{self.kind}-{self.key}-{work}.parquet"


@final
@dataclass(frozen=True, slots=True)
class Made:
    """What a task gives.

    Attributes
    ----------
    rows
        Metric rows (`harness.metrics.rows`).
    notes
        What the shard records beside its rows, such as the digest of the content read.
    tables
        Further tables to keep, by name: what plots are drawn from.
    """

    rows: pa.Table
    notes: Mapping[str, Any] = field(default_factory=dict)
    tables: Mapping[str, pa.Table] = field(default_factory=dict)


@final
@dataclass(frozen=True, slots=True)
class Summary:
    """What a family measures of all that its tasks have made, once they are done: what no part of a rerun has alone.

    Attributes
    ----------
    kind
        As of a `Task`.
    make
        Gives the rows.  Its first argument returns the tables of one name that the family's tasks have kept.
    """

    kind: str
    make: Callable[[Callable[[str], Sequence[pa.Table]], Rerun, Settings], Made]


@final
@dataclass(frozen=True, slots=True)
class Family:
    """Metrics that are measured of the same input, and so are there together or not at all.

    Attributes
    ----------
    name
        Short name, such as ``dia``.
    needs
        What a rerun must hold for it, in words.
    groups
        Groups of its metrics.
    applies
        Whether a rerun holds its input.
    tasks, pair_tasks
        What there is to do for one rerun, and for a rerun and its reference.
    kinds, pair_kinds
        How each kind of task is done.
    summary
        What is measured of all of them in the end; None when there is nothing.
    """

    name: str
    needs: str
    groups: frozenset[str]
    applies: Callable[[Rerun], bool]
    tasks: Callable[[Rerun, Settings], Sequence[Task]]
    kinds: Mapping[str, Callable[[Task, Rerun], Made]]
    pair_tasks: Callable[[Rerun, Rerun, Settings], Sequence[Task]] = lambda *_: ()
    pair_kinds: Mapping[str, Callable[[Task, Rerun, Rerun], Made]] = field(default_factory=dict)
    summary: Summary | None = None


def grouped(partitions: Sequence[Partition]) -> list[tuple[str, Sequence[Partition]]]:
    """Bundle partitions so that there are at most `_MAX_SHARDS` groups, each named after its first member."""
    size = -(-len(partitions) // _MAX_SHARDS) or 1
    starts = range(0, len(partitions), size)
    return [(partitions[start].key, partitions[start : start + size]) for start in starts]


def digest_of_partitions(partitions: Sequence[Partition]) -> str:
    """Digest what several partitions stand for, in any order."""
    text = "\n".join(sorted(f"{partition.key} {partition.inputs}" for partition in partitions))
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def digest_of_table(table: pa.Table | None) -> str:
    """Digest a small table by what it holds."""
    import pyarrow as pa

    if table is None:
        return ""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table.combine_chunks())
    return hashlib.blake2b(sink.getvalue(), digest_size=8).hexdigest()
