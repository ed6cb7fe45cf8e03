"""What the history keeps of one rerun: each metric's value, and what was said of it then."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any, final

import pyarrow as pa

from harness.errors import NotMeasuredError, UsageError
from harness.model import VerdictState, digest_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from harness.model import Measurement, Verdict
    from harness.rerun.protocol import RerunRef
    from harness.session import Session
    from harness.verify import Outcome

__all__ = ["HISTORY_SCHEMA", "Entry", "Row", "entry_of"]

_STATES = list(VerdictState)  # from the best to the worst


@final
@dataclass(frozen=True, slots=True)
class Row:
    """One metric of one rerun.

    Attributes
    ----------
    metric, unit, definition
        Name, unit as an `astropy.units` string, and digest of the definition.
    value, uncertainty
        The number and its standard uncertainty in ``unit``; NaN when it was not measured, or nobody knows.
    n_units
        How many independent units (visits) it rests on.
    state
        The worst verdict on it; empty when nothing was expected of it.
    reference
        What it was held against; NaN when there was nothing.
    low, high
        Which values would have been acceptable; NaN where the verdict was not about the value.
    lower, upper
        Confidence interval of the value in that verdict: for a change, the reference and the interval of the change
        together, in which nothing is left of what all reruns of the same sky have in common.
    detail
        What a reader needs beside the number, such as the reason for a NaN.
    """

    metric: str
    unit: str
    definition: str
    value: float
    uncertainty: float = math.nan
    n_units: int = 0
    state: str = ""
    reference: float = math.nan
    low: float = math.nan
    high: float = math.nan
    lower: float = math.nan
    upper: float = math.nan
    detail: str = ""


_TEXT, _NUMBER = pa.large_string(), pa.float64()
_OF_ENTRY = dict.fromkeys(("dataset", "key", "rerun", "source"), _TEXT)
_OF_ENTRY |= {"sequence": pa.int64(), "at": pa.timestamp("us", "UTC"), "harness": _TEXT, "inputs": _TEXT}
_OF_ROW = {each.name: {"str": _TEXT, "int": pa.int64(), "float": _NUMBER}[str(each.type)] for each in fields(Row)}

#: The columns of the history: one row for each metric of each rerun.
HISTORY_SCHEMA = pa.schema([pa.field(name, kind, nullable=False) for name, kind in (_OF_ENTRY | _OF_ROW).items()])


@final
@dataclass(frozen=True, slots=True)
class Entry:
    """All measurements of one rerun, as they enter the history.

    Attributes
    ----------
    dataset, rerun, source
        Name of the dataset, of the rerun, and where that was read.
    inputs
        Digest of its input datasets, as `harness.baseline.model.Acceptance` has it.
    rows
        Its metrics; one metric may be there several times, with different definitions.
    harness
        Version of the harness that measured.
    settings
        What the definitions depend on.
    versions
        Package versions that the rerun recorded.
    """

    dataset: str
    rerun: str
    source: str
    inputs: str
    rows: tuple[Row, ...]
    harness: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Digest of what makes an entry another one: dataset, rerun, inputs and settings."""
        return digest_of([self.dataset, self.rerun, self.inputs, dict(self.settings)])

    def table(self, sequence: int, at: datetime) -> pa.Table:
        """Return the rows as a table with `HISTORY_SCHEMA`.

        Parameters
        ----------
        sequence
            Its place in the history of the dataset, counted from 1.
        at
            When it entered the history, in UTC.
        """
        whole = {
            "dataset": self.dataset,
            "key": self.key,
            "rerun": self.rerun,
            "source": self.source,
            "sequence": sequence,
            "at": at,
            "harness": self.harness,
            "inputs": self.inputs,
        }
        return pa.Table.from_pylist([whole | asdict(row) for row in self.rows], schema=HISTORY_SCHEMA)


def entry_of(session: Session, ref: RerunRef, outcome: Outcome) -> Entry:
    """Return what the history keeps of a rerun that was measured and judged.

    Parameters
    ----------
    session
        What was judged against what.
    ref
        The rerun, one of ``session.refs``.
    outcome
        The verdicts; those on other reruns are left aside.

    Raises
    ------
    harness.errors.NotMeasuredError
        When the rerun has not been measured.
    harness.errors.UsageError
        When nothing says which dataset this is.
    """
    if session.dataset is None:
        raise UsageError(f"the history is kept by dataset; say with --dataset which one {ref.name} belongs to")
    measurements = session.measurements(ref)
    manifest = measurements.manifest
    if manifest is None:
        raise NotMeasuredError(f"{ref.name} of {ref.repo} has not been measured; run rerun-harness measure")
    verdicts: dict[str, list[Verdict]] = {}
    for verdict in outcome.verdicts:
        if verdict.rerun == ref.name:
            verdicts.setdefault(verdict.metric, []).append(verdict)
    names = dict.fromkeys([*measurements, *(name for name in verdicts if name in measurements.catalogue)])
    rows = (_row(measurements[name].measurement(), verdicts.get(name, [])) for name in names)
    return Entry(
        dataset=session.dataset,
        rerun=ref.name,
        source=manifest.source,
        inputs=manifest.datasets_digest,
        rows=tuple(rows),
        harness=manifest.harness,
        settings=asdict(session.settings),
        versions=dict(manifest.versions),
    )


def _row(measured: Measurement, verdicts: Iterable[Verdict]) -> Row:
    """Put a measurement and what was said of it together."""
    worst_first = sorted(verdicts, key=lambda verdict: _STATES.index(verdict.state), reverse=True)
    of_rerun = [verdict for verdict in worst_first if not verdict.place]
    of_value = [verdict for verdict in of_rerun if _is_of_the_value(verdict)]
    return Row(
        metric=measured.metric,
        unit=measured.unit,
        definition=measured.definition,
        value=measured.value,
        uncertainty=measured.uncertainty,
        n_units=measured.n_units,
        state=str(worst_first[0].state) if worst_first else "",
        reference=next((verdict.reference for verdict in (*of_value, *of_rerun)), math.nan),
        **(_limits(of_value[0]) if of_value else {}),
        detail=measured.detail,
    )


def _is_of_the_value(verdict: Verdict) -> bool:
    """Return whether its intervals are of the value or its difference to another: not of a ratio, nor of a share."""
    rule = verdict.expectation
    return verdict.acceptable is not None and not rule.startswith("agrees with") and " for at least " not in rule


def _limits(verdict: Verdict) -> dict[str, float]:
    """Return the acceptable and the confidence interval as values of the metric.

    What is added is the value less the estimate: 0 where the value itself was judged, else what it was compared with,
    over the visits that both have.
    """
    base = verdict.value - verdict.estimate
    limits: dict[str, float] = {}
    for (low, high), interval in ((("low", "high"), verdict.acceptable), (("lower", "upper"), verdict.interval)):
        if interval is not None:
            limits |= {low: base + interval.low, high: base + interval.high}
    return limits
