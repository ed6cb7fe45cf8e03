"""What the history keeps of a rerun is what was measured and judged of it."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from measured_survey import Survey

from harness.errors import NotMeasuredError, UsageError
from harness.history.entry import entry_of
from harness.model import Interval, Verdict, VerdictState
from harness.request import Request
from harness.session import Session
from harness.verify import Outcome, judge_with_pytest


@pytest.fixture
def survey(tmp_path):
    """Return a survey with two reruns and a baseline; the later one has 10 % more sources."""
    survey = Survey(tmp_path)
    survey.measure("w_2020_20")
    survey.measure("w_2020_24", numSources=1.1)
    survey.accept()
    return survey


def session_of(survey, *reruns, dataset="mine", reference="w_2020_20"):
    """Return a session over the survey."""
    return Session(
        Request(
            repo=survey.repo,
            reruns=reruns,
            reference=reference,
            dataset=dataset,
            baselines=survey.folder / "baselines",
            measurements=survey.folder / "measurements",
        )
    )


def kept(session, verdicts, metric="dia.numSources"):
    """Return the row of one metric, when these were the verdicts."""
    rows = {row.metric: row for row in entry_of(session, session.refs[0], Outcome(verdicts)).rows}
    return rows[metric]


def verdict(state, **more):
    """Return a verdict on the number of sources."""
    fields = {"expectation": "unchanged within 2 %", "value": 105.0, "unit": "ct", "sentence": ""}
    return Verdict(metric="dia.numSources", rerun="w_2020_24", state=VerdictState(state), **fields | more)


def test_every_measurement_is_kept_as_it_was_measured(survey):
    """Names, values, uncertainties, units and definitions are those of the measurements, none is missing."""
    session = session_of(survey, "w_2020_24")
    measured = session.measurements(session.refs[0])
    entry = entry_of(session, session.refs[0], Outcome())
    assert [row.metric for row in entry.rows] == list(measured)
    assert len(entry.rows) > 10
    for row in entry.rows:
        expected = measured[row.metric].measurement()
        told = (row.value, row.uncertainty, row.unit, row.definition, row.n_units, row.state)
        assert told == pytest.approx(
            (expected.value, expected.uncertainty, expected.unit, expected.definition, expected.n_units, ""),
            nan_ok=True,
        )


def test_entry_knows_what_it_is_the_history_of(survey):
    """Dataset, rerun, inputs as an acceptance has them, settings and version come from session and manifest."""
    session = session_of(survey, "w_2020_24")
    entry = entry_of(session, session.refs[0], Outcome())
    manifest = session.manifest(session.refs[0])
    assert (entry.dataset, entry.rerun, entry.source) == ("mine", "w_2020_24", f"{survey.repo}:w_2020_24")
    assert (entry.inputs, entry.harness) == (manifest.datasets_digest, manifest.harness)
    assert entry.settings["good_flags"] == "S3"


def test_key_changes_with_dataset_rerun_inputs_and_settings_alone(make_entry):
    """The same rerun measured again is the same entry; anything else is another one."""
    entry = make_entry("w_1")
    others = [replace(entry, **{name: "x"}) for name in ("dataset", "rerun", "inputs")]
    others.append(replace(entry, settings={"good_flags": "S6"}))
    assert len({entry.key, *(other.key for other in others)}) == 5
    assert replace(entry, source="x", harness="x", rows=(), versions={}).key == entry.key


def test_verdicts_of_real_checks_are_kept_with_their_limits(survey):
    """A change of +10 % (allowed 2 %) is kept as FAIL, its band is the reference ± 2 %, its interval off the band."""
    session = session_of(survey, "w_2020_24")
    entry = entry_of(session, session.refs[0], judge_with_pytest(session))
    row = {each.metric: each for each in entry.rows}["dia.numSources"]
    reference = session.measurements(session.reference)["dia.numSources"].value
    assert (row.state, row.reference) == ("FAIL", reference)
    assert (row.low, row.high) == pytest.approx((0.98 * reference, 1.02 * reference))
    assert row.high < row.lower < row.value < row.upper


def test_worst_verdict_counts_and_tells_the_limits():
    """Of several verdicts on a metric the worst is kept, those on single amplifiers included."""
    from harness.history.entry import _row
    from harness.model import Measurement

    measured = Measurement("dia.numSources", "w_2020_24", 105.0, 2.0, "ct", 28, "d1", "i")
    passed = verdict("PASS", estimate=5.0, interval=Interval(4, 6), acceptable=Interval(-10, 10), reference=100.0)
    failed = verdict("FAIL", place="amplifier C00", estimate=0.0, interval=Interval(0, 1), acceptable=Interval(2, 3))
    row = _row(measured, [passed, failed])
    assert row.state == "FAIL"
    assert (row.reference, row.low, row.high, row.lower, row.upper) == (100, 90, 110, 104, 106)


@pytest.mark.parametrize(
    ("rule", "estimate", "acceptable", "limits"),
    [
        ("unchanged within 2 %", 5.0, Interval(-2, 2), (98, 102)),
        ("within 0 to 200", 105.0, Interval(0, 200), (0, 200)),
        ("below 110 ct", -5.0, Interval(-math.inf, -5e-324), (-math.inf, 110)),
        ("agrees with x within 1 %", 0.05, Interval(-0.01, 0.01), (math.nan, math.nan)),
        ("above x for at least 95 %", 0.99, Interval(0.95, 1.0), (math.nan, math.nan)),
    ],
)
def test_limits_are_values_of_the_metric_or_nothing(survey, rule, estimate, acceptable, limits):
    """Limits of a change are added to what it is a change from; those of a ratio or share are no values."""
    said = verdict("PASS", expectation=rule, estimate=estimate, interval=acceptable, acceptable=acceptable)
    row = kept(session_of(survey, "w_2020_24"), [said])
    assert (row.low, row.high) == pytest.approx(limits, nan_ok=True)


def test_what_was_expected_and_not_measured_is_kept(survey):
    """A metric without a number is a gap with its reason, not a rerun that never was."""
    unmeasured = replace(verdict("NOT_MEASURED", value=math.nan), metric="dia.medianPsfFlux")
    session = session_of(survey, "w_2020_24")
    name = next(name for name in session.catalogue if name not in set(session.measurements(session.refs[0])))
    row = kept(session, [replace(unmeasured, metric=name)], name)
    assert math.isnan(row.value)
    assert (row.state, bool(row.detail), bool(row.definition)) == ("NOT_MEASURED", True, True)


def test_verdicts_of_other_reruns_are_left_aside(survey):
    """What was said of another rerun is not said of this one."""
    row = kept(session_of(survey, "w_2020_24"), [replace(verdict("FAIL"), rerun="w_2020_20")])
    assert row.state == ""


def test_unmeasured_rerun_and_nameless_dataset_are_refused(survey, tmp_path):
    """Nothing is not a history, and neither is one that belongs nowhere."""
    session = session_of(survey, "w_2020_28")
    with pytest.raises(NotMeasuredError, match=r"^w_2020_28 of .* has not been measured; run rerun-harness measure$"):
        entry_of(session, session.refs[0], Outcome())
    nameless = session_of(survey, "w_2020_24", dataset=None)
    nameless.__dict__["dataset"] = None
    with pytest.raises(UsageError, match="say with --dataset which one w_2020_24 belongs to"):
        entry_of(nameless, nameless.refs[0], Outcome())
