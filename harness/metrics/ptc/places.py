"""How an amplifier is named: by the number of its detector and its own name, or by a name alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["detector_of", "place_of"]


def place_of(detector: int | None, detector_name: str, amplifier: str) -> tuple[int | None, str]:
    """Return detector and amplifier of metric rows.

    A detector without a number lends the amplifier its name: ``R22_S11_C06``.
    """
    if detector is None and detector_name:
        return None, f"{detector_name}_{amplifier}"
    return detector, amplifier


def detector_of(data_id: Mapping[str, int | str]) -> tuple[str, str]:
    """Return what to call the detector of a data ID, and the amplifier's name within it: the inverse of `place_of`."""
    amplifier = str(data_id["amplifier"])
    if "detector" in data_id:
        return f"detector {data_id['detector']}", amplifier
    detector, _, name = amplifier.rpartition("_")
    return detector or "the detector", name
