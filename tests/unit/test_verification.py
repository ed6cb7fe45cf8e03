"""One verdict per expectation: by the baseline's entry, by the reference, or the reason why there is none."""

from __future__ import annotations

from datetime import UTC, date, datetime

import numpy as np
import pyarrow as pa
import pytest
from acceptances import acceptance

from harness.baseline.model import (
    Above,
    Acknowledgement,
    AgreesWith,
    Baseline,
    Below,
    Closes,
    Entry,
    Original,
    Unchanged,
    Within,
)
from harness.measure.measurements import Measurements
from harness.measure.store import Manifest
from harness.metrics.rows import rows_schema
from harness.model import DataId, Metric
from harness.verification import Verification

VISITS = range(1, 25)
CATALOGUE = {
    metric.name: metric
    for metric in (
        Metric("dia.numSources", "ct", "Sources.", "dia_count"),
        Metric("dia.numObjects", "ct", "Objects.", "dia_count"),
        Metric("dia.numDuplicateIds", "ct", "Broken rows.", "dia_sanity", census=True),
        Metric("churn.numLost", "ct", "Lost.", "churn"),
        Metric("background.closure", "", "Residual in ulp.", "background", census=True),
    )
}
MEANS = {"dia.numSources": 4000, "dia.numObjects": 1300, "dia.numDuplicateIds": 0, "churn.numLost": 10}
MEANS["background.closure"] = 0.5
STORY = acceptance(24, ticket="DM-25125")


def _measured(rerun, *, visits=VISITS, **changes):
    """Return the measurements of a rerun: the mean of each metric in every visit, plus a change, if not None."""
    rows = []
    for name, mean in MEANS.items():
        change = changes.get(name.partition(".")[2], 0)
        if change is None:
            continue
        scatter = np.random.default_rng(1).integers(-3, 4, len(visits)) if mean > 1000 else 0
        values = np.zeros(len(visits)) + mean + scatter + change
        rows += [
            {"metric": name, "visit": visit, "detector": 1, "numerator": float(value)}
            for visit, value in zip(visits, values, strict=True)
        ]
    manifest = Manifest(rerun, f"/repo/{rerun}", "dia", {}, (), rerun, rerun, "0.1.0", datasets={"t": rerun})
    return Measurements(rerun, manifest, pa.Table.from_pylist(rows, schema=rows_schema()), CATALOGUE, {})


def _entry(name, expectation, **changes):
    value = float(MEANS[name] * len(VISITS))
    base = {
        "value": value,
        "uncertainty": 0.0,
        "unit": CATALOGUE[name].unit,
        "definition": CATALOGUE[name].definition_digest,
        "expectation": expectation,
        "direction": "both",
        "accepted": "story",
        "original": Original(value=value, accepted="story"),
    }
    return Entry(**{**base, **changes})


def _judge(name, expectation=None, *, rerun=None, reference=None, acknowledged=None, today=None, **entry):
    """Judge a metric by an entry that expects this of it, or by an empty baseline."""
    rerun = rerun or _measured("new")
    entries = {} if expectation is None else {name: _entry(name, expectation, **entry)}
    notes = {} if acknowledged is None else {name: acknowledged}
    baseline = Baseline(dataset="mine", acceptances={"story": STORY}, metrics=entries, acknowledgements=notes)
    return Verification(rerun, reference, baseline, "mine", today=today).as_baselined(rerun[name])


SOURCES, OBJECTS = "dia.numSources", "dia.numObjects"


@pytest.mark.parametrize(
    ("name", "expectation", "state"),
    [
        (SOURCES, Unchanged(rtol=0.02, atol=0.0), "PASS"),
        (SOURCES, Within(low=0.0, high=1e6), "PASS"),
        (SOURCES, Within(low=0.0, high=10.0), "FAIL"),
        (SOURCES, Below(value=1e6), "PASS"),
        (SOURCES, Below(metric=OBJECTS), "FAIL"),
        (SOURCES, Below(metric=OBJECTS, for_at_least=0.5), "FAIL"),
        (SOURCES, Above(metric=OBJECTS), "PASS"),
        (SOURCES, Above(metric=OBJECTS, for_at_least=0.5), "PASS"),
        (SOURCES, Above(value=1e6), "FAIL"),
        (OBJECTS, AgreesWith(metric=OBJECTS, rtol=0.01), "PASS"),
        (OBJECTS, AgreesWith(metric=SOURCES, rtol=0.01), "FAIL"),
        ("background.closure", Closes(ulp=100.0), "PASS"),
        ("background.closure", Closes(ulp=1.0), "FAIL"),
    ],
)
def test_entry_says_what_is_expected(name, expectation, state):
    """Every kind of expectation that a baseline can hold is judged."""
    assert _judge(name, expectation, reference=_measured("old")).state == state


def test_reference_goes_before_the_baseline_s_number():
    """With a reference rerun the change is paired with it, visit by visit; the tolerance is the baseline's."""
    rerun = _measured("new", numSources=200)
    entry = {"expectation": Unchanged(rtol=0.02, atol=0.0)}
    against = _judge(SOURCES, rerun=rerun, reference=_measured("old", numSources=200), **entry)
    assert (against.state, against.against) == ("PASS", "old")
    alone = _judge(SOURCES, rerun=rerun, **entry)
    assert (alone.state, alone.against) == ("FAIL", "baseline")


def test_direction_allows_the_better():
    """Fewer of what should be few is no failure."""
    rule, rerun = Unchanged(rtol=0.02, atol=0.0), _measured("new", numSources=-500)
    assert _judge(SOURCES, rule, rerun=rerun, reference=_measured("old")).state == "FAIL"
    better = _judge(SOURCES, rule, rerun=rerun, reference=_measured("old"), direction="lower_is_better")
    assert better.state == "PASS"


class TestWithoutAVerdict:
    """What cannot be judged says why, and what to do."""

    def test_no_entry(self):
        """A baseline that does not mention the metric expects nothing of it."""
        verdict = _judge(SOURCES)
        assert verdict.state == "NOT_COMPARABLE"
        assert verdict.sentence.startswith(
            "dia.numSources of new cannot be judged: baseline mine has no entry for it; accept one with rerun-harness "
            "accept new dia.numSources"
        )

    def test_no_baseline(self):
        """Without a baseline its name is told."""
        rerun = _measured("new")
        verdict = Verification(rerun, None, None, "mine").unchanged(rerun[SOURCES])
        assert (verdict.state, "there is no baseline mine;" in verdict.sentence) == ("NOT_COMPARABLE", True)

    def test_other_definition(self):
        """A number that means something else is refused, not failed."""
        verdict = _judge(SOURCES, Unchanged(rtol=0.02, atol=0.0), definition="0123456789abcdef")
        assert verdict.state == "NOT_COMPARABLE"
        assert "in baseline mine it is 0123456789abcdef" in verdict.sentence

    def test_other_unit(self):
        """So is one in another unit."""
        assert _judge(SOURCES, Within(low=0.0, high=1e9), unit="adu").state == "NOT_COMPARABLE"

    def test_reference_without_the_metric(self):
        """A reference that does not have it leaves nothing to compare with, and is not replaced in silence."""
        verdict = _judge(SOURCES, Unchanged(rtol=0.02, atol=0.0), reference=_measured("old", numSources=None))
        assert verdict.state == "NOT_MEASURED"
        assert "old has no value" in verdict.sentence

    def test_rerun_without_the_metric(self):
        """What the rerun itself does not have is not measured."""
        verdict = _judge(SOURCES, Unchanged(rtol=0.02, atol=0.0), rerun=_measured("new", numSources=None))
        assert verdict.state == "NOT_MEASURED"

    def test_tolerance_without_a_reference(self):
        """A tolerance given in a check needs something to compare with."""
        rerun = _measured("new")
        verdict = Verification(rerun, None, None, "").unchanged(rerun[SOURCES], rtol=0.1)
        assert "there is no reference rerun; name one with --reference" in verdict.sentence

    def test_entry_without_a_tolerance(self):
        """``unchanged`` needs an entry that states one."""
        rerun = _measured("new")
        entry = _entry(SOURCES, Within(low=0.0, high=1e9))
        baseline = Baseline(dataset="mine", acceptances={"story": STORY}, metrics={SOURCES: entry})
        verdict = Verification(rerun, None, baseline, "mine").unchanged(rerun[SOURCES])
        assert verdict.state == "NOT_COMPARABLE"
        assert "which states no tolerance" in verdict.sentence

    def test_no_visit_in_common(self):
        """Of other visits nothing is unchanged, and nothing is lost either."""
        other = _measured("old", visits=range(100, 124))
        for name, rule in ((SOURCES, Unchanged(rtol=0.02, atol=0.0)), ("churn.numLost", Within(low=0.0, high=1.0))):
            verdict = _judge(name, rule, reference=other)
            assert verdict.state == "NOT_COMPARABLE"
            assert "no visit in common" in verdict.sentence


class TestDefects:
    """Counts of what should not be there."""

    @pytest.mark.parametrize(("count", "state"), [(0, "PASS"), (1, "FAIL")])
    def test_none_is_expected(self, count, state):
        """Whether a baseline says so or not."""
        rerun = _measured("new", numDuplicateIds=count)
        verdict = Verification(rerun, None, None, "").sound(rerun["dia.numDuplicateIds"])
        assert verdict.state == state

    def test_baseline_may_accept_some(self):
        """What was accepted is what is expected."""
        rerun = _measured("new", numDuplicateIds=1)
        entry = _entry("dia.numDuplicateIds", Within(low=0.0, high=30.0))
        baseline = Baseline(dataset="mine", acceptances={"story": STORY}, metrics={"dia.numDuplicateIds": entry})
        verdict = Verification(rerun, None, baseline, "mine").sound(rerun["dia.numDuplicateIds"])
        assert verdict.state == "PASS"

    def test_place_of_the_worst_is_told(self):
        """A failure says where most of them are."""
        rerun = _measured("new", numDuplicateIds=np.where(np.arange(24) == 6, 5.0, 0.0))
        verdict = Verification(rerun, None, None, "").sound(rerun["dia.numDuplicateIds"])
        assert "most in visit 7, detector 1 (5)" in verdict.sentence


class TestAcknowledged:
    """Known failures."""

    NOTE = Acknowledgement(
        until=date(2026, 12, 1), ticket="DM-1", reason="known", by="A. Person", at=datetime(2026, 11, 21, tzinfo=UTC)
    )

    @pytest.mark.parametrize(
        ("high", "today", "state"),
        [
            (10.0, date(2026, 12, 1), "ACKNOWLEDGED"),
            (10.0, date(2026, 12, 2), "FAIL"),
            (1e9, date(2026, 12, 1), "FAIL"),
        ],
    )
    def test_until_the_day_and_only_while_it_fails(self, high, today, state):
        """Excused on the last day, not after it; and what passes again fails until the note is gone."""
        rule = Within(low=0.0, high=high)
        assert _judge(SOURCES, rule, acknowledged=self.NOTE, today=today).state == state

    def test_other_findings_are_not_excused(self):
        """Not measured is another finding than the known failure."""
        verdict = _judge(
            SOURCES,
            Within(low=0.0, high=10.0),
            rerun=_measured("new", numSources=None),
            acknowledged=self.NOTE,
            today=date(2026, 11, 22),
        )
        assert verdict.state == "NOT_MEASURED"


def test_failure_tells_the_accepted_value_and_its_story():
    """Who accepted what, when and why, stands below a failure, and what to run next."""
    rerun = _measured("new", numSources=500)
    entry = _entry(SOURCES, Unchanged(rtol=0.02, atol=0.0))
    baseline = Baseline(dataset="mine", acceptances={"story": STORY}, metrics={SOURCES: entry})
    verdict = Verification(rerun, None, baseline, "mine", command="rerun-harness diff new").unchanged(rerun[SOURCES])
    told = "\n".join([*verdict.details, *verdict.context])
    assert 'accepted 2026-11-21 by A. Person from old: DM-25125 "it was right"' in told
    assert "next       rerun-harness diff new" in told


def test_data_id_is_compared_with_the_same_data_id():
    """A single visit is held against that visit of the reference."""
    rerun, reference = _measured("new"), _measured("old")
    verification = Verification(rerun, reference, None, "")
    other = verification.other_side(rerun[SOURCES, DataId(visit=3)])
    assert other.rerun == "old"
    assert other.units.tolist() == [3]
