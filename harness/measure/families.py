"""All families of metrics, and what of them a rerun holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.errors import NotMeasuredError
from harness.measure.alerts import ALERTS
from harness.measure.backgrounds import BACKGROUND
from harness.measure.dia import DIA
from harness.measure.eotest import EOTEST
from harness.measure.flavors import FLAVOR
from harness.measure.ptc import PTC
from harness.measure.tasks import Task
from harness.measure.templates import TEMPLATE
from harness.model import digest_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from harness.measure.tasks import Family, Made, Summary
    from harness.metrics.settings import Settings
    from harness.rerun.protocol import Rerun, RerunRef

__all__ = ["FAMILIES", "families_of", "pair_tasks", "rerun_tasks", "run_task", "summary_tasks"]

FAMILIES: tuple[Family, ...] = (DIA, PTC, EOTEST, TEMPLATE, BACKGROUND, ALERTS, FLAVOR)


def families_of(rerun: Rerun) -> tuple[Family, ...]:
    """Return the families that a rerun holds input for.

    Raises
    ------
    harness.errors.NotMeasuredError
        When there is none.
    """
    found = tuple(family for family in FAMILIES if family.applies(rerun))
    if not found:
        have = ", ".join(rerun.tables) or "none"
        needs = ", nor ".join(family.needs for family in FAMILIES)
        raise NotMeasuredError(
            f"rerun {rerun.name!r} in {rerun.ref.repo} has neither {needs} (tables found: {have}); "
            "check the collection, or name the files in rerun.toml"
        )
    return found


def rerun_tasks(rerun: Rerun, settings: Settings) -> list[Task]:
    """Return the tasks that measure one rerun."""
    return [task for family in families_of(rerun) for task in family.tasks(rerun, settings)]


def summary_tasks(rerun: Rerun, tasks: Sequence[Task]) -> dict[Task, tuple[Summary, tuple[str, ...]]]:
    """Return what is to be measured of all that some tasks make, with the names of the shards it is made of."""
    found = {}
    for family in families_of(rerun):
        shards = tuple(task.filename for task in tasks if task.kind in family.kinds)
        if family.summary is not None and shards:
            summary = family.summary
            task = Task(summary.kind, "all", rerun.ref, None, None, digest_of(sorted(shards)), tasks[0].settings)
            found[task] = (summary, shards)
    return found


def pair_tasks(rerun: Rerun, reference: Rerun, settings: Settings) -> list[Task]:
    """Return the tasks that measure two reruns against each other, of what both hold."""
    both = (family for family in families_of(rerun) if family.applies(reference))
    return [task for family in both for task in family.pair_tasks(rerun, reference, settings)]


def run_task(task: Task, opened: Callable[[RerunRef], Rerun]) -> Made:
    """Measure one shard.

    Parameters
    ----------
    task
        What to do.
    opened
        Returns a rerun by its reference, opened before or now.
    """
    rerun = opened(task.rerun)
    if task.reference is None:
        return next(family.kinds[task.kind] for family in FAMILIES if task.kind in family.kinds)(task, rerun)
    do = next(family.pair_kinds[task.kind] for family in FAMILIES if task.kind in family.pair_kinds)
    return do(task, rerun, opened(task.reference))
