"""Where a series has moved to another level, to be drawn into its trend: an annotation, and never a verdict."""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["MIN_POINTS", "change_points", "noise"]

#: A shorter series does not show its own noise.
MIN_POINTS = 8
_MIN_SEGMENT = 2
_PENALTY = 6.0
_SPIKE = 4 * math.sqrt(2)  # standard deviations: a difference of two has √2


def change_points(values: NDArray[np.float64]) -> list[int]:
    """Return where new levels begin.

    The exact minimum of squared deviations from piecewise constant levels, plus a penalty for each level (PELT,
    Killick, Fearnhead & Eckley 2012, by `ruptures`); the penalty is 6 s² ln n, with `noise` s.  A level lasts two
    points at least: a single number that is off is none, nor is the newest one before another has confirmed it.

    Of series of Gaussian noise, 11 % of those with 8 points, 7 % with 12, 2 % with 24 and 0.1 % with 100 show a change
    that is none; with heavy tails (Student's t, 3 degrees of freedom) 12, 7, 4 and 2 %.  A step of five sigma in the
    middle of them is found in 90 % with 8 points, 98 % with 12 and 99.9 % with 24.

    Parameters
    ----------
    values : (n,) float64
        The series; all finite.

    Returns
    -------
    first : `list` [`int`]
        Index of the first point of each new level; empty for less than `MIN_POINTS`.
    """
    scale = noise(values)
    if values.size < MIN_POINTS or scale == 0:
        return []
    try:
        import ruptures
    except ImportError:  # it lags behind new versions of Python
        return []
    search = ruptures.KernelCPD(kernel="linear", min_size=_MIN_SEGMENT)  # the linear kernel is the l2 cost, in C
    series = _without_spikes((values - np.median(values)) / scale)
    ends = search.fit(series).predict(pen=_PENALTY * math.log(values.size))
    return [int(end) for end in ends[:-1]]


def _without_spikes(series: NDArray[np.float64]) -> NDArray[np.float64]:
    """Put each number that is far from both its neighbours to the nearer: it would make a level with one of them."""
    before, after = np.roll(series, 1), np.roll(series, -1)
    before[0], after[-1] = series[2], series[-3]  # an end has two neighbours on one side
    nearer = np.where(np.abs(series - before) <= np.abs(series - after), before, after)
    return np.where(np.abs(series - nearer) > _SPIKE, nearer, series)


def noise(values: NDArray[np.float64]) -> float:
    """Return the standard deviation of a series about its levels, from the differences of neighbours.

    1.4826 × their median absolute deviation / √2, which a few steps do not change; where more than half of them are
    the same, their root mean square / √2 (von Neumann 1941).
    """
    steps = np.diff(values)
    if not steps.size:
        return 0.0
    spread = 1.4826 * float(np.median(np.abs(steps - np.median(steps))))
    if spread == 0 and (largest := float(np.max(np.abs(steps)))):
        spread = largest * float(np.sqrt(np.mean((steps / largest) ** 2)))  # squares of the steps may overflow
    least = 4 * sys.float_info.epsilon * float(np.max(np.abs(values)))  # rounding is no noise
    return spread / math.sqrt(2) if spread > least else 0.0
