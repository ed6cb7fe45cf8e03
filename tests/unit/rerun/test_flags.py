"""Packed flags against the published bit numbers."""

from __future__ import annotations

import pytest

from harness.rerun.aliases import canonical_name
from harness.rerun.flags import is_flag, packed_bits

# lsst/ap_association data/association-flag-map.yaml, as it was from 2018 to 2022.
PUBLISHED = """
    base_PixelFlags_flag 0                      base_PixelFlags_flag_offimage 1
    base_PixelFlags_flag_edge 2                 base_PixelFlags_flag_interpolated 3
    base_PixelFlags_flag_saturated 4            base_PixelFlags_flag_cr 5
    base_PixelFlags_flag_bad 6                  base_PixelFlags_flag_suspect 7
    base_PixelFlags_flag_interpolatedCenter 8   base_PixelFlags_flag_saturatedCenter 9
    base_PixelFlags_flag_crCenter 10            base_PixelFlags_flag_suspectCenter 11
    slot_Centroid_flag 12                       slot_ApFlux_flag 15
    slot_ApFlux_flag_apertureTruncated 16       slot_PsfFlux_flag 17
    slot_PsfFlux_flag_noGoodPixels 18           slot_PsfFlux_flag_edge 19
    ip_diffim_forced_PsfFlux_flag 20            ip_diffim_forced_PsfFlux_flag_noGoodPixels 21
    ip_diffim_forced_PsfFlux_flag_edge 22
""".split()  # noqa: SIM905 - easier to read


def test_bits_are_the_published_ones() -> None:
    """Each flag of 2018's map has its published bit."""
    published = {
        canonical_name(name, "diaSource"): int(bit) for name, bit in zip(PUBLISHED[::2], PUBLISHED[1::2], strict=True)
    }
    assert packed_bits({"flags", "decl", "psFlux"}) == published


def test_later_bits_need_later_names() -> None:
    """Bits that changed their meaning are known only where the names show the era."""
    later = packed_bits({"flags", "dec", "psfFlux"})
    assert (later["pixelFlags_bad"], later["shape_flag"], later["pixelFlags_streak"]) == (6, 23, 28)


def test_no_packed_column_no_bits() -> None:
    """A table with one column per flag has nothing packed."""
    assert not packed_bits({"pixelFlags_bad", "dec"})


@pytest.mark.parametrize(
    "name", ["pixelFlags", "pixelFlags_bad", "psfFlux_flag", "psfFlux_flag_edge", "isNegative", "base_SdssShape_flag"]
)
def test_flags_are_told_by_name(name: str) -> None:
    """A flag is one even where it is stored as a number."""
    assert is_flag(name)


@pytest.mark.parametrize("name", ["flags", "psfFlux", "band", "detector", "pixelId", "flagship"])
def test_other_columns_are_not_flags(name: str) -> None:
    """Packed flags and everything else are no single flag."""
    assert not is_flag(name)
