"""Measuring alert packets: file by file what each packet says, and then all of them together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.errors import BrokenFileError, NotMeasuredError
from harness.measure.tasks import Family, Made, Summary, Task, digest_of_partitions, grouped
from harness.metrics.alerts.catalogue import ALERT_GROUPS
from harness.rerun.protocol import Partition

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pyarrow as pa

    from harness.metrics.settings import Settings
    from harness.rerun.alerts import AlertPacket, Cutout, CutoutKind
    from harness.rerun.exposures.protocol import PsfSizeKind
    from harness.rerun.protocol import Rerun

__all__ = ["ALERTS", "alert_tasks"]

#: Name under which the numbers of each packet are kept: what rows are made of, and plots are drawn from.
PACKETS = "alerts"


def alert_tasks(rerun: Rerun, settings: Settings) -> list[Task]:
    """Return the tasks that measure one rerun's alerts: some files each, whatever visits they are of."""
    if rerun.alerts is None:
        return []
    inputs = rerun.alerts.inputs.items()
    files = [Partition(f"file-{number}", (ref,), digest) for number, (ref, digest) in enumerate(inputs)]
    return [
        Task("packets", key, rerun.ref, None, tuple(group), digest_of_partitions(group), settings)
        for key, group in grouped(files)
    ]


def _packets(task: Task, rerun: Rerun) -> Made:
    import pyarrow as pa

    from harness.metrics.alerts.numbers import alerts_schema, unreadable_packet
    from harness.metrics.rows import rows_schema

    if rerun.alerts is None:
        raise AssertionError("a task of alerts comes from a rerun that has them")
    numbers: list[dict[str, Any]] = []
    for ref in (ref for partition in task.partitions or () for ref in partition.refs):
        try:
            for packet in rerun.alerts.packets(ref):
                numbers.append(_measured(packet, task.settings.psf_size))
        except BrokenFileError as fault:
            numbers.append(unreadable_packet(str(fault)))
    return Made(rows_schema().empty_table(), tables={PACKETS: pa.Table.from_pylist(numbers, alerts_schema())})


def _measured(packet: AlertPacket, psf_size: PsfSizeKind) -> dict[str, Any]:
    """Decode a packet as far as that is possible, and measure it."""
    from harness.metrics.alerts.numbers import alert_numbers
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
    return alert_numbers(packet.place, packet.source, cutouts, missing, broken, psf_size=psf_size)


def _summary(tables: Callable[[str], Sequence[pa.Table]], rerun: Rerun, _: Settings) -> Made:
    """Make the rows of all packets: the packets of a visit may lie in any files, and parts of medians make none."""
    import pyarrow as pa

    from harness.metrics.alerts.rows import alert_rows

    return Made(alert_rows(pa.concat_tables(tables(PACKETS)), rerun.instrument))


ALERTS = Family(
    name="alerts",
    needs="alert packets",
    groups=ALERT_GROUPS,
    applies=lambda rerun: rerun.alerts is not None,
    tasks=alert_tasks,
    kinds={"packets": _packets},
    summary=Summary("alerts", _summary),
)
