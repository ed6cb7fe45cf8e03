"""Bins of a background model, and the ways from their values to pixels, against scipy and plain definitions."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.interpolate import RegularGridInterpolator, make_interp_spline

from harness.rerun.exposures.background_grid import (
    InterpolationStyle,
    UndersampleStyle,
    approximate,
    bin_centres,
    interpolate,
)

SHAPE = (90, 117)
REDUCE = UndersampleStyle.REDUCE_INTERP_ORDER
SMOOTH = (
    InterpolationStyle.LINEAR,
    InterpolationStyle.NATURAL_SPLINE,
    InterpolationStyle.CUBIC_SPLINE,
    InterpolationStyle.AKIMA_SPLINE,
)


def sampled(function, bins=(7, 9), shape=SHAPE):
    """Return a function of (x, y) at the centres of bins, and at pixels."""
    y, x = (bin_centres(size, n) for size, n in zip(shape, bins, strict=True))
    rows, columns = (np.arange(size, dtype=float) for size in shape)
    return function(x, y[:, np.newaxis]), function(columns, rows[:, np.newaxis])


def plane(x, y):
    """Return a tilted plane."""
    return 100.0 + 0.25 * x - 0.5 * y


@given(size=st.integers(1, 5000), share=st.floats(0, 1))
def test_bins_end_at_rounded_fractions(size: int, share: float) -> None:
    """Bin k of n ends at k size/n, halves rounded up, and its centre is the mean of its pixels."""
    n = max(1, round(share * min(size, 300)))
    ends = [math.floor(Fraction(k * size, n) + Fraction(1, 2)) for k in range(n + 1)]
    expected = [(first + last - 1) / 2 for first, last in pairwise(ends)]
    np.testing.assert_array_equal(bin_centres(size, n), expected)


def test_bins_of_a_known_detector() -> None:
    """4072 columns in bins of 128 are 32 bins of 127 or 128 pixels (127.25 on average)."""
    centres = bin_centres(4072, 32)
    assert centres[:3].tolist() == [63.0, 190.5, 318.0]
    assert centres[-1] == 4072 - 1 - centres[0]


@pytest.mark.parametrize("style", SMOOTH)
def test_a_plane_is_a_plane(style: InterpolationStyle) -> None:
    """Every curve goes through a plane, and goes on as it beyond the outermost centres."""
    statistics, expected = sampled(plane)
    np.testing.assert_allclose(interpolate(statistics, SHAPE, style, REDUCE), expected, rtol=1e-12)


def test_linear_between_centres_is_scipys() -> None:
    """Bilinear interpolation of noise agrees with another implementation of it."""
    statistics = np.random.default_rng(1).normal(size=(7, 9))
    y, x = (bin_centres(size, n) for size, n in zip(SHAPE, statistics.shape, strict=True))
    rows, columns = np.mgrid[math.ceil(y[0]) : int(y[-1]), math.ceil(x[0]) : int(x[-1])]
    expected = RegularGridInterpolator((y, x), statistics)(np.stack([rows, columns], axis=-1))
    full = interpolate(statistics, SHAPE, InterpolationStyle.LINEAR, REDUCE)
    np.testing.assert_allclose(full[rows, columns], expected, atol=1e-12)


@pytest.mark.parametrize("style", [InterpolationStyle.NATURAL_SPLINE, InterpolationStyle.CUBIC_SPLINE])
def test_both_cubic_splines_are_the_natural_one(style: InterpolationStyle) -> None:
    """They agree with natural B-splines, and are straight beyond the outermost centres."""
    statistics = np.random.default_rng(2).normal(size=(6, 5))
    y, x = (bin_centres(size, n) for size, n in zip(SHAPE, statistics.shape, strict=True))
    rows, columns = (np.arange(math.ceil(at[0]), int(at[-1]) + 1) for at in (y, x))
    along_y = make_interp_spline(y, statistics, k=3, bc_type="natural")(rows)
    expected = make_interp_spline(x, along_y, k=3, bc_type="natural", axis=1)(columns)
    full = interpolate(statistics, SHAPE, style, REDUCE)
    np.testing.assert_allclose(full[np.ix_(rows, columns)], expected, atol=1e-12)
    np.testing.assert_allclose(np.diff(full[:, : int(x[0]) + 1], 2, axis=1), 0, atol=1e-12)
    np.testing.assert_allclose(np.diff(full[math.ceil(y[-1]) :], 2, axis=0), 0, atol=1e-12)


def test_akima_is_that_of_1970() -> None:
    """The slope at a centre is the mean of those beside it, weighted by the changes of slope on the other side."""
    statistics = np.random.default_rng(3).normal(size=(1, 8)).repeat(8, axis=0)
    x, values = bin_centres(SHAPE[1], 8), statistics[0]
    m = list(np.diff(values) / np.diff(x))
    m = [3 * m[0] - 2 * m[1], 2 * m[0] - m[1], *m, 2 * m[-1] - m[-2], 3 * m[-1] - 2 * m[-2]]
    slopes = [
        (abs(m[k + 3] - m[k + 2]) * m[k + 1] + abs(m[k + 1] - m[k]) * m[k + 2])
        / (abs(m[k + 3] - m[k + 2]) + abs(m[k + 1] - m[k]))
        for k in range(8)
    ]
    full = interpolate(statistics, SHAPE, InterpolationStyle.AKIMA_SPLINE, REDUCE)[40]
    for column in range(math.ceil(x[0]), int(x[-1])):
        k = int(np.searchsorted(x, column, side="right")) - 1
        h, t = x[k + 1] - x[k], (column - x[k]) / (x[k + 1] - x[k])
        hermite = (
            (1 + 2 * t) * (1 - t) ** 2 * values[k]
            + t * (1 - t) ** 2 * h * slopes[k]
            + t**2 * (3 - 2 * t) * values[k + 1]
            + t**2 * (t - 1) * h * slopes[k + 1]
        )
        assert full[column] == pytest.approx(hermite, abs=1e-12)


def test_a_curve_goes_on_as_a_parabola() -> None:
    """An Akima spline through a parabola is that parabola, also beyond the outermost centres."""
    shape = (90, 120)
    statistics, expected = sampled(lambda x, y: 0.01 * (x - 30) ** 2 - 0.02 * y**2, bins=(6, 8), shape=shape)
    full = interpolate(statistics, shape, InterpolationStyle.AKIMA_SPLINE, REDUCE)
    np.testing.assert_allclose(full, expected, atol=1e-10)


@pytest.mark.parametrize(
    ("style", "inside", "outside"),
    [
        (InterpolationStyle.LINEAR, 0.026, 0.05),
        (InterpolationStyle.NATURAL_SPLINE, 4e-4, 0.03),
        (InterpolationStyle.AKIMA_SPLINE, 4e-3, 0.02),
    ],
)
def test_a_smooth_sky_is_reproduced(style: InterpolationStyle, inside: float, outside: float) -> None:
    """A sky of amplitude 1 with a wave of twenty bins is reproduced to what theory allows; the margins less well."""
    shape = (400, 500)
    statistics, expected = sampled(lambda x, y: np.sin(x / 75) * np.cos(y / 75), bins=(17, 21), shape=shape)
    difference = np.abs(interpolate(statistics, shape, style, REDUCE) - expected)
    assert difference[95:-95, 95:-95].max() < inside  # linear: h²/8 of the second derivative in each direction
    assert difference.max() < outside


@pytest.mark.parametrize("style", list(InterpolationStyle))
def test_one_bin_is_exactly_constant(style: InterpolationStyle) -> None:
    """A single bin has no gradient, whatever the style."""
    full = interpolate(np.array([[0.1]]), SHAPE, style, REDUCE)
    assert full.shape == SHAPE
    assert (full == 0.1).all()


def test_constant_has_the_levels_of_afw() -> None:
    """The first bin keeps its value, and further steps are means of neighbours, midway between centres."""
    full = interpolate(np.array([[1.0, 3.0, 9.0]]), (4, 30), InterpolationStyle.CONSTANT, REDUCE)
    np.testing.assert_array_equal(full, np.repeat([[1.0, 2.0, 6.0]], 10, axis=1).repeat(4, axis=0))


def test_a_step_belongs_to_what_comes_after_it() -> None:
    """A pixel midway between two centres has the later level."""
    full = interpolate(np.array([[1.0, np.nan, 3.0]]), (1, 33), InterpolationStyle.CONSTANT, REDUCE)
    np.testing.assert_array_equal(full[0], [1.0] * 16 + [2.0] * 17)


@pytest.mark.parametrize("style", SMOOTH)
def test_missing_bins_are_bridged(style: InterpolationStyle) -> None:
    """Bins without a value, whole columns of them too, are bridged by what is beside them."""
    statistics, expected = sampled(plane)
    statistics[2, 3] = statistics[0, 0] = np.nan
    statistics[:, 6] = np.nan
    np.testing.assert_allclose(interpolate(statistics, SHAPE, style, REDUCE), expected, rtol=1e-12)


def test_too_few_bins_reduce_the_order() -> None:
    """An Akima spline of two by four bins is linear in both directions."""
    statistics = np.random.default_rng(4).normal(size=(2, 4))
    full = interpolate(statistics, SHAPE, InterpolationStyle.AKIMA_SPLINE, REDUCE)
    np.testing.assert_allclose(full, interpolate(statistics, SHAPE, InterpolationStyle.LINEAR, REDUCE))


def test_a_column_with_few_values_is_reduced_alone() -> None:
    """Where three values are left in one column of bins, that one becomes a cubic spline, and others stay."""
    shape = (90, 66)
    statistics = np.random.default_rng(5).normal(size=(6, 6))
    whole = interpolate(statistics, shape, InterpolationStyle.AKIMA_SPLINE, REDUCE)
    statistics[[0, 2, 3], 5] = np.nan
    holed = interpolate(statistics, shape, InterpolationStyle.AKIMA_SPLINE, REDUCE)
    y, x = (bin_centres(size, 6) for size in shape)
    np.testing.assert_allclose(holed[:, : int(x[2])], whole[:, : int(x[2])], atol=1e-12)
    rows = np.arange(int(y[1]) + 1, int(y[5]))
    expected = make_interp_spline(y[[1, 4, 5]], statistics[[1, 4, 5], 5], k=3, bc_type="natural")(rows)
    np.testing.assert_allclose(holed[rows, int(x[5])], expected, atol=1e-12)


def test_missing_values_may_leave_too_few() -> None:
    """Where the order must not be reduced, one column of bins with too few values is enough to refuse."""
    statistics = np.ones((6, 6))
    statistics[:2, 3] = np.nan
    with pytest.raises(ValueError, match="4 usable bins in a row, and AKIMA_SPLINE needs 5"):
        interpolate(statistics, SHAPE, InterpolationStyle.AKIMA_SPLINE, UndersampleStyle.THROW_EXCEPTION)


@pytest.mark.parametrize("undersample", [UndersampleStyle.THROW_EXCEPTION, UndersampleStyle.INCREASE_NXNYSAMPLE])
def test_too_few_bins_are_refused(undersample: UndersampleStyle) -> None:
    """Where the order must not be reduced, too few bins have no image."""
    with pytest.raises(ValueError, match="4 usable bins in a row, and AKIMA_SPLINE needs 5"):
        interpolate(np.ones((4, 8)), SHAPE, InterpolationStyle.AKIMA_SPLINE, undersample)


def test_nothing_to_interpolate() -> None:
    """Statistics without a finite value have no image."""
    with pytest.raises(ValueError, match="no finite value"):
        interpolate(np.full((3, 3), np.nan), SHAPE, InterpolationStyle.LINEAR, REDUCE)


def test_a_polynomial_is_found_again() -> None:
    """A polynomial of the fitted order is reproduced, whatever the weights."""
    statistics, expected = sampled(lambda x, y: 5 + 0.1 * x - 0.02 * y + 1e-3 * x * y + 2e-3 * y**2)
    weights = np.random.default_rng(6).uniform(0.1, 10, statistics.shape)
    np.testing.assert_allclose(approximate(statistics, weights, SHAPE, 2), expected, rtol=1e-10)


def test_a_fit_is_the_weighted_one() -> None:
    """The fit to noise is that of least squares in powers of x and y, bins without value or weight left out."""
    generator = np.random.default_rng(7)
    statistics, weights = generator.normal(size=(6, 8)), generator.uniform(0.1, 10, (6, 8))
    statistics[1, 1], weights[2, 2], weights[3, 3], weights[4, 4], weights[5, 5] = np.nan, np.inf, np.nan, 0.0, -1.0
    y, x = np.meshgrid(*(bin_centres(size, n) / 100 for size, n in zip(SHAPE, (6, 8), strict=True)), indexing="ij")
    good = np.isfinite(statistics) & np.isfinite(weights) & (weights > 0)

    def powers(x, y):
        return np.stack([np.ones_like(x), x, y, x**2, x * y, y**2], axis=-1)

    root = np.sqrt(weights[good])
    solution = np.linalg.lstsq(powers(x[good], y[good]) * root[:, np.newaxis], statistics[good] * root)[0]
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]] / 100
    np.testing.assert_allclose(approximate(statistics, weights, SHAPE, 2), powers(columns, rows) @ solution, atol=1e-10)


def test_a_fit_needs_as_many_bins_as_terms() -> None:
    """A polynomial that the bins do not determine is refused."""
    with pytest.raises(ValueError, match="4 usable bins for the 6 terms"):
        approximate(np.ones((2, 2)), np.ones((2, 2)), SHAPE, 2)
