"""PSFs that are one or two circular Gaussians, the same everywhere."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np

from harness.rerun.exposures.archived import ArchivedObject
from harness.rerun.exposures.psf.stamps import centred_stamp, offsets

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.rerun.exposures.archive import Archive
    from harness.rerun.exposures.protocol import KernelImage

__all__ = ["DoubleGaussianPsf", "GaussianPsf", "SingleGaussianPsf"]


@final
class GaussianPsf:
    """A Gaussian whose moments are those of its formula, not of its pixels."""

    name: ClassVar[str] = "GaussianPsf"

    def __init__(self, archive: Archive, object_id: int) -> None:
        stored = ArchivedObject(archive, object_id)
        sigma = _width(stored, "sigma")
        drawn = centred_stamp(stored, _gaussian(stored.dimensions(), sigma))
        self._drawn = replace(drawn, moments=(sigma**2, sigma**2, 0.0))

    def at(self, x: float, y: float) -> KernelImage:  # noqa: ARG002
        """Return the PSF, the same at every place."""
        return self._drawn


@final
class SingleGaussianPsf:
    """A Gaussian known by its pixels."""

    name: ClassVar[str] = "SingleGaussianPsf"

    def __init__(self, archive: Archive, object_id: int) -> None:
        stored = ArchivedObject(archive, object_id)
        self._drawn = centred_stamp(stored, _gaussian(stored.dimensions(), _width(stored, "sigma")))

    def at(self, x: float, y: float) -> KernelImage:  # noqa: ARG002
        """Return the PSF, the same at every place."""
        return self._drawn


@final
class DoubleGaussianPsf:
    """A Gaussian on a wider one; ``b`` is the ratio of the peak of the second to that of the first."""

    name: ClassVar[str] = "DoubleGaussianPsf"

    def __init__(self, archive: Archive, object_id: int) -> None:
        stored = ArchivedObject(archive, object_id)
        shape = stored.dimensions()
        core, ratio = _gaussian(shape, _width(stored, "sigma1")), stored.number("b")
        # The second width is 0 where there is no second Gaussian.
        wing = ratio * _gaussian(shape, _width(stored, "sigma2")) if ratio else 0.0
        self._drawn = centred_stamp(stored, core + wing)

    def at(self, x: float, y: float) -> KernelImage:  # noqa: ARG002
        """Return the PSF, the same at every place."""
        return self._drawn


def _width(stored: ArchivedObject, field: str) -> float:
    sigma = stored.number(field)
    if sigma <= 0:
        raise stored.broken(f"has {field} = {sigma:g}")
    return sigma


def _gaussian(shape: tuple[int, int], sigma: float) -> NDArray[np.float64]:
    x, y = offsets(shape)
    return np.asarray(np.exp(-(x**2 + y**2) / (2 * sigma**2)))
