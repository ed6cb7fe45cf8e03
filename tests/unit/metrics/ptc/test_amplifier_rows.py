"""Rows of amplifiers, one by one."""

from __future__ import annotations

import math
from typing import Any

import pytest

from harness.metrics.ptc.amplifier_rows import AmplifierRows
from harness.metrics.rows import rows_schema


def row(metric: str = "ptc.gain", value: float = 1.5, **rest: Any) -> dict[str, Any]:
    """Add one value and return its row."""
    rows = AmplifierRows("LSSTCam")
    rows.mean(metric, (94, "C06"), value, **rest)
    (made,) = rows.table().to_pylist()
    return dict(made)


def test_rows_are_those_of_all_metrics() -> None:
    """No row at all has the schema, too."""
    assert AmplifierRows("LSSTCam").table().schema == rows_schema()


def test_mean_is_a_ratio_with_a_denominator_of_one() -> None:
    """A value keeps its place, its error, and the digest of its exposures; it has no visit."""
    made = row(error=0.01, sample="abc", detail="told of NaN alone")
    assert made == {
        "metric": "ptc.gain",
        "instrument": "LSSTCam",
        "visit": None,
        "detector": 94,
        "amplifier": "C06",
        "coadd": None,
        "band": None,
        "numerator": 1.5,
        "denominator": 1.0,
        "uncertainty": 0.01,
        "sample": "abc",
        "detail": None,
    }


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_no_number_says_why(value: float) -> None:
    """The reason goes with NaN and infinity, and an unknown error is null."""
    made = row(value=value, detail="only one pair")
    assert made["detail"] == "only one pair"
    assert made["uncertainty"] is None
    assert made["sample"] is None


def test_number_on_record_has_an_error_of_zero() -> None:
    """An error of zero is stated, and not unknown."""
    assert row(error=0.0)["uncertainty"] == 0


def test_count_is_a_sum() -> None:
    """A count has no denominator, and may be that of a detector or of everything."""
    rows = AmplifierRows("LSSTCam")
    rows.count("ptc.numPairs", (94, "C06"), 3)
    rows.count("ptc.numUnpairedFlats", (94, None), 2, "has no partner")
    rows.count("eotest.numPlaceholderGains", (None, None), 0)
    made = rows.table().to_pylist()
    assert [(each["detector"], each["amplifier"]) for each in made] == [(94, "C06"), (94, None), (None, None)]
    assert [each["numerator"] for each in made] == [3, 2, 0]
    assert {each["denominator"] for each in made} == {None}
    assert [each["detail"] for each in made] == [None, "has no partner", None]
