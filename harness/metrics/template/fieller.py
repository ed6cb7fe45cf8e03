"""Where a straight line through clustered points is zero, with its confidence limits."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Zero", "zero_of_line"]

_MIN_CLUSTERS = 3


@final
@dataclass(frozen=True, slots=True)
class Zero:
    """Where a line is zero; NaN where that cannot be told.

    Attributes
    ----------
    at, low, high
        The place and its confidence limits.
    intercept, slope
        Of the line.
    n_points, n_clusters
        What it rests on.
    lack
        Why there is no place: ``few`` clusters, points that are ``alike``, a slope that may be none (``flat``), a zero
        ``before`` the first point or ``after`` the last one.  Empty where there is one.
    """

    at: float = math.nan
    low: float = math.nan
    high: float = math.nan
    intercept: float = math.nan
    slope: float = math.nan
    n_points: int = 0
    n_clusters: int = 0
    lack: Literal["", "few", "alike", "flat", "before", "after"] = ""


def zero_of_line(
    x: NDArray[np.float64], y: NDArray[np.float64], clusters: NDArray[np.object_], confidence: float
) -> Zero:
    """Fit a rising straight line by least squares, and return where it is zero.

    Points of one cluster are not independent, so the covariance of the line is the jackknife over clusters, and
    Student's law has two degrees of freedom less than there are clusters.  It is taken at half of the error allowed,
    because the clusters farthest out decide on the slope, and there are less of those.  The limits are those of Fieller
    (1954): all places at which the line may be zero.

    Parameters
    ----------
    x, y : (n,) float64
        Finite points.
    clusters : (n,)
        Which cluster each belongs to.
    confidence
        Coverage of the limits.

    Returns
    -------
    zero
        Without a place where the line is not known to rise, or is zero beyond the points.
    """
    from scipy.special import stdtrit

    names, cluster = np.unique(clusters, return_inverse=True)
    zero = Zero(n_points=len(x), n_clusters=len(names))
    if len(names) < _MIN_CLUSTERS:
        return replace(zero, lack="few")
    line, covariance = _jackknifed_line(x, y, cluster, len(names))
    if not (np.isfinite(line).all() and np.isfinite(covariance).all()):
        return replace(zero, lack="alike")
    intercept, slope = line.tolist()
    zero = replace(zero, intercept=intercept, slope=slope)
    limits = _limits(line, covariance, float(stdtrit(len(names) - 2, 1 - (1 - confidence) / 4)))
    if limits is None or slope <= 0:
        return replace(zero, lack="flat")
    at = -intercept / slope
    if not x.min() <= at <= x.max():
        return replace(zero, lack="after" if at > x.max() else "before")
    return replace(zero, at=at, low=limits[0], high=limits[1])


def _jackknifed_line(
    x: NDArray[np.float64], y: NDArray[np.float64], cluster: NDArray[np.int64], n_clusters: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return intercept and slope, and their covariance from leaving out one cluster at a time."""
    moments = (np.ones_like(x), x, x * x, y, x * y)
    parts = np.stack([np.bincount(cluster, each, n_clusters) for each in moments])
    whole = parts.sum(1, keepdims=True)
    lines = _lines(np.concatenate([whole, whole - parts], axis=1))
    off = lines[:, 1:] - lines[:, 1:].mean(1, keepdims=True)
    return lines[:, 0], (n_clusters - 1) / n_clusters * (off @ off.T)


def _lines(moments: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return intercepts and slopes of least squares, (2, n), of the sums of 1, x, x², y and xy, (5, n)."""
    n, sx, sxx, sy, sxy = moments
    determinant = n * sxx - sx * sx
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = np.where(determinant > 1e-12 * n * sxx, (n * sxy - sx * sy) / determinant, np.nan)
        return np.stack([(sy - slope * sx) / n, slope])


def _limits(line: NDArray[np.float64], covariance: NDArray[np.float64], student: float) -> tuple[float, float] | None:
    """Return between which x the line may be zero; None when that is not between two of them.

    (a + b x)² <= t² Var(a + b x) is a parabola in x, and open upwards where the slope is significant.
    """
    (a, b), c = line.tolist(), student**2 * covariance
    quadratic, linear, constant = b * b - c[1, 1], a * b - c[0, 1], a * a - c[0, 0]
    root = linear * linear - quadratic * constant
    if quadratic <= 0 or root < 0:
        return None
    reach = math.sqrt(root)
    return float((-linear - reach) / quadratic), float((-linear + reach) / quadratic)
