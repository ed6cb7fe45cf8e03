"""The compiled warp against GalSim, and against its formula in numpy."""

from __future__ import annotations

import galsim
import numpy as np
import pytest

from harness.rerun.exposures.psf._warp_kernel import warp


def _reference(image: np.ndarray, x: np.ndarray, y: np.ndarray, order: int) -> np.ndarray:
    """Return an image, 0 outside its borders, at columns x and rows y: sums over all of its pixels."""

    def taps(places: np.ndarray, size: int) -> np.ndarray:
        t = places[..., None] - np.arange(-order, size + order)
        weights = np.where(np.abs(t) < order, np.sinc(t) * np.sinc(t / order), 0.0)
        total = weights.sum(axis=-1, keepdims=True)
        return weights / np.where(total == 0, 1.0, total)

    padded = np.pad(image, order)
    return np.einsum("...j,...i,ji->...", taps(y, image.shape[0]), taps(x, image.shape[1]), padded)


def _warped(
    image: np.ndarray, matrix: np.ndarray, origin: np.ndarray, order: int, shape: tuple[int, int]
) -> np.ndarray:
    warped = np.full(shape, np.nan)
    warp(image, matrix, origin, order, warped)
    return warped


@pytest.mark.parametrize("order", [2, 3, 5])
def test_warp_is_its_formula(order: int) -> None:
    """Within the image and at its borders; 0 beyond."""
    image = np.random.default_rng(1).normal(size=(13, 17))
    matrix, origin = np.array([[0.8, -0.35], [0.3, 1.1]]), np.array([-1.25, -4.0])
    rows, columns = np.mgrid[:19, :31]
    x = origin[0] + matrix[0, 0] * columns + matrix[0, 1] * rows
    y = origin[1] + matrix[1, 0] * columns + matrix[1, 1] * rows
    within = (x > -0.5) & (x < 16.5) & (y > -0.5) & (y < 12.5)
    warped = _warped(image, matrix, origin, order, (19, 31))
    expected = _reference(image, x, y, order)
    np.testing.assert_allclose(warped[within], expected[within], rtol=0, atol=1e-12)
    beyond = (x < -order) | (x > 16 + order) | (y < -order) | (y > 12 + order)
    assert within.sum() > 100
    assert beyond.sum() > 10
    assert not warped[beyond].any()


def test_identity_changes_nothing() -> None:
    """At whole pixels the taps are 1 and 0."""
    image = np.random.default_rng(2).normal(size=(9, 11))
    np.testing.assert_allclose(_warped(image, np.eye(2), np.zeros(2), 3, (9, 11)), image, rtol=0, atol=1e-13)


def test_warp_is_that_of_galsim() -> None:
    """A PSF that is turned, sheared and enlarged looks as GalSim draws it with its own Lanczos kernel."""
    star = (
        galsim.Moffat(beta=3, fwhm=4.5).shear(g1=0.1).drawImage(nx=41, ny=41, scale=1, method="no_pixel", dtype=float)
    )
    matrix = np.array([[0.8, -0.35], [0.3, 0.85]])
    profile = galsim.InterpolatedImage(star, x_interpolant=galsim.Lanczos(3), normalization="sb")
    turned = profile.transform(*np.linalg.inv(matrix).ravel())
    expected = turned.drawImage(nx=31, ny=31, scale=1, method="sb", dtype=float).array
    warped = _warped(star.array.copy(), matrix, 20 - matrix @ [15, 15], 3, (31, 31))
    # GalSim scales the taps to unit sum to first order, afw truly.
    np.testing.assert_allclose(warped, expected, rtol=0, atol=5e-4 * warped.max())
