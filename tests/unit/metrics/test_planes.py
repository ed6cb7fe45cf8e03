"""Statistics of a plane beside plain numpy."""

from __future__ import annotations

import itertools
import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from harness.metrics import planes
from harness.metrics._row_blocks import BLOCK
from harness.metrics.planes import plane_statistics

SPECIAL = st.sampled_from([math.nan, math.inf, -math.inf, 0.0, -0.0, 1.0, 2.0])


def expected(plane, excluded=None):
    """Return what numpy finds, in float64, of finite pixels that are not excluded."""
    pixels = plane.astype(np.float64)
    excluded = np.zeros(plane.shape, bool) if excluded is None else excluded
    kept = pixels[~excluded]
    used = kept[np.isfinite(kept)]
    found = {
        "n_pixels": plane.size,
        "n_masked": excluded.sum(),
        "n_nan": np.isnan(kept).sum(),
        "n_inf": np.isinf(kept).sum(),
        "n": used.size,
        "n_nonpositive": (used <= 0).sum(),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exact = {
            "minimum": used.min() if used.size else math.nan,
            "maximum": used.max() if used.size else math.nan,
            "median": np.nanmedian(used),
        }
        close = {"mean": np.nanmean(used), "std": np.nanstd(used)}
    return found | exact, close


def check(plane, valid=None):
    """Assert that counts, extremes and median are the same numbers, mean and deviation the same but for rounding."""
    found = plane_statistics(plane, valid)
    exact, close = expected(plane, None if valid is None else (valid[0].astype(np.int64) & valid[1]) != 0)
    np.testing.assert_array_equal([getattr(found, name) for name in exact], list(exact.values()))
    if found.n:
        extent = max(abs(found.minimum), abs(found.maximum))
        np.testing.assert_allclose(found.mean, close["mean"], rtol=1e-12, atol=1e-12 * extent)
        np.testing.assert_allclose(found.std, close["std"], rtol=1e-9, atol=1e-9 * extent)
    else:
        assert math.isnan(found.mean)
        assert math.isnan(found.std)
    return found


def pixels(width):
    """Return finite floats of a width, whose squares are finite too, and special ones."""
    return st.one_of(st.floats(-(2.0**50), 2.0**50, width=width), SPECIAL)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_any_plane_has_numpys_statistics(data):
    """Of either precision and byte order, with NaN, infinities, ties and masked pixels."""
    dtype = data.draw(st.sampled_from(["<f4", ">f4", "<f8", ">f8"]))
    shape = data.draw(st.tuples(st.integers(0, 12), st.integers(0, 12)))
    plane = data.draw(npst.arrays(dtype, shape, elements=pixels(8 * int(dtype[2]))))
    mask = data.draw(npst.arrays(np.int32, shape, elements=st.integers(0, 7)))
    check(plane)
    check(plane, (mask, data.draw(st.integers(0, 7))))


def _shapes():
    rng = np.random.default_rng(5)
    shape = (300, 701)
    normal = rng.normal(100, 10, shape)
    return {
        "noise": normal,
        "even count": rng.normal(size=(300, 700)),
        "heavy tail": rng.standard_cauchy(shape),
        "constant": np.full(shape, 0.0173),
        "constant but one": np.where(np.arange(300 * 701).reshape(shape) == 0, 5.0, 0.0173),
        "two values": rng.integers(0, 2, shape) * 1.0,
        "few values": rng.poisson(2, shape) * 1.0,
        "sorted": np.sort(normal, axis=None).reshape(shape),
        "reversed": -np.sort(normal, axis=None).reshape(shape),
        "stripes": np.where(np.arange(701) % 2, 1.0, 2.0) + np.zeros(shape),
        "few": np.where(rng.random(shape) < 1e-4, normal, np.nan),
        "one": np.where(np.arange(300 * 701).reshape(shape) == 1234, 7.0, np.nan),
        "none": np.full(shape, np.nan),
        "infinite": np.where(rng.random(shape) < 0.6, -np.inf, normal),
        "negative": -np.abs(normal),
        "far from zero": 1e7 + rng.integers(0, 3, shape),
    }


SHAPES = _shapes()


@pytest.mark.parametrize("name", SHAPES)
def test_distributions(name):
    """Planes of many blocks, whatever their pixels are distributed like; NaN and masked pixels on top."""
    plane = SHAPES[name].astype(np.float32)
    assert plane.size > 3 * BLOCK
    check(plane)
    mask = np.random.default_rng(6).choice(np.array([0, 1, 2, 4, -(2**31)], np.int32), plane.shape)
    check(plane, (mask, 5))
    check(plane, (mask, 2**31))


@pytest.mark.parametrize("bracket", [(0.0, 0.0), (1000.0, 1001.0), (-1001.0, -1000.0), (99.9, 99.95), (100.05, 100.1)])
def test_median_is_exact_where_the_sample_misleads(monkeypatch, bracket):
    """A bracket that does not hold the median costs a second walk and nothing else."""
    monkeypatch.setattr(planes, "_bracket", lambda *_: (*bracket, 0.0))
    check(SHAPES["noise"].astype(np.float32))
    check(SHAPES["infinite"].astype(np.float32))
    check(SHAPES["constant"].astype(np.float32))


def test_few_pixels_that_the_sample_misses():
    """A plane of which all but a few pixels are masked has the deviation of these few, far from zero as they are."""
    plane = 1e13 + np.arange(2000.0).reshape(40, 50)
    mask = np.ones(plane.shape, np.int32)
    mask[7, 8:12] = 0
    found = check(plane, (mask, 1))
    assert found.n == 4
    assert found.std == pytest.approx(np.std([0, 1, 2, 3]), rel=1e-12)


@pytest.mark.parametrize(("shape", "is_even"), [((301, 701), False), ((300, 700), True)])
def test_median_is_that_of_nanmedian_in_single_precision(shape, is_even):
    """`np.nanmedian` of a float32 plane is ours, rounded to float32 where it is the mean of two pixels."""
    plane = np.random.default_rng(7).normal(0.004, 0.001, shape).astype(np.float32)
    found = plane_statistics(plane).median
    assert np.float32(found) == np.nanmedian(plane)
    assert (np.float32(found) == found) is not is_even or is_even


def _unusual(plane):
    read_only = plane.copy()
    read_only.flags.writeable = False
    wide = np.zeros((plane.shape[0], plane.shape[1] + 7), plane.dtype)
    wide[:, 3:-4] = plane
    return {
        "big-endian": plane.astype(">f4"),
        "read-only": read_only,
        "cut out": wide[:, 3:-4],
        "every other": np.repeat(np.repeat(plane, 2, 0), 2, 1)[::2, ::2],
        "upside down": plane[::-1].copy()[::-1],
        "Fortran": np.asfortranarray(plane),
        "double": plane.astype(np.float64),
    }


UNUSUAL = _unusual(SHAPES["noise"].astype(np.float32))


@pytest.mark.parametrize("name", UNUSUAL)
def test_layout_does_not_matter(name):
    """Byte order, strides, precision and protection change no number, and are not changed."""
    plane = UNUSUAL[name]
    before = plane.copy(), plane.dtype, plane.flags.writeable
    mask = (SHAPES["noise"] > 110).astype(">i4")
    check(plane)
    found = check(plane, (mask, 1))
    assert found.n_masked == mask.sum() > 0
    np.testing.assert_array_equal(plane, before[0])
    assert (plane.dtype, plane.flags.writeable) == before[1:]


@pytest.mark.parametrize("dtype", [np.int16, np.uint16, np.int32])
def test_integers(dtype):
    """Raw pixels have statistics too."""
    check(np.random.default_rng(8).integers(0, 60000, (50, 60)).astype(dtype))


def test_constant_has_no_deviation_at_all():
    """Zero exactly, and mean and median are the constant itself."""
    value = float(np.float32(0.0173))
    found = plane_statistics(np.full((512, 512), 0.0173, np.float32))
    assert (found.minimum, found.maximum, found.mean, found.median, found.std) == (value, value, value, value, 0.0)


def test_nothing_is_nan():
    """A plane that is masked throughout has counts, and NaN for all the rest."""
    found = plane_statistics(np.ones((3, 4), np.float32), (np.ones((3, 4), np.int32), 1))
    assert (found.n_pixels, found.n_masked, found.n_nan, found.n_inf, found.n) == (12, 12, 0, 0, 0)
    numbers = found.minimum, found.maximum, found.mean, found.median, found.std
    assert all(math.isnan(number) for number in numbers)


@settings(max_examples=100, deadline=None)
@given(
    npst.arrays(np.float32, (6, 9), elements=st.one_of(st.integers(-8, 8).map(float), SPECIAL)),
    st.lists(st.integers(-16, 16).map(lambda x: x / 2), min_size=2, max_size=9, unique=True).map(sorted),
)
def test_bins_are_half_open(plane, edges):
    """Every finite pixel is counted once: below, in the bin whose lower edge it is or exceeds, or above."""
    found = plane_statistics(plane, edges=edges).histogram
    used = plane[np.isfinite(plane)]
    counts = [((used >= low) & (used < high)).sum() for low, high in itertools.pairwise(edges)]
    np.testing.assert_array_equal(found.counts, counts)
    assert (found.below, found.above) == ((used < edges[0]).sum(), (used >= edges[-1]).sum())
    np.testing.assert_array_equal(found.edges, edges)


def test_masked_pixels_are_in_no_bin():
    """The histogram is of the same pixels as the other statistics."""
    plane, mask = (
        np.arange(12, dtype=np.float32).reshape(3, 4),
        np.array([[4], [0], [4]], np.int32) + np.zeros(4, np.int32),
    )
    found = plane_statistics(plane, (mask, 4), edges=[0, 5, 6]).histogram
    assert (found.below, found.counts.tolist(), found.above) == (0, [1, 1], 2)


@pytest.mark.parametrize("high", [5e-324, 1e-300, 1e308])
def test_bins_of_any_width(high):
    """The narrowest bin that there is, and the widest, hold what lies in them."""
    found = plane_statistics(np.array([[0.0, -1.0, high]]), edges=[-high, 0, high]).histogram
    assert (found.below + found.counts[0], found.counts[1], found.above) == (1, 1, 1)


@pytest.mark.parametrize("edges", [[], [1.0], [1.0, 1.0], [2.0, 1.0], [0.0, math.nan], [0.0, math.inf], [[0.0, 1.0]]])
def test_edges_must_increase(edges):
    """What are no edges of bins is refused."""
    with pytest.raises(ValueError, match="edges of a histogram"):
        plane_statistics(np.zeros((2, 2), np.float32), edges=edges)


def test_mask_must_fit():
    """A mask of another shape, or a plane that is none, is refused."""
    with pytest.raises(ValueError, match=r"different shapes \(\(2, 2\) and \(2, 3\)\)"):
        plane_statistics(np.zeros((2, 2), np.float32), (np.zeros((2, 3), np.int32), 1))
    with pytest.raises(ValueError, match="two dimensions, not 1"):
        plane_statistics(np.zeros(4, np.float32))
