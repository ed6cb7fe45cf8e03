"""Noise covariances by direct sums, against Fourier transforms and against noise of known covariance."""

from __future__ import annotations

import numpy as np
import pytest
from pair_reference import fft_covariances

from harness.metrics.ptc.covariances import PaddedImage, lag_covariances


def covariances(image: np.ndarray, good: np.ndarray, max_lag: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """Return covariances and pairs of the good pixels of an image."""
    padded = PaddedImage(image.shape, max_lag)
    padded.values[:] = np.where(good, image, 0)
    padded.weights[:] = good
    return lag_covariances(padded, padded.values.sum(1, dtype=float), padded.weights.sum(1, dtype=float))


def holes(kind: str, shape: tuple[int, int]) -> np.ndarray:
    """Return good pixels between holes."""
    rng = np.random.default_rng(3)
    good = np.ones(shape, bool)
    if kind == "scattered":
        good = rng.random(shape) > 0.05
    elif kind == "edges and columns":
        good[:20] = good[-3:] = good[:, :2] = good[:, -3:] = good[:, 6:8] = good[30:, 12] = False
    elif kind == "most":
        good = rng.random(shape) > 0.9
    return good


@pytest.mark.parametrize("shape", [(61, 83), (64, 96), (90, 17)])
@pytest.mark.parametrize("kind", ["none", "scattered", "edges and columns", "most"])
def test_direct_sums_are_those_of_the_fourier_transform(kind, shape):
    """Covariances at all lags are the transform's to single precision, and counts of pairs are the very same."""
    good = holes(kind, shape)
    image = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    # A trend and a mean that is not 0 make the products of means count.
    image += np.float32(0.4) + np.linspace(-1, 1, shape[1], dtype=np.float32)
    found, pairs = covariances(image, good)
    expected, expected_pairs = fft_covariances(image.astype(float), good, 8)
    np.testing.assert_array_equal(pairs, expected_pairs)
    seen = expected_pairs > 0
    assert seen.any()
    np.testing.assert_allclose(found[seen], expected[seen], atol=2e-6)


@pytest.mark.parametrize("max_lag", [0, 1, 2, 5])
def test_any_largest_lag_gives_the_same_covariances(max_lag):
    """Fewer lags are the first of more lags."""
    good = holes("scattered", (50, 40))
    image = np.random.default_rng(1).normal(size=good.shape).astype(np.float32)
    found, pairs = covariances(image, good, max_lag)
    more, more_pairs = covariances(image, good, 8)
    np.testing.assert_allclose(found, more[: max_lag + 1, : max_lag + 1], atol=1e-7)
    np.testing.assert_array_equal(pairs, more_pairs[: max_lag + 1, : max_lag + 1])


@pytest.mark.parametrize(("dx", "dy", "expected"), [(2, 0, 0.5), (0, 3, 0.5), (2, 1, 0.25), (-4, 7, 0.25)])
def test_lags_are_serial_then_parallel(dx, dy, expected):
    """Noise that is repeated at half the height a few pixels away has its covariance there, and nowhere else.

    Off the axes half of it, because one of the two directions that are averaged has none.
    """
    noise = np.random.default_rng(5).normal(size=(520, 540))
    image = noise + 0.5 * np.roll(noise, (dy, dx), axis=(0, 1))
    found, pairs = covariances(image.astype(np.float32), np.ones(image.shape, bool))
    truth = np.zeros((9, 9))
    truth[0, 0], truth[abs(dx), dy] = 1.25, expected
    np.testing.assert_allclose((found - truth) / (1.25 / np.sqrt(pairs)), 0, atol=5)
    assert found[abs(dx), dy] == pytest.approx(expected, abs=0.02)


def test_covariances_are_precise_for_any_mean():
    """A constant that is added to an image changes its covariances by no more than rounding."""
    good = holes("scattered", (200, 300))
    image = np.random.default_rng(1).normal(size=good.shape).astype(np.float32)
    np.testing.assert_allclose(covariances(image + np.float32(3), good)[0], covariances(image, good)[0], atol=3e-6)


def test_pixels_that_are_never_that_far_apart_have_no_covariance():
    """With every other column a hole, odd serial lags are NaN and even ones are measured."""
    good = np.ones((60, 60), bool)
    good[:, ::2] = False
    found, pairs = covariances(np.random.default_rng(1).normal(size=good.shape), good)
    assert np.isnan(found[1::2]).all()
    assert (pairs[1::2] == 0).all()
    assert np.isfinite(found[::2]).all()


def test_an_image_can_be_filled_again():
    """Nothing of an earlier image is left in a later one."""
    rng = np.random.default_rng(8)
    good = [holes("scattered", (40, 50)), holes("most", (40, 50))]
    images = [rng.normal(size=(40, 50)).astype(np.float32) for _ in good]
    padded = PaddedImage((40, 50), 8)
    for image, use in zip(images, good, strict=True):
        padded.values[:] = np.where(use, image, 0)
        padded.weights[:] = use
        sums = (padded.values.sum(1, dtype=float), padded.weights.sum(1, dtype=float))
        for again, fresh in zip(lag_covariances(padded, *sums), covariances(image, use), strict=True):
            np.testing.assert_array_equal(again, fresh)
