"""Checks are run with pytest, and what comes back is verdicts, or the one line that says what went wrong."""

from __future__ import annotations

import pytest
from measured_survey import Survey

from harness.errors import BrokenFileError, SelfComparisonError, UsageError
from harness.request import Request
from harness.session import Session
from harness.shipped import shipped
from harness.verify import checks_folder, judge_with_pytest


@pytest.fixture
def survey(tmp_path):
    """Two measured reruns and a baseline."""
    survey = Survey(tmp_path)
    survey.measure("w_2020_20")
    survey.measure("w_2020_24")
    survey.accept()
    return survey


def _session(survey, rerun="w_2020_24", **changes):
    request = {
        "repo": survey.repo,
        "reruns": (rerun,),
        "reference": "w_2020_20",
        "baselines": survey.folder / "baselines",
        "dataset": "mine",
        "measurements": survey.folder / "measurements",
    }
    return Session(Request(**{**request, **changes}))


def _checks(tmp_path, name, code):
    path = tmp_path / f"test_{name}.py"
    path.write_text(code)
    return path


def test_verdicts_come_back(survey, tmp_path):
    """Every expectation is one verdict, in the order they were reached."""
    checks = _checks(
        tmp_path,
        "two",
        "def test_it(rerun, expect):\n"
        "    expect(rerun['dia.numSources']).unchanged()\n"
        "    expect(rerun['dia.numDuplicateIds']).sound()\n",
    )
    outcome = judge_with_pytest(_session(survey), checks)
    assert [(verdict.metric, verdict.state) for verdict in outcome.verdicts] == [
        ("dia.numSources", "PASS"),
        ("dia.numDuplicateIds", "PASS"),
    ]
    assert outcome.problems == []


@pytest.mark.parametrize(
    ("name", "code", "problem"),
    [
        ("raises", "def test_it(rerun):\n    raise ValueError('no such thing')\n", "ValueError: no such thing"),
        ("asserts", "def test_it(rerun):\n    assert 1 == 2, 'two is not one'\n", "AssertionError: two is not one"),
        ("misspelt", "def test_it(rerun):\n    rerun['dia.numSorces']\n", "there is no metric 'dia.numSorces'"),
        ("syntax", "def test_it(rerun:\n", "SyntaxError: '(' was never closed"),
        ("absent", "import no_such_module\n", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("fixture", "def test_it(rerun, nothing):\n    pass\n", "fixture 'nothing' not found"),
    ],
)
def test_error_in_a_check_is_one_line(survey, tmp_path, name, code, problem):
    """A check that goes wrong by itself is a problem, told by its name and what happened, and never a verdict."""
    outcome = judge_with_pytest(_session(survey), _checks(tmp_path, name, code))
    assert outcome.verdicts == []
    (line,) = outcome.problems
    assert line.startswith(f"ERROR test_{name}.py")
    assert problem in line
    assert "\n" not in line


def test_verdict_that_fails_is_no_problem(survey, tmp_path):
    """A failure that was judged is told by its verdict alone."""
    checks = _checks(
        tmp_path, "fails", "def test_it(rerun, expect):\n    expect(rerun['dia.numSources']).within(0, 1)\n"
    )
    outcome = judge_with_pytest(_session(survey), checks)
    assert [verdict.state for verdict in outcome.verdicts] == ["FAIL"]
    assert outcome.problems == []


def test_error_after_a_verdict_is_a_problem(survey, tmp_path):
    """A check that breaks after an expectation that held is not taken for passed."""
    code = (
        "def test_it(rerun, expect):\n    expect(rerun['dia.numSources']).unchanged()\n    raise ValueError('late')\n"
    )
    outcome = judge_with_pytest(_session(survey), _checks(tmp_path, "late", code))
    assert [verdict.state for verdict in outcome.verdicts] == ["PASS"]
    assert outcome.problems == ["ERROR test_late.py::test_it[w_2020_24]: ValueError: late"]


def test_configuration_above_the_checks_has_no_say(survey, tmp_path, monkeypatch):
    """Neither an ini file nor a conftest above the checks decides a verdict."""
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --no-such-option\n")
    (tmp_path / "conftest.py").write_text("raise RuntimeError\n")
    folder = tmp_path / "checks"
    folder.mkdir()
    monkeypatch.chdir(tmp_path)
    checks = _checks(folder, "alone", "def test_it(rerun, expect):\n    expect(rerun['dia.numSources']).unchanged()\n")
    assert len(judge_with_pytest(_session(survey), checks).verdicts) == 1


def test_nothing_to_run_is_refused(survey, tmp_path):
    """No check is no verdict, and no verdict is not good news."""
    checks = _checks(tmp_path, "none", "def helper():\n    pass\n")
    with pytest.raises(UsageError, match="no check was selected in "):
        judge_with_pytest(_session(survey), checks)


def test_arguments_that_pytest_refuses_are_named(survey, tmp_path):
    """A wrong argument is told in pytest's own words, in one line."""
    checks = _checks(tmp_path, "refused", "def test_it(rerun):\n    pass\n")
    with pytest.raises(UsageError, match="unrecognized arguments: --no-such-option"):
        judge_with_pytest(_session(survey), checks, ["--no-such-option"])


def test_interruption_is_passed_on(survey, tmp_path):
    """Ctrl-C while checks run, which pytest takes for itself, ends judging."""
    checks = _checks(tmp_path, "interrupted", "def test_it(rerun):\n    raise KeyboardInterrupt\n")
    with pytest.raises(KeyboardInterrupt):
        judge_with_pytest(_session(survey), checks)


def test_what_concerns_every_check_is_raised_once(survey, tmp_path):
    """The same data on both sides, or a damaged store, is no matter of a single check."""
    checks = _checks(tmp_path, "any", "def test_it(rerun, expect):\n    expect(rerun['dia.numSources']).unchanged()\n")
    survey.measure("w_2020_28", inputs="w_2020_20")
    with pytest.raises(SelfComparisonError, match="two names for the same datasets"):
        judge_with_pytest(_session(survey, "w_2020_28"), checks)
    for path in (survey.folder / "measurements").rglob("*.parquet"):
        path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(BrokenFileError, match="delete it and measure again"):
        judge_with_pytest(_session(survey), checks)


def test_own_checks_come_before_the_harness_s(tmp_path, monkeypatch):
    """``tests/verification`` of the current folder is what is run, else the checks that come with the harness."""
    monkeypatch.chdir(tmp_path)
    assert checks_folder() == shipped("verification")
    (tmp_path / "tests/verification").mkdir(parents=True)
    assert checks_folder().resolve() == tmp_path / "tests/verification"


def test_checks_of_one_name_are_told_apart(survey, tmp_path):
    """A second file of the same name, in another folder, is what runs the second time."""
    for number, limit in enumerate((1e9, 1.0)):
        (tmp_path / str(number)).mkdir()
        code = f"def test_it(rerun, expect):\n    expect(rerun['dia.numSources']).within(0, {limit})\n"
        outcome = judge_with_pytest(_session(survey), _checks(tmp_path / str(number), "alike", code))
        assert [verdict.state for verdict in outcome.verdicts] == [("PASS", "FAIL")[number]]
