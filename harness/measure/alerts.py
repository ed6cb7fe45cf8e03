"""Measuring alert packets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.errors import BrokenFileError, NotMeasuredError
from harness.measure.tasks import Family, Made, Task, digest_of_partitions, grouped
from harness.metrics.alerts.catalogue import ALERT_GROUPS
from harness.model import digest_of
from harness.rerun.protocol import Partition

if TYPE_CHECKING:
    from harness.metrics.alerts.tally import AlertTally
    from harness.metrics.settings import Settings
    from harness.rerun.alerts import AlertPacket, Alerts, Cutout, CutoutKind
    from harness.rerun.protocol import Rerun

__all__ = ["ALERTS", "alert_partitions", "alert_tasks"]


def alert_partitions(alerts: Alerts) -> list[Partition]:
    """Bundle files so that all packets of a visit are in one part: medians of parts have no median.

    Parameters
    ----------
    alerts
        Files that hold packets of one visit or of several; what cannot be read is a part of its own.
    """
    parts: list[tuple[frozenset[int], tuple[str, ...]]] = []
    for ref in alerts.inputs:
        visits = alerts.visits(ref)
        refs: tuple[str, ...] = (ref,)
        apart = []
        for others, theirs in parts:
            if visits & others:
                visits, refs = visits | others, theirs + refs
            else:
                apart.append((others, theirs))
        parts = [*apart, (visits, refs)]
    return [
        Partition(
            f"visit-{min(visits)}" if visits else f"unread-{number}",
            refs,
            digest_of([alerts.inputs[ref] for ref in refs]),
            tuple(sorted(visits)),
        )
        for number, (visits, refs) in enumerate(sorted(parts, key=lambda part: sorted(part[0])))
    ]


def alert_tasks(rerun: Rerun, settings: Settings) -> list[Task]:
    """Return the tasks that measure one rerun's alerts."""
    if rerun.alerts is None:
        return []
    return [
        Task("alerts", key, rerun.ref, None, tuple(group), digest_of_partitions(group), settings)
        for key, group in grouped(alert_partitions(rerun.alerts))
    ]


def _alerts(task: Task, rerun: Rerun) -> Made:
    from harness.metrics.alerts.tally import AlertTally

    if rerun.alerts is None:
        raise AssertionError("a task of alerts comes from a rerun that has them")
    tally = AlertTally(rerun.instrument)
    for ref in (ref for partition in task.partitions or () for ref in partition.refs):
        try:
            for packet in rerun.alerts.packets(ref):
                _add(packet, tally)
        except BrokenFileError as fault:
            tally.add_unreadable(str(fault))
    return Made(tally.rows())


def _add(packet: AlertPacket, tally: AlertTally) -> None:
    """Decode a packet as far as that is possible, and measure it."""
    from harness.rerun.alerts import CUTOUTS

    cutouts: dict[CutoutKind, Cutout] = {}
    missing, broken = [], []
    for kind in CUTOUTS:
        try:
            cutouts[kind] = packet.cutout(kind)
        except NotMeasuredError as fault:
            missing.append(str(fault))
        except BrokenFileError as fault:
            broken.append(str(fault))
    tally.add(packet.place, packet.source, cutouts, missing, broken)


ALERTS = Family(
    name="alerts",
    needs="alert packets",
    groups=ALERT_GROUPS,
    applies=lambda rerun: rerun.alerts is not None,
    tasks=alert_tasks,
    kinds={"alerts": _alerts},
)
