"""How well a - b - c closes, in units of the operands' own float spacing."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["largest_residual"]


def largest_residual(residual: NDArray[np.floating[Any]], *operands: NDArray[np.floating[Any]]) -> float:
    """Return the largest absolute residual in units in the last place of the largest operand, pixel by pixel.

    A sum of numbers stored in floating point cannot close better than the spacing of the largest of them, so that the
    limit follows the brightest star of a pixel's neighbourhood and not the level of the background.

    Parameters
    ----------
    residual
        What should be zero, of any shape; best formed in float64.
    *operands
        What it was formed of, in their stored precision, of the same shape or broadcast to it.  The coarsest precision
        counts.

    Returns
    -------
    residual : `float`
        NaN when no pixel is finite; infinite when a pixel is finite in one operand and not in another, or when the
        residual is not finite although all operands are.
    """
    finite = [np.broadcast_to(np.isfinite(operand), residual.shape) for operand in operands]
    everywhere = np.logical_and.reduce(finite)
    if not everywhere.any():
        return math.nan
    if (everywhere != np.logical_or.reduce(finite)).any() or not np.isfinite(residual[everywhere]).all():
        return math.inf
    coarsest = min((operand.dtype for operand in operands), key=lambda dtype: dtype.itemsize)
    largest = np.maximum.reduce([np.broadcast_to(np.abs(operand), residual.shape) for operand in operands])
    spacing = np.spacing(largest[everywhere].astype(coarsest)).astype(np.float64)
    return float((np.abs(residual[everywhere]) / spacing).max())
