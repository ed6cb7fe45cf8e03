"""Linearity: whether the mean signal follows the charge of the monitoring photodiode."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np

if TYPE_CHECKING:
    from harness.metrics.ptc.curve import Curve

__all__ = ["Linearity", "linearity"]


@final
@dataclass(frozen=True, slots=True)
class Linearity:
    """How well signal and light agree.

    Attributes
    ----------
    scatter
        Standard deviation of signal over charge, as a fraction of its mean; NaN for fewer than two pairs.
    n_pairs
        Pairs that it rests on.
    """

    scatter: float
    n_pairs: int


def linearity(curve: Curve, turnoff: float) -> Linearity:
    """Compare signal and photodiode charge of the pairs up to the turnoff.

    Parameters
    ----------
    curve
        Photon transfer curve of an amplifier; pairs without a positive charge are left out.
    turnoff
        Largest mean signal before saturation, adu.
    """
    with np.errstate(invalid="ignore"):
        chosen = curve.measured & (curve.mean <= turnoff) & (curve.photo_charge > 0)
    ratio = curve.mean[chosen] / curve.photo_charge[chosen]
    scatter = float(np.std(ratio, ddof=1) / np.mean(ratio)) if ratio.size > 1 else np.nan
    return Linearity(scatter, ratio.size)
