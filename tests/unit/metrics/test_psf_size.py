"""FWHM of a PSF by each of its definitions."""

from __future__ import annotations

import math

import galsim
import numpy as np
import pytest

from harness.metrics.psf_size import fwhm_of_area, fwhm_of_moments, psf_fwhm
from harness.rerun.exposures.protocol import SIGMA_TO_FWHM, KernelImage

KINDS = ["determinant", "trace", "nea"]


def kernel(profile, side=61, moments=None):
    """Return a galsim profile drawn at the centres of pixels."""
    image = profile.drawImage(nx=side, ny=side, scale=1, method="no_pixel", dtype=float).array
    return KernelImage(image / image.sum(), -(side // 2), -(side // 2), moments)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_the_fwhm_of_a_gaussian(kind):
    """Of a round Gaussian all three are what galsim calls its FWHM."""
    profile = galsim.Gaussian(fwhm=4.2)
    assert psf_fwhm(kernel(profile), kind) == pytest.approx(profile.fwhm, rel=1e-5)


def test_kinds_differ_for_other_profiles():
    """Of an ellipse the trace is larger than the determinant; of a Moffat profile the area is larger than both."""
    ellipse = kernel(galsim.Gaussian(sigma=2.0).shear(q=0.7, beta=0.3 * galsim.radians))
    ratio = psf_fwhm(ellipse, "trace") / psf_fwhm(ellipse, "determinant")
    assert ratio == pytest.approx(math.sqrt((0.7 + 1 / 0.7) / 2), rel=1e-5)
    moffat = kernel(galsim.Moffat(2.5, fwhm=4.0))
    assert psf_fwhm(moffat, "nea") > 1.05 * psf_fwhm(moffat, "trace")


def test_moments_that_are_known_are_used():
    """A kernel that carries moments is not measured; its area still is."""
    known = kernel(galsim.Gaussian(sigma=2.0), moments=(9.0, 16.0, 0.0))
    assert psf_fwhm(known, "determinant") == pytest.approx(SIGMA_TO_FWHM * math.sqrt(12))
    assert psf_fwhm(known, "trace") == pytest.approx(SIGMA_TO_FWHM * math.sqrt(12.5))
    assert psf_fwhm(known, "nea") == pytest.approx(SIGMA_TO_FWHM * 2)


def test_place_of_the_kernel_is_used():
    """A kernel whose centre is not that of its stamp is measured where it says it is."""
    image = kernel(galsim.Gaussian(sigma=2.0)).image[20:45]
    assert psf_fwhm(KernelImage(image, -30, -10), "determinant") == pytest.approx(SIGMA_TO_FWHM * 2, rel=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_has_no_size(kind):
    """A kernel without light has no FWHM."""
    assert math.isnan(psf_fwhm(KernelImage(np.zeros((21, 21)), -10, -10), kind))


def test_recorded_numbers_become_the_same_fwhm():
    """Moments and area that a pipeline recorded give what the kernel they are of gives."""
    assert fwhm_of_moments(4.0, 4.0, 0.0, "determinant") == pytest.approx(SIGMA_TO_FWHM * 2)
    assert fwhm_of_moments(3.0, 5.0, 1.0, "trace") == pytest.approx(SIGMA_TO_FWHM * 2)
    assert fwhm_of_area(16 * math.pi) == pytest.approx(SIGMA_TO_FWHM * 2)
    assert math.isnan(fwhm_of_area(-1.0))
    assert math.isnan(fwhm_of_area(math.nan))
