"""What the data IDs of Butler datasets tell: their order, their parts, and what their files need not repeat."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.model import digest_of
from harness.rerun.protocol import Partition

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from lsst.daf.butler import DatasetRef

__all__ = ["constants", "has_dimension", "in_order", "injected_constants", "partitions", "readable"]

_KEYS = ("visit", "detector")


def partitions(refs: Sequence[DatasetRef], repeats: bool) -> Sequence[Partition]:
    """Return one partition per visit where datasets have one and hold no others' rows, else one in all."""
    if repeats or not all(has_dimension(ref, "visit") for ref in refs):
        return (_partition("all", refs),)
    visits: dict[int, list[DatasetRef]] = {}
    for ref in refs:
        visits.setdefault(int(ref.dataId["visit"]), []).append(ref)
    return tuple(_partition(f"visit-{visit}", group, visit) for visit, group in visits.items())


def _partition(key: str, refs: Sequence[DatasetRef], visit: int | None = None) -> Partition:
    ids = tuple(str(ref.id) for ref in refs)
    data_ids = None
    if visit is not None and all(has_dimension(ref, "detector") for ref in refs):
        data_ids = tuple((visit, int(ref.dataId["detector"])) for ref in refs)
    return Partition(key, ids, digest_of(sorted(ids)), None if visit is None else (visit,), data_ids)


def has_dimension(ref: DatasetRef, dimension: str) -> bool:
    """Return whether a data ID must have a dimension."""
    return dimension in ref.dataId.required


def constants(ref: DatasetRef) -> dict[str, int | str]:
    """Return the visit and detector of a dataset, as far as it is of one."""
    return {name: int(ref.dataId[name]) for name in _KEYS if has_dimension(ref, name)}


def injected_constants(
    refs: Sequence[DatasetRef], bands_of: Callable[[str, set[int]], Mapping[int, str]]
) -> list[dict[str, int | str]]:
    """Return what is the same in all rows of each catalogue of injections: visit, detector, band, ``inTemplate``.

    A visit of one exposure bears its number.  A coadd that something was injected into is subtracted as the template.

    Parameters
    ----------
    refs
        The datasets.
    bands_of
        Returns the bands of some visits of an instrument.
    """
    found = [constants(ref) for ref in refs]
    visits: dict[str, set[int]] = {}
    for ref, here in zip(refs, found, strict=True):
        if has_dimension(ref, "exposure"):
            here["visit"] = int(ref.dataId["exposure"])
        if has_dimension(ref, "band"):
            here["band"] = str(ref.dataId["band"])
        if has_dimension(ref, "patch"):
            here["inTemplate"] = True
        if "visit" in here:
            visits.setdefault(str(ref.dataId["instrument"]), set()).add(int(here["visit"]))
    bands = {instrument: bands_of(instrument, own) for instrument, own in visits.items()}
    for ref, here in zip(refs, found, strict=True):
        if "visit" in here and (band := bands[str(ref.dataId["instrument"])].get(int(here["visit"]))):
            here["band"] = band
    return found


def in_order(ref: DatasetRef) -> tuple[Any, ...]:
    """Return what datasets are ordered by: first what tells the time."""
    values = dict(ref.dataId.required)
    first = (values.pop("visit", -1), values.pop("group", ""), values.pop("detector", -1))
    return (*first, *(str(value) for value in values.values()))


def readable(ref: DatasetRef) -> str:
    """Return a data ID in words."""
    return ", ".join(f"{key} {value}" for key, value in ref.dataId.required.items())
