"""Closure in units of the operands' float spacing."""

import math

import numpy as np
import pytest

from harness.judge import closes, largest_residual
from harness.model import VerdictState


def _residual(first, second, third):
    return first.astype(np.float64) - second - third


@pytest.fixture
def planes():
    """Return a coadd with bright stars, a constant background, and their difference, in float32."""
    rng = np.random.default_rng(1)
    before = rng.lognormal(3, 2, (64, 64)).astype(np.float32)
    background = np.full_like(before, 0.0173)
    return before, background, before - background


def test_float32_subtraction_closes_to_half_a_unit(planes):
    """One rounded subtraction leaves at most half a unit in the last place, however bright the star."""
    assert 0.3 < largest_residual(_residual(*planes), *planes) <= 0.5


def test_one_altered_pixel_is_found(planes):
    """A single pixel that is off by three units is what the largest residual says."""
    planes[2][10, 20] += 3 * np.spacing(np.abs(planes[0][10, 20]))
    assert largest_residual(_residual(*planes), *planes) == pytest.approx(3, abs=0.51)


def test_swapped_operands_and_a_common_constant_change_nothing(planes):
    """The closure does not depend on which side is called first."""
    residual = _residual(*planes)
    assert largest_residual(-residual, *planes) == largest_residual(residual, *planes)


def test_coarsest_operand_counts(planes):
    """A float64 operand beside float32 ones does not ask for float64 precision."""
    before, background, after = planes
    mixed = (before.astype(np.float64), background, after)
    assert largest_residual(_residual(*mixed), *mixed) <= 0.5


def test_pixels_without_a_value_everywhere_are_left_out(planes):
    """NaN in all operands is no residual; NaN in one of them alone does not close; nothing but NaN is no number."""
    for plane in planes:
        plane[0, 0] = np.nan
    assert largest_residual(_residual(*planes), *planes) <= 0.5
    planes[1][1, 1] = np.nan
    assert largest_residual(_residual(*planes), *planes) == math.inf
    nothing = np.full((2, 2), np.nan, np.float32)
    assert math.isnan(largest_residual(nothing, nothing, nothing))


@pytest.mark.parametrize(
    ("residual", "state"),
    [(0.5, VerdictState.PASS), (1.5, VerdictState.FAIL), (math.inf, VerdictState.NOT_MEASURED)],
)
def test_closes(quantity, residual, state):
    """At most so many units pass; more fail; what is not a number was not measured."""
    verdict = closes(quantity([residual], unit="", name="background.closure", census=True), 1)
    assert verdict.state is state
    if state is VerdictState.FAIL:
        assert verdict.sentence == "background.closure = 1.5 (allowed at most 1)"
