"""Rows that repeat an identifier that must be unique."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, final

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

__all__ = ["DuplicateIds"]


@final
class DuplicateIds:
    """Finds the identifiers that occur more than once in a table, batch by batch.

    Tables are mostly written in order, so that each batch ascends and batches do not overlap: that is checked first,
    and nothing is sorted then.
    """

    __slots__ = ("_batches",)

    def __init__(self) -> None:
        self._batches: list[NDArray[np.int64]] = []

    def add(self, identifiers: pa.Array) -> None:
        """Take note of identifiers; null is 0, the APDB's way to say that there is none."""
        import pyarrow.compute as pc

        if len(identifiers):
            self._batches.append(pc.fill_null(identifiers.cast("int64"), 0).to_numpy(zero_copy_only=False))

    def repeated(self) -> tuple[int, NDArray[np.int64]]:
        """Return how many rows repeat another row's identifier, and the identifiers that are repeated.

        Returns
        -------
        rows : `int`
            Number of rows less the number of different identifiers.
        identifiers : `numpy.ndarray`
            Those that occur more than once, ascending.
        """
        batches = sorted(self._batches, key=lambda batch: int(batch[0]))
        if all(bool(np.all(batch[1:] > batch[:-1])) for batch in batches) and all(
            before[-1] < after[0] for before, after in pairwise(batches)
        ):
            return 0, np.empty(0, np.int64)
        identifiers = np.sort(np.concatenate(batches))
        repeats = identifiers[1:][identifiers[1:] == identifiers[:-1]]
        return len(repeats), np.unique(repeats)
