"""`harness.exchange.bundle`: bundles of `lsst.analysis_tools`."""

from __future__ import annotations

import math

import pytest

from harness.errors import BrokenFileError
from harness.exchange.bundle import read_bundle

BUNDLE = {
    "stellarPhotometricRepeatability": [
        {"metric": "PA1_g", "identifier": "a" * 32, "value": 8.25, "unit": "mmag", "blob_refs": [], "notes": {"n": 5}},
        {"metric": "PA1_r", "identifier": "b" * 32, "value": None, "unit": "mmag", "blob_refs": []},
    ],
    "wPerp": [{"metric": "PA1_g", "identifier": "c" * 32, "value": "-Infinity", "unit": "", "blob_refs": []}],
    "empty": [],
    "__dataset_identifier": "HSC/runs/RC2/w_2026_40",
    "__timestamp_version": "explicit_timestamp:20261003T000000Z",
}


def test_reads_measurements_by_analysis(write):
    """A metric is known by its analysis too, since two of them may measure what they call the same."""
    job = read_bundle(write(BUNDLE))
    names = ["stellarPhotometricRepeatability.PA1_g", "stellarPhotometricRepeatability.PA1_r", "wPerp.PA1_g"]
    assert list(job.measurements) == [measurement.metric for measurement in job.measurements.values()] == names
    measured, absent, infinite = job.measurements.values()
    assert (measured.value, measured.unit, measured.notes) == (8.25, "mmag", {"n": 5})
    assert math.isnan(absent.value)
    assert absent.detail == "its value is null"
    assert infinite.value == -math.inf
    assert infinite.detail == "its value is -inf"
    assert job.meta == {
        "dataset_identifier": "HSC/runs/RC2/w_2026_40",
        "timestamp_version": "explicit_timestamp:20261003T000000Z",
    }


def test_what_is_no_bundle(write):
    """A metric that one analysis measured twice, and an analysis that is no array, are named."""
    twice = {"wPerp": [BUNDLE["wPerp"][0]] * 2}
    with pytest.raises(BrokenFileError, match=r": wPerp\[1\] measures 'PA1_g' a second time; keep one of them$"):
        read_bundle(write(twice))
    with pytest.raises(BrokenFileError, match=r": wPerp must be an array \(got 3\)$"):
        read_bundle(write({"wPerp": 3}))
    with pytest.raises(BrokenFileError, match=r": wPerp\[0\]\.value must be a number \(got 'high'\)$"):
        read_bundle(write({"wPerp": [{"metric": "x", "value": "high", "unit": ""}]}))
