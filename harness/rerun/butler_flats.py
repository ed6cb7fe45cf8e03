"""Raw flats in a Butler collection."""

from __future__ import annotations

import math
from collections import Counter
from functools import cached_property
from typing import TYPE_CHECKING, Any, final

from harness.errors import BrokenFileError, UsageError
from harness.rerun.flats import sequence_of
from harness.rerun.protocol import FlatExposure
from harness.rerun.tables import BIAS_TYPE, RAW_TYPE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from lsst.daf.butler import Butler, DatasetRef, Timespan

__all__ = ["ButlerFlats"]

#: The dimension records keep what the headers say, in either case.
_OBSERVATION_TYPES = ("flat", "FLAT", "Flat")


@final
class ButlerFlats:
    """The raw flats of a collection; `harness.rerun.protocol.Flats`.

    All is known from the registry, asked once; no file is touched.  So the charge of the photodiode, which only headers
    hold, is left open.  A pair is recorded where a ``group`` has two flats.

    Parameters
    ----------
    butler, collection
        Where to look.
    with_biases
        Whether the collection has biases.
    fetch
        Gives a local file for a dataset.
    """

    def __init__(
        self,
        butler: Butler,
        collection: str,
        *,
        with_biases: bool,
        fetch: Callable[[DatasetRef], AbstractContextManager[Path]],
    ) -> None:
        self._butler = butler
        self._collection = collection
        self._with_biases = with_biases
        self._fetch = fetch
        with butler.query() as query:
            flats = query.where("exposure.observation_type IN (flats)", bind={"flats": list(_OBSERVATION_TYPES)})
            self.refs: list[DatasetRef] = list(flats.datasets(RAW_TYPE, collection, find_first=True))
            found = flats.join_dataset_search(RAW_TYPE, collection)
            self._exposures = {record.id: record for record in found.dimension_records("exposure")}
            self._detectors = {record.id: record for record in found.dimension_records("detector")}
        instruments = sorted({str(ref.dataId["instrument"]) for ref in self.refs})
        if len(instruments) > 1:
            raise UsageError(
                f"collection {collection!r} holds flats of {' and '.join(instruments)}; name one of either"
            )

    @cached_property
    def exposures(self) -> Sequence[FlatExposure]:
        """All raw flats, in order of detector and exposure."""
        groups = Counter(_group(record) for record in self._exposures.values())
        flats = []
        for ref in self.refs:
            number, detector = int(ref.dataId["exposure"]), int(ref.dataId["detector"])
            record = self._exposures[number]
            flats.append(
                FlatExposure(
                    exposure=number,
                    detector=detector,
                    detector_name=self._detectors[detector].full_name,
                    exposure_time=math.nan if record.exposure_time is None else record.exposure_time,
                    pair=_group(record) if groups[_group(record)] == 2 else "",
                    sequence=sequence_of(record.day_obs, record.seq_num),
                    photo_charge=math.nan,
                    ref=str(ref.id),
                    inputs=str(ref.id),
                )
            )
        return tuple(sorted(flats, key=lambda each: (each.detector, each.exposure)))

    @cached_property
    def bias_refs(self) -> Mapping[int, DatasetRef]:
        """The bias dataset of each detector that has one, valid for all of its flats.

        Raises
        ------
        harness.errors.UsageError
            When several are, each for some of them.
        """
        from lsst.daf.butler import CalibrationLookupError

        taken: dict[int, list[int]] = {}
        for ref in self.refs if self._with_biases else ():
            taken.setdefault(int(ref.dataId["detector"]), []).append(int(ref.dataId["exposure"]))
        found = {}
        for detector, exposures in taken.items():
            data_id = {"instrument": self.refs[0].dataId["instrument"], "detector": detector}
            try:
                bias = self._butler.find_dataset(
                    BIAS_TYPE, data_id, collections=self._collection, timespan=self._timespan(exposures)
                )
            except CalibrationLookupError:
                raise UsageError(
                    f"the flats of detector {detector} in collection {self._collection!r} fall into the validity of "
                    f"several biases; name a collection with the flats of one of them"
                ) from None
            if bias is not None:
                found[detector] = bias
        return found

    @cached_property
    def biases(self) -> Mapping[int, FlatExposure]:
        """The bias of each detector that has one."""
        return {
            detector: FlatExposure(
                -1, detector, self._detectors[detector].full_name, 0.0, "", -1, math.nan, str(ref.id), str(ref.id)
            )
            for detector, ref in self.bias_refs.items()
        }

    def local(self, ref: str) -> AbstractContextManager[Path]:
        """Return a local file of an exposure or bias; a remote one is fetched for the while.

        Raises
        ------
        harness.errors.BrokenFileError
            When it is missing.
        """
        dataset = self._butler.get_dataset(ref)
        if dataset is None:
            raise BrokenFileError(f"dataset {ref} is no longer in collection {self._collection!r}; measure again")
        return self._fetch(dataset)

    def _timespan(self, exposures: Sequence[int]) -> Timespan | None:
        """Return the time from the first to the last exposure; None when it is not recorded."""
        from lsst.daf.butler import Timespan

        spans = [span for number in exposures if (span := self._exposures[number].timespan) is not None]
        if not spans:
            return None
        return Timespan(min(span.begin for span in spans), max(span.end for span in spans))


def _group(record: Any) -> str:
    """Return what ties exposures together; a dimension since daf_butler universe 6, a name before."""
    return str((record.group if hasattr(record, "group") else record.group_name) or "")
