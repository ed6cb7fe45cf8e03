"""Measuring backgrounds: of visit images and coadds, alone and beside a reference."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, final

import numpy as np

from harness.errors import HarnessError, UsageError, without_folders
from harness.measure.tasks import UNREADABLE, Family, Made, Summary, Task, digest_of_partitions, grouped
from harness.metrics.background.catalogue import BACKGROUND_CHANGE_GROUPS, BACKGROUND_GROUPS
from harness.model import digest_of
from harness.rerun.protocol import Partition

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from harness.metrics.background.record import Background, Closing, Statistics
    from harness.metrics.settings import Settings
    from harness.rerun.exposures.backgrounds import BackgroundModel
    from harness.rerun.exposures.protocol import Exposure, ExposureRef
    from harness.rerun.protocol import Rerun

__all__ = ["BACKGROUND", "BACKGROUNDS"]

#: Name under which the records are kept beside the metric rows: what the summary is made of, and plots are drawn from.
BACKGROUNDS = "backgrounds"

#: What each kind of exposure is to a background.
_PARTS = {
    "visitBackground": ("visit", "background"),
    "science": ("visit", "after"),
    "coaddBackground": ("coadd", "background"),
    "coaddBefore": ("coadd", "before"),
    "coaddAfter": ("coadd", "after"),
}

#: What a background belongs to: visit or coadd, visit, detector, tract, patch and band.
_Place = tuple[str, int, int, int, int, str]


def _tasks(rerun: Rerun, settings: Settings) -> list[Task]:
    partitions = [
        Partition(_key(place), tuple(ref.ref for ref in refs), digest_of(sorted(ref.inputs for ref in refs)))
        for place, refs in _places(rerun).items()
    ]
    return [
        Task("backgrounds", key, rerun.ref, None, tuple(group), digest_of_partitions(group), settings)
        for key, group in grouped(partitions)
    ]


def _pair_tasks(rerun: Rerun, reference: Rerun, settings: Settings) -> list[Task]:
    ours, theirs = _own_backgrounds(rerun), _own_backgrounds(reference)
    partitions = [
        Partition(
            _key(place),
            tuple(ref.ref for ref in refs),
            digest_of([sorted(ref.inputs for ref in side) for side in (refs, theirs[place])]),
        )
        for place, refs in ours.items()
        if place in theirs
    ]
    return [
        Task("background_change", key, rerun.ref, reference.ref, tuple(group), digest_of_partitions(group), settings)
        for key, group in grouped(partitions)
    ]


def _places(rerun: Rerun) -> dict[_Place, list[ExposureRef]]:
    """Return the planes of each visit image or coadd that belong to a background, of those kinds that have any."""
    listed = [] if rerun.exposures is None else rerun.exposures.listed
    with_backgrounds = {_PARTS[ref.kind][0] for ref in listed if _is_background(ref)}
    places: dict[_Place, list[ExposureRef]] = {}
    for ref in listed:
        if ref.kind in _PARTS and (of := _PARTS[ref.kind][0]) in with_backgrounds:
            places.setdefault((of, ref.visit, ref.detector, ref.tract, ref.patch, ref.band), []).append(ref)
    return places


def _own_backgrounds(rerun: Rerun) -> dict[_Place, list[ExposureRef]]:
    """Return the backgrounds of each visit image or coadd that has one."""
    places = {place: [ref for ref in refs if _is_background(ref)] for place, refs in _places(rerun).items()}
    return {place: refs for place, refs in places.items() if refs}


def _is_background(ref: ExposureRef) -> bool:
    return ref.kind in ("visitBackground", "coaddBackground")


def _key(place: _Place) -> str:
    of, visit, detector, tract, patch, band = place
    return f"visit-{visit}-{detector}" if of == "visit" else f"coadd-{tract}-{patch}-{band}"


def _backgrounds(task: Task, rerun: Rerun) -> Made:
    from harness.metrics.background.record import backgrounds_table
    from harness.metrics.rows import rows_schema

    wanted = {ref for part in task.partitions or () for ref in part.refs}
    found = [
        _measured(of, refs, rerun) for (of, *_), refs in _places(rerun).items() if wanted & {ref.ref for ref in refs}
    ]
    unreadable = any(each.problems for each in found)
    return Made(rows_schema().empty_table(), {UNREADABLE: unreadable}, {BACKGROUNDS: backgrounds_table(found)})


def _empty(of: Any, ref: ExposureRef) -> Background:
    from harness.metrics.background.record import Background

    coadd = f"tract {ref.tract}, patch {ref.patch}{f', {ref.band}' if ref.band else ''}" if of == "coadd" else ""
    return Background(of, ref.instrument, ref.visit, ref.detector, ref.band, coadd)


def _measured(of: str, refs: Sequence[ExposureRef], rerun: Rerun) -> Background:
    """Measure one background; what cannot be read is a problem of its own."""
    empty = _empty(of, refs[0])
    by_part: dict[str, list[ExposureRef]] = {part: [] for each, part in _PARTS.values() if each == of}
    for ref in refs:
        by_part[_PARTS[ref.kind][1]].append(ref)
    problems: dict[str, str] = {}
    planes: dict[str, _Plane] = {}
    for part, same in by_part.items():
        if same:
            try:
                planes[part] = _read(same, rerun)
            except HarnessError as fault:
                problems[part] = without_folders(fault)
    differing = _differing(empty.place, planes)
    known: dict[str, Any] = {}
    if (background := planes.get("background")) is not None:
        known |= _shape(background)
    if planes.keys() == by_part.keys() and not differing:
        known |= _closing(of, planes)
    if faults := [plane.variance for plane in planes.values() if isinstance(plane.variance, str)]:
        problems["variance_ratio"] = faults[0]
    elif {"before", "after"} <= planes.keys():
        known["variance_ratio"] = _ratio(planes["after"].variance, planes["before"].variance)
    units = {plane.unit for plane in planes.values() if plane.unit}
    unit = units.pop() if len(units) == 1 else ""
    missing = tuple(part for part, same in by_part.items() if not same)
    return replace(empty, unit=unit, differing=differing, missing=missing, problems=problems, **known)


@final
@dataclass(frozen=True, slots=True, eq=False)
class _Plane:
    """One plane of pixels, with what has to agree with others.

    Attributes
    ----------
    variance
        Median of a coadd's variance plane, or why there is none; NaN for what is no coadd.
    """

    image: NDArray[np.float32]
    xy0: tuple[int, int]
    unit: str
    variance: float | str = math.nan
    model: BackgroundModel | None = None

    @property
    def box(self) -> str:
        (rows, columns), (x0, y0) = self.image.shape, self.xy0
        return f"{columns}x{rows} at ({x0}, {y0})"


def _read(same: Sequence[ExposureRef], rerun: Rerun) -> _Plane:
    """Read what there should be once.

    Raises
    ------
    harness.errors.HarnessError
        When it cannot be read, or is there more than once.
    """
    from harness.rerun.exposures.backgrounds import read_background
    from harness.rerun.exposures.opening import open_exposure

    if rerun.exposures is None:
        raise AssertionError("a task of exposures comes from a rerun that has them")
    if len(same) > 1:
        raise UsageError(f"{' and '.join(ref.ref for ref in same)} have one data ID; leave one of them out")
    (ref,) = same
    with rerun.exposures.local(ref.ref) as path:
        if _is_background(ref):
            model = read_background(path)
            return _Plane(model.image(), model.xy0, model.unit, model=model)
        with open_exposure(path) as exposure:
            variance = _median_variance(exposure) if ref.kind.startswith("coadd") else math.nan
            return _Plane(exposure.image, exposure.xy0, exposure.unit, variance)


def _median_variance(exposure: Exposure) -> float | str:
    """Return the median of the variance plane; what has none still has a background, and says why."""
    from harness.metrics.planes import plane_statistics

    try:
        return plane_statistics(exposure.variance).median
    except HarnessError as fault:
        return without_folders(fault)


def _ratio(after: float | str, before: float | str) -> float:
    return float(after) / float(before) if float(before) > 0 else math.nan


def _shape(background: _Plane) -> dict[str, Any]:
    from harness.metrics.background.planes import histogram_edges, plane_gradient, thumbnail
    from harness.metrics.planes import plane_statistics

    statistics = _statistics(background.image)
    edges = histogram_edges(statistics.minimum, statistics.maximum)
    held = plane_statistics(background.image, edges=edges).histogram if len(edges) else None
    blocks, rows = thumbnail(background.image)
    model = background.model
    return {
        "background": replace(statistics, gradient=plane_gradient(background.image)),
        "n_components": 0 if model is None else model.n_components,
        "bins": "" if model is None else ", ".join(f"{nx}x{ny}" for nx, ny in model.bins),
        "edges": tuple(map(float, edges)),
        "counts": () if held is None else tuple(map(int, held.counts)),
        "thumbnail": blocks,
        "thumbnail_rows": rows,
    }


def _statistics(image: Any) -> Statistics:
    from harness.metrics.background.record import Statistics
    from harness.metrics.planes import plane_statistics

    found = plane_statistics(image)
    names = ("n_pixels", "n_nan", "n_inf", "minimum", "maximum", "mean", "median", "std")
    return Statistics(**{name: getattr(found, name) for name in names})


def _differing(place: str, planes: Mapping[str, _Plane]) -> dict[str, str]:
    """Say in what planes differ that have to agree before they can close."""
    found = {}
    for what in ("box", "unit"):
        values = {part: str(getattr(plane, what)) for part, plane in planes.items() if getattr(plane, what)}
        if len(set(values.values())) > 1:
            said = ", ".join(f"{part} {value}" for part, value in values.items())
            found[what] = f"the planes of {place} differ in {what} ({said})"
    return found


def _closing(of: str, planes: Mapping[str, _Plane]) -> dict[str, Any]:
    from harness.metrics.background.planes import restored
    from harness.metrics.closure import closure
    from harness.metrics.planes import plane_statistics

    after, background = planes["after"].image, planes["background"].image
    before = restored(after, background) if of == "visit" else planes["before"].image
    without_data = ~(np.isfinite(before) | np.isfinite(after))
    if without_data.any():  # a model has values there, which belong to nothing
        background = np.where(without_data, np.float32(np.nan), background)
    known: dict[str, Any] = {"closing": _as_closing(closure(before, after, background))}
    if of == "visit":
        known["restored_maximum"] = plane_statistics(before).maximum
    return known


def _as_closing(found: Any) -> Closing:
    from harness.metrics.background.record import Closing

    row, column = found.worst if found.worst is not None else (-1, -1)
    return Closing(found.largest, found.n_compared, found.n_unclosed, found.n_pattern, row, column, found.rms)


def _summary(kept: Callable[[str], Sequence[pa.Table]], _rerun: Rerun, _settings: Settings) -> Made:
    from harness.metrics.background.record import backgrounds_of
    from harness.metrics.background.rows import background_rows

    return Made(background_rows(each for table in kept(BACKGROUNDS) for each in backgrounds_of(table)))


def _background_change(task: Task, rerun: Rerun, reference: Rerun) -> Made:
    from harness.metrics.background.rows import change_rows

    wanted = {ref for part in task.partitions or () for ref in part.refs}
    theirs = _own_backgrounds(reference)
    return Made(
        change_rows(
            _change(place, refs, theirs[place], rerun, reference)
            for place, refs in _own_backgrounds(rerun).items()
            if wanted & {ref.ref for ref in refs}
        )
    )


def _change(
    place: _Place, ours: Sequence[ExposureRef], theirs: Sequence[ExposureRef], rerun: Rerun, reference: Rerun
) -> tuple[Background, int, float]:
    """Return a background that both reruns have, how many of its pixels differ, and by how much at most."""
    from harness.metrics.background.planes import plane_change

    background = _empty(place[0], ours[0])
    if sorted(ref.inputs for ref in ours) == sorted(ref.inputs for ref in theirs):
        return background, 0, 0.0
    planes = []
    for side, refs in ((rerun, ours), (reference, theirs)):
        try:
            planes.append(_read(refs, side))
        except HarnessError as fault:
            return replace(background, problems={"change": f"{side.name}: {without_folders(fault)}"}), 0, math.nan
    new, old = planes
    if new.box != old.box:
        said = f"the background of {background.place} covers {new.box}, and {old.box} in {reference.name}"
        return replace(background, problems={"change": said}), 0, math.nan
    return background, *plane_change(new.image, old.image)


BACKGROUND = Family(
    name="background",
    needs="backgrounds of visit images or coadds",
    groups=BACKGROUND_GROUPS | BACKGROUND_CHANGE_GROUPS,
    applies=lambda rerun: bool(_places(rerun)),
    tasks=_tasks,
    kinds={"backgrounds": _backgrounds},
    pair_tasks=_pair_tasks,
    pair_kinds={"background_change": _background_change},
    summary=Summary("background", _summary),
)
