"""Sizes of batches."""

from __future__ import annotations

import pyarrow as pa
import pytest

from harness.rerun.batching import coalesced, row_count


def batch(rows: int, first: int = 0) -> pa.RecordBatch:
    """Return a batch of consecutive numbers."""
    return pa.record_batch({"a": pa.array(range(first, first + rows))})


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [([1000] * 300, [132_000, 132_000, 36_000]), ([200_000, 0, 5], [200_000, 5]), ([], []), ([0, 0], [])],
)
def test_small_batches_are_joined(sizes: list[int], expected: list[int]) -> None:
    """Batches grow until they have 131 072 rows; empty ones are left out."""
    assert [each.num_rows for each in coalesced(batch(size) for size in sizes)] == expected


def test_rows_keep_their_order() -> None:
    """Joining neither loses nor moves a row."""
    found = pa.Table.from_batches(coalesced(batch(50_000, 50_000 * i) for i in range(4)))
    assert found["a"].to_pylist() == list(range(200_000))


def test_a_large_batch_is_passed_on() -> None:
    """A batch that is large enough is not copied."""
    large = batch(140_000)
    (found,) = coalesced([large])
    assert found is large


def test_rows_without_columns_are_counted() -> None:
    """A table without columns still has its rows."""
    assert (row_count(7).num_rows, row_count(7).num_columns) == (7, 0)
