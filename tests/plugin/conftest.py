"""Run pytest on checks of a measured survey."""

from __future__ import annotations

import pytest
from measured_survey import Survey

CHECKS = """
def test_counts_are_unchanged(rerun, dia_count, expect):
    expect(rerun[dia_count]).unchanged()

def test_table_is_sane(rerun, dia_sanity, expect):
    expect(rerun[dia_sanity]).sound()
"""


@pytest.fixture
def survey(pytester):
    """Three measured reruns, a baseline, and a file of checks; run in a process of its own."""
    survey = Survey(pytester.path)
    survey.measure("w_2020_20")
    survey.measure("w_2020_24")
    survey.measure("w_2020_15", numSources=0.92, numObjects=0.7)
    survey.accept()
    pytester.makepyfile(test_mine=CHECKS)
    return survey


@pytest.fixture(params=[[], ["-n2"]], ids=["serial", "n2"])
def run(request, pytester):
    """Run pytest in a process of its own, without and with two workers."""
    return lambda *arguments: pytester.runpytest_subprocess("-p", "no:benchmark", *request.param, *arguments)
