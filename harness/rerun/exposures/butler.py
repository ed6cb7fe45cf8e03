"""Exposures in a Butler collection."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, final

from harness.errors import BrokenFileError
from harness.rerun.exposures.dataset_types import EXPOSURE_TYPES
from harness.rerun.exposures.protocol import ExposureRef

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from lsst.daf.butler import DatasetRef

    from harness.rerun.exposures.protocol import ExposureKind

__all__ = ["ButlerExposures"]


@final
class ButlerExposures:
    """The exposures of a collection; `harness.rerun.exposures.protocol.Exposures`.

    All is known from the registry; no file is touched.  Of a chain the first dataset of each data ID counts, so that
    none is there twice.

    Parameters
    ----------
    query
        Returns the datasets of a type in the order of their data IDs; none where the collection has none.
    bands
        Returns the band of each visit of some, where it is known.
    fetch
        Gives a local file for a dataset.
    """

    def __init__(
        self,
        query: Callable[[str], list[DatasetRef]],
        bands: Callable[[str, set[int]], Mapping[int, str]],
        fetch: Callable[[DatasetRef], AbstractContextManager[Path]],
    ) -> None:
        self._query = query
        self._bands = bands
        self._fetch = fetch

    @cached_property
    def _datasets(self) -> list[tuple[ExposureKind, str, DatasetRef]]:
        return [(kind, side, ref) for kind in EXPOSURE_TYPES for side, refs in self._sides(kind) for ref in refs]

    def _sides(self, kind: ExposureKind) -> Iterator[tuple[str, list[DatasetRef]]]:
        """Yield the datasets of each side, of the first type that the collection has."""
        seen = set()
        for each in EXPOSURE_TYPES[kind]:
            if each.side not in seen and (refs := self._query(each.name)):
                seen.add(each.side)
                yield each.side, refs

    @cached_property
    def refs(self) -> Mapping[str, DatasetRef]:
        """All datasets by their UUID."""
        return {str(ref.id): ref for _, _, ref in self._datasets}

    @cached_property
    def listed(self) -> Sequence[ExposureRef]:
        """All exposures, in order of kind, side and data ID."""
        visits: dict[str, set[int]] = {}
        for _, _, ref in self._datasets:
            if "visit" in ref.dataId.required:
                visits.setdefault(str(ref.dataId["instrument"]), set()).add(int(ref.dataId["visit"]))
        bands = {name: self._bands(name, numbers) for name, numbers in visits.items()}
        found = []
        for kind, side, ref in self._datasets:
            values = ref.dataId.required
            instrument, visit = str(values.get("instrument", "")), int(values.get("visit", -1))
            found.append(
                ExposureRef(
                    kind=kind,
                    side=side,
                    instrument=instrument,
                    visit=visit,
                    detector=int(values.get("detector", -1)),
                    band=str(values.get("band", "")) or bands.get(instrument, {}).get(visit, ""),
                    tract=int(values.get("tract", -1)),
                    patch=int(values.get("patch", -1)),
                    ref=str(ref.id),
                    inputs=str(ref.id),
                )
            )
        return tuple(found)

    def local(self, ref: str) -> AbstractContextManager[Path]:
        """Return a local file of an exposure; a remote one is fetched for the while.

        Raises
        ------
        harness.errors.BrokenFileError
            When it is missing.
        """
        if ref not in self.refs:
            raise BrokenFileError(f"dataset {ref} is no longer in the collection; measure again")
        return self._fetch(self.refs[ref])
