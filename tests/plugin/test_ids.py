"""Each check runs once per rerun and metric, under an ID that names both."""

from __future__ import annotations

import pytest


def test_ids_name_rerun_and_metric(survey, pytester):
    """An ID reads test_…[w_2020_24-dia.numSources]."""
    result = pytester.runpytest_subprocess("--collect-only", "-q", *survey.options("w_2020_24", "w_2020_15"))
    result.stdout.fnmatch_lines_random(
        [
            "test_mine.py::test_counts_are_unchanged[[]w_2020_24-dia.numSources]",
            "test_mine.py::test_counts_are_unchanged[[]w_2020_15-dia.numObjects]",
            "test_mine.py::test_table_is_sane[[]w_2020_24-dia.numDuplicateIds]",
        ]
    )


def test_keyword_selects_rerun_and_metric(survey, run):
    """-k takes parts of the ID."""
    run("-k", "w_2020_24 and numSources", *survey.options("w_2020_24", "w_2020_15")).assert_outcomes(passed=1)


def test_node_id_selects_one_check(survey, run):
    """An ID can be copied from a report and run alone."""
    node = "test_mine.py::test_counts_are_unchanged[w_2020_24-dia.numObjects]"
    run(node, *survey.options("w_2020_24", "w_2020_15")).assert_outcomes(passed=1)


def test_last_failed_runs_the_failures_alone(survey, run):
    """--lf repeats what failed, with the same numbers."""
    options = survey.options("w_2020_24", "w_2020_15")
    run("-q", *options).assert_outcomes(failed=2, passed=2 * survey.n_checks - 2)
    run("--lf", "-q", *options).assert_outcomes(failed=2)


def test_no_cache_is_needed(survey, run):
    """Nothing is kept in pytest's cache."""
    run("-p", "no:cacheprovider", *survey.options("w_2020_24")).assert_outcomes(passed=survey.n_checks)


def test_without_a_baseline_groups_are_judged_whole(survey, pytester):
    """Nothing accepted is no reason to pass."""
    (survey.folder / "baselines" / "mine.json").unlink()
    pytester.makepyfile(test_mine="def test_it(rerun, dia_flags, expect): expect(rerun[dia_flags]).unchanged()")
    result = pytester.runpytest_subprocess(*survey.options("w_2020_24"))
    assert result.parseoutcomes()["failed"] > 5
    result.stdout.fnmatch_lines(["*there is no baseline mine; accept one with*"])


def test_baseline_says_what_is_judged(survey, pytester):
    """A group of which the baseline says nothing has nothing to judge; defects are always judged."""
    pytester.makepyfile(
        test_mine="""
        def test_flags(rerun, dia_flags, expect):
            expect(rerun[dia_flags]).unchanged()

        def test_books(rerun, dia_bookkeeping, expect):
            expect(rerun[dia_bookkeeping]).sound()
        """
    )
    result = pytester.runpytest_subprocess(*survey.options("w_2020_24"))
    assert result.parseoutcomes() == {"deselected": 1, "failed": 3}


AMPLIFIER_CHECKS = """
def test_gain(rerun, amplifier, amplifier_gain, expect):
    expect(rerun[amplifier_gain, amplifier]).within(1.0, 2.0)

def test_fits(rerun, ptc_sanity, expect):
    expect(rerun[ptc_sanity]).sound()

def test_records(rerun, eotest_sanity, expect):
    expect(rerun[eotest_sanity]).sound()
"""


@pytest.fixture
def sensor(survey, pytester):
    """Put a measured sensor beside the survey, without a baseline, and write checks of amplifiers."""
    (survey.folder / "baselines" / "mine.json").unlink()
    survey.measure_amplifiers("run_1", {(94, "C06"): 1.5, (94, "C07"): 2.5, (None, "R22_S11_C00"): 1.4})
    pytester.makepyfile(test_mine=AMPLIFIER_CHECKS)
    return survey


def test_ids_name_the_amplifier(sensor, pytester):
    """An ID reads test_…[run_1-ptc.gain-94-C06], a detector without a number lends its name."""
    result = pytester.runpytest_subprocess("--collect-only", "-q", *sensor.options("run_1", reference=None))
    gains = [line for line in result.outlines if "test_gain" in line]
    assert gains == [
        f"test_mine.py::test_gain[run_1-ptc.gain-{place}]" for place in ("R22_S11_C00", "94-C06", "94-C07")
    ]


def test_each_amplifier_is_judged_alone(sensor, run):
    """One that is off fails under its own name, and the others pass."""
    result = run("-k", "test_gain", *sensor.options("run_1", reference=None))
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["FAILED test_mine.py::test_gain[[]run_1-ptc.gain-94-C07]*"])
    node = "test_mine.py::test_gain[run_1-ptc.gain-94-C06]"
    run(node, *sensor.options("run_1", reference=None)).assert_outcomes(passed=1)


def test_checks_of_what_no_rerun_holds_are_deselected(sensor, pytester):
    """A sensor has no record of amplifiers, a survey no flats: such checks are left out, and none counts as skipped."""
    result = pytester.runpytest_subprocess("-k", "not gain", *sensor.options("run_1", reference=None))
    outcomes = result.parseoutcomes()
    assert outcomes == {"deselected": 4, "failed": 2}
    result.stdout.fnmatch_lines(["FAILED test_mine.py::test_fits*"])
    of_sky = pytester.runpytest_subprocess(*sensor.options("w_2020_24")).parseoutcomes()
    assert of_sky == {"deselected": 3}


def test_everything_runs_of_what_was_not_measured(sensor, run):
    """Nobody knows what such a rerun holds: every check runs, fails, and says what to do."""
    result = run("-q", *sensor.options("run_2", reference=None))
    outcomes = result.parseoutcomes()
    assert set(outcomes) == {"failed"}
    assert outcomes["failed"] > 3
    why = "was not measured in run_2: run_2 has not been measured; run rerun-harness measure"
    metrics = ("ptc.gain", "ptc.numUnfitted", "eotest.numPlaceholderGains")
    result.stdout.fnmatch_lines_random([f"{metric} {why}" for metric in metrics])
