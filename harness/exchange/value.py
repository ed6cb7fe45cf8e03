"""What other tools exchange: measurements, specifications and what belongs to them.  No I/O."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, final

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["OPERATORS", "Foreign", "Job", "MetricDescription", "Specification"]

#: Comparisons of a measurement with a threshold, as `lsst.verify` writes them, and in words.
OPERATORS: Final = {
    "<=": "at most",
    "<": "less than",
    ">=": "at least",
    ">": "more than",
    "==": "exactly",
    "!=": "anything but",
}


@final
@dataclass(frozen=True, slots=True)
class Foreign:
    """One measurement that another tool made.

    Attributes
    ----------
    metric
        Qualified name, such as ``validate_drp.PA1``.
    value
        The number, in ``unit``; NaN when there is none.
    unit
        Unit as an `astropy.units` string; empty when dimensionless.
    identifier
        Its identifier in the file; empty when it has none.
    detail
        Why there is no number; empty when there is one.
    blobs
        Identifiers of the blobs that it refers to.
    notes
        Annotations, by their key.
    """

    metric: str
    value: float
    unit: str
    identifier: str = ""
    detail: str = ""
    blobs: tuple[str, ...] = ()
    notes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_measured(self) -> bool:
        """Whether the value is a finite number."""
        return math.isfinite(self.value)


@final
@dataclass(frozen=True, slots=True)
class MetricDescription:
    """What a job file says of a metric.

    Attributes
    ----------
    description
        One or more sentences.
    unit
        Unit that the metric is defined in, as an `astropy.units` string.
    tags
        Labels, sorted.
    reference
        Where it is defined: ``doc``, ``page`` and ``url``.
    """

    description: str
    unit: str
    tags: tuple[str, ...] = ()
    reference: Mapping[str, Any] = field(default_factory=dict)


@final
@dataclass(frozen=True, slots=True)
class Specification:
    """A bound on a metric: its measurement has to stand in ``operator`` to the threshold.

    Attributes
    ----------
    name
        Qualified name, such as ``validate_drp.PA1.design_gri``: package, metric, and the rest.
    operator
        A key of `OPERATORS`.
    threshold
        Finite number, in ``unit``.
    unit
        Unit as an `astropy.units` string, which need not be that of the measurement.
    query
        It applies to jobs whose metadata have each of these keys with an equal value.
    tags
        Labels, such as ``minimum`` or ``release``.
    """

    name: str
    operator: str
    threshold: float
    unit: str
    query: Mapping[str, Any] = field(default_factory=dict)
    tags: frozenset[str] = frozenset()

    @property
    def metric(self) -> str:
        """Qualified name of the metric that is bounded."""
        return ".".join(self.name.split(".")[:2])

    def applies_to(self, meta: Mapping[str, Any]) -> bool:
        """Return whether it applies to a job with these metadata."""
        return all(key in meta and meta[key] == value for key, value in self.query.items())


@final
@dataclass(frozen=True, slots=True)
class Job:
    """Everything that one verification job says.

    Attributes
    ----------
    measurements
        By the metric's name.
    specifications
        Bounds, whether they apply to this job or not, each with a name of its own.
    metrics
        Descriptions by name.
    meta
        What the job was about: instrument, filter, dataset, software.
    blobs
        By identifier, what measurements were made from, as the file has it (``identifier``, ``name``, ``data``).
    """

    measurements: Mapping[str, Foreign]
    specifications: tuple[Specification, ...] = ()
    metrics: Mapping[str, MetricDescription] = field(default_factory=dict)
    meta: Mapping[str, Any] = field(default_factory=dict)
    blobs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
