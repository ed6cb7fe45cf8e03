"""Pulls of injected sources: how far measured fluxes are from the true ones, in units of their errors."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from harness.metrics.flavor.by_detector import floats

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

__all__ = ["WIDTH", "has_wrong_sign", "pulls"]

WIDTH = math.sqrt(math.pi / 2)
"""Makes the mean amount of normal deviates their standard deviation."""


def pulls(injections: pl.DataFrame) -> NDArray[np.float64]:
    """Return measured less true flux over its error, NaN without a finite error above 0."""
    error = floats(injections, "sourceFluxErr")
    usable = np.where((error > 0) & np.isfinite(error), error, math.nan)
    with np.errstate(over="ignore", invalid="ignore"):
        return (floats(injections, "sourceFlux") - floats(injections, "flux")) / usable


def has_wrong_sign(injections: pl.DataFrame) -> NDArray[np.bool_]:
    """Return which were measured with the other sign than injected, so that they have no magnitude to compare."""
    measured, flux = floats(injections, "sourceFlux"), floats(injections, "flux")
    is_wrong: NDArray[np.bool_] = np.isfinite(measured) & np.isfinite(flux) & (np.sign(measured) != np.sign(flux))
    return is_wrong
