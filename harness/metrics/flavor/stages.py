"""The stages at which sources are looked at: as they were found, and after each published list of flags."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

from harness.metrics.flag_sets import FLAG_SETS

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ["STAGES", "Stage", "good_column", "of_stage", "stages_of"]

STAGES: tuple[str, ...] = ("", *FLAG_SETS)
"""Names of all stages: the empty one is that of all sources, the others are lists of flags."""


@final
@dataclass(frozen=True, slots=True)
class Stage:
    """A stage, and whether a table can be looked at in it.

    Attributes
    ----------
    name
        One of `STAGES`.
    why_not
        Why its flags cannot be applied; empty when they can.
    """

    name: str
    why_not: str = ""

    def of(self, metric: str) -> str:
        """Return the name that a metric has at this stage."""
        return of_stage(metric, self.name)

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the DIA sources that say which of them are left."""
        return FLAG_SETS[self.name].columns if self.name else ()

    @property
    def column(self) -> str:
        """Name of the column of the frames that says it; empty where all are left."""
        return good_column(self.name)


def of_stage(metric: str, stage: str) -> str:
    """Return the name of a metric at a stage, such as ``injected.numMatched.S6``."""
    return f"{metric}.{stage}" if stage else metric


def good_column(stage: str) -> str:
    """Return the column that says which sources a list of flags leaves, such as ``good_S6``; empty without a list."""
    return f"good_{stage}" if stage else ""


def stages_of(columns: Collection[str]) -> tuple[Stage, ...]:
    """Return all stages, given the canonical columns of a DIA source table."""
    return tuple(Stage(name, FLAG_SETS[name].why_unavailable(columns) if name else "") for name in STAGES)
