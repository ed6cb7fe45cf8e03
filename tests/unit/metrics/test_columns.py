"""Columns as numpy arrays: bitmaps and numbers, whatever slice of an Arrow array they come from."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.metrics.columns import every, floats, is_null, is_set, packed

flags = st.lists(st.sampled_from([True, False, None]), min_size=1, max_size=200)


def unpacked(bitmap: np.ndarray, rows: int) -> list[bool]:
    """Return the rows of a bitmap one by one."""
    assert len(bitmap) == -(-rows // 8)
    return np.unpackbits(bitmap, count=rows, bitorder="little").astype(bool).tolist()


@given(values=flags, start=st.integers(0, 20))
def test_flags_of_any_slice(values, start):
    """A slice that starts within a byte has the flags of its own rows, and null is neither set nor unset."""
    array = pa.array(values, pa.bool_()).slice(start)
    rows = values[start:]
    assert unpacked(is_set(array), len(rows)) == [value is True for value in rows]
    assert unpacked(is_null(array), len(rows)) == [value is None for value in rows]


@pytest.mark.parametrize("kind", [pa.null(), pa.float64(), pa.int8()])
def test_a_flag_column_without_values_is_null(kind):
    """A flag that was never written, of whatever type, is null in every row."""
    array = pa.nulls(9, kind)
    assert unpacked(is_null(array), 9) == [True] * 9
    assert unpacked(is_set(array), 9) == [False] * 9


def test_flags_stored_as_numbers():
    """Numbers are flags: zero is not set."""
    assert unpacked(is_set(pa.array([0, 1, None, 7])), 4) == [False, True, False, True]


def test_packed_and_every():
    """A mask packs to its rows, and every row of a batch is set in the bitmap of all."""
    mask = np.arange(11) % 3 == 0
    assert unpacked(packed(mask), 11) == mask.tolist()
    assert unpacked(every(pa.record_batch({"x": range(11)})), 11) == [True] * 11


@pytest.mark.parametrize("kind", [pa.float32(), pa.float64()])
def test_floats_keep_their_precision(kind):
    """Numbers stay in their precision, null becomes NaN."""
    values = floats(pa.array([1.5, None, np.nan, np.inf], kind))
    assert values.dtype == kind.to_pandas_dtype()
    np.testing.assert_array_equal(values, [1.5, np.nan, np.nan, np.inf])


@pytest.mark.parametrize("array", [pa.array([1, None]), pa.array([1.0, None], pa.float32()).slice(0)])
def test_floats_of_other_types(array):
    """Whole numbers are numbers too."""
    np.testing.assert_array_equal(floats(array), [1, np.nan])
    assert np.isnan(floats(pa.nulls(2))).all()
