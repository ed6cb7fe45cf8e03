"""Subtractions with either template, joined by data ID: no number meets one of another visit."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, final

from harness.metrics.template.subtraction import EXPOSURES, SIDES, ExposureSummary, Subtraction

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = ["VisitImage", "joined"]


@final
@dataclass(frozen=True, slots=True)
class VisitImage:
    """One visit-detector, with its subtraction by each template of the rerun.

    Attributes
    ----------
    instrument, visit, detector, band
        Data ID.
    coadd
        What it shares with other visits, its templates (and those linked to them where a visit has templates of two
        names), called after the first of these visits: what a template is made of may change from rerun to rerun.
    by_side
        A subtraction for each side that the rerun has; one without template and difference where this data ID lacks
        the side, and one of which nothing is known where it is listed more than once.
    listed
        How often each side of this data ID is listed; 1 is right.
    """

    instrument: str
    visit: int
    detector: int
    band: str
    coadd: str
    by_side: Mapping[str, Subtraction]
    listed: Mapping[str, int]

    @property
    def place(self) -> str:
        """Data ID in words."""
        return f"visit {self.visit} detector {self.detector}"

    @property
    def science_differs(self) -> bool:
        """Whether the sides were not made of one and the same science image."""
        found = [each for each in self.by_side.values() if each.science.is_known or each.science_digest]
        return any(not _have_same_science(found[0], other) for other in found[1:])

    @property
    def science(self) -> Subtraction:
        """The subtraction to take the science exposure's numbers from: the first side that has them.

        Where the science image differs between sides, no number is that of the visit.
        """
        sides = list(self.by_side.values())
        if self.science_differs:
            return replace(
                sides[0],
                science=ExposureSummary(),
                problems={"science": f"the science image differs between {' and '.join(self.by_side)}"},
            )
        return next((each for each in sides if each.science.is_known), sides[0])

    @property
    def has_same_inputs(self) -> bool:
        """Whether good and deep template are known to be made of the same visits: there is nothing to compare."""
        good, deep = (self.by_side[side].input_visits for side in ("good", "deep"))
        return good is not None and deep is not None and set(good) == set(deep)


def joined(subtractions: Iterable[Subtraction]) -> list[VisitImage]:
    """Join the sides by data ID.

    Parameters
    ----------
    subtractions
        Of all sides, in any order.  One that is listed more than once is not used: which one is right is not known.

    Returns
    -------
    images
        In order of data ID.
    """
    by_data_id: dict[tuple[str, int, int], dict[str, list[Subtraction]]] = {}
    for each in subtractions:
        by_data_id.setdefault(each.data_id, {}).setdefault(each.side, []).append(each)
    sides = [side for side in SIDES if any(side in found for found in by_data_id.values())]
    coadds = _linked(by_data_id.values())
    images: list[VisitImage] = []
    first_of: dict[str, int] = {}
    for (instrument, visit, detector), found in sorted(by_data_id.items()):
        everything = [each for same in found.values() for each in same]
        names = {coadds[each.coadd] for each in everything if each.coadd}
        first = first_of.setdefault(min(names), visit) if names else visit
        images.append(
            VisitImage(
                *(instrument, visit, detector, max(each.band for each in everything)),
                coadd=f"templates of visit {first}",
                by_side={side: _the_only(found.get(side, []), everything[0], side) for side in sides},
                listed={side: len(same) for side, same in found.items()},
            )
        )
    return images


def _the_only(same: Sequence[Subtraction], other: Subtraction, side: str) -> Subtraction:
    """Return the one subtraction of a side, or what stands for it where there is none, or more than one."""
    if len(same) == 1:
        return same[0]
    empty = Subtraction(*other.data_id, other.band, side)
    if not same:
        return replace(empty, missing=("template", "difference"))
    return replace(empty, problems=dict.fromkeys(EXPOSURES, f"the data ID is listed {len(same)} times"))


def _have_same_science(first: Subtraction, second: Subtraction) -> bool:
    """Return whether the pixels are the same, where that is known, and so are variance and PSF."""
    if first.science_digest and second.science_digest and first.science_digest != second.science_digest:
        return False
    ours, theirs = first.science, second.science
    return all(
        a == b or (math.isnan(a) and math.isnan(b))
        for a, b in (
            (ours.variance, theirs.variance),
            (ours.fwhm, theirs.fwhm),
            (ours.nea, theirs.nea),
            (ours.n_pixels, theirs.n_pixels),
        )
    )


def _linked(images: Iterable[Mapping[str, Sequence[Subtraction]]]) -> dict[str, str]:
    """Return one name for all coadds that visits link: a visit whose templates have two names belongs to both."""
    group: dict[str, set[str]] = {}
    for sides in images:
        names = {each.coadd for same in sides.values() for each in same if each.coadd}
        merged = names.union(*(group.get(name, ()) for name in names))
        for name in merged:
            group[name] = merged
    return {name: min(members) for name, members in group.items()}
