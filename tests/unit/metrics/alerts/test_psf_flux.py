"""PSF fluxes, against sources of known flux and another library's interpolation."""

from __future__ import annotations

import galsim
import numpy as np
import pytest
from alert_files import gaussian

from harness.metrics.alerts.psf_flux import moved, psf_flux

SHAPE = (31, 33)
FLAT = np.ones(SHAPE)
OFFSETS = [(0.0, 0.0), (0.3, -0.45), (-0.5, 0.5), (0.49, 0.1)]


def test_kernel_is_lanczos_5():
    """The weights are those of galsim's Lanczos interpolant, freed of their sum as lsst/afw does."""
    kernel = galsim.Lanczos(5, conserve_dc=False)
    psf = np.zeros((21, 21))
    psf[10, 10] = 1
    for shift in (0.2, -0.37, 0.5):
        weights = np.array([kernel.xval(float(at - 10 - shift)) for at in range(21)])
        np.testing.assert_allclose(moved(psf, shift, 0)[10], weights / weights.sum(), atol=2e-4)
        np.testing.assert_allclose(moved(psf, 0, shift)[:, 10], weights / weights.sum(), atol=2e-4)


@pytest.mark.parametrize(("dx", "dy"), OFFSETS)
def test_psf_moves_to_larger_columns_and_rows(dx, dy):
    """A Gaussian that was moved is the Gaussian drawn there."""
    psf = moved(gaussian((41, 43), 21, 20, 1.8), dx, dy)
    np.testing.assert_allclose(psf, gaussian((41, 43), 21 + dx, 20 + dy, 1.8), atol=2e-4)


@pytest.mark.parametrize(("dx", "dy"), OFFSETS)
@pytest.mark.parametrize("beta", [2.5, 4.5])
def test_flux_of_a_source_between_pixels_is_its_true_flux(dx, dy, beta):
    """Of a Moffat star that galsim draws at any place, with the PSF drawn at the centre of its stamp."""
    star = galsim.Moffat(beta, fwhm=4.0)
    psf = star.drawImage(nx=41, ny=41, scale=1, method="no_pixel", dtype=float).array
    x, y = 16 + dx, 14 + dy
    offset = galsim.PositionD(x - (SHAPE[1] - 1) / 2, y - (SHAPE[0] - 1) / 2)
    image = star.withFlux(750).drawImage(
        nx=SHAPE[1], ny=SHAPE[0], scale=1, method="no_pixel", dtype=float, offset=offset
    ).array  # fmt: skip
    assert psf_flux(image, FLAT, psf, x, y).flux == pytest.approx(750, rel=2e-3)


def test_negative_sources_have_negative_flux():
    """A source that has faded."""
    image = -200 * gaussian(SHAPE, 16, 15, 2.0)
    assert psf_flux(image, FLAT, gaussian((41, 41), 20, 20, 2.0), 16, 15).flux == pytest.approx(-200, rel=1e-3)


def test_error_is_that_of_the_noise_equivalent_area():
    """Of a Gaussian PSF on flat noise, the variance of the flux is 4 pi sigma² times that of a pixel."""
    ours = psf_flux(0 * FLAT, 9 * FLAT, gaussian((41, 41), 20, 20, 2.0), 16.2, 15.1)
    assert ours.error == pytest.approx(3 * np.sqrt(4 * np.pi) * 2.0, rel=1e-3)


def test_error_covers_the_scatter():
    """Over many noises, flux minus truth over its error has zero mean and unit scatter, though the noise is uneven."""
    rng = np.random.default_rng(20150227)
    variance = 1 + 8 * (np.indices(SHAPE)[1] > 15)
    source, psf = 300 * gaussian(SHAPE, 15.6, 15.3, 1.7), gaussian((41, 41), 20, 20, 1.7)
    pulls = []
    for _ in range(1500):
        ours = psf_flux(source + rng.normal(0, np.sqrt(variance)), variance, psf, 15.6, 15.3)
        pulls.append((ours.flux - 300) / ours.error)
    assert np.mean(pulls) == pytest.approx(0, abs=4 / np.sqrt(1500))
    assert np.std(pulls) == pytest.approx(1, abs=4 / np.sqrt(2 * 1500))


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("plane", ["image", "variance"])
def test_pixels_without_a_value_are_left_out(plane, value):
    """The fit of what remains gives the same flux, and the pixels are counted."""
    planes = {"image": 500 * gaussian(SHAPE, 16, 15, 2.0), "variance": np.ones(SHAPE)}
    planes[plane][14:16, 17:20] = value
    ours = psf_flux(planes["image"], planes["variance"], gaussian((41, 41), 20, 20, 2.0), 16, 15)
    assert ours.flux == pytest.approx(500, rel=1e-3)
    assert ours.n_missing == 6
    assert ours.error > 1.01 * psf_flux(FLAT, FLAT, gaussian((41, 41), 20, 20, 2.0), 16, 15).error


@pytest.mark.parametrize("value", [0, -1])
def test_pixels_without_positive_variance_are_left_out(value):
    """No pixel is without noise."""
    variance = np.ones(SHAPE)
    variance[15, 16] = value
    assert psf_flux(FLAT, variance, gaussian((41, 41), 20, 20, 2.0), 16, 15).n_missing == 1


def test_pixels_beyond_the_psf_do_not_matter():
    """A pixel that the PSF does not reach is neither used nor counted."""
    image = 500 * gaussian(SHAPE, 16, 15, 1.0)
    image[0, 0] = np.nan
    ours = psf_flux(image, FLAT, gaussian((15, 15), 7, 7, 1.0), 16, 15)
    assert ours.flux == pytest.approx(500, rel=1e-3)
    assert ours.n_missing == 0


@pytest.mark.parametrize(("x", "y"), [(0.3, 0.2), (32.2, 29.8), (16, 30.4)])
def test_source_at_the_border_is_fitted_to_what_there_is(x, y):
    """A part of the PSF is enough."""
    image = 500 * gaussian(SHAPE, x, y, 2.0)
    assert psf_flux(image, FLAT, gaussian((41, 41), 20, 20, 2.0), x, y).flux == pytest.approx(500, rel=1e-3)


@pytest.mark.parametrize(("x", "y"), [(-60.0, 15.0), (16.0, 90.0), (-21.0, -21.0)])
def test_source_outside_has_no_flux(x, y):
    """Nothing of the PSF is in the image."""
    ours = psf_flux(FLAT, FLAT, gaussian((41, 41), 20, 20, 2.0), x, y)
    assert np.isnan([ours.flux, ours.error]).all()


def test_image_without_values_has_no_flux():
    """All pixels are missing."""
    ours = psf_flux(np.full(SHAPE, np.nan), FLAT, gaussian((21, 21), 10, 10, 2.0), 16, 15)
    assert np.isnan(ours.flux)
    assert ours.n_missing == 21 * 21
