"""Steps that are there are found where they are; steps that are not are seldom seen."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from harness.history.change_points import MIN_POINTS, change_points, noise


def with_step(size, length, at, seed):
    """Return Gaussian noise of standard deviation 1 around 100 with a step."""
    values = np.random.default_rng(seed).normal(100, 1, length)
    values[at:] += size
    return values


@pytest.mark.parametrize(("length", "at", "least"), [(8, 4, 0.85), (12, 6, 0.95), (24, 12, 0.98), (24, 21, 0.95)])
def test_known_step_is_found_in_its_place(length, at, least):
    """A step of five sigma is dated to the rerun, within one, even when only three reruns have followed it."""
    found = [change_points(with_step(5, length, at, seed)) for seed in range(300)]
    assert np.mean([any(abs(first - at) <= 1 for first in each) for each in found]) >= least


@pytest.mark.parametrize(
    ("length", "most_gaussian", "most_heavy"), [(8, 0.14, 0.15), (12, 0.10, 0.10), (24, 0.04, 0.06), (100, 0.01, 0.04)]
)
def test_false_alarms_are_as_documented(length, most_gaussian, most_heavy):
    """Noise alone shows a change as often as the docstring says, and no more."""
    rng = np.random.default_rng(length)
    gaussian = np.mean([bool(change_points(rng.normal(100, 1, length))) for _ in range(600)])
    heavy = np.mean([bool(change_points(rng.standard_t(3, length))) for _ in range(600)])
    assert gaussian <= most_gaussian
    assert heavy <= most_heavy


def test_two_steps_are_two_changes():
    """Up and down again, each is dated."""
    values = with_step(8, 60, 20, seed=1)
    values[40:] -= 8
    assert change_points(values) == [20, 40]


@pytest.mark.parametrize("at", [0, 1, 9, 18, 19])
@pytest.mark.parametrize("size", [8, -30, 1e6])
def test_single_number_that_is_off_is_no_level(at, size):
    """One bad rerun, be it the newest or the first, does not make a level with its neighbour."""
    values = with_step(0, 20, 0, seed=2)
    values[at] += size
    assert change_points(values) == []


def test_first_number_is_no_level_even_where_the_series_ends():
    """What the first rerun alone has in common with the last ones is no level at the beginning."""
    values = with_step(12, 40, 20, seed=2)
    values[0] += 12
    assert change_points(values) == [20]


def test_second_number_confirms_a_level():
    """What the newest rerun has shown alone becomes a level with the next one."""
    values = with_step(20, 20, 18, seed=3)
    assert change_points(values) == [18]
    assert change_points(values[:-1]) == []


@pytest.mark.parametrize("factor", [2.0**-100, 1.0, 2.0**100])
def test_unit_does_not_matter(factor):
    """The same series in another unit, or counted from elsewhere, has the same changes."""
    values = with_step(6, 40, 15, seed=4)
    assert change_points(values * factor) == [15]
    assert change_points(-values * factor) == [15]


def test_same_input_has_the_same_changes():
    """Nothing is drawn at random."""
    values = with_step(4, 50, 30, seed=5)
    assert len({tuple(change_points(values)) for _ in range(5)}) == 1


def test_short_series_has_no_changes():
    """Seven points do not show their own noise."""
    values = np.repeat([0.0, 100.0], MIN_POINTS)[MIN_POINTS // 2 : -MIN_POINTS // 2 - 1]
    assert values.size == MIN_POINTS - 1
    assert change_points(values) == []
    assert change_points(np.append(values, 100.0)) == [MIN_POINTS // 2]


@pytest.mark.parametrize("value", [0.0, 5.0, 1e300])
def test_constant_series_has_no_changes(value):
    """Counts that are always the same, or differ in the last digit, have no levels."""
    assert change_points(np.full(30, value)) == []
    rounding = np.full(30, value)
    rounding[15:] = np.nextafter(value, np.inf) if value else 0.0
    assert change_points(rounding) == []


def test_counts_that_step_from_one_constant_to_another():
    """Where most differences are 0 the step itself tells the scale."""
    assert change_points(np.repeat([0.0, 1.0], 10)) == [10]


@pytest.mark.parametrize("length", [10, 100, 1000])
def test_noise_is_the_standard_deviation(length):
    """The noise of Gaussian numbers is found, and a step does not change it much."""
    rng = np.random.default_rng(6)
    values = [noise(rng.normal(0, 3, length)) for _ in range(200)]
    assert np.median(values) == pytest.approx(3, rel=0.12)
    assert noise(with_step(1000, 1000, 500, seed=7)) == pytest.approx(1, rel=0.1)


def test_without_ruptures_there_are_no_changes(monkeypatch):
    """Where it cannot be installed, trends do without."""
    monkeypatch.setitem(sys.modules, "ruptures", None)
    assert change_points(with_step(50, 20, 10, seed=8)) == []
