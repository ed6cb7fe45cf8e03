"""Limits of the parameters of a logistic curve, from its profile likelihood."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from harness.metrics.flavor.logistic import ALL, CEILING, maximum

if TYPE_CHECKING:
    from harness.metrics.flavor.logistic import Maximum, Trials

__all__ = ["profile_limit"]

#: Limits are good to this part of the depth they are at.
_PRECISION = 1e-3

_MAX_STEPS = 100


def profile_limit(
    trials: Trials, best: Maximum, parameter: int, direction: int, *, depth: float, error: float
) -> float:
    """Return where the largest likelihood at a held parameter has fallen to exp(-depth²/2) of the largest of all.

    Parameters
    ----------
    trials
        What succeeded and what failed.
    best
        Where the likelihood is largest.
    parameter
        The place of the curve (0) or its ceiling (2).
    direction
        1 for the upper limit, -1 for the lower one.
    depth
        In standard errors of a normal likelihood.
    error
        About the standard error; 0 where there is none.

    Returns
    -------
    limit
        Infinite where the likelihood of a place nowhere falls so far; at most 1 for a ceiling.
    """
    is_ceiling = parameter == CEILING
    if not is_ceiling and _depth(best.value, _value_at_infinity(trials, direction)) <= depth:
        return direction * math.inf
    inner = float(best.parameters[parameter])
    outer = float(direction > 0) if is_ceiling else direction * math.inf
    free = tuple(each for each in ALL if each != parameter)
    parameters = best.parameters.copy()
    at = 1.0 if is_ceiling and direction > 0 else inner + direction * depth * (error or 1.0)
    if at <= 0 and is_ceiling:
        at = inner / 2
    for _ in range(_MAX_STEPS):
        parameters[parameter] = at
        there = maximum(trials, parameters, free, tolerance=1e-6)
        fallen = _depth(best.value, there.value)
        if abs(fallen - depth) < _PRECISION * depth or (fallen < depth and at == outer):
            break
        inner, outer = (at, outer) if fallen < depth else (inner, at)
        parameters = there.parameters.copy()
        # The depth is nearly a straight line, and its slope is known: its square is twice what the likelihood lost.
        slope = -float(there.gradient[parameter]) / fallen if fallen else 0.0
        at = at + (depth - fallen) / slope if slope else math.nan
        if not min(inner, outer) < at < max(inner, outer):
            middle = (inner + outer) / 2
            at = middle if math.isfinite(middle) else 2 * inner - float(best.parameters[parameter])
    return at


def _depth(best: float, value: float) -> float:
    return math.sqrt(max(2 * (best - value), 0.0))


def _value_at_infinity(trials: Trials, direction: int) -> float:
    """Return what the profile tends to: an efficiency that is the same for all, at most one half below the curve."""
    n_found, n_missed = len(trials.found), len(trials.missed)
    share = n_found / (n_found + n_missed)
    if direction > 0:
        share = min(share, 0.5)
    return n_found * math.log(share) + n_missed * math.log1p(-share)
