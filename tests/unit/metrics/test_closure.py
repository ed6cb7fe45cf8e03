"""Closure in units of the operands' float spacing, beside plain numpy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from harness.metrics._row_blocks import BLOCK
from harness.metrics.closure import closure

ANY = st.one_of(st.floats(width=32), st.sampled_from([0.0, 1.0, 5e4, 0.0173, math.nan, math.inf]))


def expected(a, b, c):
    """Return the closure as numpy forms it, with `np.spacing` of the largest operand."""
    planes = np.stack([a, b, c]).astype(np.float32)
    finite = np.isfinite(planes)
    everywhere, pattern = finite.all(0), finite.any(0) & ~finite.all(0)
    first, second, third = np.where(everywhere, planes, 0).astype(np.float64)
    residual = np.abs(first - second - third)
    largest = np.abs(np.where(everywhere, planes, 0)).max(0)
    with np.errstate(over="ignore"):  # the spacing of the very largest floats is found by way of the next one
        spacing = np.spacing(largest).astype(np.float64)
    ulp = residual / np.where(np.isfinite(spacing), spacing, 2.0**104)
    bad = pattern if pattern.any() else ulp == ulp.max(initial=0)
    is_equal = not pattern.any() and not ulp.any()
    value = math.inf if pattern.any() else ulp.max(initial=0) if everywhere.any() else math.nan
    return {
        "largest": value,
        "n_compared": everywhere.sum(),
        "n_unclosed": (ulp > 0.5).sum(),
        "n_pattern": pattern.sum(),
        "worst": None if is_equal else tuple(int(i) for i in np.argwhere(bad)[0]),
        "rms": math.sqrt((residual[everywhere] ** 2).mean()) if everywhere.any() else math.nan,
    }


def check(a, b, c):
    """Assert that the closure is numpy's, and return it."""
    found, wanted = closure(a, b, c), expected(a, b, c)
    assert found.worst == wanted.pop("worst")
    rms = wanted.pop("rms")
    np.testing.assert_array_equal([getattr(found, name) for name in wanted], list(wanted.values()))
    np.testing.assert_allclose(found.rms, rms, rtol=1e-12)
    return found


@pytest.fixture
def planes():
    """Return a coadd with bright stars, a constant background, and their difference, of many blocks in float32."""
    before = np.random.default_rng(1).lognormal(3, 2, (401, 601)).astype(np.float32)
    assert before.size > 3 * BLOCK
    background = np.full_like(before, 0.0173)
    return before, background, before - background


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_any_planes_close_as_numpy_says(data):
    """Subnormal and huge numbers, NaN and infinities included."""
    shape = data.draw(st.tuples(st.integers(0, 5), st.integers(0, 7)))
    check(*(data.draw(npst.arrays(np.float32, shape, elements=ANY)) for _ in range(3)))


@settings(max_examples=300, deadline=None)
@given(*[npst.arrays(np.float32, (4, 5), elements=st.floats(-(2.0**126), 2.0**126, width=32)) for _ in range(2)])
def test_one_rounded_operation_closes(a, b):
    """A difference or sum rounded to float32 is within half a unit, whatever the exponents of its operands."""
    assert closure(a, b, a - b).n_unclosed == 0
    assert closure(a + b, a, b).n_unclosed == 0


def test_half_a_unit_is_reached_and_closes():
    """1 + 2^-24 is half way between two floats, and is rounded down by exactly half a unit."""
    found = closure(*(np.full((1, 1), value, np.float32) for value in (1.0, -(2.0**-24), 1.0)))
    assert (found.largest, found.n_unclosed, found.worst) == (0.5, 0, (0, 0))


def test_more_than_half_a_unit_does_not_close():
    """The least that a residual can be larger is found."""
    found = closure(*(np.full((1, 1), value, np.float32) for value in (1.0, -(2.0**-24) * (1 + 2**-23), 1.0)))
    assert found.largest == 0.5 * (1 + 2**-23)
    assert found.n_unclosed == 1


def test_order_of_subtraction_is_kept():
    """1 - 1 - c is -c exactly, which 1 - (1 + c) is not, however many pixels are subtracted at once."""
    one, large = np.ones((3, 50), np.float32), np.full((3, 50), 2.0**53, np.float32)
    assert closure(one, one, large).largest == 2.0**23


def test_smallest_numbers_have_the_smallest_spacing():
    """Subnormal numbers, and the smallest normal ones, are 2^-149 apart."""
    for value in (2.0**-149, 2.0**-130, 2.0**-126, 2.0**-125):
        plane = np.full((2, 3), value, np.float32)
        residual = 0 * plane
        assert closure(plane, residual, residual).largest == value / np.spacing(np.float32(value))
        assert closure(plane, -plane / 2, plane).largest == value / 2 / np.spacing(np.float32(value))


def test_limit_follows_the_brightest_star(planes):
    """The residual of the coadd is within half a unit everywhere, though largest under its stars."""
    found = check(*planes)
    assert 0.3 < found.largest <= 0.5
    assert found.n_unclosed == 0
    assert found.rms > np.spacing(np.float32(0.0173))


@pytest.mark.parametrize("place", [(0, 0), (10, 20), (200, 600), (400, 600)])
def test_one_altered_pixel_is_found(planes, place):
    """A single pixel that is off by three units is counted and located."""
    planes[2][place] += 3 * np.spacing(np.abs(planes[0][place]))
    found = check(*planes)
    assert found.largest == pytest.approx(3, abs=0.51)
    assert (found.worst, found.n_unclosed) == (place, 1)


def test_first_of_equals_is_the_worst(planes):
    """Of two pixels as bad as each other, in different blocks, the first is named."""
    for plane in planes:
        plane[50, 60] = plane[350, 7] = 0
    planes[0][50, 60] = planes[0][350, 7] = 1
    assert check(*planes).worst == (50, 60)


def test_pixels_finite_in_some_planes_only(planes):
    """NaN in all operands is no residual; NaN in one of them alone does not close, and is located."""
    for plane in planes:
        plane[300, 0] = np.nan
    found = check(*planes)
    assert (found.n_compared, found.n_pattern) == (401 * 601 - 1, 0)
    assert found.largest <= 0.5
    planes[1][300, 1] = np.inf
    planes[1][399, 9] = np.nan
    found = check(*planes)
    assert (found.largest, found.n_pattern, found.worst) == (math.inf, 2, (300, 1))
    assert found.n_unclosed == 0
    assert math.isfinite(found.rms)


@pytest.mark.parametrize("shape", [(0, 0), (3, 0), (2, 2)])
def test_nothing_to_compare_is_nan(shape):
    """Planes without a finite pixel close in no sense."""
    found = closure(*(np.full(shape, np.nan, np.float32) for _ in range(3)))
    assert math.isnan(found.largest)
    assert math.isnan(found.rms)
    assert (found.n_compared, found.n_pattern, found.worst) == (0, 0, None)


def test_identical_planes_differ_nowhere():
    """What a - 0 - a leaves is nothing, and has no worst place."""
    a = np.random.default_rng(2).normal(size=(30, 40)).astype(np.float32)
    found = closure(a, np.zeros_like(a), a)
    assert (found.largest, found.rms, found.worst) == (0.0, 0.0, None)


@settings(max_examples=50, deadline=None)
@given(
    *[npst.arrays(np.float32, (4, 5), elements=st.integers(1024, 1535).map(float)) for _ in range(2)],
    npst.arrays(np.float32, (4, 5), elements=st.integers(-9, 9).map(float)),
    st.integers(0, 512),
)
def test_constant_in_both_planes_leaves_the_closure(a, b, c, constant):
    """What is added to a and b alike is not in the residual, as long as it is no larger than rounding allows."""
    assert closure(a + np.float32(constant), b + np.float32(constant), c) == closure(a, b, c)


@settings(max_examples=50, deadline=None)
@given(*[npst.arrays(np.float32, (4, 5), elements=st.floats(-1e6, 1e6, width=32)) for _ in range(3)])
def test_swapped_planes_flip_the_sign_alone(a, b, c):
    """The residual of b - a + c is the same the other way round: as large, at the same place."""
    assert closure(b, a, -c) == closure(a, b, c)


def test_layout_does_not_matter(planes):
    """Byte order, protection, strides and double precision of what float32 holds change nothing."""
    a, b, c = planes
    b.flags.writeable = False
    wide = np.zeros((401, 700), np.float32)
    wide[:, 50:651] = c
    assert closure(a.astype(">f4"), np.asfortranarray(b), wide[:, 50:651]) == closure(a, b, c)
    assert closure(a.astype(np.float64), b, c) == closure(a, b, c)


def test_double_precision_is_judged_in_single():
    """A float64 operand is not rounded before the residual is formed, and does not ask for float64 precision."""
    a, b = np.full((1, 1), 1.0), np.full((1, 1), 0.75 * 2.0**-23)
    assert closure(a, b, a).largest == 0.75


@pytest.mark.parametrize("shapes", [[(2, 2), (2, 2), (2, 3)], [(2, 2), (2, 1), (2, 2)], [(4,), (4,), (4,)]])
def test_shapes_must_agree(shapes):
    """Planes that do not lie on each other are refused, never broadcast."""
    with pytest.raises(ValueError, match="2-D and of one shape"):
        closure(*(np.zeros(shape, np.float32) for shape in shapes))
