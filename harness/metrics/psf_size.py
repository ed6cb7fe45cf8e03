"""The size of a PSF, by any of its definitions."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from harness.metrics.moments import adaptive_moments, determinant_radius, noise_equivalent_area, trace_radius
from harness.rerun.exposures.protocol import SIGMA_TO_FWHM

if TYPE_CHECKING:
    from harness.rerun.exposures.protocol import KernelImage, PsfSizeKind

__all__ = ["fwhm_of_area", "fwhm_of_moments", "psf_fwhm"]


def psf_fwhm(kernel: KernelImage, kind: PsfSizeKind) -> float:
    """Return the FWHM of the Gaussian that is as large as a PSF.

    Parameters
    ----------
    kernel
        The PSF.  Moments that it carries are used, else they are measured (`harness.metrics.moments`).
    kind
        What is to be as large (`harness.rerun.exposures.protocol.PsfSizeKind`).

    Returns
    -------
    fwhm : `float`
        Pixels; NaN when the PSF has no such size.
    """
    if kind == "nea":
        return fwhm_of_area(noise_equivalent_area(kernel.image))
    moments = kernel.moments
    if moments is None:
        moments = adaptive_moments(kernel.image, kernel.x0, kernel.y0)
    return fwhm_of_moments(*moments, kind)


def fwhm_of_moments(ixx: float, iyy: float, ixy: float, kind: Literal["determinant", "trace"]) -> float:
    """Return the FWHM in pixels for moments in pixel²; NaN when they are those of nothing."""
    radius = determinant_radius(ixx, iyy, ixy) if kind == "determinant" else trace_radius(ixx, iyy, ixy)
    return SIGMA_TO_FWHM * radius


def fwhm_of_area(area: float) -> float:
    """Return the FWHM in pixels for a noise-equivalent area in pixel²; NaN when it is negative or NaN."""
    return SIGMA_TO_FWHM * math.sqrt(area / (4 * math.pi)) if area >= 0 else math.nan
