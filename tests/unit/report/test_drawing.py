"""Ranges and histograms that no single number spoils."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from matplotlib.figure import Figure

from harness.report.drawing import histograms, shown_range

COLOURS = {"a": "#000000", "b": "#0072B2"}


def panel():
    """Return an empty panel."""
    return Figure().subplots()


def counts(axes):
    """Return counts and edges of each histogram by its label."""
    return {patch.get_label(): patch.get_data() for patch in axes.patches if patch.get_label()}


def test_range_holds_all_numbers_with_a_margin():
    """Numbers that belong together are all in view."""
    values = np.random.default_rng(0).normal(5, 1, 1000)
    low, high = shown_range(values)
    assert low < values.min() < values.max() < high
    assert high - low < 1.11 * np.ptp(values)


@pytest.mark.parametrize("far", [1e10, -1e10, 1e300])
def test_a_number_out_of_all_proportion_does_not_set_the_range(far):
    """One visit that went wrong must not squeeze all others into one bin."""
    low, high = shown_range(np.array([*np.linspace(4, 6, 20), far, np.nan, np.inf]))
    assert (low, high) == (pytest.approx(3.9), pytest.approx(6.1))


@pytest.mark.parametrize("value", [5.0, 0.0, -3.0, 1e12])
def test_numbers_that_are_alike_have_a_range(value):
    """A single number, or the same one many times, is in the middle."""
    low, high = shown_range(np.full(3, value))
    assert low < value < high
    assert low + high == pytest.approx(2 * value)


def test_no_number_at_all_has_a_range():
    """Without a finite number an axis still needs one."""
    assert shown_range(np.array([np.nan, np.inf])) == shown_range(np.empty(0)) == (0, 1)


def test_histograms_have_the_same_bins():
    """Both are in the bins of all numbers together, each number once."""
    rng = np.random.default_rng(1)
    axes = panel()
    histograms(axes, {"a": rng.normal(5, 1, 100), "b": rng.normal(7, 1, 50)}, COLOURS)
    (a, first, _), (b, second, _) = counts(axes).values()
    np.testing.assert_array_equal(first, second)
    assert (a.sum(), b.sum()) == (100, 50)
    assert axes.get_title("right") == ""


def test_what_lies_beyond_the_bins_is_told():
    """A histogram that leaves numbers out says how many, and NaN is none of them."""
    axes = panel()
    histograms(axes, {"a": np.array([*np.linspace(-1, 1, 30), 1e9, np.nan])}, COLOURS)
    assert counts(axes)["a"][0].sum() == 30
    assert axes.get_title("right") == "1 beyond the axis"


def test_numbers_of_many_sizes_have_bins_of_equal_ratio():
    """Variances of templates of 1 and of 60 visits are told apart in one panel."""
    axes = panel()
    histograms(axes, {"a": np.geomspace(0.1, 6, 40)}, COLOURS)
    own, edges, _ = counts(axes)["a"]
    assert axes.get_xscale() == "log"
    assert own.sum() == 40
    np.testing.assert_allclose(np.diff(np.log(edges)), np.log(edges[-1] / edges[0]) / len(own))


@pytest.mark.parametrize("values", [{}, {"a": np.empty(0)}, {"a": np.full(3, np.nan)}])
def test_nothing_to_draw_is_said(values):
    """An empty panel says why it is empty."""
    axes = panel()
    histograms(axes, values, COLOURS)
    assert [text.get_text() for text in axes.texts] == ["nothing was measured"]


def test_drawing_does_without_matplotlib():
    """A page without figures does not wait for it."""
    code = "import sys, harness.report.page; assert 'matplotlib' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
