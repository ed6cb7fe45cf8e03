"""EXPAPPROXIMATION: variance against mean as an exponential, equation 16 of Astier et al. (2019), arXiv:1905.08677."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, Self, final

import numpy as np

from harness.metrics.ptc._exp_batch import MIN_PAIRS, Parameters, Points, exponential, fit_points, modelled, put_rows
from harness.metrics.ptc._scatter import estimated_scatter
from harness.metrics.ptc.fit import Fit
from harness.metrics.ptc.turnoff import REJECTED_BEYOND, Turnoffs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from harness.metrics.ptc.curve import Curve

__all__ = ["MODEL", "exp_approximation", "fit_exp_approximation"]

MODEL = "EXPAPPROXIMATION"

#: Sum of a_ij² over all lags but the centre, in units of a00²: e2v 0.07 to 0.11, ITL 0.08.
_OFF_CENTRE = 0.1
_MAX_ROUNDS = 10
_BLOCK = 144


def exp_approximation(mean: ArrayLike, gain: float, a00: float, noise: float) -> NDArray[np.float64]:
    """Return the variance, adu²: (exp(2 a00 g µ) - 1) / (2 a00 g²) + n² / g²; a straight line where a00 is 0.

    Parameters
    ----------
    mean
        Mean signal µ, adu.
    gain
        g, e-/adu.
    a00
        Brighter-fatter coefficient, negative as in ``lsst/cp_pipe``, 1/e-.
    noise
        Read noise n, e-.
    """
    mean = np.asarray(mean, float)
    h, _ = exponential(2 * a00 * gain * mean)
    return np.asarray(mean * h / gain + (noise / gain) ** 2)


def fit_exp_approximation(curves: Sequence[Curve]) -> list[Fit]:
    """Fit curves, all at once.

    `harness.metrics.ptc.turnoff.find_turnoff` says which pairs are below the turnoff.  The exponential leaves out
    what the neighbours' charge does to the pixels in between, about 0.07 (a00 g µ)² of the variance.  The fit goes as
    far up as that adds less than 1/4 to χ², so that it moves no parameter by more than half a standard error: for a
    hundred pairs of a million pixels to about 25,000 e- (e2v), with fewer or noisier pairs further.  Pairs more than
    5 standard errors off are rejected.

    Parameters
    ----------
    curves
        Any number of amplifiers; the standard errors of a curve are known where all measured pairs have a number of
        pixels.

    Returns
    -------
    list of Fit
        One per curve, in their order.
    """
    # A fit that diverges overflows; that it did not converge is all that there is to say.
    with np.errstate(all="ignore"):
        return [fit for first in range(0, len(curves), _BLOCK) for fit in _fit_block(curves[first : first + _BLOCK])]


def _fit_block(curves: Sequence[Curve]) -> list[Fit]:
    """Fit as many curves as one camera raft has: arrays of more would leave the cache."""
    measured = [curve.measured for curve in curves]
    points = Points.of(curves, measured)
    turnoffs = Turnoffs.of(points)
    reach = _reach(points, turnoffs)
    # Estimated errors are multiplied by what there is, not by a scale.
    points = replace(points, sigma=np.where(points.known, 1, turnoffs.scale)[:, None] * points.sigma)
    settled = _Settled.of(
        points,
        reach,
        turnoffs.below & reach,
        turnoffs.parameters.values,
        scale=np.where(points.known, turnoffs.scale, 1),
        rounds=_MAX_ROUNDS,
    )
    points, chosen, fitted = replace(points, sigma=settled.sigma), settled.chosen, settled.fitted
    reduced = _reduced_chi2(points, chosen, fitted.values)
    covariance = fitted.covariance() * (_scale(points, reduced) ** 2)[:, None, None]
    reasons = _reasons(points, turnoffs.below, fitted, covariance)
    arrays = _numbers(fitted.values, covariance) | {
        "reduced_chi2": np.where(points.known, reduced, np.nan),
        "turnoff": turnoffs.signal,
        "turnoff_error": turnoffs.error,
    }
    # Python's own numbers: taking them out of arrays one by one would cost as much as a fit.
    numbers: dict[str, Any] = {name: values.tolist() for name, values in arrays.items()}
    counts, n_points = points.counts.tolist(), np.count_nonzero(chosen, axis=1).tolist()
    fits = []
    for row, (pairs, reason) in enumerate(zip(measured, reasons, strict=True)):
        if reason:
            fits.append(Fit.failed(MODEL, len(pairs), reason))
            continue
        used = pairs.copy()
        used[pairs] = chosen[row, : counts[row]]
        of_row = {name: values[row] for name, values in numbers.items()}
        scale: Literal["known", "estimated"] = "known" if points.known[row] else "estimated"
        fits.append(Fit(model=MODEL, n_points=n_points[row], used=used, converged=True, scale=scale, **of_row))
    return fits


@final
@dataclass(frozen=True, slots=True, eq=False)
class _Settled:
    """The errors of the pairs, the pairs that are used, and the fit to them."""

    sigma: NDArray[np.float64]
    chosen: NDArray[np.bool_]
    fitted: Parameters

    @classmethod
    def of(
        cls,
        points: Points,
        reach: NDArray[np.bool_],
        chosen: NDArray[np.bool_],
        start: NDArray[np.float64],
        *,
        scale: NDArray[np.float64],
        rounds: int,
    ) -> Self:
        """Fit, estimate scatter, reject outliers, and go on with those rows alone where that has changed something."""
        fitted = fit_points(points, chosen, start)
        expected = modelled(points, fitted.values)
        residual = points.variance - expected
        found = cls(points.sigma.copy(), chosen, fitted)
        sigma, unknown = points.sigma.copy(), ~points.known
        if unknown.any():
            sigma[unknown] = estimated_scatter(residual[unknown], expected[unknown], reach[unknown])
        kept = reach & (np.abs(residual / expected) <= REJECTED_BEYOND * scale[:, None] * sigma)
        moving = (kept != chosen).any(axis=1) | (np.abs(sigma / points.sigma - 1) > 1e-3).any(axis=1)
        moving &= fitted.converged
        if rounds > 1 and moving.any():
            rest = replace(points.rows(moving), sigma=sigma[moving])
            values, kept = fitted.values[moving], kept[moving]
            scale = _scale(rest, _reduced_chi2(rest, kept, values))
            again = cls.of(rest, reach[moving], kept, values, scale=scale, rounds=rounds - 1)
            put_rows(found, moving, again)
        return found


def _reach(points: Points, turnoffs: Turnoffs) -> NDArray[np.bool_]:
    """Return the pairs up to where the term that the approximation leaves out would show."""
    slope, rate, _ = turnoffs.parameters.values.T[:, :, None]
    left_out = 2 / 3 * _OFF_CENTRE * (rate * points.mean) ** 2 * slope * points.mean
    sigma = points.sigma * turnoffs.scale[:, None] * modelled(points, turnoffs.parameters.values)
    chi2 = np.cumsum(np.where(turnoffs.below, (left_out / sigma) ** 2, 0), axis=1)
    reach = (chi2 < 1 / 4) | (np.cumsum(turnoffs.below, axis=1) <= MIN_PAIRS)
    return reach & points.present & (points.mean <= turnoffs.signal[:, None])


def _reduced_chi2(points: Points, chosen: NDArray[np.bool_], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return χ² per degree of freedom in units of `Points.sigma`."""
    pull = (points.variance / modelled(points, values) - 1) / points.sigma
    degrees = np.maximum(np.count_nonzero(chosen, axis=1) - 3, 1)
    return np.asarray(np.sum(np.where(chosen, pull, 0) ** 2, axis=1) / degrees)


def _scale(points: Points, reduced: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what to multiply `Points.sigma` by; known errors never become smaller."""
    return np.sqrt(np.where(points.known, np.maximum(reduced, 1), reduced))


def _numbers(values: NDArray[np.float64], covariance: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Return gain, noise, a00 and their errors; without meaning where the fit failed."""
    slope, rate, offset = values.T
    zero = np.zeros(len(slope))
    rows = [[-1 / slope**2, zero, zero], [rate, slope, zero], [-2 * offset / slope**3, zero, slope**-2.0]]
    jacobian = np.array(rows).transpose(2, 0, 1)
    gain_error, a00_error, square_error = np.sqrt(np.einsum("aij,ajk,aik->ia", jacobian, covariance, jacobian))
    noise = np.sqrt(np.where(offset > 0, offset, np.nan)) / slope
    return {
        "gain": 1 / slope,
        "gain_error": gain_error,
        "noise": noise,
        "noise_error": square_error / (2 * noise),
        "a00": rate * slope,
        "a00_error": a00_error,
    }


def _reasons(
    points: Points, below: NDArray[np.bool_], fitted: Parameters, covariance: NDArray[np.float64]
) -> list[str]:
    """Say of each row why it has no result; an empty string where it has one."""
    n_below = np.count_nonzero(below, axis=1)
    grows = fitted.values[:, 0] > 3 * np.sqrt(covariance[:, 0, 0])
    reasons = []
    for row, n in enumerate(points.counts):
        if n < MIN_PAIRS:
            reasons.append(f"{n} measured pair{'' if n == 1 else 's'}, and the fit needs {MIN_PAIRS}")
        elif n_below[row] < MIN_PAIRS:
            reasons.append(f"{n_below[row]} of {n} measured pairs below the turnoff, and the fit needs {MIN_PAIRS}")
        elif not fitted.determined[row] or (fitted.converged[row] and not grows[row]):
            reasons.append("the pairs do not determine the gain")
        elif not fitted.converged[row]:
            reasons.append("the fit did not converge")
        else:
            reasons.append("")
    return reasons
