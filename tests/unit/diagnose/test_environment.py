"""Differences between the software of two reruns."""

from __future__ import annotations

import pytest

from harness.diagnose.environment import EnvironmentDifference, environment_difference
from harness.model import Provenance


def rerun(name: str, **versions: str) -> Provenance:
    """Return a rerun that recorded these versions."""
    return Provenance(name, "repo", versions=versions)


def test_added_removed_and_changed_packages_are_told_apart():
    """Each package is listed once, by name, with the reference's version first."""
    difference = environment_difference(
        rerun("b", ip_diffim="w_2", afw="w_1", new="1.0", meas_base="w_2"),
        rerun("a", ip_diffim="w_1", afw="w_1", old="0.9", meas_base="w_1"),
    )
    assert difference == EnvironmentDifference(
        added=(("new", "1.0"),),
        removed=(("old", "0.9"),),
        changed=(("ip_diffim", "w_1", "w_2"), ("meas_base", "w_1", "w_2")),
    )
    assert difference.text() == "ip_diffim w_1 → w_2, meas_base w_1 → w_2, +new 1.0, -old 0.9"


def test_a_long_difference_is_cut_and_says_so():
    """At most so many packages are named; the rest is counted."""
    difference = environment_difference(
        rerun("b", **{f"p{i:02}": "2" for i in range(20)}), rerun("a", **{f"p{i:02}": "1" for i in range(20)})
    )
    assert difference.text(limit=8).endswith("p07 1 → 2, … and 12 more")
    assert "more" not in difference.text(limit=20)


def test_equal_software_is_said_to_be_equal():
    """No difference is a statement, not an empty line."""
    assert environment_difference(rerun("b", afw="1"), rerun("a", afw="1")).text() == "same package versions"


@pytest.mark.parametrize(
    ("one", "other", "text"),
    [({}, {"afw": "1"}, "by b"), ({"afw": "1"}, {}, "by a"), ({}, {}, "by b and a")],
)
def test_software_that_was_not_recorded_is_not_the_same(one, other, text):
    """A rerun that recorded nothing shows neither a difference nor equality."""
    difference = environment_difference(rerun("b", **one), rerun("a", **other))
    assert (*difference.added, *difference.removed, *difference.changed) == ()
    assert difference.text() == f"package versions not recorded {text}"
