"""The level of the serial overscan, row by row, and the read noise that it shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from harness.errors import NotMeasuredError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.rerun.raw_fits import Amplifier

__all__ = ["subtract_overscan"]

#: Overscan columns left out as eotest does: the first hold charge left behind, the last are disturbed by the next row.
_FIRST, _LAST = 5, 2
_CLIP = 5.0  # standard deviations; takes 6e-7 of the good pixels
#: Smallest standard deviation that the quartiles of whole numbers can tell; they coincide below.
_SMALLEST = 0.75
_IQR = 1.349  # interquartile range of a Gaussian, standard deviations


def subtract_overscan(
    segment: NDArray[Any], amplifier: Amplifier, out: NDArray[np.float32] | None = None
) -> tuple[NDArray[np.float32], float]:
    """Subtract from each imaging row the level of its own overscan.

    The level is the mean of the row's overscan pixels within five standard deviations of their median, so that a cosmic
    ray or a hot column does not count, and a row that drifts does not pass as noise.  Pixels count without the first 5
    and the last 2 columns; an overscan of fewer than 15 columns leaves out fewer, in proportion.

    What the level of n columns is uncertain by is common to a row: read noise² / n is added to the variance, to the
    covariances along a row, and to the variance of row means.  It does not depend on the signal, so that fits of gain
    and a00 do not see it, and the square of their read noise is 1 + 1/n of the true one.  A mean keeps this small; the
    median of whole numbers nearly doubles it.  Smoothing over rows would add less, but leave in the drift between rows
    that the overscan is there to remove.

    Parameters
    ----------
    segment
        All pixels of an amplifier, in adu.
    amplifier
        Its geometry.
    out : float32 array, optional
        Where to put the imaging pixels.

    Returns
    -------
    imaging : (rows, columns) float32
        Imaging pixels above the overscan level, adu; NaN in rows without a good overscan pixel.
    noise
        Read noise, adu: standard deviation of the good overscan pixels about their row's level.  NaN when there is but
        one column.

    Raises
    ------
    harness.errors.NotMeasuredError
        When the segment has no overscan columns.
    """
    overscan = segment[amplifier.overscan]
    n = overscan.shape[1]
    if n == 0:
        raise NotMeasuredError(
            f"amplifier {amplifier.name} has no overscan: its imaging pixels reach to the last of {segment.shape[1]} "
            "columns; correct DATASEC in the header"
        )
    pixels = overscan[:, min(_FIRST, n // 3) : n - min(_LAST, n // 7)].astype(np.float32)
    level, noise = _level(pixels)
    if out is None:
        out = np.empty(segment[amplifier.data].shape, np.float32)
    np.copyto(out, segment[amplifier.data], casting="unsafe")
    out -= level[:, np.newaxis]
    return out, noise


def _level(pixels: NDArray[np.float32]) -> tuple[NDArray[np.float32], float]:
    """Return each row's level, and the standard deviation about it."""
    n = pixels.shape[1]
    ordered = np.sort(pixels, axis=1)
    middle = ordered[:, n // 2, np.newaxis]
    quartiles = ordered[:, 3 * n // 4] - ordered[:, n // 4]
    spread = np.median(quartiles[np.isfinite(quartiles)]) / _IQR if np.isfinite(quartiles).any() else np.nan
    with np.errstate(invalid="ignore", divide="ignore"):
        residual = pixels - middle
        good = np.abs(residual) <= _CLIP * max(spread, _SMALLEST)
        residual[~good] = 0
        count = good.sum(axis=1)
        above = residual.sum(axis=1, dtype=np.float64) / count
        squares = np.sum(residual**2, dtype=np.float64) - np.nansum(count * above**2)
        noise = np.sqrt(squares / (count.sum() - np.count_nonzero(count)))
    return (middle[:, 0] + above).astype(np.float32), float(noise)
