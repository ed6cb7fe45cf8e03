"""FULLCOVARIANCE: gain, noise and the brighter-fatter coefficients of an amplifier from the covariances of its flats.

Equation 20 of Astier et al. (2019, arXiv:1905.08677), a series that ends with the fourth power of the signal.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, final

import numpy as np

from harness.metrics.ptc._compressed_lags import CompressedLags, Covariances
from harness.metrics.ptc._covariance_model import coefficients, powers, unpack
from harness.metrics.ptc.curve import MAX_LAG
from harness.metrics.ptc.exp_approximation import exp_approximation
from harness.metrics.ptc.fit import Fit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.metrics.ptc.curve import Curve

__all__ = ["CovarianceFit", "fit_full_covariance", "full_covariance"]

MIN_PAIRS = 6
"""One more than a quartic has coefficients, and each lag is a quartic of the mean."""
MAX_SIGMA = 5.0
"""Pairs with a covariance further than this from the model are left out."""
GROSS = 0.1
"""A variance this far (relative) from what the start predicts has no part in the first fit."""
MAX_ROUNDS = 10
MAX_EVALUATIONS = 500


@final
@dataclass(frozen=True, slots=True, eq=False)
class CovarianceFit:
    """What equation 20 says of an amplifier; where there is no result, `fit` has the reason and numbers are NaN.

    Attributes
    ----------
    fit
        Gain, noise and a00 as every fit has them; the turnoff is that of the fit it was started from.
    a, a_error : (r, r) float64
        Relative change of a pixel's area per electron at each lag (serial, parallel), 1/e-.
    b, b_error : (r, r) float64
        Relative change of a per electron, 1/e-; zero in the variant without b.
    noise, noise_error : (r, r) float64
        Covariance without light, e-²; at lag 0 the square of the read noise.
    chi2
        Sum of the squared residuals in units of their standard errors.
    degrees_of_freedom
        Number of covariances minus number of parameters.
    """

    fit: Fit
    a: NDArray[np.float64]
    a_error: NDArray[np.float64]
    b: NDArray[np.float64]
    b_error: NDArray[np.float64]
    noise: NDArray[np.float64]
    noise_error: NDArray[np.float64]
    chi2: float
    degrees_of_freedom: int


class _NoResultError(Exception):
    """Carries the reason why there is no fit out of the steps below; it never leaves this module."""


def full_covariance(
    mean: NDArray[np.float64],
    gain: float,
    a: NDArray[np.float64],
    b: NDArray[np.float64],
    noise: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the covariances of one flat by equation 20 of Astier et al. (2019).

    Parameters
    ----------
    mean : (n,) float64
        Mean signal, adu.
    gain
        e-/adu.
    a, b : (r, r) float64
        1/e-.
    noise : (r, r) float64
        e-².

    Returns
    -------
    (n, r, r) float64
        adu².
    """
    parameters = np.concatenate([[gain], np.ravel(a), np.ravel(a * b)])
    of_light = powers(mean, 1.0)[:, 1:] @ coefficients(parameters, len(a))[0].T
    return np.asarray(of_light.reshape(-1, *a.shape) + noise / gain**2)


def fit_full_covariance(curve: Curve, start: Fit, *, with_b: bool = True, max_lag: int = MAX_LAG) -> CovarianceFit:
    """Fit equation 20 to the covariances of an amplifier.

    All pairs up to the turnoff are fitted, also those above the reach of the approximation that ``start`` made.  Each
    covariance weighs by its standard error, and errors of different lags count as independent.  A pair is left out
    where any of its covariances is further than 5 standard errors from the model, or 5 times the scatter of its lag
    where that is larger: a model that does not fit shows in chi², it does not eat the data.

    Parameters
    ----------
    curve
        An amplifier with covariances and their standard errors.
    start
        The EXPAPPROXIMATION fit of the same curve: values to start from, the turnoff, and the pairs that it has left
        out within its reach.
    with_b
        Whether b is fitted; without, it is zero (FULLCOVARIANCE_NO_B).
    max_lag
        Lags from 0 to this are fitted in each direction.

    Returns
    -------
    CovarianceFit
        Standard errors are larger by sqrt(reduced chi²) where that is larger than 1.

    Notes
    -----
    Measured with simulated sensors of a00 = -3e-6 and 40 to 60 pairs:

    - The series ends with the fourth power.  For signals up to 130,000 e- the gain without b is 0.07 % too large and
      abs(a00) 1 % too small (0.015 % and 0.3 % up to 90,000 e-); with b, it is b that takes up most of it.
    - The noise of all lags enters lag 0 through the convolutions.  With b and 81 lags, b00 is low by half its standard
      error for 10⁶ pixels, by twice its error, and abs(a00) 5 % high, for 10⁵: then fewer lags are the better choice.
    - Lags that are left out change the gain by less than 1e-5 for a ``max_lag`` of 2 or more.
    """
    model = "FULLCOVARIANCE" if with_b else "FULLCOVARIANCE_NO_B"
    try:
        with np.errstate(all="ignore"):
            return _fit(_up_to(curve, max_lag), start, model)
    except _NoResultError as error:
        return _no_result(_up_to(curve, max_lag), model, str(error))


def _up_to(curve: Curve, max_lag: int) -> Curve:
    lags = np.s_[:, : max_lag + 1, : max_lag + 1]
    value, error = curve.covariance, curve.covariance_error
    return replace(
        curve,
        covariance=None if value is None else value[lags],
        covariance_error=None if error is None else error[lags],
    )


def _fit(curve: Curve, start: Fit, model: str) -> CovarianceFit:
    candidates = _select(curve, start)
    _require_enough(candidates)
    outliers = _gross_outliers(candidates, start)
    for _ in range(MAX_ROUNDS):
        data = candidates.without(outliers)
        _require_enough(data)
        lags = CompressedLags.from_covariances(data)
        guess = np.zeros(1 + lags.side**2 * (2 if model == "FULLCOVARIANCE" else 1))
        guess[:2] = start.gain, start.a00 * lags.scale
        parameters = _solve(lags, guess)
        before, outliers = outliers, _outliers(candidates, lags, parameters)
        if (outliers == before).all():
            return _result(model, start, data, lags, parameters)
    raise _NoResultError(f"which pairs are outliers has not settled in {MAX_ROUNDS} rounds")


def _select(curve: Curve, start: Fit) -> Covariances:
    if curve.covariance is None or curve.covariance_error is None:
        raise _NoResultError("no covariances have been measured")
    if not (np.isfinite(start.gain) and start.gain > 0 and np.isfinite(start.a00)):
        raise _NoResultError(
            f"there is no {start.model} fit to start from: {start.reason or 'its gain is not positive'}"
        )
    reach = np.max(curve.mean[start.used], initial=-np.inf)
    pairs = start.below_turnoff(curve) & (start.used | (curve.mean > reach))
    if not pairs.any():
        raise _NoResultError(f"none of {len(curve)} pairs can be used")
    return Covariances.from_curve(curve, pairs, _expected_variance(curve.mean[pairs], start))


def _expected_variance(mean: NDArray[np.float64], start: Fit) -> NDArray[np.float64]:
    return exp_approximation(mean, start.gain, start.a00, float(np.nan_to_num(start.noise)))


def _require_enough(data: Covariances) -> None:
    known = np.isfinite(data.value).sum(axis=0)
    fewest = int(known.argmin())
    if known[fewest] < MIN_PAIRS:
        lag = divmod(fewest, math.isqrt(known.size))
        raise _NoResultError(
            f"the covariance at lag {lag} is known of {known[fewest]} usable pairs; the fit needs {MIN_PAIRS} or more"
        )
    n_signals = np.unique(data.mean).size
    if n_signals < MIN_PAIRS:
        raise _NoResultError(f"the usable pairs have {n_signals} different signals; the fit needs {MIN_PAIRS} or more")


def _solve(lags: CompressedLags, guess: NDArray[np.float64]) -> NDArray[np.float64]:
    from scipy.optimize import least_squares

    if not np.isfinite(lags.residuals(coefficients(guess, lags.side)[0])).all():
        raise _NoResultError("the covariances are too large to be squared")
    # MINPACK, unlike the trust-region methods, uses no BLAS threads, which matrices this small only suffer from.
    solution = least_squares(
        lambda parameters: lags.residuals(coefficients(parameters, lags.side)[0]),
        guess,
        lambda parameters: lags.jacobian(coefficients(parameters, lags.side)[1]),
        method="lm",
        max_nfev=MAX_EVALUATIONS,
    )
    if not (solution.success and np.isfinite(solution.x).all() and solution.x[0] > 0):
        raise _NoResultError(f"the fit did not converge to a positive gain in {MAX_EVALUATIONS} steps")
    return np.asarray(solution.x)


def _gross_outliers(data: Covariances, start: Fit) -> NDArray[np.bool_]:
    """Find pairs to be left out of the first fit, which they would draw to themselves; later ones judge them anew."""
    expected = _expected_variance(data.mean, start)
    outliers = np.asarray(np.abs(data.value[:, 0] - expected) > GROSS * expected)
    if len(outliers) - outliers.sum() < MIN_PAIRS:
        raise _NoResultError(
            f"the covariance at lag (0, 0) is not what the {start.model} fit predicts"
            f" in {outliers.sum()} of {len(outliers)} pairs"
        )
    return outliers


def _outliers(data: Covariances, lags: CompressedLags, parameters: NDArray[np.float64]) -> NDArray[np.bool_]:
    made = coefficients(parameters, lags.side)[0]
    model = powers(data.mean, lags.scale) @ np.column_stack([lags.constants(made), made]).T
    distance = np.abs(data.value - model) / data.error
    scatter = 1.4826 * np.nanmedian(distance, axis=0)
    return np.asarray((distance > MAX_SIGMA * np.maximum(1, scatter)).any(axis=1))


def _result(
    model: str, start: Fit, data: Covariances, lags: CompressedLags, parameters: NDArray[np.float64]
) -> CovarianceFit:
    side, scale = lags.side, lags.scale
    made, slopes = coefficients(parameters, side)
    residuals = lags.residuals(made)
    chi2 = float(residuals @ residuals)
    degrees = int(np.isfinite(data.value).sum()) - parameters.size - side**2
    inflation = max(1.0, chi2 / degrees)
    covariance = inflation * _parameter_covariance(lags.jacobian(slopes))

    n_lags = side**2
    gain, a, c = unpack(parameters, side)
    variances = np.diag(covariance)
    gain_error, a_error = np.sqrt(variances[0]), np.sqrt(variances[1 : 1 + n_lags]) / scale
    b, b_error = np.zeros(n_lags), np.zeros(n_lags)
    if variances.size > 1 + n_lags:
        ratio = c / a
        together = np.diag(covariance, n_lags)[1:]
        spread = variances[1 + n_lags :] - 2 * ratio * together + ratio**2 * variances[1 : 1 + n_lags]
        b, b_error = ratio / scale, np.sqrt(spread) / np.abs(a) / scale

    constants = lags.constants(made)
    noise = gain**2 * constants
    of_noise = gain**2 * lags.constants_slopes(slopes)
    of_noise[:, 0] += 2 * gain * constants
    by_parameters = np.sum(of_noise @ covariance * of_noise, axis=1)
    noise_error = np.sqrt(by_parameters + inflation * (gain**2 * lags.constants_error) ** 2)
    read_noise = np.sqrt(noise[0]) if noise[0] > 0 else np.nan

    def matrix(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return values.reshape(side, side)

    return CovarianceFit(
        fit=Fit(
            model=model,
            gain=gain,
            gain_error=float(gain_error),
            noise=float(read_noise),
            noise_error=float(noise_error[0] / (2 * read_noise)),
            a00=float(a[0] / scale),
            a00_error=float(a_error[0]),
            reduced_chi2=chi2 / degrees,
            n_points=len(data.mean),
            turnoff=start.turnoff,
            turnoff_error=start.turnoff_error,
            used=data.pairs,
            converged=True,
        ),
        a=matrix(a / scale),
        a_error=matrix(a_error),
        b=matrix(b),
        b_error=matrix(b_error),
        noise=matrix(noise),
        noise_error=matrix(noise_error),
        chi2=chi2,
        degrees_of_freedom=degrees,
    )


def _parameter_covariance(jacobian: NDArray[np.float64]) -> NDArray[np.float64]:
    normal = jacobian.T @ jacobian
    try:
        inverse = np.linalg.inv(normal)
    except np.linalg.LinAlgError:
        inverse = np.full_like(normal, np.inf)
    # The condition number is below 1e4 for every ladder of signals that a fit can be made of.
    if not np.linalg.norm(normal, 1) * np.linalg.norm(inverse, 1) < 1e12:
        raise _NoResultError("the covariances do not determine all parameters")
    return np.asarray(inverse)


def _no_result(curve: Curve, model: str, reason: str) -> CovarianceFit:
    unknown = np.full((1, 1) if curve.covariance is None else curve.covariance.shape[1:], np.nan)
    return CovarianceFit(
        fit=Fit.failed(model, len(curve), reason),
        a=unknown,
        a_error=unknown,
        b=unknown,
        b_error=unknown,
        noise=unknown,
        noise_error=unknown,
        chi2=math.nan,
        degrees_of_freedom=0,
    )
