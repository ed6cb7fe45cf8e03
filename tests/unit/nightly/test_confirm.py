"""What fails twice fails; what fails once has not been measured; what is missing is named."""

from __future__ import annotations

from types import SimpleNamespace

import pyarrow as pa
import pytest

from harness.measure.catalogue import all_metrics
from harness.measure.measurements import Measurements
from harness.metrics.rows import rows_schema
from harness.metrics.settings import Settings
from harness.model import Verdict, VerdictState
from harness.nightly.confirm import agreed, missing_visits
from harness.verify import Outcome


def outcome(*verdicts):
    """Return an outcome of (metric, place, value, state)."""
    return Outcome(
        [
            Verdict(metric, "w", VerdictState(state), "unchanged", value, "ct", f"{metric} is so", place=place)
            for metric, place, value, state in verdicts
        ]
    )


def states(outcome):
    """Return the verdicts in order."""
    return [(verdict.metric, verdict.place, str(verdict.state)) for verdict in outcome.verdicts]


def test_what_fails_alike_is_confirmed():
    """The first outcome stands, whatever else may differ."""
    first = outcome(("a", "", 2.0, "FAIL"), ("b", "", 1.0, "PASS"))
    assert agreed(first, outcome(("a", "", 2.0, "FAIL"), ("b", "", 1.0, "INCONCLUSIVE"))) is first


@pytest.mark.parametrize(
    ("once", "again", "sentence"),
    [
        ("FAIL", "PASS", "2 (FAIL) and then 1 (PASS)"),
        ("PASS", "FAIL", "2 (PASS) and then 1 (FAIL)"),
        ("NOT_MEASURED", "PASS", "2 (NOT_MEASURED) and then 1 (PASS)"),
        ("FAIL", "NOT_MEASURED", "2 (FAIL) and then 1 (NOT_MEASURED)"),
    ],
)
def test_what_differs_is_not_measured(once, again, sentence):
    """Neither of the two numbers is believed; what is the same both times is."""
    first = outcome(("a", "", 2.0, once), ("b", "", 5.0, "FAIL"))
    second = outcome(("a", "", 1.0, again), ("b", "", 5.0, "FAIL"))
    both = agreed(first, second)
    assert states(both) == [("a", "", "NOT_MEASURED"), ("b", "", "FAIL")]
    assert both.verdicts[0].sentence == f"a is not the same when measured again: {sentence}"
    assert both.verdicts[1] is second.verdicts[1]


def test_what_fails_in_one_place_is_doubted_there_alone():
    """An amplifier that differs does not cast doubt on the others."""
    first = outcome(("a", "amplifier C00", 2.0, "FAIL"), ("a", "amplifier C01", 2.0, "FAIL"))
    second = outcome(("a", "amplifier C00", 2.0, "FAIL"), ("a", "amplifier C01", 1.0, "PASS"))
    both = agreed(first, second)
    assert states(both) == [("a", "amplifier C00", "FAIL"), ("a", "amplifier C01", "NOT_MEASURED")]
    assert both.verdicts[1].sentence.startswith("a of amplifier C01 is not the same")


def test_what_is_there_once_is_not_lost():
    """A failure that the second run has no verdict on is told, and so is one that only it has."""
    both = agreed(outcome(("a", "", 2.0, "FAIL")), outcome(("b", "", 1.0, "FAIL")))
    assert states(both) == [("b", "", "NOT_MEASURED"), ("a", "", "NOT_MEASURED")]
    told = [verdict.sentence.partition(": ")[2] for verdict in both.verdicts]
    assert told == ["not judged and then 1 (FAIL)", "2 (FAIL) and then not judged"]


def test_worst_of_several_checks_counts():
    """A check that passes does not hide that another one, of the same metric, failed once."""
    first = outcome(("a", "", 2.0, "PASS"), ("a", "", 2.0, "FAIL"))
    assert states(agreed(first, outcome(("a", "", 2.0, "PASS"), ("a", "", 2.0, "PASS")))) == [
        ("a", "", "NOT_MEASURED"),
        ("a", "", "NOT_MEASURED"),
    ]


def measured(rerun, visits, **more):
    """Return measurements with one metric of these visits, and others."""
    rows = [
        {"metric": name, "visit": visit} for name, each in ({"dia.numSources": visits} | more).items() for visit in each
    ]
    return Measurements(
        rerun, SimpleNamespace(), pa.Table.from_pylist(rows, rows_schema()), all_metrics(Settings()), {}
    )


@pytest.mark.parametrize(
    ("visits", "told"),
    [
        (range(10), ""),
        (range(12), ""),
        ([0, 1, 2, 4, 5, 6, 7, 8, 9], "incomplete: 1 of 10 visits of w_1 are missing (3)"),
        (range(3), "incomplete: 7 of 10 visits of w_1 are missing (3, 4, 5, 6, 7 and 2 more)"),
        ([], "incomplete: 10 of 10 visits of w_1 are missing (0, 1, 2, 3, 4 and 5 more)"),
    ],
)
def test_missing_visits_are_named(visits, told):
    """More visits than the reference has are no fault; of many that are missing, some are named."""
    assert missing_visits(measured("w_2", visits), measured("w_1", range(10))) == told


def test_what_is_measured_of_two_reruns_is_no_input():
    """Lost sources are measured in visits that the rerun does not have."""
    rerun = measured("w_2", [0], **{"churn.numLost": [0, 1], "dia.area": [None]})
    assert "1 of 2 visits" in missing_visits(rerun, measured("w_1", [0, 1]))


def test_without_a_reference_nothing_is_missing():
    """A baseline's number does not tell which visits there should be."""
    assert missing_visits(measured("w_2", [1]), None) == ""
