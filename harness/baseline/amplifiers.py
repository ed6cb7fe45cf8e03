"""Under which names a baseline keeps the values of single amplifiers."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["amplifier_key", "amplifier_of"]


def amplifier_key(data_id: Mapping[str, int | str]) -> str:
    """Return under which name an entry keeps an amplifier: ``94-C06``, or ``R22_S11_C06``."""
    return "-".join(str(data_id[name]) for name in ("detector", "amplifier") if name in data_id)


def amplifier_of(key: str) -> tuple[int | None, str]:
    """Return detector and amplifier of an `amplifier_key`."""
    detector, dash, amplifier = key.partition("-")
    return (int(detector), amplifier) if dash and detector.isdecimal() else (None, key)
