"""What judging costs beyond pytest's own work, at a thousand checks."""

from __future__ import annotations

import pytest
from measured_survey import Survey

from harness.metrics.flag_sets import PIXEL_FLAGS

TRIVIAL = """
import pytest

@pytest.mark.parametrize("number", range({count}))
def test_nothing(number):
    assert number >= 0
"""

JUDGED = """
def test_counts(rerun, dia_count, expect):
    expect(rerun[dia_count]).unchanged()

def test_flags(rerun, dia_flags, expect):
    expect(rerun[dia_flags]).unchanged()
"""

COUNTS = ("numSources", "numObjects", "numGoodSources", "numSciSources", "numDipoles")
METRICS = [f"dia.{name}" for name in COUNTS] + [f"dia.fracFlagged.{flag}" for flag in PIXEL_FLAGS]


@pytest.mark.benchmark(group="1000 checks")
@pytest.mark.parametrize("name", ["pytest alone", "judged"])
def test_checks(benchmark, pytester, monkeypatch, name):
    """Goal: the difference, over the number of checks, is under 2 ms."""
    # As for a user, whose pytest keeps the bytecode of what it has rewritten.
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    reruns = [f"w_{number:03d}" for number in range(1 if benchmark.disabled else 1000 // len(METRICS))]
    count = len(reruns) * len(METRICS)
    options = []
    if name == "judged":
        survey = Survey(pytester.path)
        survey.measure("w_2020_20")
        for rerun in reruns:
            survey.measure(rerun)
        survey.accept(rtol=0.5, metrics=METRICS)
        options = survey.options(*reruns)
        pytester.makepyfile(JUDGED)
    else:
        pytester.makepyfile(TRIVIAL.format(count=count))

    def run():
        return pytester.runpytest_subprocess("-q", "-p", "no:cacheprovider", "-p", "no:benchmark", *options)

    result = benchmark.pedantic(
        run, rounds=1 if benchmark.disabled else 5, warmup_rounds=0 if benchmark.disabled else 1
    )
    result.assert_outcomes(passed=count)
