"""What the planes of a background tell: pure functions, which never change what they are given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.metrics.closure import Closure

__all__ = ["histogram_edges", "plane_gradient", "restored", "restored_closure", "thumbnail"]

_N_BINS = 60
_THUMBNAIL = 96


def restored(image: NDArray[np.floating[Any]], background: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Return an image before its background was subtracted: image + background, by definition of the sign.

    Parameters
    ----------
    image, background
        Of the same shape.  Neither is changed, so that restoring twice gives the same as restoring once.

    Raises
    ------
    ValueError
        When the shapes differ.
    """
    if image.shape != background.shape:
        raise ValueError(f"image and background have different shapes ({image.shape} and {background.shape})")
    return np.asarray(np.add(image, background, dtype=np.float32))


def restored_closure(image: NDArray[np.floating[Any]], background: NDArray[np.floating[Any]]) -> Closure:
    """Return how well (image + background) − image − background closes."""
    from harness.metrics.closure import closure

    return closure(restored(image, background), image, background)


def plane_gradient(plane: NDArray[np.floating[Any]]) -> float:
    """Return by how much the plane fitted to a background's finite pixels rises from its lowest to its highest corner.

    Least squares over blocks of pixels, in float64; exactly 0 for a constant, NaN when no pixel is finite.
    """
    blocks = _blocks(plane)
    known = np.isfinite(blocks)
    if not known.any():
        return float("nan")
    values = blocks[known]
    if values.min() == values.max():
        return 0.0
    y, x = np.nonzero(known)
    terms = np.stack([np.ones(values.size), x / blocks.shape[1], y / blocks.shape[0]], axis=1)
    slopes = np.linalg.lstsq(terms, values - values.mean(), rcond=None)[0][1:]
    return float(np.abs(slopes).sum())


def histogram_edges(low: float, high: float) -> NDArray[np.float64]:
    """Return the edges of half-open bins between two values, the last one just above ``high``.

    Parameters
    ----------
    low, high
        Minimum and maximum of a background; equal for a flat one, whose histogram is a single bin.

    Returns
    -------
    edges : (n + 1,) float64
        Empty when a value is not finite.
    """
    if not np.isfinite([low, high]).all():
        return np.empty(0)
    above = np.nextafter(np.float64(high), np.inf)
    return np.array([low, above]) if low == high else np.linspace(low, above, _N_BINS + 1)


def thumbnail(plane: NDArray[np.floating[Any]]) -> tuple[tuple[float, ...], int]:
    """Return the means of blocks of pixels, row by row, and how many rows there are; NaN where no pixel is finite."""
    blocks = _blocks(plane)
    return tuple(blocks.astype(np.float32).ravel().tolist()), len(blocks)


def _blocks(plane: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Return means over blocks of pixels of equal size, at most `_THUMBNAIL` a side."""
    starts = [np.arange(0, size, -(-size // _THUMBNAIL)) for size in plane.shape]
    finite = np.isfinite(plane)
    # A constant stays exactly the constant: sums are of what exceeds the first finite value.
    base = float(plane[finite][0]) if finite.any() else 0.0
    excess = np.where(finite, plane, base).astype(np.float64) - base

    def summed(values: NDArray[Any]) -> NDArray[np.float64]:
        return np.asarray(np.add.reduceat(np.add.reduceat(values, starts[0], axis=0), starts[1], axis=1), np.float64)

    with np.errstate(invalid="ignore", divide="ignore"):
        return base + summed(excess) / summed(finite.astype(np.int64))
