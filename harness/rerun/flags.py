"""Flags that were packed into one integer, and how to tell a flag by its name."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

__all__ = ["PACKED_FLAGS", "is_flag", "packed_bits"]

PACKED_FLAGS = "flags"
"""The column of packed flags (lsst/ap_association association-flag-map, until 6bf9054, 2024-05-06)."""

_BITS_ALWAYS = {
    "pixelFlags": 0,
    "pixelFlags_offimage": 1,
    "pixelFlags_edge": 2,
    "pixelFlags_interpolated": 3,
    "pixelFlags_saturated": 4,
    "pixelFlags_cr": 5,
    "pixelFlags_bad": 6,
    "pixelFlags_suspect": 7,
    "pixelFlags_interpolatedCenter": 8,
    "pixelFlags_saturatedCenter": 9,
    "pixelFlags_crCenter": 10,
    "pixelFlags_suspectCenter": 11,
    "centroid_flag": 12,
    "apFlux_flag": 15,
    "apFlux_flag_apertureTruncated": 16,
    "psfFlux_flag": 17,
    "psfFlux_flag_noGoodPixels": 18,
    "psfFlux_flag_edge": 19,
    "forced_PsfFlux_flag": 20,
    "forced_PsfFlux_flag_noGoodPixels": 21,
    "forced_PsfFlux_flag_edge": 22,
}

# Bits 24 to 28 were the flags of another shape algorithm until 2023-01.
_BITS_SINCE_2023 = {
    "shape_flag": 23,
    "shape_flag_no_pixels": 24,
    "shape_flag_not_contained": 25,
    "shape_flag_parent_source": 26,
    "trail_flag_edge": 27,
    "pixelFlags_streak": 28,
    "pixelFlags_streakCenter": 29,
    "pixelFlags_injected": 30,
    "pixelFlags_injectedCenter": 31,
    "pixelFlags_injected_template": 32,
    "pixelFlags_injected_templateCenter": 33,
}

#: What tells a table of 2023-05 or later: a name of the renaming of that month.
_SINCE_2023 = frozenset({"dec", "psfFlux", "midpointMjdTai"})

_FLAG_NAME = re.compile(r"(?:^|_)flag(?:_|$)|^pixelFlags(?:_|$)")
_OTHER_FLAGS = frozenset({"isDipole", "isNegative", "dipoleFitAttempted", "glint_trail", "inTemplate", "isMoving"})


def packed_bits(stored: Collection[str]) -> Mapping[str, int]:
    """Return the bit number of each flag that is packed into a table's ``flags``.

    Bits are known by number and era, never by their place in a list: bits above 22 have changed their meaning and are
    left out where the column names do not show that the table is of 2023-05 or later.

    Parameters
    ----------
    stored
        Names of the table's columns, as stored.

    Returns
    -------
    bits : `~collections.abc.Mapping` [`str`, `int`]
        Canonical name of the flag to bit number; empty for a table without packed flags.
    """
    if PACKED_FLAGS not in stored:
        return {}
    later = _BITS_SINCE_2023 if _SINCE_2023.intersection(stored) else {}
    return MappingProxyType(_BITS_ALWAYS | later)


def is_flag(name: str) -> bool:
    """Return whether a canonical column name is that of a flag."""
    return name in _OTHER_FLAGS or _FLAG_NAME.search(name) is not None
