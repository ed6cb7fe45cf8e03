"""Measuring what is on record of amplifiers, alone and beside a reference."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.measure.tasks import Family, Made, Task, digest_of_table
from harness.metrics.ptc.catalogue import EOTEST_GROUPS
from harness.model import digest_of

if TYPE_CHECKING:
    import pyarrow as pa

    from harness.metrics.settings import Settings
    from harness.rerun.protocol import Rerun

__all__ = ["EOTEST"]


def _tasks(rerun: Rerun, settings: Settings) -> list[Task]:
    return [Task("eotest", "all", rerun.ref, None, None, digest_of_table(rerun.amplifiers()), settings)]


def _pair_tasks(rerun: Rerun, reference: Rerun, settings: Settings) -> list[Task]:
    inputs = digest_of([digest_of_table(side.amplifiers()) for side in (rerun, reference)])
    return [Task("eotest_change", "all", rerun.ref, reference.ref, None, inputs, settings)]


def _eotest(_: Task, rerun: Rerun) -> Made:
    from harness.metrics.ptc.eotest_rows import eotest_rows

    return Made(eotest_rows(_amplifiers(rerun), rerun.instrument))


def _eotest_change(_: Task, rerun: Rerun, reference: Rerun) -> Made:
    from harness.metrics.ptc.eotest_rows import eotest_change_rows

    return Made(eotest_change_rows(_amplifiers(rerun), _amplifiers(reference), rerun.instrument))


def _amplifiers(rerun: Rerun) -> pa.Table:
    table = rerun.amplifiers()
    if table is None:
        raise AssertionError("this task comes from a rerun with a record of amplifiers")
    return table


EOTEST = Family(
    name="eotest",
    needs="a record of amplifiers",
    groups=EOTEST_GROUPS,
    applies=lambda rerun: rerun.amplifiers() is not None,
    tasks=_tasks,
    kinds={"eotest": _eotest},
    pair_tasks=_pair_tasks,
    pair_kinds={"eotest_change": _eotest_change},
)
