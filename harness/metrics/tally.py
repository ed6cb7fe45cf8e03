"""Counting rows per data ID: whatever is counted is a bitmap of the rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

import numpy as np

from harness.metrics._bits_kernel import count_bits
from harness.metrics.data_ids import DataIds

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pyarrow as pa
    from numpy.typing import NDArray

    Bitmap = Callable[[pa.RecordBatch], NDArray[np.uint8]]

__all__ = ["Tally"]


@final
class Tally:
    """Counts rows of each data ID, batch by batch.

    Flags are bitmaps already, and eight rows of them cost as much as one; other conditions are packed into bitmaps.

    Parameters
    ----------
    bitmaps
        By name, what makes the bitmap (`harness.metrics.columns`) of the rows that count.
    """

    __slots__ = ("_bitmaps", "_counts", "data_ids")

    def __init__(self, bitmaps: Mapping[str, Bitmap]) -> None:
        self.data_ids = DataIds()
        self._bitmaps = dict(bitmaps)
        self._counts = np.zeros((0, len(bitmaps)), np.int64)

    def add(self, batch: pa.RecordBatch) -> None:
        """Count the rows of a batch, in any order.

        Raises
        ------
        harness.errors.NotMeasuredError
            When a row has no visit or no detector.
        """
        if not batch.num_rows:
            return
        edges, numbers = self.data_ids.runs(batch)
        words = np.zeros((len(self._bitmaps), -(-batch.num_rows // 64)), np.uint64)
        for row, bitmap in zip(words.view(np.uint8), self._bitmaps.values(), strict=True):
            bits = bitmap(batch)
            row[: len(bits)] = bits
        count_bits(words, edges, numbers, self._with_room())

    def counts(self, numbers: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
        """Return what was counted, by name, for the data IDs of these numbers."""
        return dict(zip(self._bitmaps, self._with_room()[numbers].T.astype(np.float64), strict=True))

    def _with_room(self) -> NDArray[np.int64]:
        """Return the counts, as long as there are data IDs; made longer than that, so that it happens seldom."""
        missing = len(self.data_ids) - len(self._counts)
        if missing > 0:
            self._counts = np.pad(self._counts, ((0, max(missing, len(self._counts))), (0, 0)))
        return self._counts
