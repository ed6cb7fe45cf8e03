"""Counts of DIA sources and of direct-image sources, per visit and detector, in one pass over a table."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, final

import numpy as np

from harness.metrics.columns import every, floats, is_null, is_set, packed
from harness.metrics.content import CONTENT_COLUMNS, ContentDigest, combine_digests
from harness.metrics.data_ids import whole_rerun
from harness.metrics.flag_sets import PIXEL_FLAGS
from harness.metrics.keyed_rows import keyed_rows, rows_table
from harness.metrics.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from harness.metrics.flag_sets import FlagSet
    from harness.metrics.settings import Settings
    from harness.metrics.tally import Bitmap

__all__ = ["SourceCounter", "combine_digests", "science_columns", "science_rows"]

_MOMENTS = ("ixxPSF", "iyyPSF", "ixyPSF")


@final
class SourceCounter:
    """Counts DIA sources batch by batch.

    Parameters
    ----------
    settings
        Which flag list "good source" means.
    columns
        Names of the columns that the table has.
    """

    def __init__(self, settings: Settings, columns: Sequence[str]) -> None:
        flag_set = settings.flag_set
        countable: dict[str, tuple[tuple[str, ...], Bitmap]] = {
            "dia.numSources": ((), every),
            "dia.numGoodSources": (flag_set.columns, partial(_good, flag_set)),
            "dia.numDipoles": (("isDipole",), partial(_flagged, "isDipole")),
            "dia.numNonFinitePositions": (("ra", "dec"), partial(_non_finite, ("ra", "dec"))),
            "dia.numNonFiniteFluxes": (("psfFlux",), partial(_non_finite, ("psfFlux",))),
            "dia.numNonPositivePsfDeterminants": (_MOMENTS, _non_positive_determinant),
            **{f"dia.numFlagged.{flag}": ((flag,), partial(_flagged, flag)) for flag in PIXEL_FLAGS},
        }
        bitmaps: dict[str, Bitmap] = {}
        self._unavailable: dict[str, str] = {}
        needed = {"visit", "detector", *({"band", *CONTENT_COLUMNS} & set(columns))}
        for metric, (wanted, bitmap) in countable.items():
            missing = [name for name in wanted if name not in columns]
            if missing:
                self._unavailable[metric] = f"the table has no column {' and no '.join(missing)}"
            else:
                bitmaps[metric] = bitmap
                needed.update(wanted)
        if why := flag_set.why_unavailable(columns):
            self._unavailable["dia.numGoodSources"] = why
        flags = [flag for flag in dict.fromkeys((*PIXEL_FLAGS, *flag_set.flags)) if flag in columns]
        if not flags:
            self._unavailable["dia.numNullFlags"] = "the table has no flag columns"
        needed.update(flags)
        self._null_flags = {flag: partial(_unflagged, flag) for flag in flags}
        self._tally = Tally({**bitmaps, **self._null_flags})
        self._content = ContentDigest()
        self._columns = tuple(sorted(needed))

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns to read: visit and detector, and what there is of the others."""
        return self._columns

    @property
    def content_digest(self) -> str:
        """Digest of the rows counted so far; those of several counters are combined by `combine_digests`."""
        return self._content.hexdigest

    def add(self, batch: pa.RecordBatch) -> None:
        """Count rows.

        Parameters
        ----------
        batch : `pyarrow.RecordBatch`
            With `columns`, in any order of rows.

        Raises
        ------
        harness.errors.NotMeasuredError
            When a row has no visit or no detector.
        """
        self._tally.add(batch)
        self._content.add(batch)

    def rows(
        self,
        instrument: str,
        expected: Iterable[tuple[int, int]] | None = None,
        regions: pa.Table | None = None,
    ) -> pa.Table:
        """Return what was counted.

        Parameters
        ----------
        instrument
            Name to put into the rows; empty when unknown.
        expected
            Visits and detectors that have a catalogue: they are counted as 0 when no source was met.
        regions : `pyarrow.Table`, optional
            Areas of the detectors, and bands (`harness.rerun.protocol.Rerun.regions`).

        Returns
        -------
        rows : `pyarrow.Table`
            Metric rows (`harness.metrics.rows`), one for each metric, visit and detector.
        """
        known = {} if regions is None else {(row["visit"], row["detector"]): row for row in regions.to_pylist()}
        bands = {visit: row["band"] for (visit, _), row in known.items()}
        numbers, keys = self._tally.data_ids.ordered(expected or (), bands)
        n = len(numbers)
        counts = self._tally.counts(numbers)
        nulls = sum((counts.pop(flag) for flag in self._null_flags), np.zeros(n))
        if self._null_flags:
            counts["dia.numNullFlags"] = nulls
        pairs = keys.select("visit", "detector").iter_rows()
        area = np.array([known[pair]["area"] if pair in known else None for pair in pairs], np.float64)
        unknown = [None if known_area else "the area of the detector is not known" for known_area in np.isfinite(area)]
        return rows_table(
            [
                *(keyed_rows(metric, keys, values) for metric, values in counts.items()),
                *(
                    keyed_rows(metric, keys, np.full(n, np.nan), detail=[reason] * n)
                    for metric, reason in self._unavailable.items()
                ),
                keyed_rows("dia.area", keys, area, detail=unknown),
            ],
            instrument or None,
        )


def science_columns(columns: Sequence[str]) -> tuple[str, ...]:
    """Return the columns of a direct-image source table to read, of those it has.

    Parameters
    ----------
    columns
        Names of the columns that the table has.
    """
    return ("visit", "detector", *(name for name in ("band", "detect_isPrimary", "sky_source") if name in columns))


def science_rows(
    table: pa.Table | None, instrument: str, expected: Iterable[tuple[int, int]] | None = None
) -> pa.Table:
    """Count direct-image sources as ``numSciSources`` of lsst/ip_diffim does.

    Parameters
    ----------
    table : `pyarrow.Table` or `None`
        Sources with `science_columns`; None when the rerun has no such table.
    instrument
        Name to put into the rows; empty when unknown.
    expected
        Visits and detectors that have a catalogue: they are counted as 0 when no source was met.

    Returns
    -------
    rows : `pyarrow.Table`
        Metric rows (`harness.metrics.rows`), one for each visit and detector.

    Raises
    ------
    harness.errors.NotMeasuredError
        When a row has no visit or no detector.
    """
    metric = "dia.numSciSources"
    if table is None:
        reason = "the rerun has no table of direct-image sources"
        return rows_table([keyed_rows(metric, whole_rerun(), np.array([np.nan]), detail=[reason])], instrument or None)
    tally = Tally({metric: _science_bitmap(table.column_names)})
    for batch in table.to_batches():
        tally.add(batch)
    numbers, keys = tally.data_ids.ordered(expected or ())
    return rows_table([keyed_rows(metric, keys, tally.counts(numbers)[metric])], instrument or None)


def _science_bitmap(columns: Sequence[str]) -> Bitmap:
    """Return what chooses the direct-image sources that count: primary, else not sky, else all."""
    if "detect_isPrimary" in columns:
        return partial(_flagged, "detect_isPrimary")
    if "sky_source" in columns:
        return lambda batch: ~is_set(batch["sky_source"])
    return every


def _flagged(flag: str, batch: pa.RecordBatch) -> NDArray[np.uint8]:
    return is_set(batch[flag])


def _unflagged(flag: str, batch: pa.RecordBatch) -> NDArray[np.uint8]:
    return is_null(batch[flag])


def _good(flag_set: FlagSet, batch: pa.RecordBatch) -> NDArray[np.uint8]:
    """Return the good rows; the packed twin of `harness.metrics.flag_sets.good_mask`."""
    rejected = np.zeros_like(every(batch))
    for flag in flag_set.flags:
        rejected |= is_set(batch[flag])
    if flag_set.min_reliability is not None:
        rejected |= packed(floats(batch["reliability"]) < flag_set.min_reliability)
    return ~rejected


def _non_finite(columns: Sequence[str], batch: pa.RecordBatch) -> NDArray[np.uint8]:
    finite = np.ones(batch.num_rows, bool)
    for name in columns:
        finite &= np.isfinite(floats(batch[name]))
    return packed(~finite)


def _non_positive_determinant(batch: pa.RecordBatch) -> NDArray[np.uint8]:
    """Return the rows whose PSF moments are those of no PSF; double precision keeps the products exact."""
    ixx, iyy, ixy = (floats(batch[name]) for name in _MOMENTS)
    with np.errstate(invalid="ignore", over="ignore"):
        determinant = np.multiply(ixx, iyy, dtype=np.float64)
        determinant -= np.multiply(ixy, ixy, dtype=np.float64)
    return packed(determinant <= 0)
