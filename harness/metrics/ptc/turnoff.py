"""Where a photon transfer curve turns off: the largest mean signal before saturation, found from the curve itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self, final

import numpy as np

from harness.metrics.ptc._exp_batch import MIN_PAIRS, Parameters, Points, fit_points, modelled, put_rows, robust_scale

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.metrics.ptc.curve import Curve

__all__ = ["REJECTED_BEYOND", "Turnoff", "Turnoffs", "find_turnoff"]

REJECTED_BEYOND = 5.0
"""A pair this many standard errors off the model is no part of the curve."""

#: The exponential approximation is not better than this at high signal, as a fraction of the variance: a smaller
#: departure is none.
_MODEL_HOLDS_WITHIN = 0.02
#: Once there is saturation, it begins with the lowest pair that is low by these standard errors, and this fraction.
_BEGINS_BEYOND, _BEGINS_WITHIN = 2.0, 0.01
_MAX_ROUNDS = 20
#: Length of the last step of a fit, in standard errors; nothing here depends on parameters more closely.
_TOLERANCE = 1e-2


@final
@dataclass(frozen=True, slots=True)
class Turnoff:
    """The turnoff of one curve.

    Attributes
    ----------
    signal
        Largest mean signal that the variance follows the model to, adu; NaN where there is none.
        Where `n_past` is zero it is the largest signal measured, and the sensor may turn off anywhere above.
    error
        Sampling error: half the distance between the neighbouring pairs, or the distance to the lower one where
        there is no upper one, adu.
    n_past
        Measured pairs of larger signal.
    reason
        Why there is no turnoff; empty where there is one.
    """

    signal: float
    error: float
    n_past: int
    reason: str = ""


def find_turnoff(curve: Curve) -> Turnoff:
    """Find the turnoff of a curve.

    The exponential approximation is fitted up to the largest variance (of the median of three neighbours, before it
    collapses to half); pairs are then taken in and left out, and the fit repeated, until nothing changes.  Pairs are
    on the model, or more than 5 standard errors and 2 % off it; the cut goes where it has the fewest on the wrong
    side.  A sensor saturates gradually: below a cut, the turnoff is the first pair that is not low by 2 standard
    errors and 1 %.  Standard errors are at least as large as the scatter of the pairs says.

    Parameters
    ----------
    curve
        Photon transfer curve of an amplifier.
    """
    measured = curve.measured
    points = Points.of([curve], [measured])
    with np.errstate(all="ignore"):
        found = Turnoffs.of(points)
    n = int(np.count_nonzero(found.below))
    if n < MIN_PAIRS:
        return Turnoff(np.nan, np.nan, 0, f"no turnoff: {n} pairs below it, and {MIN_PAIRS} are needed")
    signal = float(found.signal[0])
    return Turnoff(signal, float(found.error[0]), int(np.count_nonzero(curve.mean[measured] > signal)))


@final
@dataclass(frozen=True, slots=True, eq=False)
class Turnoffs:
    """Turnoffs of several amplifiers.

    Attributes
    ----------
    signal, error : (n_amp,) float64
        As in `Turnoff`; without meaning where fewer than `MIN_PAIRS` pairs are below.
    below : (n_amp, n) bool
        Pairs up to the turnoff that are on the model.
    parameters
        Fit to these.
    scale : (n_amp,) float64
        By how much their scatter exceeds their standard errors.
    """

    signal: NDArray[np.float64]
    error: NDArray[np.float64]
    below: NDArray[np.bool_]
    parameters: Parameters
    scale: NDArray[np.float64]

    @classmethod
    def of(cls, points: Points) -> Self:
        """Find them as `find_turnoff` does."""
        below = points.present & (np.arange(points.mean.shape[1]) <= _peak(points)[:, None])
        return cls._settled(points, below, None, _MAX_ROUNDS)

    @classmethod
    def _settled(cls, points: Points, below: NDArray[np.bool_], start: NDArray[np.float64] | None, rounds: int) -> Self:
        """Fit, take pairs in and leave pairs out, and go on with those rows alone where that has changed them."""
        parameters = fit_points(points, below, start, tolerance=_TOLERANCE)
        relative = points.variance / modelled(points, parameters.values) - 1
        scale = robust_scale(points, relative, below)
        top, kept = _cut(points, relative, points.sigma * scale[:, None])
        found = cls(*_sampled(points, top), below, parameters, scale)
        # Without a fit nothing can be told.
        moving = parameters.converged & (kept != below).any(axis=1)
        if rounds > 1 and moving.any():
            again = cls._settled(points.rows(moving), kept[moving], parameters.values[moving], rounds - 1)
            put_rows(found, moving, again)
        return found


def _peak(points: Points) -> NDArray[np.intp]:
    """Return where the variance is largest, as far as it has not collapsed to less than half of what it was.

    The median of three neighbours is looked at; one outlier cannot pass for a peak or a collapse.
    """
    ends = np.maximum(points.counts - 1, 0)
    rows = np.arange(len(ends))
    # Each end is its own neighbour.
    here = points.variance
    below = np.concatenate([here[:, :1], here[:, :-1]], axis=1)
    above = np.concatenate([here[:, 1:], here[:, -1:]], axis=1)
    above[rows, ends] = here[rows, ends]
    median = np.maximum(np.minimum(below, here), np.minimum(np.maximum(below, here), above))
    collapsed = np.logical_or.accumulate(median < np.maximum.accumulate(median, axis=1) / 2, axis=1)
    return np.asarray(np.argmax(np.where(points.present & ~collapsed, median, 0), axis=1))


def _cut(
    points: Points, relative: NDArray[np.float64], sigma: NDArray[np.float64]
) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Return the pair at the turnoff of each row, and the pairs up to it that are on the model."""
    on_model = points.present & (np.abs(relative) <= np.maximum(REJECTED_BEYOND * sigma, _MODEL_HOLDS_WITHIN))
    # Moving the cut above a pair is one misplaced fewer where it is on the model, one more where it is not.
    gain = np.cumsum(np.where(on_model, 1, np.where(points.present, -1, 0)), axis=1)
    n = gain.shape[1]
    cut = n - 1 - np.argmax(gain[:, ::-1], axis=1)
    here = np.arange(n)
    saturates = (points.present & (here > cut[:, None])).any(axis=1)
    low = relative < -np.maximum(_BEGINS_BEYOND * sigma, _BEGINS_WITHIN)
    candidates = on_model & (here <= cut[:, None]) & ~(low & saturates[:, None])
    top = n - 1 - np.argmax(candidates[:, ::-1], axis=1)
    return top, on_model & (here <= top[:, None])


def _sampled(points: Points, top: NDArray[np.intp]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the mean signal of the pair at the top, and its sampling error."""
    rows = np.arange(len(top))
    signal = points.mean[rows, top]
    lower = points.mean[rows, np.maximum(top - 1, 0)]
    upper = points.mean[rows, np.minimum(top + 1, points.mean.shape[1] - 1)]
    return signal, np.where(top + 1 < points.counts, (upper - lower) / 2, signal - lower)
