"""The first line of a failure tells the whole story."""

from __future__ import annotations

import json
import re
from xml.etree import ElementTree

import numpy as np
import pytest


def test_first_line_names_value_change_and_allowance(survey, run, monkeypatch):
    """Metric, value, change, reference and tolerance stand in the line that heads summary and annotation."""
    monkeypatch.setenv("CI", "1")
    result = run(*survey.options("w_2020_15"))
    (line,) = [line for line in result.outlines if line.startswith("FAILED") and " dia.numSources = " in line]
    assert re.search(r" dia\.numSources = \d+, -8(\.\d+)? % against w_2020_20 \(allowed ±2 %\)", line)
    result.stdout.fnmatch_lines(
        ["*rule *unchanged within 2 %*", "*baseline *first baseline*", "*next *rerun-harness diff *"]
    )


def test_no_traceback_of_ours(survey, run):
    """A verdict is no error of the check's code, so no code is shown."""
    result = run(*survey.options("w_2020_15"))
    assert "harness/plugin.py" not in result.stdout.str()


def test_junit_carries_value_interval_baseline_and_verdict(survey, run, pytester):
    """Properties reach the JUnit file with and without workers, of what passes and of what fails."""
    run("--junitxml=report.xml", *survey.options("w_2020_15"))
    tests = {
        test.get("name"): {each.get("name"): each.get("value") for each in test.iter("property")}
        for test in ElementTree.parse(pytester.path / "report.xml").iter("testcase")
    }
    (failed,) = (known for name, known in tests.items() if "w_2020_15-dia.numSources]" in name)
    low, high = json.loads(failed["interval"])
    assert low < high < json.loads(failed["acceptable"])[0]
    assert float(failed["dia.numSources"]) > 0
    assert failed["verdict"] == "FAIL"
    assert failed["expectation"] == "unchanged within 2 %"
    assert failed["reference"].startswith("w_2020_20: ")
    assert '"first baseline"' in failed["baseline"]
    assert {known["verdict"] for known in tests.values()} == {"FAIL", "PASS"}


def test_planted_defect_is_told_at_its_metric(survey, run):
    """A sanity count above zero fails, and only it."""
    duplicates = np.zeros(survey.visits.size)
    duplicates[3] = 2
    survey.measure("w_2020_24", numDuplicateIds=duplicates)
    result = run("-q", *survey.options("w_2020_24"))
    result.assert_outcomes(failed=1, passed=survey.n_checks - 1)
    result.stdout.fnmatch_lines(["*dia.numDuplicateIds = 2*"])


def test_inconclusive_fails_unless_told_otherwise(survey, run):
    """What the data cannot decide fails; --inconclusive warn lets it pass."""
    rng = np.random.default_rng(5)
    survey.measure("w_2020_24", numSources=np.round(4000 * rng.lognormal(0, 0.3, survey.visits.size)))
    options = ["-k", "numSources", *survey.options("w_2020_24")]
    run(*options).assert_outcomes(failed=1)
    run("--inconclusive=warn", *options).assert_outcomes(passed=1)


def test_unmeasured_rerun_fails_every_check(survey, run):
    """Absence never passes, and says what to do."""
    result = run(*survey.options("w_2020_28"))
    result.assert_outcomes(failed=survey.n_checks)
    result.stdout.fnmatch_lines(["*w_2020_28 has not been measured; run rerun-harness measure*"])


def test_own_error_is_an_error(survey, run, pytester):
    """An unknown metric in a check is named, with what comes near."""
    pytester.makepyfile(test_mine="def test_it(rerun, expect): expect(rerun['dia.numSorces']).within(0, 1)")
    result = run(*survey.options("w_2020_24"))
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*there is no metric 'dia.numSorces'; did you mean dia.numSources*"])


@pytest.mark.parametrize("options", [["--reference=w_2020_24"], ["--good-flags=S9"], ["--sample-visits=some"]])
def test_usage_errors_end_the_run(survey, run, options):
    """A comparison with itself, or an unknown flag list, is refused in one line with pytest's usage code."""
    result = run(*survey.options("w_2020_24", reference=None), *options)
    assert result.ret == 4
    assert "Traceback" not in result.stderr.str() + result.stdout.str()


def test_same_data_behind_two_names_is_refused(survey, run):
    """Two reruns of the same datasets are one rerun."""
    survey.measure("w_2020_24", inputs="w_2020_20")
    result = run(*survey.options("w_2020_24"))
    assert "two names for the same datasets" in result.stdout.str() + result.stderr.str()
    assert result.parseoutcomes().get("passed", 0) == 0
