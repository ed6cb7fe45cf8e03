"""What two flavors made of the same injections, in words."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.measure.measurements import Measurements

__all__ = ["configuration_line", "injection_lines"]

_LEVEL = 0.01
"""Chance of telling equal flavors apart."""


def injection_lines(rerun: Measurements) -> list[str]:
    """Say how many injections only one of two flavors found, and whether that tells them apart.

    Parameters
    ----------
    rerun
        Measurements of a rerun that was measured beside a reference.

    Returns
    -------
    lines : `list` [`str`]
        None where the two have no injections in common.
    """
    if "flavor.numCommon" not in rerun:
        return []
    common, gained, lost = (rerun[f"flavor.{name}"].value for name in ("numCommon", "numGained", "numLost"))
    if not common > 0:
        return [f"injections {rerun['flavor.numCommon'].why_unmeasured or 'none that both reruns have'}"]
    from harness.metrics.flavor.paired import injections_needed, mcnemar

    if not gained + lost:
        return [f"injections each of {common:.0f} was found by both reruns or by neither"]
    exchanged = f"{gained:.0f} of {common:.0f} found by this rerun alone, {lost:.0f} by the reference alone"
    if gained == lost:
        return [f"injections {exchanged}: no difference in number"]
    chance = mcnemar(round(gained), round(lost))
    if chance <= _LEVEL:
        return [f"injections {exchanged}: not by chance (McNemar p = {chance:.2g})"]
    needed = float(f"{injections_needed(round(gained), round(lost), round(common), level=_LEVEL):.2g}")
    enough = f"about {needed:,.0f} injections would show so small a difference at {100 * _LEVEL:g} %, nine times in ten"
    return [f"injections {exchanged}: may be by chance (McNemar p = {chance:.2g}); {enough}"]


def configuration_line(rerun: Measurements) -> str:
    """Name the settings in which a rerun and its reference differ; empty when nothing is known of them."""
    name = "flavor.numConfigDifferences"
    if name not in rerun or not math.isfinite(rerun[name].value):
        return ""
    count, told = rerun[name].value, rerun[name].detail
    if not count:
        return "config     no setting differs"
    return f"config     {told}" if count == 1 else f"config     {count:.0f} settings differ: {told}"
