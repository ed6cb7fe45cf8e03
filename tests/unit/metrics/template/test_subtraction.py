"""The record: refused when it makes no sense, and the same after it was stored."""

from __future__ import annotations

import math
from dataclasses import replace

import pyarrow.parquet as pq
import pytest
from subtractions import exposure, visit_with_both

from harness.metrics.template.subtraction import ExposureSummary, Subtraction, subtractions_of, subtractions_table


def test_stored_subtractions_come_back(tmp_path) -> None:
    """Numbers, NaN, unknown and empty input lists, missing exposures and problems survive a Parquet file."""
    whole, other = visit_with_both(7)
    odd = replace(
        other,
        template=ExposureSummary(),
        input_visits=(),
        missing=("difference",),
        problems={"template": "it is truncated", "science.nea": "no PSF"},
        coverage=math.nan,
    )
    listed = [whole, odd, replace(whole, visit=8, input_visits=None)]
    pq.write_table(subtractions_table(listed), tmp_path / "subtractions.parquet")
    found = subtractions_of(pq.read_table(tmp_path / "subtractions.parquet"))
    assert [repr(each) for each in found] == [repr(each) for each in listed]  # NaN is not equal to itself


def test_no_subtractions_are_a_table_as_well() -> None:
    """An empty list keeps the columns."""
    assert subtractions_of(subtractions_table([])) == []
    assert subtractions_table([]).schema == subtractions_table(visit_with_both(1)).schema


@pytest.mark.parametrize("wrong", [{"side": "best"}, {"missing": ("mask",)}])
def test_nonsense_is_refused(wrong) -> None:
    """A side or an exposure that does not exist is refused by name."""
    with pytest.raises(ValueError, match="must be"):
        replace(visit_with_both(1)[0], **wrong)


def test_what_was_measured_is_known() -> None:
    """A size without pixels is something, an empty summary is nothing."""
    assert exposure(5, 1).is_known
    assert ExposureSummary(nea=20.0).is_known
    assert not ExposureSummary().is_known
    assert not Subtraction("HSC", 1, 2, "g", "").science.is_known
