"""What stands where in the small drawings of the page, and how far a failure is from what is acceptable."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from reported import verdict

from harness.judge.quantity import Quantity
from harness.model import Interval, Metric
from harness.report.interval_drawing import WIDTH, interval_drawing
from harness.report.size import size_over_tolerance
from harness.report.unit_drawing import HEIGHT, unit_drawing

BELOW = Interval(-math.inf, math.nextafter(0.0, -1.0))


@pytest.mark.parametrize(
    ("estimate", "interval", "acceptable", "size"),
    [
        (3.0, (2, 4), (-1, 1), 3.0),
        (-3.0, (-4, -2), (-1, 1), 3.0),
        (0.12, (0.1, 0.2), (0.0, 0.04), 5.0),
        (6.0, (5, 7), (-math.inf, 2.0), 3.0),
        (-6.0, (-7, -5), (-2.0, math.inf), 3.0),
        (1.5, (1, 2), BELOW, 4.0),
        (2.0, (2, 2), (0.0, 0.0), math.inf),
        (0.0, (0, 0), (0.0, 0.0), 0.0),
        (2.0, (2, 2), BELOW, math.inf),
        (0.5, (0, 1), (-1, 1), 0.5),
    ],
    ids=["above", "below", "within", "at most", "at least", "less than 0", "none allowed", "none", "exact", "inside"],
)
def test_size_is_counted_in_tolerances(estimate, interval, acceptable, size):
    """1 is the border of what is acceptable, whatever kind of expectation it is."""
    acceptable = acceptable if isinstance(acceptable, Interval) else Interval(*acceptable)
    judged = verdict(estimate=estimate, interval=Interval(*interval), acceptable=acceptable)
    assert size_over_tolerance(judged) == pytest.approx(size)


def test_what_was_not_estimated_has_no_size():
    """Neither without an interval nor without a number."""
    assert math.isnan(size_over_tolerance(verdict(acceptable=None)))
    assert math.isnan(size_over_tolerance(verdict(estimate=math.nan)))


def test_an_interval_is_drawn_to_scale():
    """Distances in the drawing are those of the numbers."""
    drawn = interval_drawing(verdict(estimate=3.0, interval=Interval(2, 5), acceptable=Interval(-1, 1)))
    unit = (drawn.acceptable.end - drawn.acceptable.start) / 2
    assert drawn.zero == pytest.approx(drawn.acceptable.start + unit, abs=0.1)
    assert drawn.found.start == pytest.approx(drawn.zero + 2 * unit, abs=0.1)
    assert drawn.found.end == pytest.approx(drawn.zero + 5 * unit, abs=0.1)
    assert drawn.estimate == pytest.approx(drawn.zero + 3 * unit, abs=0.2)
    assert drawn.acceptable.start > 0
    assert drawn.found.end < WIDTH


def test_an_open_interval_reaches_the_edge():
    """What has no limit is drawn to the edge, and has no end there."""
    drawn = interval_drawing(verdict(estimate=3.0, interval=Interval(2, math.inf), acceptable=BELOW))
    assert (drawn.acceptable.start, drawn.acceptable.is_open_below) == (0.0, True)
    assert (drawn.found.end, drawn.found.is_open_above) == (WIDTH, True)
    assert not drawn.found.is_open_below
    assert drawn.acceptable.end == drawn.zero


@pytest.mark.parametrize(
    ("known", "description"),
    [
        ({}, "Change 1, between 0.5 and 1.5; acceptable is between -0.1 and 0.1."),
        (
            {"expectation": "within 0 to 0", "interval": Interval(1, 1), "acceptable": Interval(0, 0)},
            "Value exactly 1; acceptable is exactly 0.",
        ),
        (
            {"expectation": "below 3", "acceptable": BELOW},
            "Difference 1, between 0.5 and 1.5; acceptable is less than 0.",
        ),
        (
            {"expectation": "above 3 for at least 95 %", "acceptable": Interval(0.95, math.inf)},
            "Share for which it holds 1, between 0.5 and 1.5; acceptable is at least 0.95.",
        ),
        (
            {"expectation": "agrees with x within 1 %", "interval": Interval(-math.inf, math.inf)},
            "Unexplained deviation 1, anything; acceptable is between -0.1 and 0.1.",
        ),
    ],
)
def test_the_drawing_is_told_in_words(known, description):
    """Who cannot see it reads the same."""
    assert interval_drawing(verdict(**known)).description == description


@pytest.mark.parametrize("value", [0.0, -2.0, 1e-300, 1e300])
def test_a_single_point_stands_in_the_middle(value):
    """Where everything is one number there is no scale."""
    exact = Interval(value, value)
    drawn = interval_drawing(verdict(estimate=value, interval=exact, acceptable=exact))
    assert drawn.estimate == WIDTH / 2


def test_what_was_not_judged_is_not_drawn():
    """There is nothing to draw without an interval, or a number."""
    assert interval_drawing(verdict(interval=None)) is None
    assert interval_drawing(verdict(estimate=math.nan)) is None


def quantity(values, denominator=None, **known):
    """Return a metric in visits 10, 11 and so on."""
    reduce = "sum" if denominator is None else "ratio"
    metric = Metric("dia.numSources", "ct", "", "dia_count", reduce, **known)
    units = np.arange(10, 10 + len(values))
    return Quantity(metric, "a", units, np.array(values, np.float64), denominator)


def test_units_are_drawn_to_scale_with_zero_in_sight():
    """Heights are those of the changes, zero included; the first visit is at the left."""
    drawn = unit_drawing(quantity([5.0, 6.0, 8.0]), quantity([4.0, 4.0, 4.0]))
    (x0, y0), (x1, y1), (x2, y2) = drawn.points
    assert x1 - x0 == pytest.approx(x2 - x1)
    unit = drawn.zero - y0
    assert (drawn.zero - y1, drawn.zero - y2) == pytest.approx((2 * unit, 4 * unit), abs=0.2)
    assert 0 < y2 < drawn.zero < HEIGHT


def test_units_without_a_value_are_left_out():
    """A visit without a denominator has no value."""
    drawn = unit_drawing(quantity([5.0, 6.0, 8.0], np.array([1.0, 0.0, 2.0])), None)
    assert drawn.description == "Value in each of 2 visits: from 4 to 5 (the farthest from 0: visit 10); the line is 0."


def test_one_unit_is_not_drawn():
    """A single number is in the sentence already; so are two reruns with one visit in common."""
    assert unit_drawing(quantity([5.0]), None) is None
    other = replace(quantity([4.0, 5.0]), units=np.array([10, 99]))
    assert unit_drawing(quantity([5.0, 6.0]), other) is None
