"""Published figures as a table."""

from __future__ import annotations

from harness.baseline.model import Baseline
from harness.report.published import published_listing

FOUND = {"convolve template": 4627.0, "pre-convolution": 4594.0, "auto": 4321.0}


def test_flavors_are_compared_as_far_as_totals_go():
    """DMTN-256's flavors two by two: one pair cannot be told apart from totals, the others differ however paired."""
    reruns = {name: {"injected.numMatched": found} for name, found in FOUND.items()}
    listing = published_listing(Baseline(dataset="hsc", published={"source": "DMTN-256", "reruns": reruns}))
    assert listing is not None
    assert listing.title == "Published: DMTN-256"
    assert [column.heading for column in listing.columns] == ["metric", *FOUND]
    assert listing.rows == [{"metric": "injected.numMatched", **FOUND}]
    first, second, third = listing.notes
    assert first.startswith("Whether convolve template (4627 found) and pre-convolution (4594 found)")
    assert "cannot be told from totals" in first
    assert second.startswith("convolve template (4627 found) and auto (4321 found) are distinguishable")
    assert third.startswith("pre-convolution (4594 found) and auto (4321 found) are distinguishable")


def test_figures_that_a_rerun_lacks_are_left_empty():
    """No number is no zero."""
    reruns = {"a": {"dia.numSources": 1.0}, "b": {"dia.numObjects": 2.0}}
    listing = published_listing(Baseline(dataset="hsc", published={"source": "a table", "reruns": reruns}))
    assert listing is not None
    shown = [[column.show(row[column.key]) for column in listing.columns] for row in listing.rows]
    assert shown == [["dia.numSources", "1", ""], ["dia.numObjects", "", "2"]]
    assert listing.notes == []


def test_a_baseline_without_published_figures_has_no_table():
    """Nor has no baseline."""
    assert published_listing(Baseline(dataset="hsc")) is None
    assert published_listing(None) is None
