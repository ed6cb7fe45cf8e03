"""What the planes of a background tell: pure functions, which never change what they are given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["histogram_edges", "plane_change", "plane_gradient", "restored", "thumbnail"]

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
    with np.errstate(invalid="ignore", over="ignore"):
        return np.asarray(np.add(image, background, dtype=np.float32))


def plane_change(new: NDArray[np.float32], old: NDArray[np.float32]) -> tuple[int, float]:
    """Return by how much a plane differs from what it was.

    Parameters
    ----------
    new, old
        Of the same shape.  NaN, and an infinity, is the same as itself.

    Returns
    -------
    n_changed
        Pixels that differ.
    largest
        Largest difference, in units in the last place of the larger value of its pixel; 0 when no pixel differs, NaN
        when none of those that do is finite in both planes.
    """
    changed = ~((new == old) | (np.isnan(new) & np.isnan(old)))
    known = changed & np.isfinite(new) & np.isfinite(old)
    if not known.any():
        n_changed = int(np.count_nonzero(changed))
        return n_changed, float("nan") if n_changed else 0.0
    ours, theirs = new[known], old[known]
    spacing = np.spacing(np.maximum(np.abs(ours), np.abs(theirs))).astype(np.float64)
    return int(np.count_nonzero(changed)), float(np.max(np.abs(ours.astype(np.float64) - theirs) / spacing))


def plane_gradient(plane: NDArray[np.floating[Any]]) -> float:
    """Return by how much the plane fitted to a background's finite pixels rises from its lowest to its highest corner.

    Least squares over means of blocks of pixels, in float64; exactly 0 for a constant, NaN when no pixel is finite.
    """
    blocks = _blocks(plane)
    known = np.isfinite(blocks)
    if not known.any():
        return float("nan")
    values = blocks[known]
    if values.min() == values.max():
        return 0.0
    y, x = (_places(size) for size in plane.shape)
    rows, columns = np.nonzero(known)
    terms = np.stack([np.ones(values.size), x[columns], y[rows]], axis=1)
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


def _starts(size: int) -> NDArray[np.int64]:
    """Return the first pixel of each block along one axis."""
    return np.arange(0, size, -(-size // _THUMBNAIL))


def _places(size: int) -> NDArray[np.float64]:
    """Return the centres of blocks along one axis, from 0 for the first pixel to 1 for the last one."""
    starts = _starts(size)
    return np.asarray((starts + np.append(starts[1:], size) - 1) / (2 * max(size - 1, 1)))


def _blocks(plane: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Return means over blocks of pixels, at most `_THUMBNAIL` a side; the last ones may be smaller.

    Sums of equal float32 values are exact in float64, so that a constant stays exactly the constant.
    """
    finite = np.isfinite(plane)

    def summed(values: NDArray[Any]) -> NDArray[np.float64]:
        rows, columns = (_starts(size) for size in plane.shape)
        of_rows = np.add.reduceat(values, rows, axis=0, dtype=np.float64)
        return np.asarray(np.add.reduceat(of_rows, columns, axis=1))

    with np.errstate(invalid="ignore"):
        return summed(np.where(finite, plane, 0)) / summed(finite)
