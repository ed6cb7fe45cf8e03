"""A canonical table whose rows lie in one or more table files."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, final

import numpy as np
import pyarrow as pa

from harness.errors import BrokenFileError
from harness.rerun.batching import coalesced, row_count
from harness.rerun.canonical import Column, canonical_batch, canonical_columns, merged_types, stored_names
from harness.rerun.catalogues import catalogue_columns
from harness.rerun.formats import batches_of_file, schema_of_file
from harness.rerun.missing import missing_column
from harness.rerun.tables import CATALOGUES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from numpy.typing import NDArray

    from harness.rerun.protocol import Partition

__all__ = ["FilePart", "StoredTable"]


@final
@dataclass(frozen=True, slots=True)
class FilePart:
    """One table file.

    Attributes
    ----------
    ref
        What the rerun knows it by.
    open
        Gives a local path to the file for as long as the context lasts.
    constants
        Columns that the data ID gives where the file does not have them.
    """

    ref: str
    open: Callable[[], AbstractContextManager[Path]]
    constants: Mapping[str, int | str] = field(default_factory=lambda: MappingProxyType({}))


@final
class StoredTable:
    """A `harness.rerun.protocol.Table` in table files.

    Parameters
    ----------
    name
        Canonical name.
    parts
        The files, in reading order.
    partitions
        Makes the partitions; their ``refs`` are those of the parts.
    where
        What to call the table's place in a message.
    instrument
        Short name of the instrument.
    unique
        Canonical column of which each value is to appear once: of rows that repeat it, the last in reading order
        counts (exports made one after the other overlap, and the newest knows most).
    """

    def __init__(
        self,
        name: str,
        parts: Sequence[FilePart],
        partitions: Callable[[], Sequence[Partition]],
        *,
        where: str,
        instrument: str,
        unique: str | None = None,
    ) -> None:
        self.name = name
        self._parts = {part.ref: part for part in parts}
        self._make_partitions = partitions
        self._where = where
        self._instrument = instrument
        self._unique = unique

    @cached_property
    def columns(self) -> Mapping[str, pa.DataType]:
        """Canonical names and Arrow types of the columns that every readable file has, in stored order.

        A file that cannot be read says so when its rows are read, so that the others can be measured without it.
        """
        layouts = self._layouts.values()
        names = dict.fromkeys(name for columns in layouts for name in columns)
        return MappingProxyType(
            {name: self._type(name) for name in names if all(name in columns for columns in layouts)}
        )

    @cached_property
    def stored_columns(self) -> tuple[str, ...]:
        """The columns' own names, as stored."""
        every = (column.stored for columns in self._layouts.values() for column in columns.values())
        return tuple(dict.fromkeys(name for name in every if name is not None))

    def partitions(self) -> Sequence[Partition]:
        """Return the parts that the table can be read by, in a stable order."""
        return self._make_partitions()

    def read(self, columns: Sequence[str], partition: Partition | None = None) -> pa.Table:
        """Read columns under their canonical names; see `harness.rerun.protocol.Table.read`."""
        if not columns and self._unique is None:
            return row_count(sum(self._rows(part) for part in self._chosen(partition)))
        return pa.Table.from_batches(self.batches(columns, partition), self._schema(columns))

    def batches(self, columns: Sequence[str], partition: Partition | None = None) -> Iterator[pa.RecordBatch]:
        """Yield the same rows as `read`, in batches, so that memory does not grow with the table."""
        schema = self._schema(columns)
        parts = self._chosen(partition)
        rows = self._all_batches(parts, schema) if self._unique is None else self._unique_batches(parts, schema)
        return coalesced(rows)

    @cached_property
    def _columns_by_ref(self) -> dict[str, Mapping[str, Column]]:
        """Canonical columns of each readable file; files that are stored alike, for one band, share theirs."""
        known: dict[tuple[pa.Schema, tuple[str, ...], int | str | None], Mapping[str, Column]] = {}
        by_ref: dict[str, Mapping[str, Column]] = {}
        faults: list[BrokenFileError] = []
        for ref, part in self._parts.items():
            try:
                with part.open() as path:
                    schema, _ = schema_of_file(path)
            except BrokenFileError as fault:
                faults.append(fault)
                continue
            key = (schema.remove_metadata(), tuple(part.constants), part.constants.get("band"))
            if key not in known:
                layout = catalogue_columns if self.name in CATALOGUES else canonical_columns
                known[key] = layout(schema, self.name, self._instrument, part.constants)
            by_ref[ref] = known[key]
        if faults and not by_ref:
            raise faults[0]
        return by_ref

    @cached_property
    def _layouts(self) -> dict[str, Mapping[str, Column]]:
        """The different ways in which files are stored, each by the first file of its kind."""
        distinct = {id(columns): ref for ref, columns in reversed(self._columns_by_ref.items())}
        return {ref: self._columns_by_ref[ref] for ref in reversed(distinct.values())}

    def _type(self, name: str) -> pa.DataType:
        """Return the type of a column over all files; one that is missing throughout is float64."""
        kinds = {columns[name].type: ref for ref, columns in self._layouts.items()}
        try:
            merged = merged_types(kinds)
        except pa.ArrowException:
            described = ", ".join(f"{kind} in {ref}" for kind, ref in kinds.items())
            raise BrokenFileError(
                f"column {name!r} of {self._where} has types that do not go together: {described}"
            ) from None
        return pa.float64() if pa.types.is_null(merged) else merged

    def _schema(self, columns: Sequence[str]) -> pa.Schema:
        for name in columns:
            if name not in self.columns:
                lacking = next((ref for ref, known in self._layouts.items() if name not in known), "")
                where = f"{self._where} ({lacking})" if len(self._parts) > 1 else self._where
                raise missing_column(name, self.name, where, self.columns)
        return pa.schema([(name, self.columns[name]) for name in columns])

    def _chosen(self, partition: Partition | None) -> list[FilePart]:
        return [self._parts[ref] for ref in (self._parts if partition is None else partition.refs)]

    def _rows(self, part: FilePart) -> int:
        with part.open() as path:
            return schema_of_file(path)[1]

    def _all_batches(self, parts: Sequence[FilePart], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        for part in parts:
            yield from self._part_batches(part, schema)

    def _unique_batches(self, parts: Sequence[FilePart], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        keys = self._all_batches(parts, self._schema([self._unique or ""]))
        keep = _last_of_each([batch.column(0) for batch in keys])
        start = 0
        for batch in self._all_batches(parts, schema):
            yield batch.filter(pa.array(keep[start : start + batch.num_rows]))
            start += batch.num_rows

    def _part_batches(self, part: FilePart, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        with part.open() as path:
            columns = self._columns_by_ref.get(part.ref)
            if columns is None:
                schema_of_file(path)  # raises what kept the file out of `columns`
                raise BrokenFileError(f"{path} changed while it was being read; open the rerun again")
            for batch in batches_of_file(path, stored_names(columns, schema.names)):
                try:
                    yield canonical_batch(batch, columns, schema, part.constants)
                except pa.ArrowException as fault:
                    raise BrokenFileError(
                        f"{path} holds a value that does not fit its column ({fault}); correct it"
                    ) from None


def _last_of_each(keys: Sequence[pa.Array]) -> NDArray[np.bool_]:
    """Return which rows bear a key for the last time; a row without a key is one of its own."""
    whole = pa.chunked_array(keys, pa.int64()).combine_chunks()
    keep: NDArray[np.bool_] = whole.is_null().to_numpy(zero_copy_only=False).copy()
    present = np.flatnonzero(~keep)
    values = whole.drop_null().to_numpy()
    _, from_the_end = np.unique(values[::-1], return_index=True)
    keep[present[len(present) - 1 - from_the_end]] = True
    return keep
