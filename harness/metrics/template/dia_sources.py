"""DIA sources made with either template: how many, how significant, of which sign."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np

from harness.metrics.rows import rows_schema
from harness.metrics.template.catalogue import of_side

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pyarrow as pa
    from numpy.typing import NDArray

__all__ = ["DiaSources", "dia_source_rows"]


@final
@dataclass(frozen=True, slots=True, eq=False)
class DiaSources:
    """The DIA sources of one side, an element each.

    Attributes
    ----------
    visit, detector
        Data ID.
    flux, error
        PSF flux and its error, nJy.
    is_flagged
        Whether one of the flags is set that leave a source out.

    Raises
    ------
    ValueError
        When they are not equally long.
    """

    visit: NDArray[np.int64]
    detector: NDArray[np.int64]
    flux: NDArray[np.float64]
    error: NDArray[np.float64]
    is_flagged: NDArray[np.bool_]

    def __post_init__(self) -> None:
        lengths = {len(getattr(self, name)) for name in self.__slots__}
        if len(lengths) > 1:
            raise ValueError(f"columns of DIA sources must be equally long (got {sorted(lengths)})")

    def over(self, chosen: NDArray[Any]) -> DiaSources:
        """Return the sources that a mask or indices choose."""
        return DiaSources(*(getattr(self, name)[chosen] for name in self.__slots__))

    @property
    def usable(self) -> DiaSources:
        """The sources that have a flux, of either sign, and a positive error."""
        return self.over(np.isfinite(self.flux) & np.isfinite(self.error) & (self.error > 0))


def dia_source_rows(
    sources: Mapping[str, DiaSources],
    instrument: str,
    data_ids: Iterable[tuple[int, int]],
    bands: Mapping[int, str] | None = None,
) -> pa.Table:
    """Return the metrics of DIA sources of each side.

    Parameters
    ----------
    sources
        By side.
    instrument
        Name to put into the rows.
    data_ids
        Visits and detectors that were searched: one without a source counts none.  Others that have sources are
        added.
    bands
        Band of each visit.

    Returns
    -------
    rows
        Metric rows (`harness.metrics.rows`).  Where a data ID has no source, medians and shares have no part of it.
    """
    import pyarrow as pa

    expected = set(data_ids)
    rows: list[dict[str, Any]] = []
    for side, found in sources.items():
        kept = found.over(~found.is_flagged)
        members = _members(kept)
        for visit, detector in sorted(expected.union(_members(found))):
            here = {"instrument": instrument, "visit": visit, "detector": detector, "band": (bands or {}).get(visit)}
            parts = _parts(kept.over(members.get((visit, detector), _NONE)))
            rows += [{"metric": of_side(name, side), **here, **part} for name, part in parts.items()]
    return pa.Table.from_pylist(rows, rows_schema())


_NONE = np.empty(0, np.int64)


def _members(sources: DiaSources) -> dict[tuple[int, int], NDArray[np.int64]]:
    """Return which sources each data ID has."""
    keys, number = np.unique(np.stack([sources.visit, sources.detector]), axis=1, return_inverse=True)
    ends = np.cumsum(np.bincount(number, minlength=keys.shape[1]))
    indices = np.split(np.argsort(number, kind="stable"), ends[:-1])
    return {(visit, detector): own for (visit, detector), own in zip(keys.T.tolist(), indices, strict=False)}


def _parts(kept: DiaSources) -> dict[str, dict[str, float]]:
    usable = kept.usable
    n_usable = len(usable.flux)
    weight = float(n_usable > 0)

    def median(values: NDArray[np.float64]) -> dict[str, float]:
        return {"numerator": float(np.median(values)) if n_usable else 0.0, "denominator": weight}

    return {
        "difference.numSources": {"numerator": float(len(kept.flux))},
        "difference.medianSnr": median(np.abs(usable.flux) / usable.error),
        "difference.medianFluxError": median(usable.error),
        "difference.fracNegative": {"numerator": float(np.sum(usable.flux < 0)), "denominator": float(n_usable)},
    }
