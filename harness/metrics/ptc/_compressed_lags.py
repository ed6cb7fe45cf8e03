"""The covariances of an amplifier, and their exact compression: five numbers per lag, not one per pair of flats."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness.metrics.ptc._covariance_model import powers

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.metrics.ptc.curve import Curve

__all__ = ["CompressedLags", "Covariances"]


@dataclass(frozen=True, slots=True, eq=False)
class Covariances:
    """Measured covariances of the pairs to be used, lags flat.

    Attributes
    ----------
    pairs : (number of pairs of the curve,) bool
        Which pairs these are.
    mean : (n,) float64
        Mean signal, adu.
    value, error : (n, lags) float64
        Covariance and standard error, adu²; both NaN where unknown.
    """

    pairs: NDArray[np.bool_]
    mean: NDArray[np.float64]
    value: NDArray[np.float64]
    error: NDArray[np.float64]

    @classmethod
    def from_curve(cls, curve: Curve, pairs: NDArray[np.bool_], expected_variance: NDArray[np.float64]) -> Covariances:
        """Take the covariances of some pairs whose standard errors are known.

        The stated errors are proportional to the measured variance.  They are brought to the expected one, because
        weights that follow the scatter of the variance favour the pairs that scattered low.
        """
        if curve.covariance is None or curve.covariance_error is None:
            raise ValueError("the curve has no covariances with standard errors")
        n = int(pairs.sum())
        value = curve.covariance[pairs].reshape(n, -1)
        error = curve.covariance_error[pairs].reshape(n, -1) * (expected_variance / value[:, 0])[:, None]
        known = np.isfinite(value) & np.isfinite(error) & (error > 0)
        made = cls(pairs, curve.mean[pairs], np.where(known, value, np.nan), np.where(known, error, np.nan))
        return made.without(np.asarray(~known.any(axis=1)))

    def without(self, outliers: NDArray[np.bool_]) -> Covariances:
        """Leave out some of the pairs."""
        pairs = self.pairs.copy()
        pairs[np.flatnonzero(pairs)[outliers]] = False
        kept = ~outliers
        return Covariances(pairs, self.mean[kept], self.value[kept], self.error[kept])


@dataclass(frozen=True, slots=True, eq=False)
class CompressedLags:
    """The least-squares problem of each lag's quartic, compressed.

    With the weighted `powers` = Q R, the sum of squares of weighted (values - powers @ p) is that of (Qᵀ values - R p)
    and a remainder that no p can change.  The first of the five differences is the only one that the lag's constant p_0
    enters: it can always be made zero, so that four are left to fit and the constant follows.

    Attributes
    ----------
    triangle : (lags, 5, 5) float64
        R.
    target : (lags, 5) float64
        Qᵀ values.
    remainder
        The sum of the remainders.
    scale
        The largest mean, adu; that of `powers`.
    """

    triangle: NDArray[np.float64]
    target: NDArray[np.float64]
    remainder: float
    scale: float

    @classmethod
    def from_covariances(cls, data: Covariances) -> CompressedLags:
        """Compress; six pairs at least are needed."""
        scale = float(data.mean.max())
        values, weights = np.nan_to_num(data.value.T), np.nan_to_num(1 / data.error.T)
        functions = np.broadcast_to(powers(data.mean, scale), (*values.shape, 5))
        both = np.concatenate([functions, values[:, :, None]], axis=2) * weights[:, :, None]
        r = np.asarray(np.linalg.qr(both, mode="r"))
        return cls(r[:, :5, :5], r[:, :5, 5], float(np.sum(r[:, 5, 5] ** 2)), scale)

    @property
    def side(self) -> int:
        """Number of lags in each direction."""
        return math.isqrt(len(self.target))

    def residuals(self, coefficients: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the four differences of each lag for its (lags, 4) coefficients, flat, and the root of the remainder.

        The sum of their squares is that of all weighted residuals.
        """
        made: NDArray[np.float64] = np.einsum("lij,lj->li", self.triangle[:, 1:, 1:], coefficients)
        return np.append(made - self.target[:, 1:], math.sqrt(self.remainder))

    def jacobian(self, slopes: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the derivatives of `residuals` for (lags, 4, parameters) derivatives of the coefficients."""
        made = np.zeros((4 * len(slopes) + 1, slopes.shape[2]))
        np.matmul(self.triangle[:, 1:, 1:], slopes, out=made[:-1].reshape(slopes.shape))
        return made

    def constants(self, coefficients: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return each lag's constant for its other coefficients."""
        first = self.triangle[:, 0]
        return np.asarray((self.target[:, 0] - np.einsum("lj,lj->l", first[:, 1:], coefficients)) / first[:, 0])

    def constants_slopes(self, slopes: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the derivatives of `constants` for those of the coefficients."""
        first = self.triangle[:, 0]
        return np.asarray(-np.einsum("lj,ljp->lp", first[:, 1:], slopes) / first[:, :1])

    @property
    def constants_error(self) -> NDArray[np.float64]:
        """The standard error that each constant has where the other coefficients are known."""
        return np.asarray(1 / np.abs(self.triangle[:, 0, 0]))
