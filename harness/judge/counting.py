"""Exact laws of counts, used where they hold instead of resampling."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from harness.model import Interval

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.judge.quantity import Quantity

__all__ = [
    "binomial_interval",
    "chance_of_equality",
    "counting_error",
    "counting_interval",
    "difference_interval",
    "exchange_interval",
    "poisson_interval",
]

_ONE_SIGMA = math.erf(math.sqrt(0.5))


def poisson_interval(count: float, confidence: float) -> Interval:
    """Return the exact central interval of a Poisson mean (Garwood 1936), also for a scaled, non-integer count."""
    from scipy.special import gammaincinv

    tail = (1 - confidence) / 2
    low = float(gammaincinv(count, tail)) if count > 0 else 0.0
    return Interval(low, float(gammaincinv(count + 1, 1 - tail)))


def binomial_interval(successes: float, trials: float, confidence: float) -> Interval:
    """Return the exact interval of a share (Clopper & Pearson 1934)."""
    from scipy.special import betaincinv

    tail = (1 - confidence) / 2
    failures = trials - successes
    low = float(betaincinv(successes, failures + 1, tail)) if successes > 0 else 0.0
    high = float(betaincinv(successes + 1, failures, 1 - tail)) if failures > 0 else 1.0
    return Interval(low, high)


#: From so few coadds with any success (or failure) their scatter is not known; chosen by simulation.
_FEW_COADDS = 5


def counting_interval(quantity: Quantity, confidence: float) -> Interval:
    """Return the interval that counting alone allows for a counted quantity, visits being of no account.

    Poisson for a sum; binomial for a share (no unit's numerator above its denominator); for another ratio of counts
    the exact law of two Poisson means, whose numerator is binomial once the sum of both counts is given.  For gained
    and lost items, `exchange_interval`.
    """
    total = float(quantity.numerator.sum())
    if quantity.denominator is None:
        return poisson_interval(max(total, 0.0), confidence)
    divisor = float(quantity.denominator.sum())
    if quantity.is_exchange and quantity.uncertainty is not None:
        has_items = quantity.denominator > 0
        n_moved = np.rint((quantity.uncertainty * quantity.denominator)[has_items] ** 2).sum()
        net = exchange_interval((n_moved + total) / 2, (n_moved - total) / 2, confidence)
        return Interval(net.low / divisor, net.high / divisor)
    if bool(np.all(quantity.numerator <= quantity.denominator)):
        trials = _independent_trials(quantity, divisor, confidence)
        return binomial_interval(total / divisor * trials, trials, confidence)
    share = binomial_interval(total, total + divisor, confidence)
    return Interval(share.low / (1 - share.low), share.high / (1 - share.high) if share.high < 1 else math.inf)


def _independent_trials(quantity: Quantity, trials: float, confidence: float) -> float:
    """Return how many independent trials a share is worth.

    Visits that are compared with one coadd are not independent: they are worth as many as give the scatter between
    coadds, less what is not known of that scatter (Korn & Graubard 1998, with their correction for degrees of
    freedom).  Where nearly all coadds agree on none, or on all, next to nothing is known of it: each is one trial.
    """
    if quantity.metric.per != "coadd" or quantity.n_units < 2 or quantity.denominator is None:
        return trials
    n_coadds = float(np.count_nonzero(quantity.denominator))
    value, error = quantity.value, quantity.standard_error
    with_some = np.count_nonzero(quantity.numerator), np.count_nonzero(quantity.denominator - quantity.numerator)
    if not error or min(with_some) < _FEW_COADDS:
        return min(n_coadds, trials)
    from scipy.special import stdtrit

    tail = (1 - confidence) / 2
    known = (stdtrit(trials - 1, tail) / stdtrit(n_coadds - 1, tail)) ** 2 if n_coadds > 1 else 0.0
    return float(min(max(value * (1 - value) / error**2 * known, 1.0), trials))


def counting_error(quantity: Quantity) -> float:
    """Return the standard uncertainty that counting alone gives: half the exact 68 % interval."""
    interval = counting_interval(quantity, _ONE_SIGMA)
    return (interval.high - interval.low) / 2


def difference_interval(first: float, of_first: Interval, second: float, of_second: Interval) -> Interval:
    """Return the interval of a difference of two independent values from the intervals of both.

    The distances to opposite limits add in quadrature (method of variance estimates recovery, Zou & Donner 2008), so
    that unequal tails stay unequal.
    """
    below = math.hypot(first - of_first.low, of_second.high - second)
    above = math.hypot(of_first.high - first, second - of_second.low)
    return Interval(first - second - below, first - second + above)


def exchange_interval(gained: float, lost: float, confidence: float) -> Interval:
    """Return the interval of a net gain of items that two sides have both seen, one by one.

    Gained and lost items are two Poisson counts.  For few of them alone, that would leave out zero more often than it
    may; so the interval holds that of the exact law too, by which gained items are binomial once gained and lost ones
    together are given (McNemar 1947): it leaves out zero only where the exact test does.
    """
    moved = gained + lost
    net = difference_interval(gained, poisson_interval(gained, confidence), lost, poisson_interval(lost, confidence))
    share = binomial_interval(gained, moved, confidence)
    return Interval(min(net.low, moved * (2 * share.low - 1)), max(net.high, moved * (2 * share.high - 1)))


def chance_of_equality(counts: NDArray[np.float64]) -> float:
    """Return the probability that independent Poisson counts of these means repeat themselves, all of them.

    Two draws of mean ``m`` are equal with probability ``exp(-2m) I0(2m)`` (Skellam 1946).
    """
    from scipy.special import ive

    return float(np.prod(ive(0, 2 * counts)))
