"""A logistic curve with a ceiling: the binomial likelihood of trials, and where it is largest.

The share of trials that succeed is c/(1 + exp(-e^s (u - b))), with the parameters (b, s, c): where half of the ceiling
is reached, the logarithm of the slope there, and the ceiling, which is at most 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias, final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float64]

__all__ = ["ALL", "CEILING", "PLACE", "SLOPE", "Maximum", "Trials", "inverse", "maximum", "scores"]

ALL = PLACE, SLOPE, CEILING = (0, 1, 2)
"""Numbers of the parameters b, s and c."""

#: exp of more is not squared without overflow; a share differs from 0 or its ceiling by 1e-130 there.
_STEEPEST = 300.0

#: Trials that are looked at together: their temporaries stay in the cache.
_BLOCK = 8192

#: The largest change of each parameter in one step, that of b in units of the width of the curve.
_LONGEST = np.array([2.0, 1.0, 1.0])

#: A transition this many times narrower than at the start is a step: s is not followed any further.
_NARROWEST = 12.0

_MAX_STEPS = 200


@final
@dataclass(frozen=True, slots=True)
class Trials:
    """Where trials succeeded and where they failed, each in ascending order.

    Attributes
    ----------
    found, missed
        Values of u: the larger, the easier.
    """

    found: Floats
    missed: Floats

    def blocks(self) -> Iterator[tuple[Floats, bool]]:
        """Yield all trials, block by block, and whether they succeeded."""
        for values, is_found in ((self.found, True), (self.missed, False)):
            for start in range(0, len(values), _BLOCK):
                yield values[start : start + _BLOCK], is_found


@final
@dataclass(frozen=True, slots=True)
class Maximum:
    """Where a likelihood is largest.

    Attributes
    ----------
    parameters : (3,) float64
        (b, s, c).
    value
        Logarithm of the likelihood.
    gradient : (3,) float64
    hessian : (3, 3) float64
        Its derivatives there.
    free
        Numbers of the parameters that are neither held nor at an end of their range.
    """

    parameters: Floats
    value: float
    gradient: Floats
    hessian: Floats
    free: tuple[int, ...]


def maximum(trials: Trials, start: Floats, free: tuple[int, ...] = ALL, tolerance: float = 1e-9) -> Maximum:
    """Return the maximum of the likelihood that Newton's method climbs to.

    Where the likelihood is not concave, the step goes uphill along the eigenvectors of its second derivatives.

    Parameters
    ----------
    trials
        What succeeded and what failed, u in units of about the width of the curve.
    start : (3,) float64
        Parameters to start from.
    free
        Numbers of the parameters to vary; the others are held.
    tolerance
        How much of the logarithm of the likelihood may be left.
    """
    here = _likelihood(trials, start, free)
    for _ in range(_MAX_STEPS):
        if not here.free:
            break
        step, gain = _uphill(here)
        if gain < tolerance:
            break
        there = _likelihood(trials, _moved(here.parameters, step), free)
        while not there.value > here.value and gain > tolerance:
            step, gain = step / 4, gain / 4
            there = _likelihood(trials, _moved(here.parameters, step), free)
        if not there.value > here.value:
            break
        here = there
    return here


def inverse(of: Maximum) -> Floats:
    """Return the inverse of the observed information, (3, 3): zero for what is not free."""
    covariance = np.zeros((3, 3))
    chosen = np.ix_(of.free, of.free)
    covariance[chosen] = np.linalg.pinv(-of.hessian[chosen], hermitian=True)
    return covariance


def scores(u: Floats, found: NDArray[np.bool_], parameters: Floats) -> Floats:
    """Return the derivatives of the logarithm of the likelihood of each trial, (n, 3).

    Parameters
    ----------
    u, found : (n,)
        Where the trials are, and which succeeded.
    parameters : (3,) float64
        (b, s, c).
    """
    slope, ceiling = np.exp(parameters[SLOPE]), parameters[CEILING]
    eta, share, rest = _share(u, parameters)
    miss = rest + (1 - ceiling) * share
    by_eta = np.where(found, rest, -ceiling * share * rest / miss)
    by_ceiling = np.where(found, 1 / ceiling, -share / miss)
    return np.column_stack([-slope * by_eta, eta * by_eta, by_ceiling])


def _share(u: Floats, parameters: Floats) -> tuple[Floats, Floats, Floats]:
    """Return eta = e^s (u - b), and the share of the ceiling that is reached and that is not."""
    eta = np.clip(np.exp(parameters[SLOPE]) * (u - parameters[PLACE]), -_STEEPEST, _STEEPEST)
    power = np.exp(-eta)
    share = 1 / (1 + power)
    return eta, share, power * share


def _likelihood(trials: Trials, parameters: Floats, free: tuple[int, ...]) -> Maximum:
    """Return the logarithm of the likelihood and its derivatives.

    With l the logarithm of the likelihood of one trial, the sums are those of l_eta, eta l_eta, l_c, and so on.
    """
    ceiling = float(parameters[CEILING])
    value, first, second = 0.0, np.zeros(3), np.zeros(6)
    for u, is_found in trials.blocks():
        eta, share, rest = _share(u, parameters)
        if is_found:
            value += float(np.log(share).sum())
            slope, curvature = rest, -share * rest
            first += np.array([slope.sum(), slope @ eta, 0.0])
            second[:3] += np.array([curvature.sum(), curvature @ eta, curvature @ (eta * eta)])
        else:
            miss = rest + (1 - ceiling) * share
            value += float(np.log(miss).sum())
            odds = share / miss
            slope = -ceiling * odds * rest
            curvature = slope * (rest - share) - slope * slope
            mixed = -odds * rest / miss
            first += np.array([slope.sum(), slope @ eta, -odds.sum()])
            second[:3] += np.array([curvature.sum(), curvature @ eta, curvature @ (eta * eta)])
            second[3:] += np.array([mixed.sum(), mixed @ eta, -(odds @ odds)])
    n_found = len(trials.found)
    value += n_found * float(np.log(ceiling))
    gradient, hessian = _by_parameters(first, second, float(np.exp(parameters[SLOPE])))
    gradient[CEILING] += n_found / ceiling
    hessian[CEILING, CEILING] -= n_found / ceiling**2
    at_end = (False, parameters[SLOPE] >= _NARROWEST and gradient[SLOPE] > 0, ceiling >= 1 and gradient[CEILING] > 0)
    return Maximum(parameters, value, gradient, hessian, tuple(each for each in free if not at_end[each]))


def _by_parameters(first: Floats, second: Floats, slope: float) -> tuple[Floats, Floats]:
    """Return gradient and Hessian in (b, s, c), of sums of derivatives by (eta, c)."""
    by_eta, eta_by_eta, by_c = first
    twice, eta_twice, eta_eta_twice, mixed, eta_mixed, c_twice = second
    bs, bc = -slope * (eta_twice + by_eta), -slope * mixed
    hessian = [
        [slope**2 * twice, bs, bc],
        [bs, eta_eta_twice + eta_by_eta, eta_mixed],
        [bc, eta_mixed, c_twice],
    ]
    return np.array([-slope * by_eta, eta_by_eta, by_c]), np.array(hessian)


def _uphill(here: Maximum) -> tuple[Floats, float]:
    """Return Newton's step, no longer than is sensible, and what it should gain."""
    chosen = list(here.free)
    scale = np.array([np.exp(-here.parameters[SLOPE]), 1.0, 1.0])[chosen]  # the width of the curve, for b
    gradient = here.gradient[chosen] * scale
    values, vectors = np.linalg.eigh(-here.hessian[np.ix_(chosen, chosen)] * np.outer(scale, scale))
    values = np.maximum(np.abs(values), 1e-9 * np.abs(values).max() + 1e-300)
    newton = vectors @ ((vectors.T @ gradient) / values)
    step = np.zeros(3)
    step[chosen] = newton * scale / max(1.0, float(np.max(np.abs(newton) / _LONGEST[chosen])))
    return step, float(gradient @ newton) / 2


def _moved(parameters: Floats, step: Floats) -> Floats:
    """Return parameters after a step, inside their ranges."""
    moved = parameters + step
    moved[SLOPE] = min(moved[SLOPE], _NARROWEST)
    moved[CEILING] = min(max(moved[CEILING], parameters[CEILING] / 2), 1.0)
    return moved
