"""Planes, a few rows at a time, as compiled code wants them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

__all__ = ["BLOCK", "common_type", "row_blocks"]

BLOCK = 2**16
"""Pixels of a block, about: a few of them stay in a core's cache."""


def common_type(*planes: NDArray[Any]) -> np.dtype[Any]:
    """Return float32 in this machine's byte order when that holds all pixels exactly, else float64."""
    is_single = all(np.can_cast(plane.dtype, np.float32) for plane in planes)
    return np.dtype(np.float32 if is_single else np.float64)


def row_blocks(planes: Sequence[NDArray[Any]], dtypes: Sequence[np.dtype[Any]]) -> Iterator[list[NDArray[Any]]]:
    """Yield the pixels of a few rows of each of 2-D planes of one shape, from the first rows to the last.

    They are contiguous, 1-D, of native ``dtypes`` and read-only (a kernel is compiled once more for writable arrays).
    What is not so yet is copied, to memory that the next blocks overwrite: it stays in the cache, and the system need
    not be asked for more, which takes longer than copying.
    """
    n_rows, width = planes[0].shape
    step = max(1, BLOCK // max(1, width))
    spaces = [np.empty((min(step, n_rows), width), dtype) for dtype in dtypes]
    for row in range(0, n_rows, step):
        yield [_prepared(plane[row : row + step], space) for plane, space in zip(planes, spaces, strict=True)]


def _prepared(rows: NDArray[Any], space: NDArray[Any]) -> NDArray[Any]:
    if rows.dtype != space.dtype or not rows.flags.c_contiguous:
        space = space[: len(rows)]
        np.copyto(space, rows)
        rows = space
    block = rows.reshape(-1)
    block.flags.writeable = False
    return block
