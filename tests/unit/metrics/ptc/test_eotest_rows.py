"""Metric rows of what is on record of amplifiers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from harness.metrics.ptc.amplifier_table import Kind
from harness.metrics.ptc.catalogue import ptc_catalogue
from harness.metrics.ptc.eotest_rows import CHANGES, DEFECTS, eotest_change_rows, eotest_rows
from harness.rerun.amplifiers import amplifiers_schema

NAMES = [f"C{i}{j}" for i in (1, 0) for j in range(8)]
DETECTORS = {94: "R22_S11", 95: "R22_S12", 96: "R22_S20"}

Record = dict[tuple[int | None, str], dict[str, Any]]


def record(*, numbered: bool = True) -> Record:
    """Return a sound record of three detectors."""
    rng = np.random.default_rng(1)
    return {
        (number, name): {
            "detector": number if numbered else None,
            "detectorName": detector,
            "amplifier": name,
            "ptcGain": float(rng.normal(1.5, 0.05)),
            "readNoise": float(rng.normal(5.5, 0.2)),
            "saturation": float(rng.normal(130_000, 3000)),
            "a00": float(rng.normal(-3e-6, 1e-7)),
        }
        for number, detector in DETECTORS.items()
        for name in NAMES
    }


def table(rows: Record) -> pa.Table:
    """Return a record as a rerun gives it."""
    return pa.Table.from_pylist(list(rows.values()), amplifiers_schema())


def counts(rows: pa.Table) -> dict[str, float]:
    """Return the totals that are not zero."""
    found: dict[str, float] = {}
    for row in rows.to_pylist():
        if row["denominator"] is None:
            found[row["metric"]] = found.get(row["metric"], 0) + row["numerator"]
    assert set(found) in ({*DEFECTS}, {*CHANGES})
    return {name: total for name, total in found.items() if total}


def test_numbers_are_those_on_record() -> None:
    """Each amplifier has its own, without a sampling error; of a column without a number there is no metric."""
    rows = record()
    found = eotest_rows(table(rows), "LSSTCam").to_pylist()
    gains = {(row["detector"], row["amplifier"]): row for row in found if row["metric"] == "eotest.ptcGain"}
    assert {place: row["numerator"] for place, row in gains.items()} == {
        place: row["ptcGain"] for place, row in rows.items()
    }
    assert {row["uncertainty"] for row in gains.values()} == {0.0}
    assert {row["metric"] for row in found if row["denominator"]} == {
        f"eotest.{name}" for name in ("ptcGain", "readNoise", "saturation", "a00")
    }
    assert all(math.isfinite(row["numerator"]) for row in found)


def test_sound_record_has_nothing_to_count() -> None:
    """Every count is there, and is zero: what was looked for and not found was measured."""
    assert counts(eotest_rows(table(record()), "LSSTCam")) == {}
    assert counts(eotest_change_rows(table(record()), table(record()), "LSSTCam")) == {}


@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf, None])
@pytest.mark.parametrize("column", ["ptcGain", "readNoise", "saturation"])
def test_what_is_no_measurement_is_no_number(column: str, value: float | None) -> None:
    """Columns begin as zeros, and failures are written as -1: such an amplifier has no value, and the row says so."""
    rows = record()
    rows[95, "C06"][column] = value
    found = [row for row in eotest_rows(table(rows), "LSSTCam").to_pylist() if row["metric"] == f"eotest.{column}"]
    broken = [row for row in found if not math.isfinite(row["numerator"])]
    assert [(row["detector"], row["amplifier"]) for row in broken] == [(95, "C06")]
    assert math.isnan(broken[0]["numerator"])
    assert broken[0]["detail"] == f"the record says {value}"


def test_brighter_fatter_coefficient_is_negative() -> None:
    """What is wrong for a gain is right for a00; zero is for neither."""
    rows = record()
    rows[94, "C00"]["a00"] = 0.0
    found = [row for row in eotest_rows(table(rows), "LSSTCam").to_pylist() if row["metric"] == "eotest.a00"]
    assert [row["amplifier"] for row in found if math.isnan(row["numerator"])] == ["C00"]


@pytest.mark.parametrize(
    ("column", "value", "metric"),
    [
        ("ptcGain", 1.0, "eotest.numPlaceholderGains"),
        ("ptcGain", 0.0, "eotest.numUnmeasured"),
        ("ptcGain", 0.345, "eotest.numOutlyingGains"),
        ("saturation", 0.0, "eotest.numZeroSaturations"),
        ("readNoise", -3.0, "eotest.numUnphysical"),
    ],
)
def test_defects_are_counted_by_kind_and_detector(column: str, value: float, metric: str) -> None:
    """Each amplifier counts once, where it is, and the sentence names it."""
    rows = record()
    for name in ("C03", "C06"):
        rows[95, name][column] = value if value != 0.345 else value + 1e-7 * int(name[1:])
    made = eotest_rows(table(rows), "LSSTCam")
    assert counts(made) == {metric: 2}
    told = [row for row in made.to_pylist() if row["metric"] == metric and row["numerator"]]
    assert {row["detector"] for row in told} == {95}
    sentences = " ".join(row["detail"] for row in told)
    assert "R22_S12" in sentences
    assert "C03" in sentences
    assert "C06" in sentences


def test_missing_amplifier_is_counted() -> None:
    """An amplifier that others of the kind have and a record lacks is a defect of the record, and lost from the old."""
    rows = record()
    del rows[95, "C06"]
    assert counts(eotest_rows(table(rows), "LSSTCam")) == {"eotest.numMissingAmplifiers": 1}
    assert counts(eotest_change_rows(table(rows), table(record()), "LSSTCam")) == {"eotest.numLost": 1}
    assert counts(eotest_change_rows(table(record()), table(rows), "LSSTCam")) == {"eotest.numAdded": 1}


def test_changes_are_counted_from_the_reference_on() -> None:
    """Amplifiers that changed places are told from one that changed, the new record from the old one."""
    swapped, changed, placeholder = record(), record(), record()
    for i in range(8):
        for column in ("ptcGain", "readNoise", "saturation", "a00"):
            swapped[94, f"C0{i}"][column] = record()[94, f"C1{i}"][column]
            swapped[94, f"C1{i}"][column] = record()[94, f"C0{i}"][column]
    rows = eotest_change_rows(table(swapped), table(record()), "LSSTCam")
    assert counts(rows)["eotest.numPermuted"] == 16
    changed[95, "C06"]["ptcGain"] *= 1.1
    assert counts(eotest_change_rows(table(changed), table(record()), "LSSTCam")) == {"eotest.numChanged": 1}
    placeholder[95, "C06"]["ptcGain"] = 1.0
    assert counts(eotest_change_rows(table(record()), table(placeholder), "LSSTCam")) == {"eotest.numReplaced": 1}


def test_detector_without_a_number_is_in_the_amplifiers_name() -> None:
    """A file that knows full names alone keeps its detectors apart."""
    found = eotest_rows(table(record(numbered=False)), "LSSTCam").to_pylist()
    gains = [row["amplifier"] for row in found if row["metric"] == "eotest.ptcGain"]
    assert len(set(gains)) == 48
    assert "R22_S12_C06" in gains


def test_every_kind_of_finding_is_counted_once() -> None:
    """No finding goes unheard: each kind belongs to one count of its table, but an order that cannot be known."""
    kinds = [kind for group in (*DEFECTS.values(), *CHANGES.values()) for kind in group]
    assert set(Kind) - set(kinds) == {Kind.UNKNOWN_ORDER}
    for metrics in (DEFECTS, CHANGES):
        members = [kind for group in metrics.values() for kind in group]
        assert len(set(members)) == len(members)
    assert {*DEFECTS, *CHANGES} <= set(ptc_catalogue())
