"""The pixel grid of a PSF, and its image with unit sum."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harness.rerun.exposures.protocol import KernelImage

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.rerun.exposures.archived import ArchivedObject

__all__ = ["centred_stamp", "offsets", "stamp"]


def offsets(shape: tuple[int, int]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return x (1, w) and y (h, 1) of pixels relative to the centre, which is pixel [h // 2, w // 2]."""
    height, width = shape
    return (np.arange(width, dtype=np.float64) - width // 2)[None, :], (
        np.arange(height, dtype=np.float64) - height // 2
    )[:, None]


def stamp(stored: ArchivedObject, image: NDArray[np.float64], x0: int, y0: int) -> KernelImage:
    """Return an image scaled to unit sum, its element [0, 0] at (x0, y0) from the centre of the PSF.

    Raises
    ------
    harness.errors.NotMeasuredError
        When its sum is not positive.
    """
    total = image.sum()
    if not 0 < total < np.inf:
        raise stored.not_evaluated(f"has an image with the sum {total:g}")
    return KernelImage(image / total, x0, y0)


def centred_stamp(stored: ArchivedObject, image: NDArray[np.float64]) -> KernelImage:
    """Return an image scaled to unit sum, whose centre is pixel [h // 2, w // 2]."""
    height, width = image.shape
    return stamp(stored, image, -(width // 2), -(height // 2))
