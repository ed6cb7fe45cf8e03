"""Measuring photon transfer: of raw flats, and of curves that others measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.measure.tasks import Family, Made, Task, digest_of_table
from harness.metrics.ptc.catalogue import PTC_GROUPS
from harness.model import digest_of
from harness.rerun.protocol import Partition

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.metrics.settings import Settings
    from harness.rerun.protocol import Rerun

__all__ = ["PTC", "ptc_tasks"]

#: Name under which the curves are kept beside the metric rows: what plots are drawn from.
CURVES = "curves"


def ptc_tasks(rerun: Rerun, settings: Settings) -> list[Task]:
    """Return the tasks that measure one rerun's photon transfer: one per detector, and one for curves of others."""

    def task(kind: str, key: str, inputs: str, partitions: tuple[Partition, ...] | None = None) -> Task:
        return Task(kind, key, rerun.ref, None, partitions, inputs, settings)

    tasks = [task("flats", part.key, part.inputs, (part,)) for part in _by_detector(rerun)]
    if (curves := rerun.curves) is not None:
        tasks.append(task("curves", "all", digest_of_table(curves)))
    return tasks


def _by_detector(rerun: Rerun) -> Iterator[Partition]:
    """Yield the flats of each detector, with its bias, as one part."""
    if rerun.flats is None:
        return
    used: dict[int, list[str]] = {}
    for exposure in rerun.flats.exposures:
        used.setdefault(exposure.detector, []).append(exposure.inputs)
    for detector in sorted(used):
        if detector in rerun.flats.biases:
            used[detector].append(rerun.flats.biases[detector].inputs)
        inputs = digest_of(sorted(used[detector]))
        yield Partition(f"detector-{detector}", (str(detector),), inputs)


def _flats(task: Task, rerun: Rerun) -> Made:
    from harness.measure.flats import extract_curves
    from harness.metrics.ptc.curve import curves_table
    from harness.metrics.ptc.rows import curve_rows

    if rerun.flats is None or not task.partitions:
        raise AssertionError("a task of flats comes from a rerun that has them")
    detector = int(task.partitions[0].refs[0])
    extracted = extract_curves(rerun.flats, detector, rerun.instrument)
    surplus = [(detector, *single) for single in extracted.surplus]
    rows = curve_rows(extracted.curves, rerun.instrument, surplus, extracted.problems)
    return Made(rows, tables={CURVES: curves_table(extracted.curves)})


def _curves(_: Task, rerun: Rerun) -> Made:
    from harness.metrics.ptc.curve import curves_of, curves_table
    from harness.metrics.ptc.rows import curve_rows

    if rerun.curves is None:
        raise AssertionError("a task of curves comes from a rerun that has them")
    curves = curves_of(rerun.curves)
    return Made(curve_rows(curves, rerun.instrument), tables={CURVES: curves_table(curves)})


PTC = Family(
    name="ptc",
    needs="flats or photon transfer curves",
    groups=PTC_GROUPS,
    applies=lambda rerun: not (rerun.flats is None and rerun.curves is None),
    tasks=ptc_tasks,
    kinds={"flats": _flats, "curves": _curves},
)
