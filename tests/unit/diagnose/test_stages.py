"""The first stage that differs, and when it may be named."""

from __future__ import annotations

import pytest

from harness.diagnose.stages import STAGES, first_stage_that_differs
from harness.metrics.catalogue import metric_catalogue
from harness.metrics.settings import Settings
from harness.model import VerdictState

CALEXP, DIFFERENCE, ASSOCIATION = (stage.sentinels[0] for stage in STAGES)
PASS, FAIL = VerdictState.PASS, VerdictState.FAIL


@pytest.mark.parametrize(
    ("states", "stage"),
    [
        ((FAIL, FAIL, FAIL), "calexp"),
        ((PASS, FAIL, FAIL), "differenceExp"),
        ((PASS, PASS, FAIL), "association"),
        ((PASS, VerdictState.ACKNOWLEDGED, PASS), "differenceExp"),
        ((PASS, PASS, PASS), ""),
        ((VerdictState.INCONCLUSIVE, FAIL, FAIL), "not determined: dia.numSciSources INCONCLUSIVE"),
        ((VerdictState.NOT_MEASURED, FAIL, FAIL), "not determined: dia.numSciSources NOT_MEASURED"),
        ((None, FAIL, FAIL), "not determined: dia.numSciSources NOT_MEASURED"),
        ((PASS, VerdictState.NOT_COMPARABLE, FAIL), "not determined: dia.numSources NOT_COMPARABLE"),
    ],
)
def test_a_stage_is_named_when_all_before_it_were_shown_to_hold(states, stage):
    """A later stage is never blamed while an earlier one was not tested."""
    named = zip((CALEXP, DIFFERENCE, ASSOCIATION), states, strict=True)
    assert first_stage_that_differs({name: state for name, state in named if state is not None}) == stage


def test_any_failing_sentinel_makes_its_stage_differ():
    """Two sentinels of one stage are judged together, whichever comes first."""
    first, second = STAGES[1].sentinels
    for one, other in ((first, second), (second, first)):
        states = {CALEXP: PASS, one: VerdictState.INCONCLUSIVE, other: FAIL}
        assert first_stage_that_differs(states) == "differenceExp"


def test_every_sentinel_is_a_metric():
    """Sentinels are names that the catalogue defines."""
    assert {name for stage in STAGES for name in stage.sentinels} <= set(metric_catalogue(Settings()))
