"""What the planes of a background tell."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.metrics.background.planes import histogram_edges, plane_change, plane_gradient, restored, thumbnail
from harness.metrics.closure import closure
from harness.metrics.planes import plane_statistics

SHAPE = (40, 70)


def noise(seed=1, level=100.0, scatter=20.0, shape=SHAPE):
    """Return a plane of noise."""
    return np.random.default_rng(seed).normal(level, scatter, shape).astype(np.float32)


def tilted(shape, slope_x, slope_y, level=50.0):
    """Return a plane by its slopes per pixel."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    return (level + slope_x * x + slope_y * y).astype(np.float64)


def test_an_image_is_restored_by_adding_its_background():
    """The sign is that of the pipelines: what was subtracted is added."""
    image, background = np.full(SHAPE, -2.0, np.float32), np.full(SHAPE, 3600.5, np.float32)
    assert set(restored(image, background).flat) == {3598.5}
    assert restored(image, background).dtype == np.float32


def test_restoring_twice_is_restoring_once():
    """Inputs are not changed, even where they could be; so a second call cannot add the background again."""
    image, background = noise(1, 0), noise(2, 3600)
    before = image.copy(), background.copy()
    once = restored(image, background)
    np.testing.assert_array_equal(restored(image, background), once)
    np.testing.assert_array_equal(image, before[0])
    np.testing.assert_array_equal(background, before[1])
    assert not np.shares_memory(once, image)


def test_a_restored_image_closes_to_half_a_unit():
    """What one rounded addition leaves is at most half a unit in the last place of the largest."""
    image, background = noise(1, 0, 1000), noise(2, 3600, 0.01)
    found = closure(restored(image, background), image, background)
    assert 0 < found.largest <= 0.5
    assert found.n_unclosed == 0


def test_restoring_what_cannot_be_says_nothing_on_its_own():
    """Infinities of either sign cancel to NaN without a warning; other shapes are an error."""
    image = np.array([[np.inf, np.nan, 3e38]], np.float32)
    np.testing.assert_array_equal(
        restored(image, np.array([[-np.inf, 1, 3e38]], np.float32)), [[np.nan, np.nan, np.inf]]
    )
    with pytest.raises(ValueError, match="different shapes"):
        restored(image, image.T)


@pytest.mark.parametrize("shape", [(256, 320), (97, 193), (4, 5), (1, 30), (300, 1)])
def test_the_gradient_of_a_plane_is_its_rise(shape):
    """From the lowest to the highest corner, whatever the signs of its slopes and the size of the last block."""
    for slopes in ((0.25, 0.5), (-0.25, 0.5), (0.125, -1.5), (-2.0, -0.5), (0.0, 1.0)):
        plane = tilted(shape, *slopes)
        assert plane_gradient(plane) == pytest.approx(np.ptp(plane), rel=1e-12, abs=1e-12)


def test_the_gradient_of_a_constant_is_exactly_zero():
    """So is that of one with pixels without data, and of a single pixel."""
    constant = np.full(SHAPE, 0.1, np.float32)
    assert plane_gradient(constant) == 0.0
    constant[:, :17] = np.nan
    constant[3, 40] = np.inf
    assert plane_gradient(constant) == 0.0
    assert plane_gradient(np.full((1, 1), 3.0)) == 0.0


def test_the_gradient_is_of_finite_pixels_alone():
    """A corner without data changes nothing, and nothing is known of no pixel."""
    plane = tilted((192, 192), 0.25, 0.5)
    whole = plane_gradient(plane)
    plane[:40, :40] = np.nan
    plane[100, 100] = -np.inf
    assert plane_gradient(plane) == pytest.approx(whole, rel=1e-3)
    assert np.isnan(plane_gradient(np.full(SHAPE, np.nan)))


def test_noise_has_little_gradient():
    """It is the plane that counts, not the extremes."""
    assert plane_gradient(noise(shape=(200, 200))) < 5
    assert np.ptp(noise(shape=(200, 200))) > 100


@settings(deadline=None)  # kernels are compiled at their first call
@given(
    st.floats(-(2.0**100), 2.0**100, width=32),
    st.floats(-(2.0**100), 2.0**100, width=32),
    st.lists(st.floats(0, 1, width=32), min_size=1, max_size=50),
)
def test_a_histogram_holds_every_pixel(first, second, between):
    """Counts add up to the finite pixels, whatever the range; none is below the first edge or above the last one."""
    low, high = min(first, second), max(first, second)
    values = np.array([low, high, *(low + (high - low) * share for share in between), np.nan, np.inf], np.float32)
    plane = np.clip(values, np.float32(low), None)[np.newaxis]
    statistics = plane_statistics(plane)
    edges = histogram_edges(statistics.minimum, statistics.maximum)
    held = plane_statistics(plane, edges=edges).histogram
    assert held.counts.sum() == statistics.n
    assert (held.below, held.above) == (0, 0)


def test_a_flat_background_has_one_bin():
    """All its pixels are in it; a background without a finite pixel has none."""
    for value in (0.0, -0.0, 1e-45, 3600.5, -1e30):
        flat = float(np.float32(value))
        edges = histogram_edges(flat, flat)
        assert len(edges) == 2
        plane = np.full(SHAPE, value, np.float32)
        assert plane_statistics(plane, edges=edges).histogram.counts.tolist() == [plane.size]
    assert len(histogram_edges(np.nan, np.nan)) == 0
    assert len(histogram_edges(0, 1)) == 61


@pytest.mark.parametrize("shape", [(7, 5), (96, 96), (97, 200), (500, 300)])
@pytest.mark.parametrize("value", [0.1, 3598.4375, -1e-20, 1e30])
def test_the_thumbnail_of_a_constant_is_constant(shape, value):
    """Exactly, so that a flat background is drawn in one colour."""
    means, n_rows = thumbnail(np.full(shape, value, np.float32))
    assert set(means) == {float(np.float32(value))}
    assert len(means) % n_rows == 0
    assert max(n_rows, len(means) // n_rows) <= 96


def test_a_thumbnail_holds_means_of_blocks():
    """Each is that of the finite pixels of its block; one without any is NaN."""
    plane = noise(shape=(200, 290))
    plane[3, 7], plane[4, 8] = np.nan, np.inf
    plane[9:12, 12:16] = np.nan
    means, n_rows = thumbnail(plane)
    blocks = np.array(means).reshape(n_rows, -1)
    assert blocks.shape == (67, 73)
    expected = np.full(blocks.shape, np.nan)
    for i, j in np.ndindex(blocks.shape):
        block = plane[3 * i : 3 * i + 3, 4 * j : 4 * j + 4]
        finite = block[np.isfinite(block)]
        expected[i, j] = finite.astype(np.float64).mean() if finite.size else np.nan
    np.testing.assert_allclose(blocks, expected, rtol=1e-6)
    assert np.isnan(blocks[3, 3])
    assert np.isnan(thumbnail(np.full(SHAPE, np.nan, np.float32))[0]).all()


def test_a_plane_that_is_the_same_has_not_changed():
    """NaN and infinities are the same as themselves."""
    plane = noise()
    plane[0, :4] = np.nan, np.inf, -np.inf, -0.0
    other = plane.copy()
    other[0, 3] = 0.0
    assert plane_change(other, plane) == (0, 0.0)


def test_a_change_is_in_units_in_the_last_place():
    """Of the larger of the two values."""
    old = np.full(SHAPE, 1000.0, np.float32)
    new = old.copy()
    new[2, 3] = np.nextafter(np.float32(1000), np.float32(2000))
    assert plane_change(new, old) == (1, 1.0)
    new[5, 6] = 500.0
    assert plane_change(new, old) == (2, 500 / float(np.spacing(np.float32(1000))))
    new[7, 8] = 1001.0
    new[5, 6] = 1000.0
    assert plane_change(new, old) == plane_change(old, new) == (2, 1 / float(np.spacing(np.float32(1001))))


def test_a_change_of_what_is_finite_is_counted_and_has_no_size():
    """The size of the others is known; of none there is no number, and no warning."""
    old = np.full(SHAPE, 1000.0, np.float32)
    new = old.copy()
    new[0, :3] = np.nan, np.inf, -np.inf
    count, largest = plane_change(new, old)
    assert count == 3
    assert np.isnan(largest)
    new[1, 1] = np.nextafter(np.float32(1000), np.float32(0))
    assert plane_change(new, old) == (4, 1.0)
