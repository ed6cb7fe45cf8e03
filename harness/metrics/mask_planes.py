"""Mask planes by their names of all times."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from harness.metrics._row_blocks import row_blocks

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

__all__ = ["EXCLUDED_PLANES", "NO_DATA_PLANES", "count_masked", "mask_bits"]

NO_DATA_PLANES = ("NO_DATA",)
"""Pixels without data."""

EXCLUDED_PLANES = ("BAD", "DETECTION_EDGE", "EDGE", "NO_DATA", "SAT", "SATURATED")
"""Pixels that do not count in the median of a variance plane; those of detected sources do."""


def mask_bits(planes: Mapping[str, int], names: Iterable[str]) -> int:
    """Return the bits of those of some mask planes that a file has.

    Parameters
    ----------
    planes
        Bit number of each mask plane.
    names
        Names of planes (SAT became SATURATED, and EDGE became DETECTION_EDGE, in lsst.images).
    """
    bits = 0
    for name in names:
        if name in planes:
            bits |= 1 << planes[name]
    return bits


def count_masked(mask: NDArray[Any], bits: int) -> int:
    """Return how many pixels of a 2-D mask, in any byte order, have any of some bits set."""
    native = mask.dtype.newbyteorder("=")
    wanted = np.int64(bits).astype(native)  # the highest bit of a mask is its sign
    return sum(int(np.count_nonzero(block & wanted)) for (block,) in row_blocks([mask], [native]))
