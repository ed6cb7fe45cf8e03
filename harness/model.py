"""The words of the harness as small frozen value objects.  No I/O, and nothing but the standard library."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Literal, final

__all__ = ["DataId", "Interval", "Measurement", "Metric", "Provenance", "Verdict", "VerdictState", "digest_of"]


def digest_of(content: Any) -> str:
    """Return a short, stable digest of JSON-like content.

    Parameters
    ----------
    content
        Anything `json.dumps` takes; mappings are digested in sorted key order.

    Returns
    -------
    digest : `str`
        16 hexadecimal digits.
    """
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


@final
class DataId(Mapping[str, int | str]):
    """A hashable mapping of dimension names to values, such as ``DataId(instrument="DECam", visit=411371)``.

    Keys keep their order for display; equality and hash ignore it.
    """

    __slots__ = ("_items",)

    def __init__(self, /, **dimensions: int | str) -> None:
        self._items = dimensions

    def __getitem__(self, key: str) -> int | str:
        return self._items[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __hash__(self) -> int:
        return hash(frozenset(self._items.items()))

    def __repr__(self) -> str:
        return f"DataId({', '.join(f'{key}={value!r}' for key, value in self._items.items())})"

    def __str__(self) -> str:
        return ", ".join(f"{key} {value}" for key, value in self._items.items())


@final
@dataclass(frozen=True, slots=True)
class Metric:
    """A named, unit-carrying, defined quantity.

    Every metric is built of two sums over data IDs, so that it can be formed for any set of them (a detector, a visit,
    a rerun, a resampled rerun): ``reduce="sum"`` is the sum of numerators, ``reduce="ratio"`` the sum of numerators
    over the sum of denominators (a mean, when every denominator is 1).  ``reduce="max"`` is the largest numerator, for
    what has to hold everywhere; it cannot be resampled, so such a metric is a census.

    Attributes
    ----------
    name
        Qualified name, such as ``dia.numGoodSources``.
    unit
        Unit as an `astropy.units` string; empty when dimensionless.
    doc
        One sentence: what is counted or measured, and whose definition it is.
    group
        The family that a check runs over, such as ``dia_count``.
    reduce
        How values of several data IDs combine.
    definition
        Everything that changes what the number means (flag list, match radius, clip).
    census
        Whether the value is complete by construction (a count of broken rows), so that it has no sampling error.
    per
        The independent unit: sources of one visit share its seeing and sky; an amplifier has electronics of its own;
        visits that are compared with one coadd share its noise.
    offset
        Name of the metric that holds its predicted fractional offset from the true value, where physics gives one.
    paired
        Whether the numerator of each unit is gained less lost items, and the uncertainty of its row
        sqrt(gained + lost)/denominator: two sides have seen the same items, one by one.
    """

    name: str
    unit: str
    doc: str
    group: str
    reduce: Literal["sum", "ratio", "max"] = "sum"
    definition: Mapping[str, Any] = field(default_factory=dict)
    census: bool = False
    per: Literal["visit", "amplifier", "coadd"] = "visit"
    offset: str = ""
    paired: bool = False

    @property
    def definition_digest(self) -> str:
        """Digest of name, unit, reduction and definition."""
        return digest_of([self.name, self.unit, self.reduce, dict(self.definition)])

    @property
    def is_part(self) -> bool:
        """Whether it is stored only because a ratio is formed of it, and of no interest by itself."""
        return self.group.endswith("_parts")


@final
@dataclass(frozen=True, slots=True)
class Measurement:
    """A metric's value for one data ID (or a whole rerun), with what is needed to trust it.

    Attributes
    ----------
    metric, rerun, unit
        Names and unit; the rerun is the name it was asked for by.
    value
        The number; NaN when it could not be measured, with the reason in ``detail``.
    uncertainty
        Standard uncertainty in the same unit; 0 for a census, NaN when it cannot be estimated.
    n_units
        How many independent units (visits) the value rests on.
    definition
        Digest of the metric's definition.
    inputs
        Digest of the input datasets.
    data_id
        What the value is for; empty for the whole rerun.
    detail
        What a reader needs beside the number: names of columns, the reason for a NaN.
    units
        Digest of the set of independent units; two numbers with the same digest rest on the same visits.
    parts
        The same for each amplifier alone, where each has its own.
    sample
        Digest of the raw exposures whose noise is the uncertainty; empty when unknown, or for several units.
    """

    metric: str
    rerun: str
    value: float
    uncertainty: float
    unit: str
    n_units: int
    definition: str
    inputs: str
    data_id: DataId = field(default_factory=DataId)
    detail: str = ""
    units: str = ""
    parts: tuple[Measurement, ...] = ()
    sample: str = ""

    @property
    def is_measured(self) -> bool:
        """Whether the value is a finite number."""
        return math.isfinite(self.value)


@final
@dataclass(frozen=True, slots=True)
class Interval:
    """A closed interval; either end may be infinite."""

    low: float
    high: float

    def __post_init__(self) -> None:
        if not self.low <= self.high:
            raise ValueError(f"interval ends must be ordered and not NaN (got [{self.low!r}, {self.high!r}])")

    def __contains__(self, other: float | Interval) -> bool:
        if isinstance(other, Interval):
            return self.low <= other.low and other.high <= self.high
        return self.low <= other <= self.high

    def overlaps(self, other: Interval) -> bool:
        """Return whether the two intervals share a point."""
        return self.low <= other.high and other.low <= self.high


class VerdictState(StrEnum):
    """What was shown about one expectation."""

    PASS = "PASS"
    ACKNOWLEDGED = "ACKNOWLEDGED"
    INCONCLUSIVE = "INCONCLUSIVE"
    NOT_COMPARABLE = "NOT_COMPARABLE"
    NOT_MEASURED = "NOT_MEASURED"
    FAIL = "FAIL"


@final
@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome of one expectation about one metric of one rerun.

    Attributes
    ----------
    metric, rerun
        What was judged.
    place
        The data ID it was judged for, in words; empty for the whole rerun.
    state
        What was shown.
    expectation
        The rule in words, such as ``unchanged within 2 %``.
    value, unit
        The measured value the verdict is about (NaN when there is none).
    reference
        The value it was held against; NaN when the expectation has none.
    against
        Where the reference comes from: a rerun's name, ``baseline``, or empty.
    estimate
        The estimand's point estimate, in ``unit`` of the estimand (a change is in the metric's unit).
    interval, acceptable
        Confidence interval of the estimand, and the acceptable interval; None when nothing could be judged.
    n_units
        How many independent units (visits) the interval rests on.
    sentence
        One line that tells the whole story.
    details
        Further lines about this verdict: rule, estimate, reference, baseline.
    context
        Lines about the rerun that its failures have in common: churn, environment, the command to run next.
    """

    metric: str
    rerun: str
    state: VerdictState
    expectation: str
    value: float
    unit: str
    sentence: str
    reference: float = math.nan
    against: str = ""
    estimate: float = math.nan
    interval: Interval | None = None
    acceptable: Interval | None = None
    n_units: int = 0
    details: tuple[str, ...] = ()
    context: tuple[str, ...] = ()
    place: str = ""


@final
@dataclass(frozen=True, slots=True)
class Provenance:
    """What a rerun was made from and by.

    Attributes
    ----------
    rerun
        The name the rerun was asked for by.
    source
        Where it was read: repository and collection, database URL without password, or folder.
    inputs
        Dataset UUIDs, or content digests of files, by a readable name.
    versions
        Package versions the rerun recorded; empty when it recorded none.
    schema
        Schema version of the tables; empty when unknown.
    configs
        Settings of the tasks, as source text (``'convolveTemplate'``) by task and field (``subtractImages: mode``);
        empty when the rerun recorded none.  They are no inputs: the digest of those does not hold them.
    """

    rerun: str
    source: str
    inputs: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    versions: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    schema: str = ""
    configs: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def inputs_digest(self) -> str:
        """Digest over all inputs, whatever they are called."""
        return digest_of(sorted(self.inputs.values()))
