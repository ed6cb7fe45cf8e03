"""Each check runs once per rerun and metric, under an ID that names both."""

from __future__ import annotations


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
