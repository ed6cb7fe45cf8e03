"""The compiled part of `harness.metrics.planes`: one walk over the pixels of a plane, block by block.

Loops have no branches, so that they are vectorized.  Extremes are of integers for that reason: the bits of a float,
read as an integer and but for the sign flipped where it is negative, are in the order of floats.
"""

from __future__ import annotations

import numpy as np
from numba import njit

__all__ = ["COUNTS", "count_bins", "walk", "without_masked"]

#: Sums may be reordered, or loops are not vectorized.  NaN and infinities keep their meaning.
_REORDERED = {"reassoc", "contract", "nsz", "arcp"}

#: What `walk` counts: all but the second are of finite pixels.
COUNTS = ("finite", "infinite", "<= 0", "< low", "<= low", "<= high")


@njit(nogil=True, cache=True, error_model="numpy", fastmath=_REORDERED)
def walk(block, infinity, bracket, found, inside):  # type: ignore[no-untyped-def]
    """Add a block of pixels to counts, sums and extremes, and collect what is strictly inside a bracket.

    Parameters
    ----------
    block : tuple of two arrays, shape (n,)
        Pixels, and their bits as integers.
    infinity : tuple of two such integers
        Bits of infinity, and the largest integer.
    bracket : tuple of three floats
        ``low`` and ``high`` as pixels, and what is typical of pixels in double precision.
    found : tuple of three arrays
        Changed in place: `COUNTS` (int64); sums of pixels less what is typical and of the squares of that (float64);
        least and greatest of finite pixels, as such integers in the order of floats.
    inside : tuple
        Array that receives pixels inside the bracket, and how many it holds.

    Returns
    -------
    held : int
        How many it holds now.
    """
    pixels, bits = block
    infinite, largest = infinity
    low, high, typical = bracket
    counts, sums, extremes = found
    zero = np.int32(0)
    n_finite = n_infinite = n_nonpositive = n_below = n_to_low = n_to_high = zero
    total = squares = 0.0
    least, greatest = largest, ~largest
    for i in range(len(pixels)):
        pixel = pixels[i]
        magnitude = bits[i] & largest
        finite = magnitude < infinite
        n_finite += np.int32(finite)
        n_infinite += np.int32(magnitude == infinite)
        n_nonpositive += np.int32(finite & (pixel <= 0))
        n_below += np.int32(finite & (pixel < low))
        n_to_low += np.int32(finite & (pixel <= low))
        n_to_high += np.int32(finite & (pixel <= high))
        offset = np.float64(pixel) - typical
        offset = offset if finite else 0.0
        total += offset
        squares += offset * offset
        ordered = bits[i] if bits[i] >= 0 else bits[i] ^ largest
        least = min(least, ordered if finite else largest)
        greatest = max(greatest, ordered if finite else ~largest)
    counts[0] += n_finite
    counts[1] += n_infinite
    counts[2] += n_nonpositive
    counts[3] += n_below
    counts[4] += n_to_low
    counts[5] += n_to_high
    sums[0] += total
    sums[1] += squares
    extremes[0] = min(extremes[0], least)
    extremes[1] = max(extremes[1], greatest)
    return _collect(pixels, low, high, inside)


@njit(nogil=True, cache=True, error_model="numpy")
def _collect(pixels, low, high, inside):  # type: ignore[no-untyped-def]
    """Append pixels strictly between two values to an array; eight at a time are passed over, as few are."""
    collected, held = inside
    n = len(pixels)
    is_inside = np.zeros((n + 7) // 8 * 8, np.uint8)
    for i in range(n):
        is_inside[i] = (pixels[i] > low) & (pixels[i] < high)
    eights = is_inside.view(np.uint64)
    for eight in range(len(eights)):
        if eights[eight] != 0:
            for i in range(8 * eight, min(8 * eight + 8, n)):
                collected[held] = pixels[i]
                held += np.int64(is_inside[i])
    return held


@njit(nogil=True, cache=True, error_model="numpy")
def count_bins(pixels, edges, counts):  # type: ignore[no-untyped-def]
    """Add finite pixels to counts of half-open bins.

    Parameters
    ----------
    pixels : array, shape (n,)
        The block.
    edges : float64 array, shape (k + 1,)
        Strictly increasing.
    counts : int64 array, shape (k + 2,)
        Below all bins, of each bin, and above; changed in place.
    """
    last = len(edges) - 2
    first, end = edges[0], edges[-1]
    per_value = (last + 1) / (end - first)
    for pixel in pixels:
        value = np.float64(pixel)
        if not np.isfinite(value):
            continue
        if value < first:
            counts[0] += 1
        elif value >= end:
            counts[-1] += 1
        else:
            # Exact whatever the rounding and the widths; at once where widths are equal.
            i = max(0, min(int((value - first) * per_value), last))
            while value < edges[i]:
                i -= 1
            while value >= edges[i + 1]:
                i += 1
            counts[i + 1] += 1


@njit(nogil=True, cache=True, error_model="numpy")
def without_masked(pixels, masks, bits, kept):  # type: ignore[no-untyped-def]
    """Write pixels to ``kept``, or NaN where any of ``bits`` is set in their mask, and return how many these are."""
    n_masked = np.int32(0)
    for i in range(len(pixels)):
        masked = (masks[i] & bits) != 0
        n_masked += np.int32(masked)
        kept[i] = np.nan if masked else pixels[i]
    return n_masked
