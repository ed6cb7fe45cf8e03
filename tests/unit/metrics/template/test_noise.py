"""The noise of the best difference, against the Fourier integral on a grid, and against differences of pixels."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from harness.metrics.template.noise import expected_noise
from harness.rerun.exposures.protocol import SIGMA_TO_FWHM


def gaussian(fwhm: float, n: int = 128) -> np.ndarray:
    """Return a PSF of unit sum, its centre at [0, 0]."""
    at = np.fft.fftfreq(n, 1 / n)
    psf = np.exp(-(at[:, None] ** 2 + at**2) / (2 * (fwhm / SIGMA_TO_FWHM) ** 2))
    return psf / psf.sum()


def on_a_grid(visit: float, variance: float, template: float, of_template: float) -> float:
    """Return the noise by the sum over spatial frequencies, as Zackay, Ofek & Gal-Yam (2016) have it."""
    p_v, p_t = (np.abs(np.fft.fft2(gaussian(fwhm))) ** 2 for fwhm in (visit, template))
    kept = p_v * p_t / np.maximum(variance * p_t + of_template * p_v, 1e-300)
    return 1 / math.sqrt(kept.mean())


@pytest.mark.parametrize("visit", [4.0, 5.0, 8.0])
@pytest.mark.parametrize("template", [3.5, 5.0, 7.0, 9.0])
@pytest.mark.parametrize("of_template", [0.01, 0.4, 4.0])
def test_the_integral_is_the_sum_over_spatial_frequencies(visit: float, template: float, of_template: float) -> None:
    """In one dimension and with Gaussian PSFs it is what the two-dimensional sum of the paper gives."""
    found = float(expected_noise(visit, 4.0, template, of_template))
    assert found == pytest.approx(on_a_grid(visit, 4.0, template, of_template), rel=1e-4)


@given(st.floats(1e-4, 100), st.floats(0.02, 20))
def test_the_rule_of_fixed_nodes_is_exact_enough(rho: float, kappa: float) -> None:
    """The quadrature agrees with an adaptive one to 1e-6 for any depth and any ratio of sizes."""
    kept = quad(lambda y: 1 / (1 + rho * y ** (1 - kappa)), 0, 1, epsabs=1e-13, epsrel=1e-11, limit=200)[0]
    area = 4 * math.pi * (5 / SIGMA_TO_FWHM) ** 2
    found = float(expected_noise(5.0, 1.0, 5.0 * math.sqrt(kappa), rho))
    assert found == pytest.approx(math.sqrt(area / kept), rel=1e-6)


def test_limits_are_those_of_photometry() -> None:
    """A template without noise leaves the visit's own; one of the same PSF adds its variance to the visit's."""
    area = 4 * math.pi * (5 / SIGMA_TO_FWHM) ** 2
    assert float(expected_noise(5, 4, 7, 0)) == pytest.approx(math.sqrt(area * 4), rel=1e-12)
    assert float(expected_noise(5, 4, 5, 3)) == pytest.approx(math.sqrt(area * 7), rel=1e-12)


def test_more_visits_in_a_template_never_hurt() -> None:
    """Noise falls with the number of input visits, V_t = V_1/n, and with a sharper template, at every visit FWHM."""
    visit = np.linspace(2, 12, 21)
    by_number = expected_noise(visit[:, None], 4.0, 6.0, 4.0 / np.array([1, 2, 5, 20, 100]))
    assert by_number.shape == (21, 5)
    assert np.all(np.diff(by_number, axis=1) < 0)
    by_size = expected_noise(visit[:, None], 4.0, np.array([3.0, 4.0, 6.0, 9.0]), 0.4)
    assert np.all(np.diff(by_size, axis=1) > 0)


@pytest.mark.slow
def test_the_flux_of_a_new_source_scatters_as_expected() -> None:
    """Differences of noisy pixels, filtered as the paper says, give fluxes with this standard deviation."""
    rng, n, repeats = np.random.default_rng(5), 48, 1500
    visit, template, variance, of_template = 5.0, 6.5, 4.0, 0.8
    p_v, p_t = (np.fft.fft2(gaussian(fwhm, n)) for fwhm in (visit, template))
    power = variance * np.abs(p_t) ** 2 + of_template * np.abs(p_v) ** 2
    matched = np.conj(p_v * p_t) / power
    norm = np.mean(np.abs(p_v * p_t) ** 2 / power)
    science = rng.normal(0, math.sqrt(variance), (repeats, n, n)) + 50 * gaussian(visit, n)
    reference = rng.normal(0, math.sqrt(of_template), (repeats, n, n))
    made = p_t * np.fft.fft2(science) - p_v * np.fft.fft2(reference)
    flux = np.mean(made * matched, axis=(1, 2)).real / norm
    expected = float(expected_noise(visit, variance, template, of_template))
    assert np.mean(flux) == pytest.approx(50, abs=4 * expected / math.sqrt(repeats))
    assert np.std(flux) == pytest.approx(expected, rel=4 / math.sqrt(2 * repeats))
