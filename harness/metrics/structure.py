"""The sanity of a table as a whole: columns that say nothing or say the same, and identifiers that are not unique."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, final

import numpy as np

from harness.metrics.columns import floats
from harness.metrics.data_ids import whole_rerun
from harness.metrics.duplicates import DuplicateIds
from harness.metrics.keyed_rows import keyed_rows, rows_table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    import pyarrow as pa
    from numpy.typing import NDArray

    from harness.rerun.protocol import Table

__all__ = ["TableStructure", "structure_rows"]

#: Rows that are enough to tell most columns apart; all rows are read of those that they do not.
_SAMPLE = 4096

#: Repeated identifiers that a message names.
_NAMED = 3


@final
class TableStructure:
    """Finds floating-point columns without a single number, and columns that are equal in every row.

    Every two columns are suspected until a row acquits them, so that only `candidates` need be read on, and no list of
    columns is built in.

    Parameters
    ----------
    columns
        Names and Arrow types of all columns of the table.
    """

    __slots__ = ("_empty", "_equal", "_names", "_seen", "_varying")

    def __init__(self, columns: Mapping[str, pa.DataType]) -> None:
        import pyarrow as pa

        self._names = [name for name, kind in columns.items() if pa.types.is_floating(kind) or pa.types.is_null(kind)]
        self._empty = set(self._names)
        self._equal: list[list[str]] = [list(self._names)]
        self._seen: dict[str, float] = {}
        self._varying: set[str] = set()

    @property
    def candidates(self) -> tuple[str, ...]:
        """The columns to read on: all others are known to hold numbers of their own."""
        suspected = self._empty.union(*self._equal)
        return tuple(name for name in self._names if name in suspected)

    @property
    def empty_columns(self) -> tuple[str, ...]:
        """Columns that hold no number in the rows so far."""
        return tuple(name for name in self._names if name in self._empty)

    @property
    def equal_columns(self) -> tuple[tuple[str, ...], ...]:
        """Sets of columns that are equal in all rows so far (NaN equals NaN), although their numbers vary."""
        return tuple(tuple(names) for names in self._equal if self._varying.issuperset(names))

    def add(self, batch: pa.RecordBatch) -> None:
        """Compare the candidates over more rows; to add rows again changes nothing.

        Parameters
        ----------
        batch : `pyarrow.RecordBatch`
            With `candidates`, at least.
        """
        values = {name: _numbers(batch[name]) for name in self.candidates}
        for name, numbers in values.items():
            if numbers is not None:
                self._empty.discard(name)
                self._note_variation(name, numbers)
        self._equal = [part for names in self._equal for part in _split(names, values) if len(part) > 1]

    def _note_variation(self, name: str, numbers: NDArray[np.floating[Any]]) -> None:
        if name not in self._varying:
            low, high = float(np.nanmin(numbers)), float(np.nanmax(numbers))
            if not low == high == self._seen.setdefault(name, low):
                self._varying.add(name)


def structure_rows(table: Table, instrument: str) -> pa.Table:
    """Return the sanity of a DIA source table as a whole.

    Parameters
    ----------
    table
        The table, which is read once, and of most columns only the first rows.
    instrument
        Name to put into the rows; empty when unknown.

    Returns
    -------
    rows : `pyarrow.Table`
        Metric rows (`harness.metrics.rows`) that belong to no visit.  ``detail`` names the columns and identifiers.
    """
    structure, identifiers, n_rows = TableStructure(table.columns), DuplicateIds(), 0
    has_id = "diaSourceId" in table.columns
    partitions = table.partitions()
    for partition in partitions:
        first = next((batch for batch in table.batches(structure.candidates, partition) if batch.num_rows), None)
        if first is not None:
            structure.add(first.slice(0, _SAMPLE))
            break
    for partition in partitions:
        for batch in table.batches((*structure.candidates, *(["diaSourceId"] if has_id else ())), partition):
            n_rows += batch.num_rows
            if batch.num_rows:
                structure.add(batch)
            if has_id:
                identifiers.add(batch["diaSourceId"])
    return _rows(structure, identifiers if has_id else None, n_rows, instrument)


def _rows(structure: TableStructure, identifiers: DuplicateIds | None, n_rows: int, instrument: str) -> pa.Table:
    equal, empty = structure.equal_columns, structure.empty_columns
    values = {
        "dia.numEqualColumnPairs": float(sum(1 for names in equal for _ in combinations(names, 2))),
        "dia.numEmptyColumns": float(len(empty)),
        "dia.numDuplicateIds": np.nan,
    }
    details = {
        "dia.numEqualColumnPairs": ", ".join(" == ".join(names) for names in equal),
        "dia.numEmptyColumns": ", ".join(empty),
        "dia.numDuplicateIds": "the table has no column diaSourceId",
    }
    if identifiers is not None:
        count, repeated = identifiers.repeated()
        named = ", ".join(map(str, repeated[:_NAMED].tolist()))
        values["dia.numDuplicateIds"] = float(count)
        details["dia.numDuplicateIds"] = f"such as diaSourceId {named}" if count else ""
    if not n_rows:
        values, details = dict.fromkeys(values, np.nan), dict.fromkeys(values, "the table has no rows")
    return rows_table(
        [
            keyed_rows(metric, whole_rerun(), np.array([value]), detail=[details[metric] or None])
            for metric, value in values.items()
        ],
        instrument or None,
    )


def _numbers(array: pa.Array) -> NDArray[np.floating[Any]] | None:
    """Return a column, or None when it holds no number."""
    if array.null_count == len(array):
        return None
    numbers = floats(array)
    return None if bool(np.isnan(numbers).all()) else numbers


def _split(names: Sequence[str], values: Mapping[str, NDArray[np.floating[Any]] | None]) -> list[list[str]]:
    """Split columns into sets that are equal in these rows."""
    parts: list[list[str]] = []
    for name in names:
        for part in parts:
            if _are_equal(values[name], values[part[0]]):
                part.append(name)
                break
        else:
            parts.append([name])
    return parts


def _are_equal(one: NDArray[np.floating[Any]] | None, other: NDArray[np.floating[Any]] | None) -> bool:
    if one is None or other is None:
        return one is other
    return np.array_equal(one, other, equal_nan=True)
