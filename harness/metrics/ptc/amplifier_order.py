"""Whether the amplifiers of a detector stand in another order: a permutation, recognised as such and named.

Gain, read noise and saturation are fingerprints of an amplifier.  A table that was written in one order and read in
another keeps every number, and so every mean and median, but gives it to the wrong amplifier.

The best of all 16! assignments always fits better than the order as it stands, even where nothing but noise changed;
therefore explanations are compared by the length of their description (in nats, see `Explanations`):

- *same*: each amplifier kept its values up to the noise; one that did not costs ``ln(scatter / (0.01 noise))``,
  as one amplifier in a hundred may have changed, to any value that occurs in the detector;
- *replaced*: no amplifier kept its values;
- *reordered*: as *same*, after a permutation, which costs the logarithm of how many there are of its kind: a dozen
  ways in which tables are written, against ``n! / (n - m)!`` ways to move ``m`` amplifiers.

A permutation is told when it is shorter than both others by ``ln(1 / false_alarm)``.  For noise of known size this
bounds false alarms: under noise alone, the misfit (in units of the variance) falls by more than ``t`` for one given
permutation with a probability below ``exp(-t / 2)``, however alike or different the amplifiers are, and the cost of
choosing makes up for their number.  It also says what cannot be known: ``n`` amplifiers tell ``n ln(scatter / noise)``
per quantity, and 16! orders need 31 (11 more for the rest), so that gains that scatter four times as much as their
noise tell swapped halves from anything else, but not an arbitrary order from a new sensor.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, lgamma, log
from typing import TYPE_CHECKING, Final, final

import numpy as np
from scipy.optimize import linear_sum_assignment

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

__all__ = [
    "FALSE_ALARM",
    "ROUNDING",
    "Explanations",
    "Order",
    "describe_mapping",
    "judge_order",
    "likely_orders",
    "median",
    "recognise_permutation",
    "robust_scatter",
]

FALSE_ALARM: Final = 1e-3
"""Probability of telling a permutation of a detector (or in a focal plane) where noise alone changed."""

ROUNDING: Final = 1e-4
"""Relative differences below this are the rounding of published tables, not noise."""

_SHARE_CHANGED = 0.01
_EXCLUDED = log(1000)  # odds at which another order is
_FEWEST = 4  # amplifiers: fewer have too few orders to tell one from noise


@final
@dataclass(frozen=True, slots=True)
class Order:
    """What two tables tell about the order of the amplifiers of a detector.

    Attributes
    ----------
    mapping
        For each amplifier that holds another's old values, which; empty when no permutation is established.
    known
        True when a permutation is established, or when each of the likely ones is excluded; False when the data
        cannot tell.
    evidence
        How much shorter (nats) the best permutation describes the data than no permutation, less what is needed.
    reason
        Why the data cannot tell; empty otherwise.
    """

    mapping: Mapping[str, str]
    known: bool
    evidence: float
    reason: str = ""


def recognise_permutation(
    old: ArrayLike, new: ArrayLike, names: Sequence[str], *, error: ArrayLike | None = None
) -> dict[str, str] | None:
    """Recognise that the amplifiers of one detector stand in another order.

    Parameters
    ----------
    old, new : (n,) or (n, q) array_like
        One or several positive quantities of each amplifier; NaN where it was not measured.  A common factor between
        old and new does not matter.
    names
        Names of the amplifiers.
    error : float or (q,) array_like, optional
        Relative standard error of the ratio new/old of one amplifier.  When it is not known, the scatter of the
        ratios stands in for it, and more is needed to be sure.

    Returns
    -------
    mapping : `dict` or `None`
        For each amplifier of ``new`` that holds another's values of ``old``, which one; None when no permutation is
        established (`judge_order` says whether the order is then known to be the same).
    """
    return dict(judge_order(old, new, names, error=error).mapping) or None


def judge_order(
    old: ArrayLike,
    new: ArrayLike,
    names: Sequence[str],
    *,
    error: ArrayLike | None = None,
    likely: Iterable[NDArray[np.intp]] | None = None,
    false_alarm: float = FALSE_ALARM,
) -> Order:
    """Judge whether the amplifiers of one detector stand in another order.

    Parameters
    ----------
    old, new, names, error
        As for `recognise_permutation`.
    likely
        Permutations to expect, each with the index into ``old`` of each amplifier of ``new``; by default
        `likely_orders` of the names.
    false_alarm
        Probability to allow for telling a permutation where noise alone changed.
    """
    x, y = _logarithms(old, names), _logarithms(new, names)
    n = len(names)
    told = np.minimum(np.isfinite(x).sum(0), np.isfinite(y).sum(0)) >= _FEWEST
    if not told.any():
        return Order({}, known=False, evidence=-inf, reason="too few amplifiers have values")
    sigma = None if error is None else np.broadcast_to(np.asarray(error, float), told.shape).clip(ROUNDING)[told]
    explanations = Explanations(x[:, told], y[:, told], sigma)
    doubt = log(1 / false_alarm)
    same = np.arange(n)
    orders = np.stack([same, *(likely_orders(names) if likely is None else likely)])
    best = explanations.assignment()
    unmoved, *lengths = explanations.lengths(np.stack([*orders, best]))
    unchanged = min(unmoved, explanations.replaced())
    margins = unchanged - np.array(lengths)
    choices = np.array([log(len(orders))] * (len(orders) - 1) + [_nats_of_choice(best)])

    chosen = int(np.argmax(margins - choices))
    evidence = float((margins - choices)[chosen]) - doubt
    order = [*orders[1:], best][chosen]
    if evidence > 0 and (order != same).any():
        moved = {names[i]: names[j] for i, j in enumerate(order) if i != j}
        return Order(moved, known=True, evidence=evidence)
    if unmoved > unchanged + doubt:
        return Order({}, known=False, evidence=evidence, reason="most amplifiers changed, and no order explains it")
    known = unmoved <= unchanged and margins[:-1].max(initial=-inf) < -_EXCLUDED
    return Order({}, known=bool(known), evidence=evidence, reason="" if known else "its amplifiers are too alike")


def likely_orders(names: Sequence[str]) -> list[NDArray[np.intp]]:
    """Return the permutations by which tables of amplifiers differ in practice, the order as it stands excluded.

    Either half of the amplifiers (by name) reversed, the halves swapped, both, the whole shifted by one (counting
    from 0 or 1), and the halves interleaved.
    """
    by_name = np.argsort(np.asarray(names), kind="stable")
    n = len(by_name)
    places = np.arange(n)
    first, second = places[: n // 2], places[n // 2 :]
    written = [
        np.concatenate(halves)
        for a in (first, first[::-1])
        for b in (second, second[::-1])
        for halves in ((a, b), (b, a))
    ]
    written += [places[::-1], np.roll(places, 1), np.roll(places, -1)]
    if n % 2 == 0:
        interleaved = np.stack([first, second], axis=1).ravel()
        written += [interleaved, np.argsort(interleaved)]
    orders: dict[tuple[int, ...], NDArray[np.intp]] = {}
    for order in written:
        reordered = np.empty(n, np.intp)
        reordered[by_name] = by_name[order]
        orders[tuple(reordered)] = reordered
    orders.pop(tuple(range(n)), None)
    return list(orders.values())


def describe_mapping(mapping: Mapping[str, str]) -> str:
    """Say in words which amplifiers hold the values of which, runs of consecutive names as ranges.

    Examples
    --------
    >>> describe_mapping({"C00": "C11", "C01": "C10", "C10": "C00", "C11": "C01"})
    'C00..C01 hold the values of C11..C10, C10..C11 those of C00..C01'
    """
    runs: list[list[tuple[str, str]]] = []
    for pair in sorted(mapping.items()):
        if runs and _continues(runs[-1], pair):
            runs[-1].append(pair)
        else:
            runs.append([pair])
    words: list[str] = []
    for run in runs:
        holds = ("hold" if len(run) > 1 else "holds") + " the values of" if not words else "those of"
        words.append(f"{_range([a for a, _ in run])} {holds} {_range([b for _, b in run])}")
    return ", ".join(words)


def median(values: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    """Return the median of what is not NaN, NaN where nothing is (`numpy.nanmedian` is slow on many small arrays)."""
    ordered = np.moveaxis(np.sort(values, axis), axis, -1)
    count = np.isfinite(ordered).sum(-1)[..., None]
    middle = [np.take_along_axis(ordered, np.maximum(at, 0), -1)[..., 0] for at in ((count - 1) // 2, count // 2)]
    return np.where(count[..., 0] > 0, (middle[0] + middle[1]) / 2, np.nan)


def robust_scatter(values: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    """Return 1.4826 times the median absolute deviation from the median, NaN left out: a Gaussian's sigma."""
    return np.asarray(1.4826 * median(np.abs(values - np.expand_dims(median(values, axis), axis)), axis))


@final
class Explanations:
    """Lengths of the descriptions of one detector's new values by its old ones, in nats.

    Parameters
    ----------
    x, y : (n, q)
        Logarithms of the old and new values.
    sigma : (q,) or None
        Noise of ``y - x``; None to take for each explanation the one that makes it shortest.
    """

    def __init__(self, x: NDArray[np.float64], y: NDArray[np.float64], sigma: NDArray[np.float64] | None) -> None:
        self._x, self._y = x - median(x, 0), y - median(y, 0)
        self._sigma = sigma
        scatter = robust_scatter(np.concatenate([self._x, self._y]), 0)
        self._scatter = np.maximum(scatter, ROUNDING if sigma is None else sigma)
        if sigma is not None:
            # Old values have noise too, say half of it.  The best estimate of what they are without it lies nearer to
            # the middle; else amplifiers that differ by noise alone would seem to stand in the wrong order.
            own = np.maximum(robust_scatter(self._x, 0), ROUNDING)
            self._x *= (1 - 0.5 * (sigma / own) ** 2).clip(0)
        # With the noise unknown it is fitted too, at the price of a few degrees of freedom.
        self._freedom = 1.0 if sigma is not None else 1 - 4 / len(x)

    def lengths(self, orders: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return the length for each order (row) of indices into the old amplifiers, all but a few unchanged."""
        residual = self._y - self._x[orders]
        residual -= median(residual, 1)[:, None]
        residual = _known(residual, np.isnan(self._y) & np.isnan(self._x[orders]))
        if self._sigma is not None:
            return np.asarray(self._cost(residual, self._sigma).sum((1, 2)) / 2)
        sigma = ROUNDING * (self._scatter / ROUNDING) ** np.linspace(0, 1, 25)[:, None, None, None]
        return np.asarray(self._cost(residual, sigma).sum(2).min(0).sum(1) / 2 * self._freedom)

    def replaced(self) -> float:
        """Return the length when no amplifier kept anything."""
        per_amplifier = float((2 * np.log(self._scatter) + 1).sum()) / 2
        return len(self._x) * per_amplifier * self._freedom + log(1 / _SHARE_CHANGED)

    def assignment(self) -> NDArray[np.intp]:
        """Return the permutation, of all there are, that makes the description shortest."""
        n = len(self._x)
        neither = np.isnan(self._y)[:, None] & np.isnan(self._x)[None]
        residual = _known(self._y[:, None] - self._x[None], neither)
        moving = 2 * lgamma(n + 1) / n * (1 - np.eye(n))
        sigmas = (
            [self._sigma]
            if self._sigma is not None
            else [np.maximum(self._scatter / ratio, ROUNDING) for ratio in (4, 16, 64, 1024)]
        )
        orders = np.stack([linear_sum_assignment(self._cost(residual, sigma).sum(-1) + moving)[1] for sigma in sigmas])
        choices = [_nats_of_choice(order) for order in orders]
        return np.asarray(orders[np.argmin(self.lengths(orders) + choices)])

    def _cost(self, residual: NDArray[np.float64], sigma: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return twice the length for each value: kept up to the noise, or changed."""
        changed = 2 * np.log(self._scatter / _SHARE_CHANGED)
        return np.asarray(np.minimum((residual / sigma) ** 2 + 2 * np.log(sigma), changed))


def _known(residual: NDArray[np.float64], neither: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Take what was measured in neither table as kept, and what was measured in one as changed."""
    return np.asarray(np.where(neither, 0.0, np.nan_to_num(residual, nan=inf)))


def _logarithms(values: ArrayLike, names: Sequence[str]) -> NDArray[np.float64]:
    array = np.array(values, float)
    array = array[:, None] if array.ndim == 1 else array
    if len(array) != len(names):
        raise ValueError(f"{len(array)} values for {len(names)} amplifiers")
    array[~(array > 0)] = np.nan
    return np.asarray(np.log(array))


def _nats_of_choice(order: NDArray[np.intp]) -> float:
    """Return the logarithm of the number of ways to move as many amplifiers as this permutation does."""
    n = len(order)
    moved = int((order != np.arange(n)).sum())
    return lgamma(n + 1) - lgamma(n - moved + 1)


def _continues(run: list[tuple[str, str]], pair: tuple[str, str]) -> bool:
    steps = [_step(run[-1][side], pair[side]) for side in (0, 1)]
    if steps[0] != 1 or steps[1] not in (1, -1):
        return False
    return len(run) == 1 or _step(run[-2][1], run[-1][1]) == steps[1]


def _step(first: str, second: str) -> int | None:
    """Return how far apart two names of one row are (C10 and C12: 2); None for those of different rows."""
    if first[:-1] != second[:-1] or not (first[-1:].isdigit() and second[-1:].isdigit()):
        return None
    return int(second[-1]) - int(first[-1])


def _range(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]}..{names[-1]}"
