"""Metric rows of what is on record of amplifiers: its numbers, what is wrong in them, and what changed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from harness.metrics.ptc.amplifier_changes import compare_amplifiers
from harness.metrics.ptc.amplifier_rows import AmplifierRows
from harness.metrics.ptc.amplifier_table import Kind, table_defects
from harness.metrics.ptc.places import place_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pyarrow as pa

    from harness.metrics.ptc.amplifier_table import Finding

__all__ = ["CHANGES", "DEFECTS", "eotest_change_rows", "eotest_rows"]

#: What is wrong in one record, by the metric that counts the amplifiers in which it is.
DEFECTS: Mapping[str, Sequence[Kind]] = {
    "eotest.numPlaceholderGains": (Kind.PLACEHOLDER,),
    "eotest.numCopiedGains": (Kind.COPIED,),
    "eotest.numUnmeasured": (Kind.UNMEASURED,),
    "eotest.numZeroSaturations": (Kind.ZERO_SATURATION,),
    "eotest.numOutlyingGains": (Kind.OUTLYING,),
    "eotest.numUnphysical": (Kind.UNPHYSICAL,),
    "eotest.numMissingAmplifiers": (Kind.MISSING, Kind.REPEATED),
}

#: What changed from one record to the next, likewise.
CHANGES: Mapping[str, Sequence[Kind]] = {
    "eotest.numPermuted": (Kind.PERMUTED, Kind.EXCHANGED),
    "eotest.numChanged": (Kind.CHANGED, Kind.COMMON_FACTOR),
    "eotest.numReplaced": (Kind.REPLACED,),
    "eotest.numLost": (Kind.LOST, Kind.MISSING),
    "eotest.numAdded": (Kind.ADDED,),
}


def eotest_rows(amplifiers: pa.Table, instrument: str) -> pa.Table:
    """Return the numbers on record and the counts of what is wrong in them.

    Parameters
    ----------
    amplifiers
        As `harness.rerun.protocol.Rerun.amplifiers` returns them.
    instrument
        Name to put into the rows.
    """
    import pyarrow as pa

    rows = AmplifierRows(instrument)
    known = [
        field.name
        for field in amplifiers.schema
        if pa.types.is_floating(field.type) and amplifiers[field.name].null_count < amplifiers.num_rows
    ]
    for row in amplifiers.to_pylist():
        place = place_of(row["detector"], row["detectorName"] or "", row["amplifier"])
        for name in known:
            value = row[name]
            # Columns are made of zeros, and failures written as -1: neither is a measurement.
            is_number = value is not None and math.isfinite(value) and (value > 0 or (name == "a00" and value < 0))
            told = "" if is_number else f"the record says {value}"
            # What is on record is the number that is used: it has no sampling error.
            rows.mean(f"eotest.{name}", place, value if is_number else math.nan, 0.0, detail=told)
    _count(rows, DEFECTS, table_defects(amplifiers))
    return rows.table()


def eotest_change_rows(amplifiers: pa.Table, reference: pa.Table, instrument: str) -> pa.Table:
    """Return the counts of what changed since a reference, beyond the noise.

    Parameters
    ----------
    amplifiers, reference
        As `harness.rerun.protocol.Rerun.amplifiers` returns them.
    instrument
        Name to put into the rows.
    """
    rows = AmplifierRows(instrument)
    _count(rows, CHANGES, compare_amplifiers(reference, amplifiers))
    return rows.table()


def _count(rows: AmplifierRows, metrics: Mapping[str, Sequence[Kind]], findings: Iterable[Finding]) -> None:
    """Count amplifiers by what was found in them; the sentence of the finding goes with them."""
    found = list(findings)
    for metric, kinds in metrics.items():
        rows.count(metric, (None, None), 0)
        for finding in found:
            if finding.kind in kinds:
                for place in finding.places:
                    rows.count(metric, (place.detector, None), len(place.amplifiers), finding.sentence)
