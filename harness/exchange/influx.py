"""Measurements in InfluxDB line protocol: ``measurement,tag=value field=value timestamp``.

Syntax and special characters: InfluxDB line protocol reference (docs.influxdata.com).
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from harness.errors import UsageError
from harness.model import VerdictState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.model import Measurement, Verdict

__all__ = ["influx_lines"]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

_SEVERITY: Final = {state: rank for rank, state in enumerate(VerdictState)}


def influx_lines(
    measurements: Iterable[Measurement], *, dataset: str, at: datetime, verdicts: Iterable[Verdict] = ()
) -> str:
    """Return one line for each measurement, named after its metric.

    Tags are the dataset, the rerun and the data ID.  Fields are ``value`` and ``uncertainty``, left out where they are
    not finite, which InfluxDB cannot store; ``count``, the number of independent units; and ``verdict``, the worst of
    those about it.

    Parameters
    ----------
    measurements
        Of any number of reruns and data IDs.
    dataset
        Name of the dataset that they belong to.
    at
        When they were made, with a time zone.
    verdicts
        What was judged; those about nothing in ``measurements`` are left out.

    Raises
    ------
    harness.errors.UsageError
        When a name cannot be written: it holds a control character or a backslash.
    """
    timestamp = (at - _EPOCH) // timedelta(microseconds=1) * 1000
    worst: dict[tuple[str, str, str], VerdictState] = {}
    for verdict in verdicts:
        subject = (verdict.metric, verdict.rerun, verdict.place)
        worst[subject] = max(verdict.state, worst.get(subject, verdict.state), key=_SEVERITY.__getitem__)
    lines = []
    for measurement in measurements:
        tags = {"dataset": dataset, "rerun": measurement.rerun, **measurement.data_id}
        state = worst.get((measurement.metric, measurement.rerun, str(measurement.data_id)))
        series = [_escaped(measurement.metric, ", ")]
        # Sorted by key, as the database keeps them; a tag without a value would be a syntax error.
        series += [f"{_escaped(key)}={_escaped(str(value))}" for key, value in sorted(tags.items()) if str(value)]
        lines.append(f"{','.join(series)} {_fields(measurement, state)} {timestamp}\n")
    return "".join(lines)


def _fields(measurement: Measurement, state: VerdictState | None) -> str:
    fields = []
    if math.isfinite(measurement.value):
        fields.append(f"value={float(measurement.value)!r}")
    if math.isfinite(measurement.uncertainty):
        fields.append(f"uncertainty={float(measurement.uncertainty)!r}")
    fields.append(f"count={measurement.n_units}i")
    if state is not None:
        fields.append(f'verdict="{state}"')
    return ",".join(fields)


def _escaped(text: str, special: str = ",= ") -> str:
    """Put a backslash before special characters; a backslash itself has no spelling that is read back everywhere."""
    if re.search(r"[\x00-\x1f\x7f\\]", text):
        raise UsageError(f"{text!r} cannot be written for InfluxDB: it holds a control character or a backslash")
    return "".join(f"\\{character}" if character in special else character for character in text)
