"""PSFs that are a kernel: an image, a sum of images that vary with place, or a function."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, final

import numpy as np

from harness.rerun.exposures.archived import ArchivedObject
from harness.rerun.exposures.psf.functions import read_kernel_function, read_spatial_function
from harness.rerun.exposures.psf.stamps import offsets, stamp

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.rerun.exposures.archive import Archive
    from harness.rerun.exposures.protocol import KernelImage

__all__ = ["AnalyticKernel", "FixedKernel", "Kernel", "KernelPsf", "LinearCombinationKernel", "read_kernel"]


class Kernel(Protocol):
    """An image that may vary with place."""

    stored: ArchivedObject

    def image(self, x: float, y: float) -> NDArray[np.float64]:
        """Return the image at a place in parent pixels, not normalised."""


@final
class KernelPsf:
    """A kernel with unit sum, the classes ``KernelPsf`` and ``PcaPsf``."""

    def __init__(self, archive: Archive, object_id: int) -> None:
        stored = ArchivedObject(archive, object_id)
        self.name = stored.class_name
        self._kernel = read_kernel(archive, stored.ids("kernel", 1)[0])
        centre_x, centre_y = self._kernel.stored.point("center")
        self._x0, self._y0 = -int(centre_x), -int(centre_y)

    def at(self, x: float, y: float) -> KernelImage:
        """Draw the PSF at a place in parent pixels."""
        return stamp(self._kernel.stored, self._kernel.image(x, y), self._x0, self._y0)


def read_kernel(archive: Archive, object_id: int) -> Kernel:
    """Read a kernel from an archive.

    Raises
    ------
    harness.errors.BrokenFileError
        When it is not stored as its class should be.
    harness.errors.NotMeasuredError
        When it is of a class that the harness does not know.
    """
    if archive.class_name(object_id) == "LinearCombinationKernel":
        return LinearCombinationKernel(archive, object_id)
    return _read_component(archive, object_id)


def _read_component(archive: Archive, object_id: int) -> FixedKernel | AnalyticKernel:
    """Read a kernel that is no combination of others."""
    match archive.class_name(object_id):
        case "FixedKernel":
            return FixedKernel(archive, object_id)
        case "AnalyticKernel":
            return AnalyticKernel(archive, object_id)
        case _:
            raise ArchivedObject(archive, object_id).not_evaluated("is a kernel that the harness does not know")


@final
class FixedKernel:
    """The same image everywhere."""

    def __init__(self, archive: Archive, object_id: int) -> None:
        self.stored = ArchivedObject(archive, object_id)
        height, width = self.stored.dimensions()
        self._image = self.stored.numbers("image", height * width).reshape(height, width)

    def image(self, x: float, y: float) -> NDArray[np.float64]:  # noqa: ARG002
        """Return the image."""
        return self._image


@final
class LinearCombinationKernel:
    """A sum of kernels, each times a constant or a function of place."""

    def __init__(self, archive: Archive, object_id: int) -> None:
        self.stored = ArchivedObject(archive, object_id)
        shape, ids = self.stored.dimensions(), self.stored.ids("components")
        components = [_read_component(archive, component).image(0.0, 0.0) for component in ids]
        if any(image.shape != shape for image in components):
            raise self.stored.broken("has a component of another size than its own")
        self._components = np.array(components)
        self._functions = None
        if self.stored.has("spatialfunctions"):
            functions = self.stored.ids("spatialfunctions", len(ids))
            self._functions = [read_spatial_function(archive, number) for number in functions]
        else:
            self._amplitudes = self.stored.numbers("amplitudes", len(ids))

    def image(self, x: float, y: float) -> NDArray[np.float64]:
        """Return the sum at a place."""
        weights = self._amplitudes if self._functions is None else [function(x, y) for function in self._functions]
        return np.tensordot(weights, self._components, axes=1)


@final
class AnalyticKernel:
    """A function at the centres of pixels, whose parameters may vary with place."""

    def __init__(self, archive: Archive, object_id: int) -> None:
        self.stored = ArchivedObject(archive, object_id)
        self._shape = self.stored.dimensions()
        self._function = read_kernel_function(archive, self.stored.ids("kernelfunction", 1)[0])
        self._parameters = None
        if self.stored.has("spatialfunctions"):
            ids = self.stored.ids("spatialfunctions", len(self._function.parameters))
            self._parameters = [read_spatial_function(archive, number) for number in ids]

    def image(self, x: float, y: float) -> NDArray[np.float64]:
        """Return the function with the parameters of a place."""
        parameters = self._function.parameters
        if self._parameters is not None:
            parameters = np.array([parameter(x, y) for parameter in self._parameters])
        return self._function.profile(parameters, *offsets(self._shape))
