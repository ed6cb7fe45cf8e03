"""A metric of one rerun, split over the independent units that resampling draws."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, final
from zlib import crc32

import numpy as np

from harness.model import DataId, Interval, Measurement

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.model import Metric

__all__ = ["WHOLE_RERUN", "Quantity", "amplifier_units", "coadd_units"]

WHOLE_RERUN = -1
"""The unit of a number that belongs to no single visit (a count of objects, a figure from a publication)."""


def amplifier_units(detectors: NDArray[np.int64], amplifiers: NDArray[np.object_]) -> NDArray[np.int64]:
    """Return the numbers by which amplifiers are paired.

    Parameters
    ----------
    detectors
        Detector of each, `WHOLE_RERUN` where it has no number.
    amplifiers
        Name of each.
    """
    names, which = np.unique(amplifiers.astype(str), return_inverse=True)
    numbers = np.array([crc32(name.encode()) for name in names], np.int64)
    return ((detectors + 1) << 32) + numbers[which]


def coadd_units(coadds: NDArray[np.object_]) -> NDArray[np.int64]:
    """Return the numbers by which coadds are paired.

    Parameters
    ----------
    coadds
        Name of each; `WHOLE_RERUN` is the number of the empty one.
    """
    names, which = np.unique(coadds.astype(str), return_inverse=True)
    numbers = [
        int.from_bytes(hashlib.blake2b(name.encode(), digest_size=7).digest()) if name else WHOLE_RERUN
        for name in names.tolist()
    ]
    return np.array(numbers, np.int64)[which]


@final
@dataclass(frozen=True, slots=True, eq=False)
class Quantity:
    """A metric of one rerun, split over its independent units (`harness.model.Metric.per`).

    Attributes
    ----------
    metric
        What is measured.
    rerun
        Name of the rerun.
    units : (n,) int64
        Numbers of visits, amplifiers or coadds, strictly increasing; the single unit `WHOLE_RERUN` where the number
        belongs to none.
    numerator : (n,) float64
        The metric's numerators, summed over each unit (the largest, for a metric that reduces so).
    denominator : (n,) float64 or None
        The metric's denominators, summed over each unit; None for a metric that is no ratio.
    inputs
        Digest of the input datasets; empty when unknown.
    data_id
        What the number is for; empty for the whole rerun.
    detail
        What a reader needs beside the number, such as the reason for a NaN.
    uncertainty : (n,) float64 or None
        Standard uncertainty of each unit's own value, where the metric itself gives one.
    rows
        Digest of the table rows that the number was counted in; empty when unknown.
    samples : (n,) object or None
        Digest of the raw exposures that each unit's uncertainty is the noise of; two numbers of one sample share it.

    Raises
    ------
    ValueError
        When shapes differ, units are not strictly increasing, or the denominator does not fit the metric.
    """

    metric: Metric
    rerun: str
    units: NDArray[np.int64]
    numerator: NDArray[np.float64]
    denominator: NDArray[np.float64] | None = None
    inputs: str = ""
    data_id: DataId = field(default_factory=DataId)
    detail: str = ""
    uncertainty: NDArray[np.float64] | None = None
    rows: str = ""
    samples: NDArray[np.object_] | None = None

    def __post_init__(self) -> None:
        name = self.metric.name
        if (self.denominator is None) == (self.metric.reduce == "ratio"):
            raise ValueError(
                f"{name}: a {self.metric.reduce} takes {'no' if self.denominator is not None else 'a'} denominator"
            )
        for array in (self.numerator, self.denominator, self.uncertainty, self.samples):
            if array is not None and array.shape != self.units.shape:
                raise ValueError(f"{name}: {self.units.shape} units with values of shape {array.shape}")
        if self.units.ndim != 1 or bool(np.any(self.units[1:] <= self.units[:-1])):
            raise ValueError(f"{name}: units must be a strictly increasing array")

    @property
    def n_units(self) -> int:
        """Number of independent units."""
        return len(self.units)

    @property
    def value(self) -> float:
        """Sum, ratio of sums, or largest; NaN when empty, when any part is not finite, or when the divisor is 0."""
        total = float(self.numerator.max(initial=-math.inf) if self._is_largest else self.numerator.sum())
        divisor = 1.0 if self.denominator is None else float(self.denominator.sum())
        if not self.n_units or not math.isfinite(total) or not math.isfinite(divisor) or divisor == 0:
            return math.nan
        return total / divisor

    @property
    def _is_largest(self) -> bool:
        return self.metric.reduce == "max"

    @property
    def why_unmeasured(self) -> str:
        """Why `value` is NaN; empty when it is a number."""
        if math.isfinite(self.value):
            return ""
        if self.detail:
            return self.detail
        if not self.n_units:
            return f"no {self.metric.per} has it"
        for array in (self.numerator, self.denominator):
            if array is not None and not np.isfinite(array).all():
                bad = self.units[~np.isfinite(array)]
                first = f", the first is {bad[0]}" if self.metric.per == "visit" else ""
                return f"not finite in {len(bad)} of {self.n_units} {self.metric.per}s{first}"
        return "its denominator is zero"

    @property
    def is_whole(self) -> bool:
        """Whether the number belongs to the rerun as a whole, so that there is nothing to pair or resample."""
        return self.n_units == 1 and self.units[0] == WHOLE_RERUN

    @property
    def is_counted(self) -> bool:
        """Whether the parts are counts: a sum with unit ``ct``, a ratio of two whole numbers, or an exchange.

        What states its own uncertainty was fitted and not counted, even where it is 1 of 1.
        """
        if self.metric.paired:
            return self.is_exchange
        if self.uncertainty is not None and self.denominator is not None:
            return False
        if self.denominator is None or self.metric.unit:
            return self.metric.unit == "ct"
        parts = np.concatenate([self.numerator, self.denominator])
        return bool(np.all((parts >= 0) & (parts == np.floor(parts))))

    @property
    def is_exchange(self) -> bool:
        """Whether it is gained less lost items, with how many of both is known (`harness.model.Metric.paired`)."""
        if not self.metric.paired or self.denominator is None or self.uncertainty is None:
            return False
        return bool(np.isfinite(self.uncertainty[self.denominator > 0]).all())

    @property
    def possible(self) -> Interval:
        """The values it can have at all: a count keeps its sign, and a share of its own denominator is not above 1.

        Of what is measured nothing is known: a mean below 1 is no share, and a difference may have either sign.
        """
        if self.is_exchange:
            return Interval(-1.0, 1.0)
        whole = self.denominator
        if whole is not None and not self.is_counted:
            return Interval(-math.inf, math.inf)
        largest = math.inf if whole is None or np.any(abs(self.numerator) > whole) else 1.0
        if whole is None or not np.any(whole < 0):
            if not np.any(self.numerator < 0):
                return Interval(0.0, largest)
            if not np.any(self.numerator > 0):
                return Interval(-largest, 0.0)
        return Interval(-math.inf, math.inf)

    @property
    def units_digest(self) -> str:
        """Stable digest of the set of units: two numbers with the same digest rest on the same sky."""
        return hashlib.blake2b(self.units.astype("<i8").tobytes(), digest_size=8).hexdigest()

    @property
    def per_unit(self) -> NDArray[np.float64]:
        """Value of each unit; NaN where its denominator is 0."""
        if self.denominator is None:
            return self.numerator
        values = np.full(self.n_units, np.nan)
        np.divide(self.numerator, self.denominator, out=values, where=self.denominator != 0)
        return values

    @property
    def deviations(self) -> NDArray[np.float64]:
        """First-order effect of each unit on `value` when units are resampled; they add up to zero.

        For a sum ``x_i - mean(x)``; for a ratio ``R`` of sums ``(num_i - R den_i) / sum(den)``, the linearisation of
        the ratio estimator (Cochran 1977, *Sampling Techniques*, section 6.3).
        """
        numerator = self.numerator
        result: NDArray[np.float64]
        if self.denominator is None:
            result = numerator - numerator.mean()
        else:
            result = (numerator - self.value * self.denominator) / self.denominator.sum()
        return result

    @property
    def standard_error(self) -> float:
        """Standard uncertainty of `value`.

        0 for a census; over two or more units the linearised standard error between units; for a single unit its own
        uncertainty, else the counting error when there is no visit; else NaN.
        """
        if not math.isfinite(self.value):
            return math.nan
        if self.metric.census:
            return 0.0
        if self.n_units > 1:
            spread = self.deviations
            return math.sqrt(self.n_units / (self.n_units - 1) * float(spread @ spread))
        if self.uncertainty is not None:
            return float(self.uncertainty[0])
        if self.is_whole and self.is_counted:
            from harness.judge.counting import counting_error

            return counting_error(self)
        return math.nan

    def over(self, units: NDArray[np.int64]) -> Quantity:
        """Return the same quantity over some of its units.

        Parameters
        ----------
        units : (m,) int64
            Units to keep, strictly increasing, all of them in ``units``.
        """
        if len(units) == self.n_units:
            return self
        at = np.searchsorted(self.units, units)
        return replace(
            self,
            units=units,
            numerator=self.numerator[at],
            denominator=None if self.denominator is None else self.denominator[at],
            uncertainty=None if self.uncertainty is None else self.uncertainty[at],
            samples=None if self.samples is None else self.samples[at],
        )

    def without(self, offset: Quantity) -> Quantity:
        """Return the quantity freed of a predicted fractional offset from the true value, unit by unit.

        Parameters
        ----------
        offset
            The offset of each unit, as a ratio with a denominator of 1; a unit that it lacks becomes NaN.

        Returns
        -------
        quantity : `Quantity`
            Values divided by ``1 + offset``; their uncertainties hold that of the offset.
        """
        at = np.clip(np.searchsorted(offset.units, self.units), 0, max(offset.n_units - 1, 0))
        known = offset.units[at] == self.units if offset.n_units else np.zeros(self.n_units, bool)
        factor, error = np.full(self.n_units, np.nan), np.zeros(self.n_units)
        factor[known] = 1 + offset.per_unit[at[known]]
        if offset.uncertainty is not None:
            error[known] = offset.uncertainty[at[known]]
        uncertainty = None
        if self.uncertainty is not None:
            uncertainty = np.hypot(self.uncertainty, self.per_unit * error / factor) / factor
        return replace(
            self,
            numerator=self.numerator / factor,
            uncertainty=uncertainty,
            detail=self.detail or offset.why_unmeasured,
        )

    def measurement(self) -> Measurement:
        """Return the value with its standard uncertainty and what is needed to trust it."""
        return Measurement(
            metric=self.metric.name,
            rerun=self.rerun,
            value=self.value,
            uncertainty=self.standard_error,
            unit=self.metric.unit,
            n_units=self.n_units,
            definition=self.metric.definition_digest,
            inputs=self.inputs,
            data_id=self.data_id,
            detail=self.why_unmeasured or self.detail,
            units=self.units_digest,
            sample="" if self.samples is None or self.n_units != 1 else str(self.samples[0]),
        )
