"""A number far from the accepted ones is seen, and an ordinary one seldom."""

from __future__ import annotations

import math

import numpy as np
import pytest

from harness.history.outlier import MIN_ACCEPTED, WARN_BEYOND, robust_z

ACCEPTED = np.random.default_rng(0).normal(100, 2, 20)


def test_z_is_in_standard_deviations():
    """Of many accepted numbers, z is the distance from their middle over their scatter."""
    many = np.random.default_rng(1).normal(100, 2, 100_000)
    assert robust_z(110.0, many) == pytest.approx(5, rel=0.02)
    assert robust_z(90.0, many) == pytest.approx(-5, rel=0.02)


def test_z_of_few_numbers_by_hand():
    """Of -4 to 4 the median is 0, the median absolute deviation 2, the median's variance π/18 of the scatter's."""
    assert robust_z(10.0, np.arange(-4.0, 5.0)) == pytest.approx(10 / (1.4826 * 2 * 1.0837587), rel=1e-5)


@pytest.mark.parametrize(("n", "most"), [(8, 0.04), (20, 0.01)])
def test_false_warnings_are_as_documented(n, most):
    """The next number of the same noise seldom warns."""
    rng = np.random.default_rng(n)
    draws = rng.normal(0, 1, (4000, n + 1))
    beyond = np.mean([abs(robust_z(row[0], row[1:])) > WARN_BEYOND for row in draws])
    assert 0 < beyond <= most


def test_bad_numbers_among_the_accepted_do_not_hide_the_next_one():
    """A few accepted outliers leave median and scatter what they were."""
    spoilt = ACCEPTED.copy()
    spoilt[:4] = 1e6
    assert robust_z(120.0, spoilt) > 5


def test_few_accepted_or_no_number_have_no_z():
    """Of seven numbers the scatter is not known, and a NaN is nowhere."""
    assert math.isnan(robust_z(1e9, ACCEPTED[: MIN_ACCEPTED - 1]))
    assert math.isnan(robust_z(math.nan, ACCEPTED))
    assert math.isfinite(robust_z(1e9, ACCEPTED[:MIN_ACCEPTED]))


def test_constant_history():
    """After a constant the same number is 0 away, and any other infinitely far; rounding is neither."""
    constant = np.full(10, 0.3)
    assert robust_z(0.1 + 0.2, constant) == 0
    assert robust_z(0.4, constant) == math.inf
    assert robust_z(0.2, constant) == -math.inf
    assert robust_z(0.0, np.zeros(10)) == 0
    assert robust_z(1.0, np.zeros(10)) == math.inf


def test_mostly_constant_history_has_the_scatter_of_the_rest():
    """Where more than half are the same, those that are not tell the scatter."""
    mostly = np.array([0.0] * 8 + [1.0, -1.0])
    assert abs(robust_z(1.0, mostly)) < WARN_BEYOND < abs(robust_z(50.0, mostly)) < math.inf
