"""What is on record of amplifiers: EO-test results, gain files and tables, as one table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from harness.errors import BrokenFileError, UsageError
from harness.rerun.aliases import canonical_name
from harness.rerun.eotest import eotest_amplifiers
from harness.rerun.formats import FITS
from harness.rerun.gain_files import gain_rows
from harness.rerun.table_files import TABLE_FORMATS, table_of_file, typed_column

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

__all__ = ["amplifiers_schema", "as_amplifiers", "read_amplifiers"]

_VALUES = ("ptcGain", "gain", "readNoise", "saturation", "fullWell", "a00", "turnoff")
_NESTED = (".json", ".yaml", ".yml")


def amplifiers_schema() -> pa.Schema:
    """Return the Arrow schema of `harness.rerun.protocol.Rerun.amplifiers`."""
    place = [("detector", pa.int32()), ("detectorName", pa.string()), ("amplifier", pa.string())]
    return pa.schema(place + [(name, pa.float64()) for name in _VALUES])


def read_amplifiers(paths: Iterable[Path], detectors: Mapping[str, int]) -> pa.Table:
    """Read files about amplifiers, each amplifier once.

    Parameters
    ----------
    paths
        EO-test results (FITS), gains by detector and amplifier (JSON, YAML), or tables (CSV, ECSV, Parquet, FITS) with
        ``amplifier`` (or ``amp``), ``detectorName`` or ``detector`` (or ``raft`` and ``slot``), and values.  A ``gain``
        that stands without a ``ptcGain`` is the one in use, and so the ``ptcGain``.
    detectors
        Numbers of detectors by full name; the others' stay null.

    Returns
    -------
    amplifiers : `pyarrow.Table`
        Rows of `amplifiers_schema`, in the order of the files.

    Raises
    ------
    harness.errors.BrokenFileError
        When a file is missing, half-written or not what its name says.
    harness.errors.UsageError
        When a format is unknown, a column is missing, or an amplifier is there twice.
    """
    return as_amplifiers(((path, row) for path in paths for row in _rows(path)), detectors)


def as_amplifiers(rows: Iterable[tuple[Any, dict[str, Any]]], detectors: Mapping[str, int]) -> pa.Table:
    """Complete and join rows; each comes with the name of where it was read.

    Raises
    ------
    harness.errors.UsageError
        When an amplifier is there twice.
    """
    names: dict[int | None, str] = {number: name for name, number in detectors.items()}
    sources: dict[tuple[Any, str], Any] = {}
    complete = []
    for source, row in rows:
        number, name = row.get("detector"), row.get("detectorName")
        if number is None:
            number = detectors.get(name or "")
        name = name or names.get(number)
        key = (name if number is None else number, row["amplifier"])
        if key in sources:
            twice = f"{source} describes" if sources[key] == source else f"{sources[key]} and {source} both describe"
            raise UsageError(f"{twice} {name or f'detector {number}'} {row['amplifier']}; keep one row per amplifier")
        sources[key] = source
        complete.append(row | {"detector": number, "detectorName": name})
    return pa.Table.from_pylist(complete, amplifiers_schema())


def _rows(path: Path) -> list[dict[str, Any]]:
    if path.suffix in _NESTED:
        return [_with_ptc_gain(row) for row in gain_rows(path, _VALUES)]
    if not path.name.endswith(TABLE_FORMATS):
        known = ", ".join((*TABLE_FORMATS, *_NESTED))
        raise UsageError(f"{path} is not a file about amplifiers that is understood (known: {known})")
    if path.name.endswith(FITS) and (rows := eotest_amplifiers(path)) is not None:
        return rows
    return _table_rows(path)


def _with_ptc_gain(row: dict[str, Any]) -> dict[str, Any]:
    """Take a gain that stands alone for the one in use, which a photon transfer curve gave."""
    if "gain" in row and "ptcGain" not in row:
        row["ptcGain"] = row.pop("gain")
    return row


def _table_rows(path: Path) -> list[dict[str, Any]]:
    table = table_of_file(path)
    stored = {canonical_name(name, "amplifiers"): name for name in table.column_names}
    there_are = f"its columns are {', '.join(table.column_names)}"
    if not any(name in stored for name in _VALUES):
        raise UsageError(f"{path} says nothing of amplifiers: {there_are}; name one of {', '.join(_VALUES)}")
    if "amplifier" not in stored:
        raise UsageError(f"{path} names no amplifier: {there_are}; add amplifier")
    schema = amplifiers_schema()
    columns = {
        field.name: typed_column(table, stored[field.name], field.type, path)
        for field in schema
        if field.name in stored
    }
    if "detectorName" not in columns and {"raft", "slot"} <= stored.keys():
        columns["detectorName"] = pc.binary_join_element_wise(
            *(typed_column(table, name, pa.string(), path) for name in ("raft", "slot")), "_"
        )
    if not {"detector", "detectorName"} & columns.keys():
        raise UsageError(f"{path} names no detector: {there_are}; add detectorName, or raft and slot")
    rows: list[dict[str, Any]] = pa.table(columns).to_pylist()
    for number, row in enumerate(rows, 1):
        if row["amplifier"] is None or (row.get("detector") is None and row.get("detectorName") is None):
            raise BrokenFileError(f"{path} leaves open which amplifier its row {number} is about; fill it in")
    return [_with_ptc_gain(row | {"amplifier": _short(row["amplifier"])}) for row in rows]


def _short(amplifier: str) -> str:
    """Return the amplifier's name; its segment is called ``Segment10`` in raw files."""
    return f"C{amplifier.removeprefix('Segment')}" if amplifier.startswith("Segment") else amplifier
