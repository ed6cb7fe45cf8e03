"""Visits and detectors, which the rows of a table are numbered by."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

import numpy as np

from harness.errors import NotMeasuredError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import polars as pl
    import pyarrow as pa
    from numpy.typing import NDArray

__all__ = ["DataIds", "whole_rerun"]


@final
class DataIds:
    """The visits and detectors met so far, numbered in the order they were met.

    The band belongs to the visit and is no part of the key: it is the first one that names it.
    """

    __slots__ = ("_bands", "_numbers")

    def __init__(self) -> None:
        self._numbers: dict[tuple[int, int], int] = {}
        self._bands: dict[int, str] = {}

    def __len__(self) -> int:
        return len(self._numbers)

    def runs(self, batch: pa.RecordBatch) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Split rows into runs of one data ID.

        Parameters
        ----------
        batch : `pyarrow.RecordBatch`
            Not empty, with ``visit`` and ``detector``, and ``band`` where known.

        Returns
        -------
        edges : `numpy.ndarray`, shape (runs + 1,)
            Rows at which runs start, and the row after the last.
        numbers : `numpy.ndarray`, shape (runs,)
            Number of each run's data ID.

        Raises
        ------
        harness.errors.NotMeasuredError
            When a row has no visit or no detector.
        """
        visit, detector = _identifiers(batch, "visit"), _identifiers(batch, "detector")
        changes = np.flatnonzero((visit[1:] != visit[:-1]) | (detector[1:] != detector[:-1])) + 1
        edges = np.concatenate([[0], changes, [batch.num_rows]])
        starts = edges[:-1]
        keys = zip(visit[starts].tolist(), detector[starts].tolist(), strict=True)
        numbers = np.array([self._number(*key) for key in keys])
        if "band" in batch.schema.names and not self._bands.keys() >= set(visit[starts].tolist()):
            self._learn_bands(visit, starts, batch["band"])
        return edges, numbers

    def ordered(
        self, expected: Iterable[tuple[int, int]], bands: Mapping[int, str | None] | None = None
    ) -> tuple[NDArray[np.int64], pl.DataFrame]:
        """Return the data IDs in order of visit and detector.

        Parameters
        ----------
        expected
            Visits and detectors that are data IDs even when no row of them was met.
        bands
            Bands by visit, for visits whose rows name none.

        Returns
        -------
        numbers : `numpy.ndarray`, shape (data IDs,)
            The number of each.
        keys : `polars.DataFrame`
            ``visit``, ``detector`` and ``band`` of each.
        """
        import polars as pl

        for visit, detector in expected:
            self._number(visit, detector)
        keys = sorted(self._numbers)
        numbers = np.array([self._numbers[key] for key in keys], np.int64)
        return numbers, pl.DataFrame(
            {
                "visit": [visit for visit, _ in keys],
                "detector": [detector for _, detector in keys],
                "band": [self._bands.get(visit, (bands or {}).get(visit)) for visit, _ in keys],
            },
            schema={"visit": pl.Int64, "detector": pl.Int32, "band": pl.String},
        )

    def _number(self, visit: int, detector: int) -> int:
        """Return the number of a data ID, the next one when it is new."""
        return self._numbers.setdefault((visit, detector), len(self._numbers))

    def _learn_bands(self, visit: NDArray[np.int64], starts: NDArray[np.int64], band: pa.Array) -> None:
        rows = np.flatnonzero(band.is_valid()) if band.null_count else starts
        visits, first = np.unique(visit[rows], return_index=True)
        for key, row in zip(visits.tolist(), rows[first].tolist(), strict=True):
            self._bands.setdefault(key, str(band[row].as_py()))


def whole_rerun() -> pl.DataFrame:
    """Return the key of a number that belongs to no visit: ``visit``, ``detector`` and ``band`` are null."""
    import polars as pl

    return pl.DataFrame({"visit": [None], "detector": [None], "band": [None]})


def _identifiers(batch: pa.RecordBatch, name: str) -> NDArray[np.int64]:
    array = batch[name]
    if array.null_count:
        raise NotMeasuredError(
            f"{array.null_count} rows have no {name}, so that they cannot be counted by visit and detector; "
            f"check how the {name} column is named and filled"
        )
    identifiers: NDArray[np.int64] = array.to_numpy(zero_copy_only=False).astype(np.int64, copy=False)
    return identifiers
