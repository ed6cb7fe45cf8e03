"""Options have twins in the ini file, and live beside those of other plugins."""

from __future__ import annotations

import shutil

from harness.rerun.protocol import RerunRef


def test_ini_file_holds_what_options_would(survey, run, pytester):
    """A repository of checks states once what it judges."""
    lines = [f"harness_{option[2:].replace('=', ' = ', 1)}" for option in survey.options("w_2020_24")]
    pytester.makeini("\n".join(["[pytest]", *lines]))
    run().assert_outcomes(passed=survey.n_checks)


def test_option_overrides_ini_file(survey, run, pytester):
    """What is typed wins."""
    lines = [f"harness_{option[2:].replace('=', ' = ', 1)}" for option in survey.options("w_2020_24")]
    pytester.makeini("\n".join(["[pytest]", *lines]))
    run("--rerun=w_2020_15").assert_outcomes(failed=2, passed=survey.n_checks - 2)


def test_reruns_of_failures_are_another_plugins(survey, run):
    """--reruns belongs to pytest-rerunfailures and works beside --rerun."""
    result = run("-p", "rerunfailures", "--reruns=1", *survey.options("w_2020_15"))
    assert result.parseoutcomes()["rerun"] == 2


def test_session_without_reruns_opens_nothing(pytester):
    """The plugin costs nothing where it is installed and not used."""
    pytester.makepyfile(
        """
        import sys

        def test_nothing_is_loaded():
            loaded = {"numpy", "pyarrow", "pydantic", "lsst", "matplotlib", "harness.session"} & set(sys.modules)
            assert not loaded, loaded
        """
    )
    pytester.runpytest_subprocess("-p", "no:benchmark", "-p", "no:hypothesispytest").assert_outcomes(passed=1)


def test_check_may_ask_for_the_reference(survey, run, pytester):
    """A check of one's own compares metrics of both sides."""
    pytester.makepyfile(
        test_mine="""
        def test_it(rerun, reference, expect):
            expect(rerun["dia.numSources"]).above(reference["dia.numObjects"], for_at_least=0.5)
            expect(rerun["dia.numSources"]).agrees_with(reference["dia.numSources"], rtol=0.01)
            expect(rerun["dia.numSources"]).unchanged(rtol=0.01)
        """
    )
    run(*survey.options("w_2020_24")).assert_outcomes(passed=1)


def test_check_that_needs_a_reference_fails_without(survey, run, pytester):
    """No reference is no reason to pass."""
    pytester.makepyfile(test_mine="def test_it(rerun, reference, expect): pass")
    (survey.folder / "baselines" / "mine.json").unlink()
    result = run(*survey.options("w_2020_24", reference=None))
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*needs a reference rerun: name one with --reference*"])


def test_baseline_alone_judges_by_counting_errors(survey, run):
    """Without the reference rerun, its measurements and the repository, the accepted numbers remain."""
    shutil.rmtree(survey.store.folder(RerunRef(survey.repo, "w_2020_20"), "own"))
    survey.accept(**{"dia.numSources": 4000.0 * survey.visits.size, "dia.numObjects": 1300.0 * survey.visits.size})
    result = run("-k", "numSources or numObjects", "-rA", *survey.options("w_2020_24", reference=None))
    result.assert_outcomes(passed=2)
