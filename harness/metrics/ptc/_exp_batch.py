"""The exponential approximation of many amplifiers at once: its derivatives, and its most likely parameters."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Self, final

import numpy as np

from harness.metrics.ptc._scatter import LEAST_SCATTER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from harness.metrics.ptc.curve import Curve

__all__ = ["MIN_PAIRS", "Parameters", "Points", "exponential", "fit_points", "modelled", "put_rows", "robust_scale"]

MIN_PAIRS = 4
"""Three parameters, and one pair more to tell whether they fit."""

_MAX_STEPS = 50
#: Normal matrices scaled to a unit diagonal are singular when an eigenvalue is smaller.
_SINGULAR = 1e-12


@final
@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """Measured pairs of several amplifiers, a row each, in order of the mean and padded to the longest.

    Attributes
    ----------
    mean, variance : (n_amp, n) float64
        Both 1 in the padding.
    sigma : (n_amp, n) float64
        Standard error of the variance as a fraction of it; 1 where it is to be estimated from the scatter.
    present : (n_amp, n) bool
        False in the padding.
    known : (n_amp,) bool
        Whether the standard errors are.
    """

    mean: NDArray[np.float64]
    variance: NDArray[np.float64]
    sigma: NDArray[np.float64]
    present: NDArray[np.bool_]
    known: NDArray[np.bool_]

    @classmethod
    def of(cls, curves: Sequence[Curve], measured: Sequence[NDArray[np.bool_]]) -> Self:
        """Put the measured pairs of curves beside one another."""
        counts = np.array([np.count_nonzero(pairs) for pairs in measured], int)
        shape = len(curves), max(counts.max(initial=0), 1)
        mean, variance, n_pixels = np.ones((3, *shape))
        for row, (curve, pairs, n) in enumerate(zip(curves, measured, counts, strict=True)):
            mean[row, :n], variance[row, :n] = curve.mean[pairs], curve.variance[pairs]
            n_pixels[row, :n] = curve.n_pixels[pairs]
        known = (np.isfinite(n_pixels) & (n_pixels > 0)).all(axis=1)
        n_pixels[~known] = 2
        return cls(mean, variance, np.sqrt(2 / n_pixels), np.arange(shape[1]) < counts[:, None], known)

    def rows(self, rows: NDArray[np.bool_]) -> Points:
        """Return some of the amplifiers."""
        return replace(self, **{item.name: getattr(self, item.name)[rows] for item in fields(self)})

    @property
    def counts(self) -> NDArray[np.intp]:
        """Pairs in each row."""
        return np.asarray(np.count_nonzero(self.present, axis=1))


@final
@dataclass(frozen=True, slots=True, eq=False)
class Parameters:
    """V = slope (exp(2 rate µ) - 1) / (2 rate) + offset of several amplifiers: slope 1/g, rate a00 g, offset n²/g²."""

    values: NDArray[np.float64]
    normal: NDArray[np.float64]
    converged: NDArray[np.bool_]
    determined: NDArray[np.bool_]

    def covariance(self) -> NDArray[np.float64]:
        """Return the covariances of (slope, rate, offset), unscaled; NaN where the points do not determine them."""
        normal = np.where(self.determined[:, None, None], self.normal, np.eye(3))
        size = np.sqrt(np.einsum("aii->ai", normal))
        size = size[:, :, None] * size[:, None, :]
        return np.where(self.determined[:, None, None], np.linalg.inv(normal / size) / size, np.nan)


def put_rows(target: Any, rows: NDArray[np.bool_], source: Any) -> None:
    """Put results of some amplifiers, a dataclass of arrays, in the place of those in `target`."""
    for item in fields(target):
        here, there = getattr(target, item.name), getattr(source, item.name)
        if isinstance(here, np.ndarray):
            here[rows] = there
        else:
            put_rows(here, rows, there)


def exponential(u: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return h(u) = (exp(u) - 1) / u and its derivative, also at u = 0."""
    # At 1e-12 h is good to its last three bits; the derivative, to 1e-3, only steers the fit.
    u = np.where(np.abs(u) < 1e-12, 1e-12, u)
    change = np.expm1(u)
    h = change / u
    return h, (change + 1 - h) / u


def robust_scale(points: Points, relative: NDArray[np.float64], chosen: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return by how much the scatter of each row exceeds `Points.sigma`, from the median size of its residuals.

    Parameters
    ----------
    points
        The pairs.
    relative : (n_amp, n) float64
        Their residuals from a fit, as a fraction of the model.
    chosen : (n_amp, n) bool
        Those that were fitted.
    """
    ordered = np.sort(np.where(chosen, np.abs(relative) / points.sigma, np.inf), axis=1)
    n = np.count_nonzero(chosen, axis=1)
    rows, last = np.arange(len(n)), ordered.shape[1] - 1
    median = (ordered[rows, np.minimum((n - 1) // 2, last)] + ordered[rows, np.minimum(n // 2, last)]) / 2
    # Half of the residuals of a normal distribution lie within 0.6745; three parameters make them smaller.
    scale = np.where(n >= MIN_PAIRS, median / 0.6745 * np.sqrt(np.maximum(n, 1) / np.maximum(n - 3, 1)), np.inf)
    return np.maximum(scale, np.where(points.known, 1, LEAST_SCATTER))


def modelled(points: Points, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the variance that the parameters (n_amp, 3) give each pair, adu²."""
    slope, rate, offset = values.T[:, :, None]
    return np.asarray(slope * points.mean * exponential(2 * rate * points.mean)[0] + offset)


def fit_points(
    points: Points, chosen: NDArray[np.bool_], start: NDArray[np.float64] | None = None, *, tolerance: float = 1e-4
) -> Parameters:
    """Fit the chosen pairs of each row by Levenberg-Marquardt.

    The variance of many pixels follows a gamma distribution, and its likelihood comes to least squares whose weights
    follow from the model.  Weights from the measured variances would favour those that came out low.

    Parameters
    ----------
    points
        The pairs.
    chosen : (n_amp, n) bool
        Those to fit.
    start : (n_amp, 3) float64, optional
        Parameters to start from; without it the straight line through the origin.
    tolerance
        The fit ends with the first step shorter than this many standard errors; every step is shorter than the one
        before by a factor of a hundred or so.
    """
    root = np.where(chosen, 1 / points.sigma, 0)
    weight = root**2
    values = _line_through_origin(points, weight) if start is None else start
    at = _Likelihood.at(points, root, weight, values)
    damping = np.zeros(len(values))
    converged = np.zeros(len(values), bool)
    possible = np.count_nonzero(chosen, axis=1) >= MIN_PAIRS
    for _ in range(_MAX_STEPS):
        step = np.linalg.solve(at.normal + (damping + _SINGULAR)[:, None, None] * np.eye(3), at.gradient[:, :, None])
        step = step[:, :, 0]
        trial = values + step / at.size
        # The last step is so short that it needs no second look.
        last = (damping < 1) & (np.einsum("ai,ai->a", step, at.gradient) < tolerance**2) & ~converged
        values = np.where(last[:, None], trial, values)
        converged |= last
        if (converged | ~possible).all():
            break
        there = _Likelihood.at(points, root, weight, trial)
        better = (there.deviance <= at.deviance * (1 + 1e-12)) & ~converged
        values = np.where(better[:, None], trial, values)
        at = at.replaced(better, there)
        damping = np.where(better, np.where(damping > 1e-6, damping / 10, 0), np.maximum(10 * damping, 1e-3))
    determined = possible & (np.linalg.eigvalsh(at.normal)[:, 0] > 100 * _SINGULAR)
    return Parameters(values, at.normal * at.size[:, :, None] * at.size[:, None, :], converged & determined, determined)


@final
@dataclass(frozen=True, slots=True, eq=False)
class _Likelihood:
    """Where the likelihood stands: -2 log of it, normal matrix scaled to a unit diagonal, gradient scaled alike."""

    deviance: NDArray[np.float64]
    normal: NDArray[np.float64]
    gradient: NDArray[np.float64]
    size: NDArray[np.float64]

    @classmethod
    def at(
        cls, points: Points, root: NDArray[np.float64], weight: NDArray[np.float64], values: NDArray[np.float64]
    ) -> Self:
        """Evaluate it for the parameters (n_amp, 3); `root` is one over the relative standard errors, 0 to leave out.

        `weight` is the square of `root`.
        """
        slope, rate, offset = values.T[:, :, None]
        terms = np.empty((len(values), 4, root.shape[1]))
        h, h_slope = exponential(2 * rate * points.mean)
        rise = points.mean * h
        expected = slope * rise + offset
        positive = ((expected > 0) | (root == 0)).all(axis=1)
        inverse = 1 / expected
        ratio = points.variance * inverse
        residual = ratio - 1
        scaled = root * inverse
        np.multiply(scaled, rise, out=terms[:, 0])
        scaled *= points.mean
        scaled *= points.mean
        scaled *= h_slope
        np.multiply(scaled, 2 * slope, out=terms[:, 1])
        np.multiply(root, inverse, out=terms[:, 2])
        np.multiply(root, residual, out=terms[:, 3])
        residual -= np.log(np.abs(ratio))
        deviance = 2 * np.einsum("ap,ap->a", weight, residual)
        products = terms @ terms.transpose(0, 2, 1)
        allowed = positive & np.isfinite(products).all(axis=(1, 2))
        products[~allowed] = np.eye(4)
        size = np.sqrt(np.einsum("aii->ai", products[:, :3, :3]))
        size = np.where(size > 0, size, 1)
        normal = products[:, :3, :3] / (size[:, :, None] * size[:, None, :])
        return cls(np.where(allowed, deviance, np.inf), normal, products[:, :3, 3] / size, size)

    def replaced(self, where: NDArray[np.bool_], other: _Likelihood) -> _Likelihood:
        return _Likelihood(
            np.where(where, other.deviance, self.deviance),
            np.where(where[:, None, None], other.normal, self.normal),
            np.where(where[:, None], other.gradient, self.gradient),
            np.where(where[:, None], other.size, self.size),
        )


def _line_through_origin(points: Points, weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the line that the inverse gains of single pairs agree on best, and no offset."""
    ratio = points.mean / points.variance
    total = np.einsum("ap,ap->a", weight, ratio**2)
    slope = np.einsum("ap,ap->a", weight, ratio) / np.where(total > 0, total, 1)
    return np.stack([np.where(slope > 0, slope, 1), *np.zeros((2, len(slope)))], axis=1)
