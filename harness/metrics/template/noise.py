"""The noise of a point source in a difference image, as theory expects it of a visit and a template.

A visit with PSF P_v and white noise of variance V_v per pixel is compared with a template of P_t and V_t.  The
difference P_t ⊗ visit - P_v ⊗ template has the noise power V_v |P_t|² + V_t |P_v|² at each spatial frequency, and a
new source of flux F in the visit appears in it as F P_t P_v.  Filtering each frequency by its signal over its noise
gives the least variance that a linear estimate of F can have (Zackay, Ofek & Gal-Yam 2016)::

    1/sigma_F² = ∫ |P_v P_t|² / (V_v |P_t|² + V_t |P_v|²) d²f = ∫ d²f / (V_v/|P_v|² + V_t/|P_t|²)

Gaussian PSFs have |P|² = exp(-4 pi² sigma² f²).  With y = exp(-4 pi² sigma_v² f²), which turns the plane of frequencies
into y from 0 to 1, with rho = V_t/V_v and kappa = (sigma_t/sigma_v)², that is::

    1/sigma_F² = I / (NEA_v V_v),   I = ∫_0^1 dy / (1 + rho y^(1 - kappa)),   NEA_v = 4 pi sigma_v²

A template without noise leaves the noise of the visit alone, I = 1; one with the visit's own PSF adds its variance,
I = 1/(1 + rho).  A broader one (kappa > 1) costs more than its variance: the more so, the sharper the visit.

Left out is that visits of the sample may be among those of the template, whose noise then is not independent.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from harness.rerun.exposures.protocol import SIGMA_TO_FWHM

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["expected_noise"]

#: Nodes of the Gauss-Legendre rule, in s = y^(1/4), which makes the integrand smooth at y = 0.
_NODES = 64
_POWER = 4


def expected_noise(
    visit_fwhm: ArrayLike, visit_variance: ArrayLike, template_fwhm: ArrayLike, template_variance: ArrayLike
) -> NDArray[np.float64]:
    """Return the noise of a point source's flux in the best difference of a visit and a template.

    Parameters
    ----------
    visit_fwhm, template_fwhm
        FWHM of Gaussian PSFs, pixels.
    visit_variance, template_variance
        Variance per pixel, in one unit; that of a template of n like visits is that of one of them over n.

    Returns
    -------
    noise
        Standard deviation of the flux, in the unit whose square the variances have; of the shape that the arguments
        broadcast to.
    """
    visit, variance = np.asarray(visit_fwhm, float), np.asarray(visit_variance, float)
    ratio = np.asarray(template_variance, float) / variance
    area = 4 * np.pi * (visit / SIGMA_TO_FWHM) ** 2
    broader = (np.asarray(template_fwhm, float) / visit) ** 2
    return np.asarray(np.sqrt(area * variance / _kept(ratio, broader)))


def _kept(rho: NDArray[np.float64], kappa: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return I(rho, kappa): which part of the visit's information the template leaves."""
    s, weights = _rule()
    with np.errstate(over="ignore"):  # no information where the template's noise is infinite
        noise = 1 + rho[..., None] * s ** (_POWER * (1 - kappa[..., None]))
    return np.asarray((weights * _POWER * s ** (_POWER - 1) / noise).sum(-1))


@cache
def _rule() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    return (1 + nodes) / 2, weights / 2
