"""``rerun-harness accept``: what a rerun gave becomes what should hold, entry by entry, with its reason."""

from __future__ import annotations

import json
import re

import pytest
from embedded_survey import APRIL, JUNE, MAY

from harness.baseline.files import read_baseline

WHY = ("--reason", "May is right", "--ticket", "DM-25125", "--by", "A. Person")


@pytest.fixture
def empty(measured):
    """Return the command line where everything is measured and nothing is accepted."""
    (measured.baselines / "hits2015.json").unlink()
    return measured


def _entries(run):
    return read_baseline(run.baselines / "hits2015.json").metrics


def test_new_entries_with_a_tolerance(empty):
    """A first acceptance makes the file: value, tolerance, and the story of who accepted it why."""
    answer = empty("accept", MAY, "dia.numSources", "dia.numObjects", "--rtol", 0.02, *WHY)
    path = empty.baselines / "hits2015.json"
    assert answer.out.startswith("2 entries changed in baselines/hits2015.json, acceptance ")
    baseline = read_baseline(path)
    entry = baseline.metrics["dia.numSources"]
    assert (entry.value, entry.expectation.rtol) == (19141, 0.02)
    acceptance = baseline.acceptances[entry.accepted]
    assert (acceptance.by, acceptance.rerun, acceptance.reason) == ("A. Person", MAY, "May is right")
    assert (acceptance.ticket, acceptance.visits) == ("DM-25125", 24)
    assert acceptance.versions["lsst_distrib"] == "w.2020.20"


def test_counts_of_defects_need_no_tolerance(empty):
    """A defect that is not there is expected to stay away."""
    empty("accept", MAY, "dia.numDuplicateIds", *WHY)
    rule = _entries(empty)["dia.numDuplicateIds"].expectation
    assert (rule.kind, rule.low, rule.high) == ("within", 0, 0)


def test_agreement_with_another_metric(empty):
    """What is expected is then the ratio to the other metric of the same rerun, and not the value."""
    arguments = ("dia.numSources", "--agrees-with", "dia.numGoodSources", "--rtol", 0.02)
    answer = empty("accept", MAY, *arguments, *WHY)
    assert answer.out.startswith("1 entry changed in baselines/hits2015.json")
    entry = _entries(empty)["dia.numSources"]
    assert str(entry.expectation) == "agrees with dia.numGoodSources within 2 %"
    select = ("--checks", empty.folder / "checks", "--rerun", JUNE, "--reference", MAY)
    (empty.folder / "checks").mkdir()
    (empty.folder / "checks" / "test_mine.py").write_text(
        "def test_it(rerun, expect):\n    expect(rerun['dia.numSources']).as_baselined()\n"
    )
    answer = empty("verify", *select, "--format=json", code=1)
    assert answer.states == {"dia.numSources": "FAIL"}
    assert answer.rows["dia.numSources"]["expectation"] == "agrees with dia.numGoodSources within 2 %"


def test_accepted_change_passes_from_then_on(measured):
    """What failed is judged against the new value, and only the entries named have changed."""
    before = _entries(measured)
    select = ("--", "-k", "numSources]")
    measured("verify", "--rerun", MAY, "--reference", APRIL, *select, code=1)
    answer = measured("accept", APRIL, "dia.numSources", *WHY)
    assert answer.out.splitlines()[2].split()[:6] == ["changed", "dia.numSources", "19141", "17671", "-7.68", "%"]
    after = _entries(measured)
    assert [name for name in after if after[name] != before[name]] == ["dia.numSources"]
    assert after["dia.numSources"].original.value == 19141
    measured("verify", "--rerun", JUNE, "--reference", MAY, *select)


def test_drift_is_pointed_out(measured):
    """A second small step is measured from where it all began."""
    answer = measured("accept", APRIL, "dia.numSources", *WHY)
    assert "warning" not in answer.out
    answer = measured("accept", APRIL, "dia.numSources", "--rtol", 0.03, *WHY)
    assert "warning: dia.numSources has drifted by -7.68 % since the original 19141" in answer.out


def test_dry_run_changes_nothing(measured):
    """The plan is shown, and the file keeps its bytes."""
    path = measured.baselines / "hits2015.json"
    before = path.read_bytes()
    answer = measured("accept", APRIL, "--dry-run", *WHY)
    assert "would change in baselines/hits2015.json (dry run)" in answer.out
    assert re.search(r"^changed +dia\.numSources +19141 +17671 +-7\.68 %", answer.out, re.MULTILINE)
    assert path.read_bytes() == before


def test_entries_of_what_is_gone_are_removed_when_asked(measured):
    """An orphan stays until ``--remove`` names it."""
    path = measured.baselines / "hits2015.json"
    content = json.loads(path.read_text())
    content["metrics"]["dia.numWishes"] = content["metrics"]["dia.numSources"]
    path.write_text(json.dumps(content))
    measured("check", "--fix", code=1)
    measured("accept", MAY, "dia.numWishes", *WHY, code=2)
    answer = measured("accept", MAY, "dia.numWishes", "--remove", *WHY)
    assert "removed  dia.numWishes" in answer.out
    assert "dia.numWishes" not in _entries(measured)
    measured("check")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["dia.numZ*", "--rtol", 0.1], "no metric matches 'dia.numZ*'"),
        (["dia.numSources"], "dia.numSources is new and needs an expectation; say --rtol, --atol, --low or --high"),
        (["dia.numNullFlags", "--rtol", 0.1], "dia.numNullFlags is 0, where a relative tolerance allows nothing"),
        (["dia.numSources", "--low", 0, "--high", 1], "dia.numSources = 19141 would fail its own rule"),
        (["dia.numSources", "--low", 3, "--high", 2], "--low must not be above --high"),
        (["dia.numSources", "--high", 3], "dia.numSources = 19141 would fail its own rule (below 3)"),
        (["dia.numSources", "--rtol", 0.1, "--low", 0, "--high", 9e9], "give one of the pairs"),
        (["dia.numSources", "--rtol", "nan"], "must be finite numbers"),
        (["dia.numSources", "--agrees-with", "dia.numObjects"], "--agrees-with goes with --rtol"),
        (["dia.numSources", "--agrees-with", "dia.numObjects", "--rtol", "nan"], "--agrees-with goes with --rtol"),
        (["dia.numSources", "--agrees-with", "dia.numObjects", "--rtol", 0.1, "--atol", 1], "and with nothing else"),
        (["dia.numSources", "--agrees-with", "dia.numObjects", "--low", 0, "--high", 1], "goes with --rtol"),
        (["dia.numSources", "--agrees-with", "dia.numSources", "--rtol", 0.1], "always agrees with itself"),
        (["dia.numSources", "--agrees-with", "ptc.gain", "--rtol", 0.1], "'ct' and ptc.gain 'electron / adu'"),
        (["dia.numSources", "--agrees-with", "ptc.gian", "--rtol", 0.1], "there is no metric 'ptc.gian' to agree with"),
        (["churn.numLost", "--atol", 1], "churn.numLost"),
        (["dia.numSources", "--rtol", 0.1, "--dataset", "a/b"], "the new baseline 'a/b'"),
    ],
)
def test_refusals(empty, arguments, words):
    """What cannot be accepted is refused in one line, and no file is made."""
    before = sorted(empty.baselines.iterdir())
    answer = empty("accept", MAY, *arguments, *WHY, code=2)
    assert words in answer.complaint
    assert sorted(empty.baselines.iterdir()) == before


def test_reason_is_required(empty):
    """Without a reason nothing is accepted; a blank one is none."""
    assert "Missing option '--reason'" in empty("accept", MAY, code=2).err
    answer = empty("accept", MAY, "dia.numSources", "--rtol", 0.1, "--reason", " ", code=2)
    assert answer.complaint == "an acceptance needs a reason; say --reason TEXT"


def test_not_under_continuous_integration(empty, monkeypatch):
    """Nobody looks at what a CI machine accepts, unless it is said on purpose."""
    monkeypatch.setenv("CI", "true")
    arguments = ("accept", MAY, "dia.numSources", "--rtol", 0.02, *WHY)
    assert "(CI is set)" in empty(*arguments, code=2).complaint
    empty(*arguments, "--allow-ci")


def test_what_is_inconclusive_is_not_accepted(measured):
    """Nobody knows what would be accepted."""
    path = measured.baselines / "hits2015.json"
    content = json.loads(path.read_text())
    content["metrics"]["dia.numSources"]["expectation"]["rtol"] = 0.003
    path.write_text(json.dumps(content))
    measured("check", "--fix")
    answer = measured("accept", JUNE, "dia.numSources", *WHY, code=2)
    assert answer.complaint.startswith("dia.numSources is INCONCLUSIVE, so nobody knows what would be accepted")
