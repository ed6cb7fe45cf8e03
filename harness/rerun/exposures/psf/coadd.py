"""PSFs of coadds: the PSFs of their inputs, warped to the coadd and averaged."""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np

from harness.rerun.exposures.archived import ArchivedObject
from harness.rerun.exposures.psf._warp_kernel import warp
from harness.rerun.exposures.psf.reading import read_psf
from harness.rerun.exposures.psf.stamps import stamp
from harness.rerun.exposures.wcs import local_affine, read_wcs, sky_about

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.rerun.exposures.archive import Archive
    from harness.rerun.exposures.protocol import KernelImage, Psf
    from harness.rerun.exposures.wcs import ArchiveWcs

__all__ = ["CoaddPsf"]

_LANCZOS = re.compile(r"lanczos([1-9])")
#: Ratio of pixel sizes that says of wrong coordinates.
_LARGEST_SCALE = 200.0


@final
class CoaddPsf:
    """The weighted mean of the input PSFs at a place, each warped to the coadd and of unit sum.

    Only inputs whose bounding box and valid polygon hold the place count, so it jumps where an input ends.  Needs
    ``starlink-pyast`` when world coordinates are stored as ``SkyWcs``.
    """

    name: ClassVar[str] = "CoaddPsf"

    def __init__(self, archive: Archive, object_id: int, inside: frozenset[int] = frozenset()) -> None:
        stored = self._stored = ArchivedObject(archive, object_id, 2)
        kernel = stored.text("warpingkernelname")
        lanczos = _LANCZOS.fullmatch(kernel)
        if lanczos is None:
            raise stored.not_evaluated(f"is warped by the kernel {kernel!r}, which the harness does not know")
        self._order = int(lanczos[1])
        self._wcs = read_wcs(archive, stored.ids("coaddwcs", 1)[0])
        self._inputs = _read_inputs(stored, inside | {object_id})

    def at(self, x: float, y: float) -> KernelImage:
        """Draw the PSF at a place in parent pixels of the coadd.

        Raises
        ------
        harness.errors.NotMeasuredError
            When no input contributes there, or one needs a library that is not installed.
        """
        sky = sky_about(self._wcs, x, y)
        warped = []
        for contribution in self._inputs:
            place, matrix = local_affine(sky, contribution.wcs)
            if contribution.contains(place):
                drawn = contribution.psf.at(float(place[0]), float(place[1]))
                warped.append((contribution.weight, self._warp(drawn, matrix)))
        if not sum(weight for weight, _ in warped) > 0:
            raise self._stored.not_evaluated(f"has no input at ({x:g}, {y:g})")
        x0, y0 = (min(getattr(image, origin) for _, image in warped) for origin in ("x0", "y0"))
        width = max(image.x0 + image.image.shape[1] for _, image in warped) - x0
        height = max(image.y0 + image.image.shape[0] for _, image in warped) - y0
        mean = np.zeros((height, width))
        for weight, image in warped:
            rows, columns = image.image.shape
            mean[image.y0 - y0 :, image.x0 - x0 :][:rows, :columns] += weight * image.image
        return stamp(self._stored, mean, x0, y0)

    def _warp(self, drawn: KernelImage, matrix: NDArray[np.float64]) -> KernelImage:
        """Return an input PSF on the pixels of the coadd; the matrix maps these to the input's."""
        scale = np.abs(matrix).sum(axis=1).max()
        if not (scale < _LARGEST_SCALE and abs(np.linalg.det(matrix)) > _LARGEST_SCALE**-2):
            raise self._stored.broken("has an input whose pixels are of an impossible size")
        rows, columns = drawn.image.shape
        left, bottom = drawn.x0, drawn.y0
        right, top = left + columns - 1, bottom + rows - 1
        corners = np.linalg.solve(matrix, np.array([[left, left, right, right], [bottom, top, bottom, top]], float))
        (x0, y0), (x1, y1) = np.floor(corners.min(axis=1)).astype(int), np.ceil(corners.max(axis=1)).astype(int)
        origin = matrix @ (x0, y0) - (left, bottom)
        image = np.empty((y1 - y0 + 1, x1 - x0 + 1))
        warp(np.ascontiguousarray(drawn.image), matrix, origin, self._order, image)
        return stamp(self._stored, image, int(x0), int(y0))


@final
class _Input:
    """One input; its world coordinates, polygon and PSF are read when they are first needed."""

    def __init__(
        self, archive: Archive, ids: dict[str, int], box: NDArray[np.float64], weight: float, inside: frozenset[int]
    ) -> None:
        self.weight = weight
        self._archive = archive
        self._ids = ids
        self._box = box
        self._inside = inside

    @cached_property
    def wcs(self) -> ArchiveWcs:
        return read_wcs(self._archive, self._ids["wcs"])

    @cached_property
    def psf(self) -> Psf:
        return read_psf(self._archive, self._ids["psf"], inside=self._inside)

    @cached_property
    def _vertices(self) -> NDArray[np.float64] | None:
        number = self._ids["validPolygon"]
        return ArchivedObject(self._archive, number).points("vertices") if number else None

    def contains(self, place: NDArray[np.float64]) -> bool:
        """Tell whether a place in parent pixels is valid in this input."""
        # A box of pixels reaches from the outer side of the first to that of the last one.
        within = bool(np.all((self._box[0] - 0.5 <= place) & (place < self._box[1] + 0.5)))
        return within and (self._vertices is None or _is_inside(self._vertices, place))


def _read_inputs(stored: ArchivedObject, inside: frozenset[int]) -> list[_Input]:
    references = {name: stored.column(name, 1) for name in ("wcs", "psf", "validPolygon")}
    boxes = np.stack([stored.points("bbox_min", 1), stored.points("bbox_max", 1)]).T  # row, axis, end
    weights = np.asarray(stored.column("weight", 1), np.float64)
    if not np.all((weights >= 0) & np.isfinite(weights)):
        raise stored.broken("has a weight that is negative or no number")
    return [
        _Input(stored.archive, {name: int(ids[row]) for name, ids in references.items()}, boxes[row].T, weight, inside)
        for row, weight in enumerate(weights.tolist())
    ]


def _is_inside(vertices: NDArray[np.float64], place: NDArray[np.float64]) -> bool:
    """Tell whether a place is within a polygon, (2, n): a line from it to the right crosses an odd number of sides."""
    (x, y), (x_next, y_next) = vertices, np.roll(vertices, -1, axis=1)
    crossed = (y > place[1]) != (y_next > place[1])
    with np.errstate(divide="ignore", invalid="ignore"):  # sides along the line, which it does not cross
        at = x + (place[1] - y) / (y_next - y) * (x_next - x)
    return bool(np.count_nonzero(crossed & (place[0] < at)) % 2)
