"""The figure of a trend: what it draws, and that it can be read."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import numpy as np
import pytest
from figure_layout import assert_nothing_overlaps

from harness.baseline.model import Acceptance, Baseline, Entry, Original, Unchanged
from harness.history.plot import trend_drawing
from harness.history.trend import trends

NAME = "dia.numSources"
NOISE = np.random.default_rng(1).normal(100, 1, 40)


def labels(drawing):
    """Return what the legend explains."""
    return {text.get_text() for legend in drawing.figure.legends for text in legend.get_texts()}


def drawn(frame, **more):
    """Return the figure of the one trend."""
    (trend,) = trends(frame, NAME, **more)
    return trend_drawing(trend)


@pytest.fixture
def moved(fill):
    """Return a history with a step, a gap, verdicts and limits."""
    values = NOISE.copy()
    values[20:] += 12
    values[3] = math.nan
    states = ["PASS"] * 20 + ["FAIL"] * 5 + ["PASS"] * 13 + ["INCONCLUSIVE", "ACKNOWLEDGED"]
    states[3] = "NOT_MEASURED"
    return fill(values, state=states, low=95.0, high=105.0)


@pytest.fixture
def baseline():
    """Return a baseline accepted from the rerun ``w_024``."""
    acceptance = Acceptance(
        at=datetime(2026, 11, 21, tzinfo=UTC),
        by="A. Person",
        harness="0.1.0",
        rerun="w_024",
        versions={},
        inputs="inputs of w_024",
        reason="new templates",
        ticket="",
        visits=28,
    )
    entry = Entry(
        value=112.0,
        uncertainty=1.0,
        unit="ct",
        definition="d1",
        expectation=Unchanged(rtol=0.05, atol=0.0),
        direction="higher_is_better",
        accepted="a",
        original=Original(value=112.0, accepted="a"),
    )
    return Baseline(dataset="hits", acceptances={"a": acceptance}, metrics={NAME: entry})


def test_everything_about_a_trend_is_drawn(moved, baseline):
    """Points by verdict, intervals, what was acceptable then and is today, levels, change points, acceptances, gaps."""
    drawing = drawn(moved, baseline=baseline)
    expected = {"pass", "fail", "inconclusive", "acknowledged", "not measured", "99 % interval", "acceptable then"}
    assert labels(drawing) == expected | {"accepted today", "level", "change point", "accepted from here"}
    assert_nothing_overlaps(drawing.figure)


def test_change_point_stands_before_the_first_point_of_its_level(moved):
    """The vertical line is where the level moved."""
    lines = drawn(moved).figure.axes[0].lines
    (line,) = [line for line in lines if line.get_label() == "change point"]
    assert set(line.get_xdata()) == {19.5}


def test_acceptance_is_around_the_point_it_was_made_from(moved, baseline):
    """The ring is at the accepted rerun and its value."""
    lines = drawn(moved, baseline=baseline).figure.axes[0].lines
    (ring,) = [line for line in lines if line.get_label() == "accepted from here"]
    assert (ring.get_xdata()[0], ring.get_ydata()[0]) == (24, NOISE[24] + 12)


def test_all_values_and_limits_are_in_view(moved):
    """The axis holds every value and the limits."""
    low, high = drawn(moved).figure.axes[0].get_ylim()
    assert low < 95
    assert high > NOISE[20:].max() + 12


@pytest.mark.parametrize("far", [1e9, -1e9])
def test_number_out_of_all_proportion_is_marked_at_the_edge(fill, far):
    """One number that went wrong does not make a line of all others; it is there, at the edge."""
    drawing = drawn(fill([*NOISE[:20], far]))
    assert "beyond the axis" in labels(drawing)
    low, high = drawing.figure.axes[0].get_ylim()
    assert high - low < 50


def test_wide_interval_and_limits_do_not_flatten_the_values(fill):
    """Intervals ten thousand times as wide as the scatter are cut off, and so are infinite limits."""
    drawing = drawn(fill(NOISE[:20], low=-math.inf, high=1e7, lower=-1e6, upper=1e6))
    low, high = drawing.figure.axes[0].get_ylim()
    assert high - low < 20


@pytest.mark.parametrize("length", [1, 2, 24, 25, 200])
def test_names_of_reruns_fit(fill, length):
    """However many reruns, at most 24 names stand below, the newest among them."""
    drawing = drawn(fill(np.arange(length, dtype=float)))
    names = [text.get_text() for text in drawing.figure.axes[0].get_xticklabels()]
    assert len(names) <= 24
    assert names[-1] == f"w_{length - 1:03d}"
    assert_nothing_overlaps(drawing.figure)


def test_words_say_what_is_seen(moved, baseline):
    """Who cannot see the figure is told range, newest value, changes, what is accepted."""
    said = drawn(moved, baseline=baseline).description
    assert "dia.numSources of 39 reruns from w_000 to w_039: between " in said
    assert "A new level begins with w_020." in said
    assert "The baseline accepts 106.4 to ∞." in said


def test_nothing_measured_is_said(fill):
    """A metric without any number has a figure that says so."""
    drawing = drawn(fill([math.nan] * 3))
    assert [text.get_text() for text in drawing.figure.axes[0].texts] == ["nothing was measured"]
    assert drawing.description == "dia.numSources was measured in none of 3 reruns."
