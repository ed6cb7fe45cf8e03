"""Columns of a table as numpy arrays: numbers as numbers, flags packed eight rows to a byte.

A bitmap here is a uint8 array of ``ceil(rows / 8)`` bytes, row 0 in the least significant bit of byte 0, which is how
Arrow stores flags.  Bits beyond the last row are arbitrary.  Flags stay packed while they are combined and counted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

__all__ = ["every", "floats", "is_null", "is_set", "packed"]


def floats(array: pa.Array) -> NDArray[np.floating[Any]]:
    """Return numbers in their own precision, NaN where null; a view where nothing is null."""
    import pyarrow as pa

    numbers = array if pa.types.is_floating(array.type) else array.cast("float64")
    values: NDArray[np.floating[Any]] = numbers.to_numpy(zero_copy_only=False)
    return values


def packed(mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Return a boolean array as a bitmap."""
    return np.packbits(mask, bitorder="little")


def every(batch: pa.RecordBatch) -> NDArray[np.uint8]:
    """Return the bitmap in which every row of a batch is set."""
    return np.full(-(-batch.num_rows // 8), 0xFF, np.uint8)


def is_set(array: pa.Array) -> NDArray[np.uint8]:
    """Return where a column of flags is true; null is not."""
    flags = _flags(array)
    validity, data = flags.buffers()
    bits = _bits(data, flags.offset, len(flags))
    return bits & _bits(validity, flags.offset, len(flags)) if flags.null_count else bits


def is_null(array: pa.Array) -> NDArray[np.uint8]:
    """Return where a column of flags is null."""
    flags = _flags(array)
    if not flags.null_count:
        return np.zeros(-(-len(flags) // 8), np.uint8)
    return ~_bits(flags.buffers()[0], flags.offset, len(flags))


def _flags(array: pa.Array) -> pa.BooleanArray:
    import pyarrow as pa

    return array if pa.types.is_boolean(array.type) else array.cast("bool")


def _bits(buffer: pa.Buffer, offset: int, length: int) -> NDArray[np.uint8]:
    """Return ``length`` bits from bit ``offset`` of a buffer: a view when they start at a byte, as they mostly do."""
    whole = np.frombuffer(buffer, np.uint8)[offset // 8 : (offset + length + 7) // 8]
    shift = offset % 8
    if shift == 0:
        return whole
    return np.packbits(np.unpackbits(whole, bitorder="little")[shift : shift + length], bitorder="little")
