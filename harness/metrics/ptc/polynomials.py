"""Formulas without physics in them: a line, a quadratic and a power law, fitted where the signal says."""

from __future__ import annotations

from dataclasses import dataclass
from math import nan
from typing import TYPE_CHECKING, Literal, Self, final

import numpy as np

from harness.metrics.ptc.turnoff import REJECTED_BEYOND

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

    from harness.metrics.ptc.curve import Curve

__all__ = ["FormulaFit", "Model", "fit_line", "fit_power_law", "fit_quadratic"]

Model = Literal["LINE", "QUADRATIC", "POWER_LAW"]

_MAX_ROUNDS = 10


@final
@dataclass(frozen=True, slots=True, eq=False)
class FormulaFit:
    """A formula fitted to a curve, or why there is none; then the numbers are NaN.

    Attributes
    ----------
    model
        Which formula.
    parameters, errors : (k,) float64
        Coefficients of µ⁰, µ¹, ... (adu², adu, 1, ...), or of a power law the amplitude at µ = 1 adu (adu²) and the
        exponent; and their standard errors.
    gain, gain_error
        Inverse of the linear coefficient, e-/adu; NaN for a power law, which has none.
    reduced_chi2
        χ² per degree of freedom in errors known beforehand; NaN where there is no pair to spare, or no number of
        pixels.  Errors are multiplied by its square root where it exceeds 1.
    n_points
        Pairs that the fit rests on.
    used : (n,) bool
        Which pairs of the curve these are.
    reason
        Why there is no result; empty where there is one.
    """

    model: Model
    parameters: NDArray[np.float64]
    errors: NDArray[np.float64]
    gain: float
    gain_error: float
    reduced_chi2: float
    n_points: int
    used: NDArray[np.bool_]
    reason: str = ""

    @classmethod
    def failed(cls, model: Model, n_pairs: int, reason: str) -> Self:
        """Return the result of a fit of `n_pairs` pairs that cannot be done."""
        unknown = np.full(3 if model == "QUADRATIC" else 2, nan)
        return cls(model, unknown, unknown, nan, nan, nan, 0, np.zeros(n_pairs, bool), reason)

    def variance(self, mean: ArrayLike) -> NDArray[np.float64]:
        """Return the variance of the formula at these signals (adu), adu²."""
        mean = np.asarray(mean, float)
        if self.model == "POWER_LAW":
            return np.asarray(self.parameters[0] * mean ** self.parameters[1])
        return np.asarray(np.polynomial.polynomial.polyval(mean, self.parameters))


def fit_line(curve: Curve, low: float, high: float) -> FormulaFit:
    """Fit variance = c₀ + µ/g to the pairs whose signal is between `low` and `high`, adu, both included.

    Too few pairs, or a line that falls, is a reason in the result.
    """
    return _fit_polynomial("LINE", curve, low, high)


def fit_quadratic(curve: Curve, turnoff: float) -> FormulaFit:
    """Fit variance = c₀ + µ/g + c₂ µ² to the pairs up to the turnoff, adu; c₂ is near a00."""
    return _fit_polynomial("QUADRATIC", curve, 0.0, turnoff)


def fit_power_law(curve: Curve, turnoff: float) -> FormulaFit:
    """Fit variance = A µᵖ, as a line in the logarithms, to the pairs up to the turnoff, adu."""
    window = _window(curve, 0.0, turnoff)
    log_mean = np.log(curve.mean[window])
    design = np.stack([np.ones_like(log_mean), log_mean], axis=1)
    log_variance = np.log(curve.variance[window])
    solved = _solve(design, log_variance, _sigma(curve, window), np.ones_like)
    if isinstance(solved, str):
        return FormulaFit.failed("POWER_LAW", len(curve), solved)
    amplitude = np.exp(solved.values[0])
    errors = np.sqrt(np.diag(solved.covariance)) * [amplitude, 1]
    used = _spread(window, solved.kept)
    parameters = np.array([amplitude, solved.values[1]])
    return FormulaFit("POWER_LAW", parameters, errors, nan, nan, solved.reduced_chi2, int(used.sum()), used)


@final
@dataclass(frozen=True, slots=True, eq=False)
class _Solution:
    values: NDArray[np.float64]
    covariance: NDArray[np.float64]
    kept: NDArray[np.bool_]
    reduced_chi2: float


def _fit_polynomial(model: Model, curve: Curve, low: float, high: float) -> FormulaFit:
    window = _window(curve, low, high)
    degree = 2 if model == "QUADRATIC" else 1
    mean = curve.mean[window]
    # In units of the largest signal, all coefficients are of like size.
    unit = mean.max(initial=1.0)
    design = (mean / unit)[:, None] ** np.arange(degree + 1)
    solved = _solve(design, curve.variance[window], _sigma(curve, window), lambda expected: expected)
    if isinstance(solved, str):
        return FormulaFit.failed(model, len(curve), solved)
    units = unit ** -np.arange(degree + 1.0)
    parameters = solved.values * units
    if not parameters[1] > 0:
        return FormulaFit.failed(model, len(curve), "the variance does not grow with the signal")
    errors = np.sqrt(np.diag(solved.covariance)) * units
    used = _spread(window, solved.kept)
    gain = float(1 / parameters[1])
    gain_error = float(errors[1]) * gain**2
    return FormulaFit(model, parameters, errors, gain, gain_error, solved.reduced_chi2, int(used.sum()), used)


def _window(curve: Curve, low: float, high: float) -> NDArray[np.bool_]:
    with np.errstate(invalid="ignore"):
        return np.asarray(curve.measured & (curve.mean >= low) & (curve.mean <= high))


def _spread(window: NDArray[np.bool_], kept: NDArray[np.bool_]) -> NDArray[np.bool_]:
    used = window.copy()
    used[window] = kept
    return used


def _sigma(curve: Curve, window: NDArray[np.bool_]) -> NDArray[np.float64] | None:
    """Return the relative standard errors of the variances; None where they are not known for all of them."""
    n_pixels = curve.n_pixels[window]
    known = np.isfinite(n_pixels) & (n_pixels > 0)
    return np.sqrt(2 / n_pixels) if known.all() else None


def _solve(
    design: NDArray[np.float64],
    values: NDArray[np.float64],
    sigma: NDArray[np.float64] | None,
    size: Callable[[NDArray[np.float64]], NDArray[np.float64]],
) -> _Solution | str:
    """Solve by weighted least squares, or say why not.

    The standard error of a value is `sigma` times the `size` of the model there; pairs of more than 5 of them, or of
    5 times the scatter where that is more, are left out.
    """
    n_values = design.shape[1]
    relative = np.ones(len(values)) if sigma is None else sigma
    least = n_values + (sigma is None)
    kept = np.ones(len(values), bool)
    errors = relative * size(values)
    for _ in range(_MAX_ROUNDS):
        if np.count_nonzero(kept) < least or np.linalg.matrix_rank(design[kept]) < n_values:
            return f"{np.count_nonzero(kept)} pairs in the range do not determine the {n_values} parameters"
        weighted = design[kept] / errors[kept, None]
        covariance = np.linalg.inv(weighted.T @ weighted)
        solution = covariance @ (weighted.T @ (values[kept] / errors[kept]))
        expected = design @ solution
        pulls = np.abs(values - expected) / errors
        chi2 = float(np.sum(pulls[kept] ** 2))
        degrees = np.count_nonzero(kept) - n_values
        reduced = chi2 / degrees if degrees else nan
        scatter = float(np.median(pulls)) / 0.6745 * np.sqrt(pulls.size / max(pulls.size - n_values, 1))
        on_model = pulls <= REJECTED_BEYOND * (scatter if sigma is None else max(1.0, scatter))
        # A variance that measured low must not weigh more for it: the model says how much it scatters.
        improved = relative * np.where(size(expected) > 0, size(expected), size(values))
        if (on_model == kept).all() and np.allclose(improved, errors, rtol=1e-6, atol=0):
            break
        kept, errors = on_model, improved
    scale = reduced if sigma is None else max(1.0, reduced)
    return _Solution(solution, covariance * scale, kept, nan if sigma is None else reduced)
