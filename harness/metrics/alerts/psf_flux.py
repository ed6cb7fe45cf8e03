"""The flux of a point source in an image, as ``base_PsfFlux`` of ``lsst/meas_base`` measures it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["PsfFlux", "moved", "psf_flux"]

_ORDER = 5
"""``lsst/afw`` moves a PSF by the kernel Lanczos 5 (``Psf::recenterKernelImage``)."""


@final
@dataclass(frozen=True, slots=True)
class PsfFlux:
    """A flux, and what it rests on.

    Attributes
    ----------
    flux, error
        In the unit of the image; NaN when no pixel could be used.
    n_missing
        Pixels of the image under the PSF that were left out.
    """

    flux: float
    error: float
    n_missing: int


def psf_flux(image: NDArray[Any], variance: NDArray[Any], psf: NDArray[np.float64], x: float, y: float) -> PsfFlux:
    """Measure the flux of a point source at a known place.

    The PSF P, placed there, is fitted to the image I with equal weights for all pixels: flux = ΣPI/ΣP², and its
    variance ΣP²V/(ΣP²)².  Pixels that are not finite, or have no positive variance, are left out.

    Parameters
    ----------
    image, variance : (h, w)
        The variance is in the unit of the image squared.
    psf : (m, n) float64
        Unit sum, centred on element [m // 2, n // 2]; what of it is outside the image is left out.
    x, y
        Place of the source: column and row, counted from 0.
    """
    column, row = round(x), round(y)
    model = moved(psf, x - column, y - row)
    (here, there), (across, over) = (
        _overlap(centre - size // 2, size, limit)
        for centre, size, limit in ((row, psf.shape[0], image.shape[0]), (column, psf.shape[1], image.shape[1]))
    )
    part, pixels, noise = model[there, over], image[here, across].astype(float), variance[here, across].astype(float)
    good = np.isfinite(pixels) & np.isfinite(noise) & (noise > 0)
    weights = part[good]
    norm = float(weights @ weights)
    if not norm > 0:
        return PsfFlux(np.nan, np.nan, int(good.size))
    flux, spread = float(weights @ pixels[good]), float(weights**2 @ noise[good])
    return PsfFlux(flux / norm, np.sqrt(spread) / norm, int(good.size - good.sum()))


def moved(psf: NDArray[np.float64], dx: float, dy: float) -> NDArray[np.float64]:
    """Return a PSF moved by a part of a pixel, to larger columns and rows."""
    moved_psf: NDArray[np.float64] = _lanczos(dy, psf.shape[0]) @ psf @ _lanczos(dx, psf.shape[1]).T
    return moved_psf


def _lanczos(shift: float, size: int) -> NDArray[np.float64]:
    """Return the matrix that interpolates ``size`` samples at places ``shift`` before them."""
    at = np.arange(size)
    taps = np.arange(-_ORDER, _ORDER + 1)
    matrix: NDArray[np.float64] = _kernel(at[:, None] - at - shift) / _kernel(taps - shift).sum()
    return matrix


def _kernel(offsets: NDArray[Any]) -> NDArray[Any]:
    return np.where(np.abs(offsets) < _ORDER, np.sinc(offsets) * np.sinc(offsets / _ORDER), 0.0)


def _overlap(start: int, size: int, limit: int) -> tuple[slice, slice]:
    """Return where ``size`` pixels from ``start`` on lie in an image, and which of them do."""
    first, last = (min(max(edge, 0), limit) for edge in (start, start + size))
    return slice(first, last), slice(first - start, last - start)
