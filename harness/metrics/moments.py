"""Adaptive second moments of a PSF, and radii formed of them.

W is the covariance of the elliptical Gaussian weight, cut at 5 sigma, whose weighted centroid is its own centre and
whose weighted second moments are M = W/2 (Bernstein & Jarvis 2002, Hirata & Seljak 2003).  Of a Gaussian it is the
covariance.  Sums are over pixels: a PSF narrower than 1.5 to 2 pixels FWHM, depending on where in its pixel it lies,
has no solution.  `galsim.hsm.FindAdaptiveMom` agrees to 1e-4 in radius down to a signal-to-noise ratio of 10, below
which a stamp may have several solutions.

`lsst::meas::base::SdssShape`, by which the pipeline records ``psfSigma``, cuts its weight where r^T W^-1 r > 14 and
fixes its centre.  The cut makes the radius of a Gaussian smaller by 1e-5, that of a Moffat profile by up to 5e-4.  A
centroid at a distance d from the fixed centre makes it larger by d²/(4 sigma²), which is 5e-4 at d = 0.045 sigma.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "adaptive_moments",
    "adaptive_moments_of_each",
    "determinant_radius",
    "noise_equivalent_area",
    "trace_radius",
]


def adaptive_moments(image: NDArray[np.floating[Any]], x0: float, y0: float) -> tuple[float, float, float]:
    """Return adaptive second moments.

    Parameters
    ----------
    image : (ny, nx)
        Stamp of a PSF or star on zero background.
    x0, y0
        Place of element [0, 0] relative to about the centre of the source, pixels.

    Returns
    -------
    ixx, iyy, ixy : `float`
        pixel²; NaN when there is no solution: a pixel that is not finite, no light, or a source narrower than a pixel.
    """
    from harness.metrics._moments_kernel import moments

    ixx, iyy, ixy = moments(_stamps(image), -float(x0), -float(y0))
    return ixx, iyy, ixy


def adaptive_moments_of_each(images: NDArray[np.floating[Any]], x0: float, y0: float) -> NDArray[np.float64]:
    """Return `adaptive_moments` of stamps (n, ny, nx) that share ``x0`` and ``y0``, as rows of an (n, 3) array."""
    from harness.metrics._moments_kernel import moments_of_each

    found = np.empty((len(images), 3))
    moments_of_each(_stamps(images), -float(x0), -float(y0), found)
    return found


def _stamps(images: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    # Read-only, whatever they were, so that the kernel is compiled once.
    stamps = np.ascontiguousarray(images, np.float64).view()
    stamps.flags.writeable = False
    return stamps


def determinant_radius(ixx: float, iyy: float, ixy: float) -> float:
    """Return (Ixx Iyy - Ixy²)^(1/4), pixels: the geometric mean of the semi-axes; NaN when these are no moments."""
    determinant = ixx * iyy - ixy * ixy
    return determinant**0.25 if ixx > 0 and determinant > 0 else math.nan


def trace_radius(ixx: float, iyy: float, ixy: float) -> float:
    """Return sqrt((Ixx + Iyy)/2), pixels: the quadratic mean of the semi-axes; NaN when these are no moments."""
    determinant = ixx * iyy - ixy * ixy
    return math.sqrt((ixx + iyy) / 2) if ixx > 0 and determinant > 0 else math.nan


def noise_equivalent_area(image: NDArray[np.floating[Any]]) -> float:
    """Return (sum k)²/sum(k²), pixel²; 4 pi sigma² of a Gaussian; NaN without light."""
    kernel = np.asarray(image, np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        total, power = float(kernel.sum()), float((kernel * kernel).sum())
    return total * total / power if power > 0 else math.nan
