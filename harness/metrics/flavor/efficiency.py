"""How the share of injections that are found depends on how bright they are.

Bins with exact intervals are for the eye.  Numbers come of a curve, ceiling / (1 + exp(-slope (x - x50))), by its
binomial likelihood: bright injections are lost too, to masks and neighbours, so that it has a ceiling (that of DMTN-256
has none, where the share dips to 0.8).

Intervals are where the profile likelihood has fallen by what the normal law asks for, and somewhat further:

- Of few injections the ratio of likelihoods has a wider law, by 1 + k/n (Bartlett 1937).
- Injections of one visit share its seeing and sky.  Where visits differ by more than chance lets them, it falls by the
  ratio of the two errors further (Chandler & Bate 2007), the one between visits with Student's law of their number.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias, final

import numpy as np

from harness.metrics.flavor.injection_fit import best_fit, sample_of
from harness.metrics.flavor.logistic import CEILING, PLACE
from harness.metrics.flavor.profile import profile_limit
from harness.model import Interval

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl
    from numpy.typing import NDArray

    from harness.metrics.flavor.injection_fit import InjectionFit

    Floats: TypeAlias = NDArray[np.float64]
    Bools: TypeAlias = NDArray[np.bool_]

__all__ = ["CONFIDENCE", "Curve", "binned_efficiency", "curve_change", "fit_curve"]

CONFIDENCE = 0.99
"""Coverage of intervals, and of those that stated uncertainties stand for."""

#: k and the least n of Bartlett's factor, for intervals to hold the truth as often as they say in simulations.
_BARTLETT = 5.0
_FEWEST = 10.0


@final
@dataclass(frozen=True, slots=True)
class Curve:
    """Efficiency as a function of signal-to-noise or magnitude.

    Attributes
    ----------
    x50
        Where half of the ceiling is reached.
    slope
        Of the logistic curve, per unit of x: negative for magnitudes, infinite for a step between two injections.
    ceiling
        Share of the brightest injections that are found.
    interval_x50, interval_ceiling
        Confidence intervals; an end of the first that the injections do not bound is infinite.
    uncertainty_x50, uncertainty_ceiling
        Standard uncertainties, whose normal intervals hold these.
    n_found, n, n_visits
        How many injections were found of how many, in how many visits.
    """

    x50: float
    slope: float
    ceiling: float
    interval_x50: Interval
    interval_ceiling: Interval
    uncertainty_x50: float
    uncertainty_ceiling: float
    n_found: int
    n: int
    n_visits: int

    def at(self, x: Floats) -> Floats:
        """Return the efficiency at each x, in the same shape."""
        from scipy.special import expit

        above = np.asarray(x, float) - self.x50
        if math.isinf(self.slope):
            return self.ceiling * np.heaviside(math.copysign(1, self.slope) * above, 0.5)
        return np.asarray(self.ceiling * expit(self.slope * above))


def fit_curve(
    x: Floats, found: Bools, cluster: NDArray[np.int64], *, falling: bool, confidence: float = CONFIDENCE
) -> Curve | str:
    """Fit the efficiency of injections.

    Parameters
    ----------
    x : (n,) float64
        Signal-to-noise or magnitude; injections without one (NaN) are left out.
    found : (n,) bool
        Which were found.
    cluster : (n,) int64
        Visit of each.  Of a single one, nothing is known of how visits differ.
    falling
        Whether a larger x is fainter, as magnitudes are.
    confidence
        Coverage of the intervals.

    Returns
    -------
    curve
        Or one sentence that says why it cannot be told.
    """
    fit = best_fit(sample_of(x, found, cluster, falling=falling))
    if isinstance(fit, str):
        return fit
    place, ceiling = _limits(fit, confidence)
    of_x50, of_ceiling = Interval(*sorted(map(fit.x, place))), Interval(*ceiling)
    share = float(fit.best.parameters[CEILING])
    return Curve(
        x50=fit.x50,
        slope=fit.slope,
        ceiling=share,
        interval_x50=of_x50,
        interval_ceiling=of_ceiling,
        uncertainty_x50=_stated(fit.x50, of_x50, confidence),
        uncertainty_ceiling=_stated(share, of_ceiling, confidence),
        n_found=len(fit.trials.found),
        n=len(fit.sample.found),
        n_visits=len(np.unique(fit.sample.cluster)),
    )


def curve_change(
    x: Floats, found: Bools, found_reference: Bools, cluster: NDArray[np.int64], *, falling: bool
) -> tuple[float, float] | str:
    """Return how far the curve of a rerun lies from that of a reference, of the same injections.

    An injection that both found, or neither, moves both curves alike.  The uncertainty is therefore that of the
    differences between the two influences of each injection, summed by visit.

    Parameters
    ----------
    x : (n,) float64
        Signal-to-noise or magnitude; injections without one (NaN) are left out.
    found, found_reference : (n,) bool
        Which the rerun and the reference found.
    cluster : (n,) int64
        Visit of each.
    falling
        Whether a larger x is fainter, as magnitudes are.

    Returns
    -------
    change, uncertainty
        x50 of the rerun less that of the reference, and its standard uncertainty.  Or one sentence that says why it
        cannot be told.
    """
    known = np.isfinite(x)
    # Influences are summed in an order that is not that of the rows, and the same for both sides.
    order = np.flatnonzero(known)[np.lexsort((found_reference[known], found[known], cluster[known], x[known]))]
    x, cluster = x[order], cluster[order]
    fits, influences = [], []
    for name, side in (("rerun", found[order]), ("reference", found_reference[order])):
        fit = best_fit(sample_of(x, side, cluster, falling=falling))
        if isinstance(fit, str):
            return f"{name}: {fit}"
        if fit.is_step:
            return f"{name}: the share that is found is a step between two injections, of unknown uncertainty"
        fits.append(fit)
        influences.append(fit.influence(x, side)[:, [PLACE]] * fit.width)
    moved = influences[0] - influences[1]
    # That none moved does not mean that none could have: one more of the most influential injections is allowed for.
    by_chance = math.sqrt(float(np.sum(moved**2)) + float(np.abs(influences).max()) ** 2)
    return fits[0].x50 - fits[1].x50, max(by_chance, float(_between(moved, cluster, CONFIDENCE)[0]))


def binned_efficiency(x: Floats, found: Bools, edges: Sequence[float], confidence: float = 0.95) -> pl.DataFrame:
    """Return the share of injections that were found in ranges of x, with its exact interval.

    Parameters
    ----------
    x, found : (n,)
        Signal-to-noise or magnitude of the injections, and which were found.
    edges : (bins + 1,)
        Ends of the ranges, ascending; the lower one belongs to its range.
    confidence
        Coverage of the intervals (Clopper & Pearson 1934).

    Returns
    -------
    bins : `polars.DataFrame`
        ``low``, ``high``, ``n``, ``found``, ``efficiency`` (NaN where there is no injection), ``ciLow``, ``ciHigh``.
    """
    import polars as pl
    from scipy.special import betaincinv

    ends = np.asarray(edges, float)
    place = np.searchsorted(ends, x, side="right")  # 0 is before the first range; NaN is sorted last
    n, n_found = (np.bincount(place[chosen], minlength=len(ends) + 1)[1:-1] for chosen in (..., found))
    n_missed, tail = n - n_found, (1 - confidence) / 2
    low = np.where(n_found > 0, betaincinv(np.maximum(n_found, 1), n_missed + 1, tail), 0.0)
    high = np.where(n_missed > 0, betaincinv(n_found + 1, np.maximum(n_missed, 1), 1 - tail), 1.0)
    with np.errstate(invalid="ignore"):
        efficiency = n_found / n
    return pl.DataFrame(
        {
            "low": ends[:-1],
            "high": ends[1:],
            "n": n,
            "found": n_found,
            "efficiency": efficiency,
            "ciLow": low,
            "ciHigh": high,
        }
    )


def _limits(fit: InjectionFit, confidence: float) -> list[list[float]]:
    """Return the confidence limits, lower and upper, of the place and of the ceiling in units u."""
    from scipy.special import ndtri

    sample, errors = fit.sample, fit.errors()
    influence = fit.influence(sample.sign * sample.bright, sample.found)
    between = _between(influence, sample.cluster, confidence)
    normal = float(ndtri((1 + confidence) / 2)) * math.sqrt(1 + _BARTLETT / max(fit.n_informative, _FEWEST))
    limits = []
    for parameter in (PLACE, CEILING):
        error = float(errors[parameter])
        depth = normal * max(1.0, float(between[parameter]) / error if error else 0.0)
        limits.append(
            [profile_limit(fit.trials, fit.best, parameter, way, depth=depth, error=error) for way in (-1, 1)]
        )
    return limits


def _between(influence: Floats, cluster: NDArray[np.int64], confidence: float) -> Floats:
    """Return standard errors by the scatter between clusters, (k,) of (n, k); 0 where there is but one.

    They are widened by as much as Student's law is wider than the normal one at that confidence.
    """
    from scipy.special import ndtri, stdtrit

    _, number = np.unique(cluster, return_inverse=True)
    sums = np.stack([np.bincount(number, column) for column in influence.T])
    n, tail = sums.shape[1], (1 + confidence) / 2
    if n < 2:
        return np.zeros(len(sums))
    return np.asarray(np.sqrt(n / (n - 1) * (sums**2).sum(1)) * float(stdtrit(n - 1, tail) / ndtri(tail)))


def _stated(value: float, interval: Interval, confidence: float) -> float:
    """Return the standard uncertainty whose normal interval holds one of some coverage."""
    from scipy.special import ndtri

    return max(value - interval.low, interval.high - value) / float(ndtri((1 + confidence) / 2))
