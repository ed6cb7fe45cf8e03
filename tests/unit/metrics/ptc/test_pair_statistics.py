"""Statistics of pairs of flats, against plain double precision and against flats of known truth."""

from __future__ import annotations

import tracemalloc
from dataclasses import fields

import numpy as np
import pytest
from pair_reference import pipeline
from scipy.stats import truncnorm

from harness.metrics.ptc import pair_statistics as module
from harness.metrics.ptc.pair_statistics import (
    MIN_PIXELS,
    PairStatistics,
    clip_correction,
    fast_statistics,
    pair_statistics,
)

GAIN = 1.5
NOISE = 5.0


def flats(
    electrons: float, shape: tuple[int, ...], *, seed: int = 1, mismatch: float = 0.0, tilt: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Return a pair of flats in adu: Poisson light and read noise; the light grows by ``tilt`` over the columns."""
    rng = np.random.default_rng(seed)
    light = electrons * (1 + tilt * np.linspace(-0.5, 0.5, shape[-1]))
    pair = [(rng.poisson(light * scale, shape) + rng.normal(0, NOISE, shape)) / GAIN for scale in (1, 1 + mismatch)]
    return pair[0].astype(np.float32), pair[1].astype(np.float32)


def variance_of(electrons: float) -> float:
    """Return the true variance of a pixel, adu²."""
    return (electrons + NOISE**2) / GAIN**2


def assert_not_measured(found: PairStatistics, i: int) -> None:
    """Assert that an amplifier has no numbers."""
    for item in fields(PairStatistics):
        values = getattr(found, item.name)
        if item.name not in {"status", "n_pixels", "n_not_positive"}:
            assert np.isnan(values[i]).all(), item.name


@pytest.mark.parametrize(
    ("electrons", "shape", "mismatch", "tilt"),
    [
        (150_000, (3, 40, 4096), 0.0, 0.0),
        (150_000, (2, 200, 509), 0.3, 0.5),
        (3000, (2, 100, 201), 0.01, 0.0),
        (50, (2, 300, 300), 0.0, 0.1),
    ],
)
def test_fast_statistics_are_those_of_double_precision(electrons, shape, mismatch, tilt):
    """Means, variance and RHL equal plain double precision, whatever the signal, mismatch and illumination."""
    first, second = flats(electrons, shape, mismatch=mismatch, tilt=tilt)
    found = fast_statistics(first, second)
    one, two = first.astype(float), second.astype(float)
    mean1, mean2 = one.mean((1, 2)), two.mean((1, 2))
    mean = (mean1 + mean2) / 2
    difference = (mean2[:, None, None] * one - mean1[:, None, None] * two) / mean[:, None, None]
    np.testing.assert_allclose(found.mean1, mean1, rtol=1e-8)
    np.testing.assert_allclose(found.mean2, mean2, rtol=1e-8)
    np.testing.assert_allclose(found.variance, difference.var((1, 2), ddof=1) / 2, rtol=1e-5)
    np.testing.assert_allclose(found.rhl, ((one - two) ** 2 / (one + two)).mean((1, 2)), rtol=1e-6)
    assert (found.n_not_positive == 0).all()


def test_fast_variance_is_the_rescaled_one_up_to_the_scale():
    """The variance of the first flat less the second rescaled to its mean follows by the documented factor."""
    first, second = flats(3000, (1, 200, 200), mismatch=0.1)
    found = fast_statistics(first, second)
    rescaled = second.astype(float) * first.mean(dtype=float) / second.mean(dtype=float)
    mean = (found.mean1 + found.mean2) / 2
    expected = np.var(first - rescaled, ddof=1) / 2
    np.testing.assert_allclose(found.variance * (mean / found.mean2) ** 2, expected, rtol=1e-6)


def test_pixels_without_positive_sum_are_left_out_of_rhl_and_counted():
    """Zero and negative sums neither divide nor count, in both ways to measure."""
    rng = np.random.default_rng(4)
    first, second = (rng.normal(3, 4, (2, 200, 200)).astype(np.float32) for _ in range(2))
    first[:, 0, :5] = second[:, 0, :5] = 0
    first[:, 1, :5], second[:, 1, :5] = 3, -3
    one, two = first.astype(float), second.astype(float)
    positive = one + two > 0
    expected = [((a - b)[good] ** 2 / (a + b)[good]).mean() for a, b, good in zip(one, two, positive, strict=True)]
    for found in (fast_statistics(first, second), pair_statistics(first, second)):
        np.testing.assert_array_equal(found.n_not_positive, (~positive).sum((1, 2)))
        assert (found.n_not_positive > 1000).all()
        np.testing.assert_allclose(found.rhl, expected, rtol=1e-5)


def test_fast_statistics_of_hopeless_amplifiers_are_numbers_or_nan():
    """Dark, constant, negative and NaN amplifiers raise nothing and leave the others unharmed."""
    first, second = flats(3000, (6, 40, 40))
    expected = fast_statistics(first, second)
    for i, value in enumerate((0, 1000, -50, np.nan, np.inf)):
        first[i] = second[i] = value
    found = fast_statistics(first, second)
    for item in fields(found):
        np.testing.assert_array_equal(getattr(found, item.name)[5], getattr(expected, item.name)[5])
    assert found.variance[1] == 0
    assert np.isnan(found.variance[[0, 3, 4]]).all()
    assert np.isnan(found.rhl[[0, 2]]).all()


@pytest.mark.parametrize("electrons", [100, 5000, 150_000])
def test_clean_flats_give_what_the_pipeline_gives(electrons):
    """Without outliers, masks, means, variance and all covariances are those of double precision and transforms."""
    first, second = flats(electrons, (2, 200, 301), mismatch=0.01, tilt=0.05)
    draw = np.random.default_rng(6).random(first.shape)
    mask, wild = draw < 0.02, draw < 0.01
    first[wild], second[wild] = 60_000, np.nan
    found = pair_statistics(first, second, mask)
    s2 = clip_correction(5.5)
    assert found.status == ["", ""]
    for i in range(2):
        expected = pipeline(first[i], np.nan_to_num(second[i]), ~mask[i], 8)
        assert found.n_pixels[i] == expected.n == (~mask[i]).sum()
        np.testing.assert_allclose([found.mean1[i], found.mean2[i]], [expected.mean1, expected.mean2], rtol=1e-8)
        np.testing.assert_allclose(found.variance[i], s2 * expected.variance, rtol=1e-6)
        np.testing.assert_allclose(found.covariance[i], expected.covariance, atol=3e-6 * expected.variance)
        good = ~mask[i]
        one, two = first[i][good].astype(float), second[i][good].astype(float)
        np.testing.assert_allclose(found.rhl[i], ((one - two) ** 2 / (one + two)).mean(), rtol=1e-6)
        difference = np.full(good.shape, np.nan)
        difference[good] = (expected.mean2 * one - expected.mean1 * two) / found.mean[i]
        row_means = np.nanmean(difference[:-1], axis=1)
        np.testing.assert_allclose(found.row_mean_variance[i], row_means.var(ddof=1), rtol=1e-5)
    np.testing.assert_allclose(found.mean, (found.mean1 + found.mean2) / 2)
    np.testing.assert_allclose(found.delta, found.mean2 - found.mean1)


def polluted(electrons: float, shape: tuple[int, ...], fraction: float) -> tuple[np.ndarray, np.ndarray]:
    """Return flats with hot pixels, the same in both, and cosmic rays, other ones in each."""
    first, second = flats(electrons, shape, tilt=0.02)
    rng = np.random.default_rng(9)
    hot = rng.random(shape) < fraction
    extra = rng.uniform(0.3, 10, int(hot.sum())) * electrons
    for flat in (first, second):
        flat[hot] = (rng.poisson(electrons + extra) + rng.normal(0, NOISE, len(extra))) / GAIN
        rays = rng.random(shape) < fraction
        flat[rays] += rng.exponential(2000, int(rays.sum())) / GAIN
    return first, second


def test_the_clip_is_that_of_exact_medians():
    """Pixels accepted are, but for very few, those of a clip of the same rules that starts with all pixels."""
    first, second = polluted(20_000, (3, 300, 400), 1e-3)
    # What is too far from the mean in one flat, and not in the difference.
    sigma = np.sqrt(variance_of(20_000))
    for i, (flat, other) in enumerate([(first, second), (second, first)]):
        for j, sign in enumerate((-1, 1)):
            row = 10 * i + 5 * j
            flat[:, row, :20] = 20_000 / GAIN + 8 * sign * sigma
            other[:, row, :20] = 20_000 / GAIN + 3 * sign * sigma
    found = pair_statistics(first, second)
    for i in range(3):
        one, two = first[i].astype(float), second[i].astype(float)
        good = np.ones(one.shape, bool)
        centres, sigmas, e = [np.median(one), np.median(two), 0.0], [0.0, 0.0, 0.0], 0.0
        for iteration in range(4):
            e = (centres[0] - centres[1]) / (centres[0] + centres[1])
            images = [one, two, (one - two) - e * (one + two)]
            if iteration == 0:
                sigmas = [0.741301 * np.subtract(*np.percentile(image, [75, 25])) for image in images]
            else:
                centres = [one[good].mean(), two[good].mean(), 0.0]
                sigmas = [image[good].std(ddof=1) for image in images]
            if iteration < 3:
                good = np.all([abs(x - c) <= 5.5 * s for x, c, s in zip(images, centres, sigmas, strict=True)], axis=0)
        assert abs(found.n_pixels[i] - good.sum()) <= 2
        assert good.sum() < good.size - 100
        np.testing.assert_allclose([found.mean1[i], found.mean2[i]], centres[:2], rtol=1e-6)
        np.testing.assert_allclose(2 * found.variance[i], sigmas[2] ** 2, rtol=1e-4)


@pytest.mark.parametrize(
    ("electrons", "unclipped", "clipped"), [(1000, 7, 4e-3), (20_000, 0.3, 8e-3), (1e5, 0.07, 0.012)]
)
def test_hot_pixels_and_cosmic_rays_bias_little(electrons, unclipped, clipped):
    """With 1 pixel in 1000 hot and 1 in 1000 hit by some 2000 e-, variance and RHL are at most about 1 % too large.

    What is left are hits below 5.5 standard deviations, which no clip can see; a clip of the difference alone leaves
    the shot noise of hot pixels as well.
    """
    first, second = polluted(electrons, (2, 500, 512), 1e-3)
    found = pair_statistics(first, second)
    clean = pair_statistics(*flats(electrons, first.shape, tilt=0.02))
    fast = fast_statistics(first, second)
    good = np.ones(first.shape[1:], bool)
    by_pipeline = np.mean([pipeline(*pair, good, 0).variance for pair in zip(first, second, strict=True)])
    variance, rhl = clean.variance.mean(), clean.rhl.mean()
    np.testing.assert_allclose(found.mean, clean.mean, rtol=1e-4)
    assert fast.variance.mean() / variance - 1 > unclipped
    assert abs(found.variance.mean() / variance - 1) < clipped
    assert abs(found.rhl.mean() / rhl - 1) < clipped
    assert found.variance.mean() < by_pipeline


def test_a_lamp_mismatch_leaves_variance_and_enters_rhl():
    """A lamp that brightens by 5 % on a tilted flat leaves the variance at mu/g and adds Delta²/(2 mu) to RHL."""
    first, second = flats(20_000, (4, 500, 512), mismatch=0.05, tilt=0.2)
    found = pair_statistics(first, second)
    electrons = found.mean * GAIN
    np.testing.assert_allclose(found.delta, 1000 / GAIN, atol=0.5)
    pulls = (found.variance - variance_of(electrons)) / found.variance_error
    np.testing.assert_allclose(pulls, 0, atol=4.5)
    assert abs(pulls.mean()) < 3
    # The tilt raises the mean of Delta² / (2 mu) over the pixels by nothing: Delta is in proportion to mu.
    lamp = found.delta**2 / (2 * found.mean)
    np.testing.assert_allclose(found.rhl - found.variance / found.mean, lamp, rtol=0.02)


def test_errors_are_those_of_white_noise():
    """Pulls of variance and covariances over many amplifiers have unit width and no mean."""
    shape = (250, 80, 120)
    rng = np.random.default_rng(12)
    first, second = (rng.normal(1000, 10, shape).astype(np.float32) for _ in range(2))
    mask = rng.random(shape) < 0.05
    found = pair_statistics(first, second, mask)
    truth = np.zeros((9, 9))
    truth[0, 0] = 100
    pulls = (found.covariance - truth) / found.covariance_error
    variance_pulls = (found.variance - 100) / found.variance_error
    for values in (variance_pulls, pulls[:, 0, 0]):
        assert values.std() == pytest.approx(1, abs=3 / np.sqrt(2 * 250))
        assert abs(values.mean()) < 3.5 / np.sqrt(250)
    for values in (pulls[:, 1:, 0], pulls[:, 0, 1:], pulls[:, 1:, 1:]):
        assert values.std() == pytest.approx(1, abs=4 / np.sqrt(2 * values.size))
        assert abs(values.mean()) < 4 / np.sqrt(values.size)


@pytest.mark.parametrize("sigmas", [2.0, 3.0, 5.5])
def test_clip_correction_is_that_of_a_truncated_normal_distribution(sigmas):
    """What a clip removes from the variance of a normal distribution is put back."""
    assert clip_correction(sigmas) * truncnorm(-sigmas, sigmas).var() == pytest.approx(1, rel=1e-9)


def test_clip_correction_enters_once_for_a_pixel_with_itself_and_twice_for_two(monkeypatch):
    """The variance and lag 0 are multiplied by s², other lags by s⁴."""
    pair = flats(1000, (1, 60, 60))
    monkeypatch.setattr(module, "clip_correction", lambda sigmas: 1.0)
    plain = pair_statistics(*pair)
    monkeypatch.setattr(module, "clip_correction", lambda sigmas: 3.0)
    found = pair_statistics(*pair)
    factor = np.full((9, 9), 9.0)
    factor[0, 0] = 3
    np.testing.assert_allclose(found.covariance[0], plain.covariance[0] * factor)
    np.testing.assert_allclose(found.variance, 3 * plain.variance)
    np.testing.assert_array_equal(found.covariance_error, plain.covariance_error)


def test_row_mean_variance_of_white_noise_and_of_striped_rows():
    """White noise gives 2 V / columns; an offset of each row's own in one flat adds its variance, scaled as D is."""
    first, second = flats(5000, (8, 400, 200))
    found = pair_statistics(first, second)
    np.testing.assert_allclose(found.row_mean_variance.mean() / (2 * found.variance.mean() / 200), 1, atol=0.1)
    first += np.random.default_rng(2).normal(0, 20, (8, 400, 1)).astype(np.float32)
    first[:, -1] += 100
    first[:, 7] = second[:, 7] + 300
    striped = pair_statistics(first, second)
    added = striped.row_mean_variance - found.row_mean_variance
    np.testing.assert_allclose(added.mean(), 400, rtol=0.08)
    assert striped.covariance[:, 1, 0].mean() > 100


def test_amplifiers_that_cannot_be_measured_say_why():
    """Each hopeless amplifier has a status in words and no numbers; the others are measured as if alone."""
    first, second = flats(3000, (11, 60, 64))
    mask = np.zeros(first.shape, bool)
    alone = pair_statistics(first[10:], second[10:])
    mask[0] = True
    first[1] = np.nan
    first[2] = second[2] = 65_535
    first[3] = second[3]
    first[4] = second[4] = 0
    first[5] -= 3000
    second[6] -= second[6].mean() - 0.1
    mask[7].flat[MIN_PIXELS - 1 :] = True
    first[8] = np.inf
    first[9], second[9] = 65_535, 60_000
    found = pair_statistics(first, second, mask)
    only = "only {} of 3840 pixels are usable, and 100 are needed"
    still = "the two flats do not differ: saturated, constant or one and the same"
    assert [found.status[i] for i in (0, 1, 7, 8)] == [only.format(n) for n in (0, 0, 99, 0)]
    assert [found.status[i] for i in (2, 3, 9)] == [still] * 3
    assert found.status[4] == "no signal in the first flat: its mean is 0 ± 0 adu"
    assert found.status[5].startswith("no signal in the first flat: its mean is -999 ± ")
    assert found.status[6].startswith("no signal in the second flat: its mean is 0.1 ± ")
    for i in range(10):
        assert_not_measured(found, i)
    for item in fields(PairStatistics):
        assert np.array_equal(getattr(found, item.name)[10], getattr(alone, item.name)[0]), item.name


def test_half_saturated_and_quantized_amplifiers_raise_nothing():
    """Amplifiers whose quartiles coincide, or whose pixels overflow, are measured or not, without a warning."""
    first, second = flats(3000, (5, 80, 80))
    first[0, :60] = second[0, :60] = 65_535
    first[1], second[1] = np.rint(first[1] / 100) * 100, np.rint(second[1] / 100) * 100
    first[2, ::2] = second[2, ::2] = 3e38
    first[3] = 1e30
    found = pair_statistics(first, second)
    assert found.status[4] == ""
    assert found.status[1] == ""
    assert all(np.isfinite(found.variance[i]) == (found.status[i] == "") for i in range(5))


def test_few_pixels_are_enough_for_small_sensors():
    """A hundred usable pixels are measured, with the error that they are worth."""
    first, second = flats(3000, (1, 10, 10))
    found = pair_statistics(first, second)
    assert found.status == [""]
    assert found.n_pixels[0] == MIN_PIXELS
    np.testing.assert_allclose(found.variance_error / found.variance, np.sqrt(0.02))


def test_a_sample_that_meets_few_usable_pixels_is_not_trusted():
    """Where almost everything is masked, what is left is measured whole."""
    first, second = flats(3000, (1, 300, 300))
    mask = np.ones(first.shape, bool)
    mask[0, 100:120, 200:230] = False
    first[mask] = 1e5
    found = pair_statistics(first, second, mask)
    assert found.n_pixels[0] == 600
    np.testing.assert_allclose(found.variance, variance_of(3000), rtol=0.2)


def test_any_layout_and_type_gives_the_same():
    """Read-only, strided and integer flats give what contiguous single precision gives."""
    first, second = (np.rint(flat) for flat in flats(3000, (2, 40, 50)))
    expected = pair_statistics(first, second, np.zeros(first.shape, bool))
    frozen = first.copy()
    frozen.flags.writeable = False
    strided = np.asfortranarray(second)
    for found in (pair_statistics(frozen, strided), pair_statistics(first.astype(np.int32), second.astype(float))):
        for item in fields(PairStatistics):
            assert np.array_equal(getattr(found, item.name), getattr(expected, item.name)), item.name
    np.testing.assert_array_equal(fast_statistics(frozen, strided).rhl, fast_statistics(first, second).rhl)


def test_an_empty_stack_has_no_statistics():
    """Without amplifiers there is nothing to measure and nothing to complain about."""
    empty = np.zeros((0, 20, 20), np.float32)
    assert len(fast_statistics(empty, empty).mean1) == 0
    assert pair_statistics(empty, empty).status == []


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        (((2, 20, 20), (2, 20, 21), None), "of one shape"),
        (((20, 20), (20, 20), None), "two stacks"),
        (((2, 20, 20), (2, 20, 20), (2, 20, 19)), "the mask has shape"),
        (((2, 8, 20), (2, 8, 20), None), "no pixels 8 rows and columns apart"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(shapes, message):
    """Flats and masks of different shape, single images and slivers are refused in words."""
    first, second, mask = (None if shape is None else np.ones(shape, np.float32) for shape in shapes)
    with pytest.raises(ValueError, match=message):
        pair_statistics(first, second, mask)


def test_memory_does_not_grow_with_the_number_of_amplifiers():
    """On top of the flats, an amplifier's worth of workspace is all there is."""
    first, second = flats(3000, (12, 200, 200))
    pair_statistics(first[:1], second[:1])
    peaks = []
    for n in (1, 12):
        tracemalloc.start()
        pair_statistics(first[:n], second[:n])
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[0] < 6 * first[0].nbytes
    assert peaks[1] < peaks[0] + first[0].nbytes
