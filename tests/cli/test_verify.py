"""``rerun-harness verify``: measure what is missing, judge, report."""

from __future__ import annotations

import re

import pytest
from embedded_survey import APRIL, JUNE, MAY


def test_third_rerun_is_as_the_second_was(measured):
    """June against May holds throughout: exit code 0, and nothing but the report is said."""
    answer = measured("verify", "--rerun", JUNE, "--format", "json")
    assert set(answer.states.values()) == {"PASS"}
    assert answer.complaints == []


def test_newest_rerun_is_the_default(measured):
    """Without options it is the newest embedded rerun, against the one its baseline was accepted from."""
    answer = measured("verify")
    assert answer.out.startswith(f"{JUNE} of the embedded repository against {MAY} and baseline hits2015\n")
    assert re.search(r"^\d+ judged: \d+ PASS$", answer.out, re.MULTILINE)


def test_second_rerun_is_not_as_the_first_was(measured):
    """May against April fails, and the first line says by how much, where, and at which stage."""
    answer = measured("verify", "--rerun", MAY, "--reference", APRIL, code=1)
    (line,) = [line for line in answer.out.splitlines() if line.startswith("FAIL dia.numSources = ")]
    share = r"\d\d % of the net gain within 40 px of a CCD edge"
    change = r"19141, \+8\.3 % against w_2020_15 \(allowed ±2 %\)"
    assert re.fullmatch(rf"FAIL dia\.numSources = {change}; {share}; first stage that differs: differenceExp", line)
    assert re.search(r"^ +churn +\d+ matched, \d+ lost, \d+ gained$", answer.out, re.MULTILINE)
    assert "objects    grew by 1989, sources by 1470: more than additional sources can create" in answer.out
    assert f"rerun-harness diff {MAY} {APRIL}" in answer.out


def test_json_holds_raw_numbers(measured):
    """A script gets values, intervals and states as numbers and words, never as text for people."""
    row = measured("verify", "--rerun", MAY, "--reference", APRIL, "--format", "json", code=1).rows["dia.numSources"]
    assert (row["state"], row["value"], row["reference"], row["unit"]) == ("FAIL", 19141, 17671, "ct")
    assert row["interval"]["low"] < row["estimate"] == 1470 < row["interval"]["high"]
    assert row["acceptable"]["high"] == pytest.approx(0.02 * 17671)


def test_markdown_is_a_table(measured):
    """A web page gets the same rows."""
    answer = measured("verify", "--rerun", JUNE, "--format", "md")
    assert "| verdict | metric | rerun |" in answer.out
    assert "| PASS | dia.numSources | w\\_2020\\_24 | 19176 | 19141 |" in answer.out


def test_several_reruns_are_judged_together(measured):
    """Each rerun has its own verdicts, and one that fails decides the exit code."""
    answer = measured("verify", "--rerun", APRIL, "--rerun", JUNE, "--format", "json", code=1)
    states = {(row["rerun"], row["metric"]): row["state"] for row in answer.json["rows"]}
    assert states[APRIL, "dia.numSources"] == "FAIL"
    assert states[JUNE, "dia.numSources"] == "PASS"


def test_what_is_missing_is_measured_first(run):
    """On an empty store everything is measured, and only that the second time."""
    first = run("verify", "--rerun", JUNE)
    assert "measuring w_2020_24 against w_2020_20: 2 of 2 shards" in first.err
    shards = run.shards
    second = run("verify", "--rerun", JUNE)
    assert second.err == ""
    assert second.out == first.out
    assert run.shards == shards


def test_arguments_after_dashes_go_to_pytest(measured):
    """``-k`` selects checks, and workers bring back the same verdicts."""
    alone = measured("verify", "--rerun", JUNE, "--format", "json", "--", "-k", "numSources or numObjects")
    assert alone.states.keys() == {"dia.numSources", "dia.numSourcesPerObject", "dia.numObjects"}


@pytest.mark.slow
def test_workers_of_pytest_bring_back_the_same_verdicts(measured):
    """Judging under xdist is judging."""
    arguments = ("verify", "--rerun", MAY, "--reference", APRIL, "--format", "json")
    alone = measured(*arguments, code=1).json
    assert measured(*arguments, "--", "-n2", code=1).json == alone


def test_own_checks_are_run_instead(measured):
    """A file of one's own checks is enough."""
    checks = measured.folder / "test_own.py"
    checks.write_text("def test_it(rerun, expect):\n    expect(rerun['dia.numSources']).within(0, 10)\n")
    answer = measured("verify", "--rerun", JUNE, "--checks", checks, code=1)
    assert "FAIL dia.numSources = 19176 (allowed 0 to 10)" in answer.out


def test_inconclusive_is_let_through_when_told(measured):
    """What the data cannot decide is exit code 3, and 0 with ``--inconclusive warn``."""
    checks = measured.folder / "test_tight.py"
    checks.write_text("def test_it(rerun, expect):\n    expect(rerun['dia.numSources']).unchanged(rtol=0.003)\n")
    arguments = ("verify", "--rerun", JUNE, "--checks", checks)
    assert "cannot tell: between" in measured(*arguments, code=3).out
    assert "1 INCONCLUSIVE" in measured(*arguments, "--inconclusive", "warn").out
