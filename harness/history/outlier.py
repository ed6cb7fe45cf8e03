"""How far a number lies from those that were accepted before it: a warning, and never a verdict."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["MIN_ACCEPTED", "WARN_BEYOND", "robust_z"]

#: Of fewer numbers the scatter is not known.
MIN_ACCEPTED = 8
#: A robust z beyond this is worth a warning.
WARN_BEYOND = 4.0


def robust_z(value: float, accepted: NDArray[np.float64]) -> float:
    """Return by how many standard deviations a number differs from the median of others.

    Their scatter is 1.4826 × median absolute deviation; the median's own error, of variance π/2n, is added.  Of series
    of Gaussian noise, the next number is beyond `WARN_BEYOND` of the last 8 in 2.6 %, of the last 20 in 0.4 %; with
    heavy tails (Student's t, 3 degrees of freedom) in 5 % and 3 %.

    Parameters
    ----------
    value
        The number.
    accepted : (n,) float64
        The others, without it.

    Returns
    -------
    z : `float`
        NaN for less than `MIN_ACCEPTED` others; infinite when these are all the same and the number is another one.
    """
    if accepted.size < MIN_ACCEPTED or not math.isfinite(value):
        return math.nan
    middle = float(np.median(accepted))
    off = value - middle
    spread = 1.4826 * float(np.median(np.abs(accepted - middle))) or float(np.std(accepted, ddof=1))
    if abs(off) <= 1e-12 * abs(middle):  # rounding of the last digits
        return 0.0
    if spread <= 1e-12 * abs(middle):
        return math.copysign(math.inf, off)
    return off / (spread * math.sqrt(1 + math.pi / (2 * accepted.size)))
