"""Estimands: what an expectation is about, with its confidence interval.

Two sides are always compared over the units (visits, amplifiers) that both have.  A single one has no scatter: its
interval is infinite, unless its numbers are a census, are identical (`harness.judge.interval`), carry an uncertainty of
their own, or are counts of a whole rerun, which leave nothing but counting errors.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, final

import numpy as np

from harness.judge.counting import binomial_interval, counting_interval, difference_interval, poisson_interval
from harness.judge.interval import (
    EVERYTHING,
    are_equal,
    clipped,
    event_interval,
    is_beyond_chance,
    normal_interval,
    resampled_interval,
    spread,
    union,
)
from harness.model import Interval

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from harness.judge.accepted import Accepted
    from harness.judge.quantity import Quantity

__all__ = ["CONFIDENCE", "Estimate", "NotComparableError", "change", "change_from", "level", "ratio", "share"]

CONFIDENCE = 0.99


@final
class NotComparableError(Exception):
    """Two numbers cannot be compared; the message is the reason.  A verdict says it, no user sees it raised."""


@final
@dataclass(frozen=True, slots=True)
class Estimate:
    """An estimand's value and what is known about it.

    Attributes
    ----------
    value
        Point estimate.
    interval
        Confidence interval.
    uncertainty
        Standard uncertainty; NaN when it cannot be estimated.
    n_units
        How many independent units it rests on.
    method
        What the interval rests on, in words.
    reference
        What a change or ratio is against, over the same units; NaN when there is no other side.
    only_here, only_there
        How many units one side alone has; they were left out.
    whole
        The interval before impossible values were left out of it; None when none were.
    unit
        What the independent units are.
    """

    value: float
    interval: Interval
    uncertainty: float
    n_units: int
    method: str
    reference: float = math.nan
    only_here: int = 0
    only_there: int = 0
    whole: Interval | None = None
    unit: str = "visit"


def level(quantity: Quantity, confidence: float = CONFIDENCE) -> Estimate:
    """Estimate the value itself, for visits such as these.

    Parameters
    ----------
    quantity
        A measured quantity.
    confidence
        Coverage of the interval.
    """
    estimate = _level(quantity, confidence)
    interval = clipped(estimate.interval, quantity.possible, estimate.value)
    return replace(estimate, interval=interval, whole=estimate.interval, unit=quantity.metric.per)


def _level(quantity: Quantity, confidence: float) -> Estimate:
    value, error, n_units = quantity.value, quantity.standard_error, quantity.n_units
    if quantity.metric.census:
        return Estimate(value, Interval(value, value), 0.0, n_units, "a complete count")
    counted = counting_interval(quantity, confidence) if quantity.is_counted else None
    if n_units > 1 and counted is not None and quantity.metric.per == "coadd":
        return Estimate(value, counted, error, n_units, "visits counted by their coadds")
    if n_units > 1:
        interval = union(resampled_interval(value, quantity.deviations, confidence), counted)
        divisor = 1.0 if quantity.denominator is None else float(quantity.denominator.sum())
        rare = event_interval(quantity.numerator / divisor, None, confidence, can_shrink=False)
        return Estimate(value, union(interval, rare), error, n_units, f"{quantity.metric.per}s resampled")
    if counted is not None and (quantity.is_exchange or (quantity.is_whole and quantity.uncertainty is None)):
        method = "injections, each seen by both" if quantity.is_exchange else "counting errors"
        return Estimate(value, counted, error, n_units, method)
    if quantity.uncertainty is not None:
        return Estimate(value, normal_interval(value, error, confidence), error, n_units, "its stated uncertainty")
    return Estimate(value, EVERYTHING, math.nan, n_units, "a single number, which has no scatter")


def change(quantity: Quantity, reference: Quantity, confidence: float = CONFIDENCE) -> Estimate:
    """Estimate ``quantity - reference``, paired over the visits that both have.

    Raises
    ------
    NotComparableError
        When they have no visit in common.
    """
    return _paired(quantity, reference, confidence, relative=False)


def ratio(quantity: Quantity, reference: Quantity, confidence: float = CONFIDENCE) -> Estimate:
    """Estimate ``quantity / reference - 1``, paired over the visits that both have.

    Raises
    ------
    NotComparableError
        When they have no visit in common, or the reference is zero.
    """
    return _paired(quantity, reference, confidence, relative=True)


def change_from(quantity: Quantity, accepted: Accepted, confidence: float = CONFIDENCE) -> Estimate:
    """Estimate the change from a value that has no visits to pair with.

    Both uncertainties then count in full.  Ours is the counting error where something is counted, since the sky is
    the same; so is the accepted value's where it rests on the same visits or states no uncertainty.
    """
    ours, theirs = quantity.value, accepted.value
    moved = ours - theirs
    if quantity.metric.census:
        return Estimate(moved, Interval(moved, moved), 0.0, quantity.n_units, "a complete count", theirs)
    of_theirs = normal_interval(theirs, accepted.uncertainty, confidence)
    if quantity.is_counted:
        method = "counting errors, unpaired"
        of_ours = counting_interval(quantity, confidence)
        if accepted.units_digest == quantity.units_digest or math.isnan(accepted.uncertainty):
            if quantity.denominator is None:
                of_theirs = poisson_interval(theirs, confidence)
            else:  # Its counts are not known, and of the same sky about as many as ours.
                of_theirs = Interval(of_ours.low - moved, of_ours.high - moved)
    else:
        alone = level(quantity, confidence)
        method, of_ours = f"{alone.method}, unpaired", alone.interval
    interval = difference_interval(ours, of_ours, theirs, of_theirs)
    return Estimate(
        moved, interval, _half(interval, confidence), quantity.n_units, method, theirs, unit=quantity.metric.per
    )


def share(
    quantity: Quantity,
    other: Quantity | float,
    holds: Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.bool_]],
    confidence: float = CONFIDENCE,
) -> Estimate:
    """Estimate the share of visits for which a relation holds, by the exact binomial law.

    Parameters
    ----------
    quantity
        A measured quantity.
    other
        The other side, by visit, or one number for all visits.
    holds
        The relation, such as `numpy.less`.  Visits in which either side has no value are left out.
    confidence
        Coverage of the interval.

    Raises
    ------
    NotComparableError
        When no visit has a value on both sides.
    """
    only_here = only_there = 0
    if isinstance(other, (int, float)):
        ours, theirs = quantity.per_unit, np.full(quantity.n_units, float(other))
    else:
        mine, reference = _in_common(quantity, other)
        only_here, only_there = quantity.n_units - mine.n_units, other.n_units - mine.n_units
        ours, theirs = mine.per_unit, reference.per_unit
    known = np.isfinite(ours) & np.isfinite(theirs)
    n_units = int(known.sum())
    if not n_units:
        raise NotComparableError(f"no {quantity.metric.per} has a value on both sides")
    count = int(holds(ours[known], theirs[known]).sum())
    interval = binomial_interval(count, n_units, confidence)
    error = math.sqrt(count * (n_units - count) / n_units**3)
    return Estimate(
        *(count / n_units, interval, error, n_units, "the binomial law"),
        only_here=only_here,
        only_there=only_there,
        unit=quantity.metric.per,
    )


def _in_common(quantity: Quantity, reference: Quantity) -> tuple[Quantity, Quantity]:
    if np.array_equal(quantity.units, reference.units):
        return quantity, reference
    units = np.intersect1d(quantity.units, reference.units, assume_unique=True)
    if not len(units):
        raise NotComparableError(f"{quantity.rerun} and {reference.rerun} have no {quantity.metric.per} in common")
    return quantity.over(units), reference.over(units)


def _paired(  # noqa: PLR0911 - one return for each kind of argument
    quantity: Quantity, reference: Quantity, confidence: float, *, relative: bool
) -> Estimate:
    ours, theirs = _in_common(quantity, reference)
    n_units, base = ours.n_units, theirs.value
    if not (math.isfinite(ours.value) and math.isfinite(base)):
        raise NotComparableError(f"over the {ours.metric.per}s that both have, one side has no value")
    if relative and base == 0:
        raise NotComparableError(f"{reference.metric.name} is zero, so that there is no ratio to it")
    scale, slope = (1 / base, ours.value / base) if relative else (1.0, 1.0)
    value = (ours.value - base) * scale

    def estimate(interval: Interval, error: float, method: str) -> Estimate:
        left_out = (quantity.n_units - n_units, reference.n_units - n_units)
        return Estimate(value, interval, error, n_units, method, base, *left_out, unit=ours.metric.per)

    if ours.metric.census and theirs.metric.census:
        return estimate(Interval(value, value), 0.0, "a complete count")
    equal = are_equal(ours, theirs)
    if equal and ours.rows and ours.rows == theirs.rows:
        return estimate(Interval(0, 0), 0.0, "the same rows on both sides")
    if equal and is_beyond_chance(ours, confidence):
        return estimate(Interval(0, 0), 0.0, f"identical numbers in every {ours.metric.per}")
    counted = ours.is_counted and theirs.is_counted
    if counted and (equal or ours.is_whole):
        offsets = _counting_offsets(ours, theirs, slope, confidence)
        interval = Interval(value + scale * offsets.low, value + scale * offsets.high)
        return estimate(interval, _half(interval, confidence), "counting errors, unpaired")
    if n_units > 1:
        deviations = (ours.deviations - slope * theirs.deviations) * scale
        interval = resampled_interval(value, deviations, confidence)
        interval = union(interval, _exchange(ours, theirs, scale, counted, confidence))
        if relative and 0 in resampled_interval(base, theirs.deviations, confidence):
            interval = EVERYTHING  # What may be zero is no divisor.
        return estimate(interval, spread(deviations), f"{ours.metric.per}s paired and resampled")
    if _share_their_noise(ours, theirs):
        return estimate(Interval(value, value), 0.0, "the same exposures on both sides")
    if ours.uncertainty is not None and theirs.uncertainty is not None:
        error = math.hypot(ours.standard_error, slope * theirs.standard_error) * abs(scale)
        return estimate(normal_interval(value, error, confidence), error, "their stated uncertainties")
    return estimate(EVERYTHING, math.nan, f"a single {ours.metric.per}, which has no scatter")


def _share_their_noise(ours: Quantity, theirs: Quantity) -> bool:
    """Whether a metric was measured twice on the same exposures: what differs is the processing alone."""
    if ours.metric.name != theirs.metric.name or ours.samples is None or theirs.samples is None:
        return False
    return bool(ours.samples[0]) and bool(ours.samples[0] == theirs.samples[0])


def _counting_offsets(ours: Quantity, theirs: Quantity, slope: float, confidence: float) -> Interval:
    """Return how far counts that cannot be paired may be from ``ours - slope * theirs``."""
    of_theirs = counting_interval(theirs, confidence)
    scaled = Interval(slope * of_theirs.low, slope * of_theirs.high)
    moved = difference_interval(ours.value, counting_interval(ours, confidence), slope * theirs.value, scaled)
    centre = ours.value - slope * theirs.value
    return Interval(moved.low - centre, moved.high - centre)


def _exchange(ours: Quantity, theirs: Quantity, scale: float, counted: bool, confidence: float) -> Interval | None:
    """Return the interval of a paired change that visits or sources make one by one, where there is such a law."""
    moved = ours.numerator - theirs.numerator
    if ours.denominator is None or theirs.denominator is None:
        if ours.denominator is not theirs.denominator:
            return None
        return event_interval(scale * moved, abs(scale) if counted else None, confidence, can_shrink=True)
    # N1/D1 - R2 = sum(dN - R2 dD)/D1: an exact split of the change, zero for every visit without one.
    share_of_one = scale / float(ours.denominator.sum())
    parts = (moved - theirs.value * (ours.denominator - theirs.denominator)) * share_of_one
    return event_interval(parts, abs(share_of_one) if counted else None, confidence, can_shrink=True)


def _half(interval: Interval, confidence: float) -> float:
    """Return the standard uncertainty that a nearly normal interval stands for."""
    return (interval.high - interval.low) / (2 * normal_interval(0, 1, confidence).high)
