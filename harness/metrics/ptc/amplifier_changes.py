"""What changed from one table of amplifiers to the next, beyond the noise: order, sensors, set-up, single values."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, log
from typing import TYPE_CHECKING, Final, final

import numpy as np
from scipy.optimize import linear_sum_assignment

from harness.metrics.ptc.amplifier_order import (
    FALSE_ALARM,
    ROUNDING,
    Explanations,
    describe_mapping,
    judge_order,
    likely_orders,
    median,
    robust_scatter,
)
from harness.metrics.ptc.amplifier_table import (
    QUANTITIES,
    DetectorTable,
    Finding,
    Kind,
    Place,
    detector_tables,
    merge,
)
from harness.metrics.ptc.placeholders import not_measured

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa
    from numpy.typing import NDArray

__all__ = ["CommonFactor", "common_factor", "compare_amplifiers"]

SIGNIFICANT: Final = 6.0
"""Standard errors: noise alone reaches it in one of 500 million amplifiers."""

_ENOUGH = 5  # detectors, to learn from them what a single one cannot tell
_SUSPICIOUS = 3.0  # times the usual noise: 16 amplifiers of one sensor reach it by chance in one of 10⁴ detectors
_MOST = 0.75  # of a detector's amplifiers share a factor
_MEDIAN_ERROR = 1.2533  # of a median, in terms of a mean's


@final
@dataclass(frozen=True, slots=True)
class CommonFactor:
    """The factor that a quantity of all amplifiers has in common, new over old.

    Attributes
    ----------
    value, error
        Median over the detectors of the median over their amplifiers, and its standard error.
    n_detectors
        Number of detectors it rests on.
    """

    value: float
    error: float
    n_detectors: int


def compare_amplifiers(old: pa.Table, new: pa.Table, *, errors: Mapping[str, float] | None = None) -> list[Finding]:
    """Find what changed between two tables of amplifiers, beyond the noise.

    Parameters
    ----------
    old, new
        As `harness.rerun.protocol.Rerun.amplifiers` returns them.
    errors
        By column, the relative standard error of the ratio new/old of one amplifier, where it is known.  Else it is
        estimated: the median over the detectors of the robust scatter of their amplifiers' ratios, in the order that
        makes it smallest.

    Returns
    -------
    findings : `list` [`Finding`]
        Permuted amplifiers and exchanged detectors first; the rest is told with these undone.  Nothing for equal
        tables.
    """
    findings = []
    before, after = detector_tables(old), detector_tables(new)
    for kind in sorted(before.keys() & after.keys()):
        findings += _membership(before[kind], after[kind])
        detectors = [name for name in before[kind].detectors if name in after[kind].detectors]
        amplifiers = [name for name in before[kind].amplifiers if name in after[kind].amplifiers]
        if detectors and amplifiers:
            pair = before[kind].aligned(detectors, amplifiers), after[kind].aligned(detectors, amplifiers)
            findings += _Comparison(*pair, errors or {}).findings()
    for kind in sorted(before.keys() ^ after.keys()):
        rows, what = (before[kind], Kind.MISSING) if kind in before else (after[kind], Kind.ADDED)
        findings += _membership_of(rows, rows.present > 0, what)
    return findings


def common_factor(old: pa.Table, new: pa.Table, column: str = "gain") -> CommonFactor | None:
    """Return the factor by which a quantity differs throughout, as by another acquisition set-up.

    Returns
    -------
    factor : `CommonFactor` or `None`
        None when no amplifier has the quantity, measured, in both tables.
    """
    before, after = detector_tables(old), detector_tables(new)
    centres = []
    for kind in sorted(before.keys() & after.keys()):
        detectors = [name for name in before[kind].detectors if name in after[kind].detectors]
        amplifiers = [name for name in before[kind].amplifiers if name in after[kind].amplifiers]
        tables = before[kind].aligned(detectors, amplifiers), after[kind].aligned(detectors, amplifiers)
        if all(column in table.values for table in tables):
            # A median of each: an order of the amplifiers that differs must not matter.
            x, y = (_logarithms(table.values[column]) for table in tables)
            centres += [c for c in median(y, 1) - median(x, 1) if np.isfinite(c)]
    if not centres:
        return None
    values = np.array(centres)
    error = _MEDIAN_ERROR * float(robust_scatter(values, 0)) / len(values) ** 0.5
    value = float(np.exp(np.median(values)))
    return CommonFactor(value, value * error, len(values))


@final
class _Comparison:
    """Two tables with the same detectors, all of one kind, and the same amplifiers."""

    def __init__(self, old: DetectorTable, new: DetectorTable, errors: Mapping[str, float]) -> None:
        self._old, self._new = old, new
        self._columns = [column for column in QUANTITIES if column in old.values and column in new.values]
        self._names = list(new.detectors)
        self._doubt = log(len(self._names) / FALSE_ALARM)
        if self._columns:
            self._x, self._y = (
                np.stack([_logarithms(table.values[column]) for column in self._columns], axis=-1)
                for table in (old, new)
            )
            self._orders = self._expected_orders()
            self._noise, self._own_noise = self._estimate_noise(
                np.array([errors.get(column, np.nan) for column in self._columns])
            )

    def findings(self) -> list[Finding]:
        """Return all that is found."""
        if not self._columns:
            return []
        found, detector, amplifier = self._origins()
        for column, noise in zip(self._columns, self._noise, strict=True):
            found += self._values(column, self._old.values[column][detector, amplifier], float(noise))
        return found

    def _expected_orders(self) -> list[NDArray[np.intp]]:
        """Return the permutations to expect: the usual ones, and the one that suits all detectors together best."""
        orders = likely_orders(self._old.amplifiers)
        n = len(self._old.amplifiers)
        if len(self._names) < _ENOUGH:
            return orders
        x, y = (values - median(values, 1)[:, None] for values in (self._x, self._y))
        distance = median(np.abs(y[:, :, None] - x[:, None]), 0)
        distance = np.nan_to_num(distance / np.maximum(median(distance.reshape(n * n, -1), 0), ROUNDING)).sum(-1)
        common = linear_sum_assignment(distance)[1]
        totals = [float(distance[np.arange(n), order].sum()) for order in (common, np.arange(n), *orders)]
        # The best of all is always a little better than the right one, but not by half.
        return [*orders, common] if totals[0] < min(totals[1:]) / 2 else orders

    def _estimate_noise(self, stated: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the noise of a ratio, (q,), and that of each detector, (n_detectors, q), in its best order."""
        orders = [np.arange(self._x.shape[1]), *self._orders]
        scatter = np.stack([robust_scatter(self._y - self._x[:, order], 1) for order in orders])
        scatter = np.maximum(np.nan_to_num(scatter, nan=ROUNDING), ROUNDING)
        best = np.argmin(np.log(scatter).sum(2), axis=0)
        own = scatter[best, np.arange(len(best))]
        noise = np.where(np.isnan(stated), np.median(own, 0), stated)
        return noise, np.where(np.isnan(stated), np.maximum(own, noise), stated)

    def _origins(self) -> tuple[list[Finding], NDArray[np.intp], NDArray[np.intp]]:
        """Find amplifiers in another order and detectors with the values of another one.

        Returns
        -------
        findings
            What is found.
        detector, amplifier : (n_detectors, n_amplifiers)
            Where the old values are that each amplifier's new ones are to be compared with.
        """
        detector, amplifier = (np.array(index, np.intp) for index in np.indices(self._x.shape[:2]))
        names = self._old.amplifiers
        index = {name: i for i, name in enumerate(names)}
        exchanged = self._exchanged()
        told: dict[Kind, list[tuple[str, Place]]] = {Kind.EXCHANGED: [], Kind.PERMUTED: [], Kind.UNKNOWN_ORDER: []}
        for d in self._differing():
            order = judge_order(
                np.exp(self._x[d]),
                np.exp(self._y[d]),
                names,
                error=self._own_noise[d],
                likely=self._orders,
                false_alarm=FALSE_ALARM / len(self._names),
            )
            other, evidence = exchanged.get(d, (d, -inf))
            if evidence > order.evidence:
                told[Kind.EXCHANGED].append((_stands(self._names[d], self._names[other]), self._place(d)))
                detector[d] = other
            elif order.mapping:
                told[Kind.PERMUTED].append((describe_mapping(order.mapping), self._place(d, *order.mapping)))
                for name, held in order.mapping.items():
                    amplifier[d, index[name]] = index[held]
            elif not order.known:
                what = f"the order of the amplifiers cannot be told ({order.reason})"
                told[Kind.UNKNOWN_ORDER].append((what, self._place(d)))
        findings = [finding for kind, places in told.items() for finding in merge(kind, "", self._new, places)]
        return findings, detector, amplifier

    def _differing(self) -> list[int]:
        """Return the detectors with a difference, and with values of their own on both sides."""
        x, y = self._x, self._y
        differs = (~((x == y) | (np.isnan(x) & np.isnan(y)))).any((1, 2))
        for table in (self._old, self._new):
            own = [~not_measured(table.values[column]).all(1) for column in self._columns]
            differs &= np.any(own, axis=0)
        return np.flatnonzero(differs).tolist()

    def _exchanged(self) -> dict[int, tuple[int, float]]:
        """Return the pairs of detectors that hold each other's values, with the evidence (nats) for each pair.

        Both must fit: sensors of one make resemble each other, and a new one may resemble any of them.
        """
        x, y, noise, n = self._x, self._y, self._noise, len(self._names)
        same = np.arange(x.shape[1])[None]
        found: dict[int, tuple[int, float]] = {}

        def margin(d: int, other: int) -> float:
            usable = np.isfinite(y[d]).any(0) & np.isfinite(x[[d, other]]).any(1).all(0)
            as_was, as_other = (Explanations(x[k][:, usable], y[d][:, usable], noise[usable]) for k in (d, other))
            unchanged = min(float(as_was.lengths(same)[0]), as_was.replaced())
            return unchanged - float(as_other.lengths(same)[0])

        for d in self._differing():
            scatter = np.maximum(robust_scatter(y[d] - x, 1), noise) / noise
            usable = np.isfinite(scatter[d])
            if (scatter[d, usable] < _SUSPICIOUS).all():
                continue
            other = int(np.argmin(np.nan_to_num(np.log(scatter[:, usable]), nan=inf).sum(1)))
            evidence = margin(d, other) + margin(other, d) - 2 * log(n) - self._doubt if other != d else -inf
            if evidence > 0:
                found[d], found[other] = (other, evidence), (d, evidence)
        return found

    def _values(self, column: str, old: NDArray[np.float64], noise: float) -> list[Finding]:
        """Find what changed in one column, the old values being those that belong to each amplifier."""
        new = self._new.values[column]
        there = (self._old.present > 0) & (self._new.present > 0)
        differs = there & (old != new) & ~(np.isnan(old) & np.isnan(new))
        was, became = not_measured(old), not_measured(new)
        found = []
        for kind, where in ((Kind.REPLACED, differs & was), (Kind.LOST, differs & became & ~was)):
            told = []
            for d, i in zip(*np.nonzero(where), strict=True):
                values, good = (old[d, i], new[d, i]), (not was[d, i], not became[d, i])
                place = self._place(d, self._new.amplifiers[i])
                told.append((_transition(column, values, good, where.sum()), place))
            found += merge(kind, column, self._new, told)
        ratio = np.where(was | became | ~there, np.nan, _logarithms(new) - _logarithms(old))
        return found + self._changes(column, old, ratio, noise)

    def _changes(
        self, column: str, old: NDArray[np.float64], ratio: NDArray[np.float64], noise: float
    ) -> list[Finding]:
        """Find factors common to all, to a detector, and amplifiers that changed otherwise."""
        word, unit = QUANTITIES[column]
        new = self._new.values[column]
        centre, own = median(ratio, 1), robust_scatter(ratio, 1)
        measured = np.flatnonzero(np.isfinite(centre)).tolist()
        if not measured:
            return []
        overall = float(np.median(centre[measured]))
        spread = max(float(robust_scatter(centre, 0)), _MEDIAN_ERROR * noise / np.sqrt(ratio.shape[1]))
        found = []
        if abs(overall) > max(SIGNIFICANT * _MEDIAN_ERROR * spread / np.sqrt(len(measured)), ROUNDING):
            what = f"{word} changed by a common factor of {np.exp(overall):.4f} (detectors scatter by {spread:.2%})"
            found += merge(Kind.COMMON_FACTOR, column, self._new, ((what, self._place(d)) for d in measured))
        apart, told = [], []
        for d in measured:
            expected = centre[d]
            # A detector may be noisier than most.  Where its amplifiers disagree altogether, that is no noise.
            sigma = max(noise, own[d]) if own[d] < SIGNIFICANT * noise else noise
            distance = abs(centre[d] - overall)
            if distance > SIGNIFICANT * spread:
                agree = np.abs(ratio[d] - centre[d]) < distance / 3
                if agree.sum() > _MOST * np.isfinite(ratio[d]).sum():
                    apart.append(d)
                else:
                    expected, sigma = overall, float(np.hypot(noise, spread))
            for i in np.flatnonzero(np.abs(ratio[d] - expected) > SIGNIFICANT * sigma):
                values = f"{old[d, i]:.5g} to {new[d, i]:.5g} {unit} ({_factor(ratio[d, i])}"
                what = f"{word} changed from {values}, others {_factor(expected)})"
                told.append((abs(ratio[d, i] - expected), what, self._place(d, self._new.amplifiers[i])))
        for group in _groups(apart, centre, SIGNIFICANT * spread):
            low, high = (f"{np.exp(centre[d]):.4f}" for d in (group[0], group[-1]))
            factor = f"a factor of {low}" if low == high else f"factors of {low} to {high}"
            what = f"{word} changed by {factor}, elsewhere of {np.exp(overall):.4f},"
            found += merge(Kind.COMMON_FACTOR, column, self._new, ((what, self._place(d)) for d in sorted(group)))
        told.sort(key=lambda change: -change[0])
        return found + merge(Kind.CHANGED, column, self._new, ((what, place) for _, what, place in told))

    def _place(self, d: int, *amplifiers: str) -> Place:
        """Return amplifiers of a detector, all of them when none are named."""
        name = self._names[d]
        return Place(self._new.detectors[name], name, amplifiers or self._new.amplifiers)


def _membership(old: DetectorTable, new: DetectorTable) -> list[Finding]:
    """Find amplifiers that only one of two tables has."""
    findings = []
    for rows, others, kind in ((old, new, Kind.MISSING), (new, old, Kind.ADDED)):
        alone = rows.present > 0
        for d, detector in enumerate(rows.detectors):
            for i, amplifier in enumerate(rows.amplifiers):
                if detector in others.detectors and amplifier in others.amplifiers:
                    at = list(others.detectors).index(detector), others.amplifiers.index(amplifier)
                    alone[d, i] &= others.present[at] == 0
        findings += _membership_of(rows, alone, kind)
    return findings


def _membership_of(rows: DetectorTable, alone: NDArray[np.bool_], kind: Kind) -> list[Finding]:
    what = "amplifiers are no longer there" if kind is Kind.MISSING else "amplifiers were not there before"
    return merge(kind, "", rows, ((what, place) for place in rows.places(alone)))


def _stands(name: str, other: str) -> str:
    """Say whose values stand in a detector, alike for all that hold those of the same place in another raft."""
    (raft, _, slot), (other_raft, _, other_slot) = name.rpartition("_"), other.rpartition("_")
    return f"the values of {other_raft if raft and slot == other_slot else other} stand"


def _transition(column: str, values: tuple[float, float], measured: tuple[bool, bool], count: int) -> str:
    """Say what a number that was not measured became, or by what a measured one is replaced."""
    word, unit = QUANTITIES[column]
    words = []
    for value, good in zip(values, measured, strict=True):
        role = "a placeholder" if value > 0 else "not measured"
        alone = f"{value:.5g} {unit}" if count == 1 else "measured values"
        words.append(alone if good else f"{value:.7g} {unit} ({role})")
    return f"{word} changed from {words[0]} to {words[1]}"


def _groups(detectors: list[int], centre: NDArray[np.float64], gap: float) -> list[list[int]]:
    """Group detectors, in order of their common factor, wherever there is no gap."""
    ordered = sorted(detectors, key=lambda d: float(centre[d]))
    groups: list[list[int]] = []
    for d in ordered:
        if groups and centre[d] - centre[groups[-1][-1]] < gap:
            groups[-1].append(d)
        else:
            groups.append([d])
    return groups


def _factor(logarithm: float) -> str:
    factor = np.exp(logarithm)
    return f"{factor - 1:+.2%}" if 0.5 < factor < 2 else f"×{factor:.3g}"


def _logarithms(values: NDArray[np.float64]) -> NDArray[np.float64]:
    good = np.isfinite(values) & (values > 0)
    return np.log(np.where(good, values, 1)) + np.where(good, 0, np.nan)
