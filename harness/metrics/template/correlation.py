"""How closely the PSF of differences follows that of the science images, over visits."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from harness.metrics.template.known import Number
from harness.metrics.template.limits import CONFIDENCE, stated_uncertainty

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["correlation"]

_MIN_PAIRS = 3


def correlation(pairs: Sequence[tuple[int, Number, Number]]) -> tuple[Number, float, str]:
    """Return Pearson's correlation, its standard uncertainty and what it rests on.

    The uncertainty is that of Fisher's z = artanh(r), of variance 1/(n - 3), where n counts visits: detectors of one
    visit share its seeing.

    Parameters
    ----------
    pairs
        Visit and the two numbers of each data ID; those of which one is unknown are left out.
    """
    from scipy.special import ndtri

    found = [(visit, first.value, second.value) for visit, first, second in pairs if not first.reason + second.reason]
    if not found:
        return Number(math.nan, next((a.reason or b.reason for _, a, b in pairs), "no pairs")), math.nan, ""
    visits, first, second = (np.array(column) for column in zip(*found, strict=True))
    if len(found) < _MIN_PAIRS or not (np.ptp(first) and np.ptp(second)):
        return Number(math.nan, f"{len(found)} images of no, or too few, different sizes"), math.nan, ""
    r = float(np.clip(np.corrcoef(first, second)[0, 1], -1, 1))
    n_visits = len(np.unique(visits))
    detail = f"{len(found)} images of {n_visits} visits"
    if len(found) < len(pairs):
        detail += f"; {len(pairs) - len(found)} without both sizes are left out"
    if n_visits <= _MIN_PAIRS or abs(r) == 1:
        return Number(r), 0.0 if abs(r) == 1 else math.nan, detail
    reach = float(ndtri((1 + CONFIDENCE) / 2)) / math.sqrt(n_visits - _MIN_PAIRS)
    low, high = (math.tanh(math.atanh(r) + sign * reach) for sign in (-1, 1))
    return Number(r), stated_uncertainty(r, low, high), detail
