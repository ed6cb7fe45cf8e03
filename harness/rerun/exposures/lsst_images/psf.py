"""PSFs in files of ``lsst.images``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final, final

import numpy as np

from harness.errors import NotMeasuredError
from harness.rerun.exposures.lsst_images.tree import schema_name
from harness.rerun.exposures.protocol import KernelImage
from harness.rerun.exposures.psf.psfex_model import PsfexModel

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from harness.rerun.exposures.lsst_images.tree import Tree
    from harness.rerun.exposures.protocol import Psf

__all__ = ["read_psf", "unit_sum"]

_INSTEAD: Final = "use a recorded size, or leave the file out"


def read_psf(tree: Tree, node: Mapping[str, Any]) -> Psf:
    """Read a PSF from its node of a tree.

    Raises
    ------
    harness.errors.BrokenFileError
        When it is not what its schema says.
    harness.errors.NotMeasuredError
        When its kind is unknown, or needs a library that is not installed.
    """
    match schema_name(node):
        case "gaussian_psf":
            return GaussianPsf(tree, node)
        case "psfex_psf":
            return PsfexPsf(tree, node)
        case "cell_psf":
            return CellPsf(tree, node)
        case "piff_psf":
            from harness.rerun.exposures.lsst_images.piff import PiffPsf

            return PiffPsf(tree, node)
        case other:
            raise NotMeasuredError(
                f"{tree.path} holds a PSF of the kind {other or 'without a name'}, which the harness does not "
                f"evaluate; {_INSTEAD}"
            )


def unit_sum(path: Path, image: NDArray[np.float64], moments: tuple[float, float, float] | None = None) -> KernelImage:
    """Return an image scaled to unit sum, whose centre is pixel [h // 2, w // 2].

    Raises
    ------
    harness.errors.NotMeasuredError
        When its sum is not positive.
    """
    total = image.sum()
    if not 0 < total < np.inf:
        raise NotMeasuredError(f"the PSF of {path} has an image with the sum {total:g}; {_INSTEAD}")
    height, width = image.shape
    return KernelImage(image / total, -(width // 2), -(height // 2), moments)


@final
class GaussianPsf:
    """A circular Gaussian, the same everywhere; its moments are those of its formula."""

    name: ClassVar[str] = "gaussian_psf"

    def __init__(self, tree: Tree, node: Mapping[str, Any]) -> None:
        with tree.reading("PSF"):
            variance, size = float(node["sigma"]) ** 2, int(node["stamp_size"])
            profile = np.exp(-0.5 * (np.arange(size) - size // 2) ** 2 / variance)
        self._drawn = unit_sum(tree.path, np.outer(profile, profile), (variance, variance, 0.0))

    def at(self, x: float, y: float) -> KernelImage:  # noqa: ARG002
        """Return the PSF, the same at every place."""
        return self._drawn


@final
class PsfexPsf:
    """A model of PSFEx."""

    name: ClassVar[str] = "psfex_psf"

    def __init__(self, tree: Tree, node: Mapping[str, Any]) -> None:
        self._path = tree.path
        with tree.reading("PSF"):
            (degree,) = node["degree"]
            planes = tree.array(node["parameters"]).astype(np.float64)
            context = tree.array(node["context"]).reshape(2, 2)  # of x and of y: origin and scale
            self._model = PsfexModel(planes, int(degree), context[:, 0], context[:, 1], float(node["pixel_step"]))

    def at(self, x: float, y: float) -> KernelImage:
        """Draw the PSF at a place in parent pixels."""
        return unit_sum(self._path, self._model.image(x, y))


@final
class CellPsf:
    """The PSF of a coadd of cells: one image in each."""

    name: ClassVar[str] = "cell_psf"

    def __init__(self, tree: Tree, node: Mapping[str, Any]) -> None:
        self._path = tree.path
        with tree.reading("PSF"):
            self._images = tree.array(node["array"]).astype(np.float64)
            bounds = node["bounds"]
            self._grid, self._box = (_start(box) for box in (bounds["grid"]["bbox"], bounds["bbox"]))
            self._cell = _yx(bounds["grid"]["cell_shape"])
            self._missing = {(cell["i"], cell["j"]) for cell in bounds.get("missing", ())}
            if self._images.ndim != 4 or min(self._cell) < 1:
                raise ValueError(f"it has images of shape {self._images.shape} for cells of {self._cell} pixels")

    def at(self, x: float, y: float) -> KernelImage:
        """Return the PSF of the cell that a place in parent pixels lies in.

        Raises
        ------
        harness.errors.NotMeasuredError
            When the cell is missing, or outside of the coadd.
        """
        pixel = int(np.floor(y + 0.5)), int(np.floor(x + 0.5))
        cell = tuple((at - start) // size for at, start, size in zip(pixel, self._grid, self._cell, strict=True))
        first = ((at - start) // size for at, start, size in zip(self._box, self._grid, self._cell, strict=True))
        i, j = (at - start for at, start in zip(cell, first, strict=True))
        rows, columns = self._images.shape[:2]
        if cell in self._missing or not (0 <= i < rows and 0 <= j < columns):
            raise NotMeasuredError(
                f"the PSF of {self._path} has nothing at ({x:g}, {y:g}), where its cell is missing; ask for another "
                "place"
            )
        return unit_sum(self._path, self._images[i, j])


def _start(box: Mapping[str, Mapping[str, int]]) -> tuple[int, int]:
    """Return the first row and column of a box."""
    return box["y"]["start"], box["x"]["start"]


def _yx(pair: Any) -> tuple[int, int]:
    """Return y and x of a pair, which is written by name or in this order."""
    y, x = (pair["y"], pair["x"]) if isinstance(pair, dict) else pair
    return y, x
