"""The efficiency curve of a set of injections: the one of largest likelihood, and how each injection pulls at it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias, final

import numpy as np

from harness.metrics.flavor.logistic import ALL, PLACE, SLOPE, Maximum, Trials, inverse, maximum, scores

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float64]
    Bools: TypeAlias = NDArray[np.bool_]

__all__ = ["InjectionFit", "Sample", "best_fit", "sample_of"]

#: Curves whose logarithms of likelihoods are closer are equally likely.
_EQUAL = 1e-6


@final
@dataclass(frozen=True, slots=True)
class Sample:
    """Injections of known brightness in ascending order of it, so that the order they came in does not matter.

    Attributes
    ----------
    bright : (n,) float64
        Signal-to-noise or magnitude, with the sign turned where a larger one is fainter.
    found : (n,) bool
        Which were found.
    cluster : (n,) int64
        Visit of each.
    sign
        1, or -1 where it was turned.
    """

    bright: Floats
    found: Bools
    cluster: NDArray[np.int64]
    sign: int


@final
@dataclass(frozen=True, slots=True)
class InjectionFit:
    """The most likely curve, in units u = (bright - centre)/width.

    Attributes
    ----------
    sample
        What it is fitted to.
    trials
        The same in units u.
    best
        The curve; for a step, its place and ceiling.
    centre, width
        What u is counted from, and its unit.
    is_step
        Whether no curve is more likely than a step.
    """

    sample: Sample
    trials: Trials
    best: Maximum
    centre: float
    width: float
    is_step: bool = False

    def x(self, u: float) -> float:
        """Return the signal-to-noise or magnitude of u."""
        return self.sample.sign * float(self.centre + self.width * u)

    @property
    def x50(self) -> float:
        """Where half of the ceiling is reached."""
        return self.x(float(self.best.parameters[PLACE]))

    @property
    def slope(self) -> float:
        """Slope per unit of x; infinite for a step."""
        return self.sample.sign * (math.inf if self.is_step else math.exp(self.best.parameters[SLOPE]) / self.width)

    @property
    def n_informative(self) -> float:
        """How many injections right at one half would tell as much of the curve's place; none for a step."""
        if self.is_step:
            return 0.0
        return -4 * float(self.best.hessian[PLACE, PLACE]) / math.exp(2 * self.best.parameters[SLOPE])

    def errors(self) -> Floats:
        """Return standard errors by the likelihood, (3,) in units u; 0 for what is not free."""
        return np.sqrt(np.maximum(np.diag(inverse(self.best)), 0.0))

    def influence(self, x: Floats, found: Bools) -> Floats:
        """Return how far each injection moves each parameter (Hampel 1974).

        Parameters
        ----------
        x, found : (n,)
            Signal-to-noise or magnitude, and which were found: those that it is fitted to, in any order.

        Returns
        -------
        moved : (n, 3) float64
            In units u; with the sign of brightness for the place.
        """
        u = (self.sample.sign * x - self.centre) / self.width
        return scores(u, found, self.best.parameters) @ inverse(self.best)


def sample_of(x: Floats, found: Bools, cluster: NDArray[np.int64], *, falling: bool) -> Sample:
    """Return the injections whose signal-to-noise or magnitude is known, in order.

    Parameters
    ----------
    x, found, cluster : (n,)
        Signal-to-noise or magnitude, which were found, and visits.
    falling
        Whether a larger x is fainter.
    """
    sign = -1 if falling else 1
    known = np.flatnonzero(np.isfinite(x))
    bright, is_found, visit = sign * x[known], found[known], cluster[known]
    order = np.lexsort((visit, is_found, bright))
    return Sample(bright[order], is_found[order], visit[order], sign)


def best_fit(sample: Sample) -> InjectionFit | str:
    """Return the curve of largest likelihood, or one sentence that says why there is none."""
    bright, found = sample.bright, sample.found
    n, n_found = len(found), int(found.sum())
    if not n:
        return "there is no injection whose brightness is known"
    faintest, brightest = sample.sign * float(bright[0]), sample.sign * float(bright[-1])
    if not n_found:
        return f"none of {n} injections was found, the brightest of which is at {brightest:.4g}"
    if n_found == n:
        return f"all {n} injections were found: the share falls to half beyond the faintest of them, at {faintest:.4g}"
    centre, width, ceiling = _start(bright, found)
    trials = Trials((bright[found] - centre) / width, (bright[~found] - centre) / width)
    # With a ceiling of 1 there is a second maximum at times.
    maxima = (
        maximum(trials, np.array([0.0, 0.0, ceiling]), ALL),
        maximum(trials, np.array([0.0, 0.0, 1.0]), (PLACE, SLOPE)),
    )
    fit = _step_if_likely(InjectionFit(sample, trials, max(maxima, key=lambda each: each.value), centre, width))
    place = centre + width * float(fit.best.parameters[PLACE])
    if not bright[0] <= place <= bright[-1]:
        low, high = sorted((faintest, brightest))
        return (
            f"{n_found} of {n} injections were found, but where the share falls to half of its largest is beyond "
            f"all of them, which are from {low:.4g} to {high:.4g}"
        )
    return fit


def _start(bright: Floats, found: Bools) -> tuple[float, float, float]:
    """Return about the place, width and ceiling of the curve, of the rising stairs of largest likelihood."""
    from scipy.optimize import isotonic_regression

    n = len(found)
    stairs = isotonic_regression(found.astype(float)).x
    ceiling = min(float(found[-max(n // 4, 1) :].mean()), 1 - 1 / (2 * n)) or 0.5
    at = np.minimum(np.searchsorted(stairs, [0.25 * ceiling, 0.5 * ceiling, 0.75 * ceiling]), n - 1)
    low, middle, high = bright[at].tolist()
    # A logistic curve rises from a quarter to three quarters within 2 ln 3 of its widths.
    width = (high - low) / (2 * math.log(3)) or float(bright[-1] - bright[0]) / n or 1.0
    return middle, width, ceiling


def _step_if_likely(fit: InjectionFit) -> InjectionFit:
    """Return the step in the middle between two injections, where no curve is more likely; else the fit."""
    found, missed = fit.trials.found, fit.trials.missed
    n_below = int(np.searchsorted(missed, found[0]))
    n_found, n_missed = len(found), len(missed) - n_below
    ceiling = n_found / (n_found + n_missed)
    value = n_found * math.log(ceiling) + (n_missed * math.log1p(-ceiling) if n_missed else 0.0)
    if value < fit.best.value - _EQUAL:
        return fit
    place = (missed[n_below - 1] + found[0]) / 2 if n_below else -math.inf
    parameters = np.array([place, fit.best.parameters[SLOPE], ceiling])
    return replace(fit, best=replace(fit.best, parameters=parameters, value=value, free=()), is_step=True)
