"""In how many settings two flavors differ."""

from __future__ import annotations

import math

from harness.metrics.flavor.config_rows import config_rows
from harness.metrics.rows import rows_schema

DEFAULT = {"subtractImages: mode": "'convolveTemplate'", "detect: thresholdValue": "5.0"}


def count(ours, theirs):
    """Return number and detail."""
    rows = config_rows(ours, theirs, "HSC")
    assert rows.schema == rows_schema()
    (row,) = rows.to_pylist()
    assert (row["metric"], row["instrument"]) == ("flavor.numConfigDifferences", "HSC")
    return row["numerator"], row["detail"]


def test_one_setting_is_named_with_both_values():
    """What was changed is told as new and old value."""
    other = DEFAULT | {"subtractImages: mode": "'auto'"}
    assert count(other, DEFAULT) == (1, "subtractImages: mode is 'auto', was 'convolveTemplate'")


def test_every_setting_that_one_side_alone_has_counts():
    """A setting that is not there is unset."""
    assert count(DEFAULT, {"subtractImages: mode": "'convolveTemplate'"}) == (
        1,
        "detect: thresholdValue is 5.0, was unset",
    )


def test_the_same_configuration_differs_in_nothing():
    """No difference is a count of zero."""
    assert count(DEFAULT, dict(reversed(DEFAULT.items()))) == (0, "")


def test_many_differences_are_counted_and_some_are_named():
    """The count is complete, the list is short."""
    number, detail = count({f"task: field{i:02}": "1" for i in range(20)}, {"task: field00": "1"})
    assert number == 19
    assert detail.endswith("; 11 more")


def test_a_configuration_that_is_not_recorded_is_not_the_same():
    """Nothing is known of it, and that is said."""
    for ours, theirs, who in (
        ({}, DEFAULT, "the rerun did not record its configuration"),
        (DEFAULT, {}, "the reference did not record its configuration"),
        ({}, {}, "neither rerun recorded its configuration"),
    ):
        number, detail = count(ours, theirs)
        assert math.isnan(number)
        assert detail == who
