"""`harness.baseline.globs`: patterns choose names, and a typo is not silent."""

from __future__ import annotations

import pytest

from harness.baseline.globs import choose
from harness.errors import UsageError

NAMES = ("dia.numSources", "dia.numGoodSources", "sci.numSources")


def test_union_of_patterns_is_sorted():
    """What any pattern matches is chosen, once, in order."""
    assert choose(("sci.*", "*.numSources"), NAMES) == ["dia.numSources", "sci.numSources"]


def test_pattern_without_match_names_close_ones():
    """A pattern that matches nothing is refused, although another one matches."""
    with pytest.raises(UsageError, match=r"no metric matches 'dia.numSource'; did you mean dia.numSources"):
        choose(("sci.*", "dia.numSource"), NAMES)
    with pytest.raises(UsageError, match=r"no metric matches 'x'; there are none"):
        choose(("x",), ())


def test_case_matters():
    """Names that differ in case are different names on every system."""
    with pytest.raises(UsageError):
        choose(("DIA.*",), NAMES)
