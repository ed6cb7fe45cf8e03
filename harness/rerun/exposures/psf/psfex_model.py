"""What PSFEx fits: images at its own sampling, combined by a polynomial of place."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["PsfexModel"]

_LANCZOS = 4  # half width of the kernel that PSFEx itself resamples with, samples
_LARGEST_STEP = 100  # pixels


@final
class PsfexModel:
    """Planes times 1, u, u², …, v, uv, …, where u and v are the place, shifted and scaled.

    Parameters
    ----------
    planes : (n, h, w)
        One image for each term up to a total degree.
    degree
        That degree.
    origin, scale : (2,)
        u = (x - origin[0])/scale[0], and v alike with y.
    step
        Distance of samples, pixels.

    Raises
    ------
    ValueError
        When the planes are not those of the degree, or a step or scale is impossible; the message says what is wrong.
    """

    def __init__(
        self,
        planes: NDArray[np.float64],
        degree: int,
        origin: NDArray[np.float64],
        scale: NDArray[np.float64],
        step: float,
    ) -> None:
        if len(planes) != (degree + 1) * (degree + 2) // 2:
            raise ValueError(f"has {len(planes)} planes, which are not all terms up to degree {degree}")
        if not 0 < step < _LARGEST_STEP:
            raise ValueError(f"has a step of {step:g} pixels")
        if not scale.all():
            raise ValueError("has a scale of 0")
        self._planes, self._degree, self._origin, self._scale = planes, degree, origin, scale
        self._rows, self._columns = (_resampling(size, step) for size in planes.shape[1:])

    def image(self, x: float, y: float) -> NDArray[np.float64]:
        """Return the image at a place in parent pixels, odd in size and centred on its middle pixel; not normalised."""
        u, v = (np.array([x, y]) - self._origin) / self._scale
        terms = [u**i * v**j for j in range(self._degree + 1) for i in range(self._degree + 1 - j)]
        return np.asarray(self._rows @ np.tensordot(terms, self._planes, axes=1) @ self._columns.T)


def _resampling(size: int, step: float) -> NDArray[np.float64]:
    """Return what takes samples, ``step`` pixels apart, to pixels: an odd number of them about the same centre.

    Lanczos kernels, as PSFEx has them (``vignet_resample``): their taps within the samples have unit sum, and what lies
    beyond the samples is 0.
    """
    n_pixels = int(size * step) // 2 * 2 + 1
    places = size // 2 + (np.arange(n_pixels) - n_pixels // 2) / step
    t = places[:, None] - np.arange(size)
    taps = np.where(np.abs(t) < _LANCZOS, np.sinc(t) * np.sinc(t / _LANCZOS), 0.0)
    within = (places >= 0) & (places <= size - 1)
    taps[within] /= taps[within].sum(axis=1, keepdims=True)
    taps[~within] = 0.0
    return taps
