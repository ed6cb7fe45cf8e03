"""Numbers and full names of detectors."""

from __future__ import annotations

from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["known_detectors"]

_CORNERS = ("R00", "R04", "R40", "R44")


def known_detectors(instrument: str, given: Mapping[str, int] = MappingProxyType({})) -> Mapping[str, int]:
    """Return the numbers of an instrument's detectors by their full names.

    Parameters
    ----------
    instrument
        Short name of the instrument; those of LSSTCam are known.
    given
        What is known besides; it counts first.
    """
    return {**(_lsstcam() if instrument == "LSSTCam" else {}), **given}


@cache
def _lsstcam() -> Mapping[str, int]:
    """Return the numbering of `lsst/obs_lsst`: nine sensors of each science raft in order, then the corners."""
    square = [f"{row}{column}" for row in range(5) for column in range(5)]
    rafts = [f"R{place}" for place in square if f"R{place}" not in _CORNERS]
    names = [f"{raft}_S{row}{column}" for raft in rafts for row in range(3) for column in range(3)]
    names += [f"{raft}_{sensor}" for raft in _CORNERS for sensor in ("SG0", "SG1", "SW0", "SW1")]
    return MappingProxyType({name: number for number, name in enumerate(names)})
