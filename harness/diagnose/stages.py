"""At which stage of the pipeline two reruns part."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, final

from harness.model import VerdictState

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["STAGES", "Stage", "first_stage_that_differs"]


@final
class Stage(NamedTuple):
    """A stage of the pipeline, and what shows that it came out the same.

    Attributes
    ----------
    name
        Name of the stage's dataset, or of the step.
    sentinels
        Metrics that rest on this stage and on those before it alone.
    """

    name: str
    sentinels: tuple[str, ...]


STAGES: tuple[Stage, ...] = (
    Stage("calexp", ("dia.numSciSources",)),
    Stage("differenceExp", ("dia.numSources", "dia.numGoodSources")),
    Stage("association", ("dia.numObjects",)),
)
"""The pipeline's stages in the order they run: direct images and their sources, difference images, association."""


def first_stage_that_differs(verdicts: Mapping[str, VerdictState]) -> str:
    """Name the first stage that was shown to differ between two reruns.

    A stage is only named when every stage before it was shown to hold: an analysis that never really tested the direct
    images blamed the differencing.

    Parameters
    ----------
    verdicts
        What was shown about each sentinel that was judged, by metric.

    Returns
    -------
    stage : `str`
        Name of the stage; ``not determined: METRIC STATE`` when something before it was not shown; empty when every
        stage holds.
    """
    for stage in STAGES:
        states = {name: verdicts[name] for name in stage.sentinels if name in verdicts}
        if any(state in {VerdictState.FAIL, VerdictState.ACKNOWLEDGED} for state in states.values()):
            return stage.name
        if not states:
            return f"not determined: {stage.sentinels[0]} {VerdictState.NOT_MEASURED}"
        for name, state in states.items():
            if state is not VerdictState.PASS:
                return f"not determined: {name} {state}"
    return ""
