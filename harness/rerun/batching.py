"""Batches of rows: neither so small that the work per batch counts, nor so large that memory does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["coalesced", "row_count"]

#: Fewest rows of a batch, save the last.
_ENOUGH_ROWS = 1 << 17


def coalesced(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Join small batches until they are large enough; large ones pass through untouched."""
    waiting: list[pa.RecordBatch] = []
    rows = 0
    for batch in batches:
        if not batch.num_rows:
            continue
        waiting.append(batch)
        rows += batch.num_rows
        if rows >= _ENOUGH_ROWS:
            yield _joined(waiting)
            waiting, rows = [], 0
    if waiting:
        yield _joined(waiting)


def row_count(rows: int) -> pa.Table:
    """Return a table of rows without columns."""
    return pa.table({"row": pa.nulls(rows)}).select([])


def _joined(batches: list[pa.RecordBatch]) -> pa.RecordBatch:
    return batches[0] if len(batches) == 1 else pa.concat_batches(batches)
