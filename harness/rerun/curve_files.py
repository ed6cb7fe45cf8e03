"""Photon transfer curves that somebody else measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from harness.errors import UsageError
from harness.metrics.ptc.curve import curve_schema
from harness.rerun.aliases import canonical_name
from harness.rerun.eotest import eotest_curves
from harness.rerun.formats import FITS
from harness.rerun.table_files import TABLE_FORMATS, table_of_file, typed_column

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

__all__ = ["read_curves"]

_NEEDED = ("amplifier", "mean", "variance")


def read_curves(paths: Iterable[Path], instrument: str, detectors: Mapping[str, int]) -> pa.Table:
    """Read files of photon transfer curves.

    Parameters
    ----------
    paths
        EO-test curves (``<sensor>_ptc.fits``), or tables (CSV, ECSV, Parquet, FITS) with a row per amplifier and pair
        of flats: ``amplifier``, ``mean`` (adu), ``variance`` (adu²), and more of
        `harness.metrics.ptc.curve.curve_schema`.
    instrument
        Short name of the instrument, where a file does not give it.
    detectors
        Numbers of detectors by full name; the others' stay null.

    Returns
    -------
    curves : `pyarrow.Table`
        Rows of `harness.metrics.ptc.curve.curve_schema`; what is not known is null.

    Raises
    ------
    harness.errors.BrokenFileError
        When a file is missing, half-written or not what its name says.
    harness.errors.UsageError
        When a format is unknown, a column is missing, or an amplifier is in two files.
    """
    tables: list[pa.Table] = []
    sources: dict[tuple[Any, ...], Path] = {}
    for path in paths:
        table = _completed(_table(path), instrument, detectors)
        for place in table.group_by(["detectorName", "detector", "amplifier"]).aggregate([]).to_pylist():
            name, number, amplifier = place.values()
            if (name, number, amplifier) in sources:
                both = f"{sources[name, number, amplifier]} and {path} both hold the curve of"
                raise UsageError(f"{both} {name or f'detector {number}'} {amplifier}; keep each curve in one file")
            sources[name, number, amplifier] = path
        tables.append(table)
    return pa.concat_tables(tables)


def _table(path: Path) -> pa.Table:
    """Return what a file holds, under the columns of the schema."""
    schema = curve_schema()
    if not path.name.endswith(TABLE_FORMATS):
        raise UsageError(f"{path} is not a file of curves that is understood (known: {', '.join(TABLE_FORMATS)})")
    if path.name.endswith(FITS) and (rows := eotest_curves(path)) is not None:
        return pa.Table.from_pylist(rows, schema)
    table = table_of_file(path)
    stored = {canonical_name(name, "curves"): name for name in table.column_names}
    for name in _NEEDED:
        if name not in stored:
            there_are = ", ".join(table.column_names)
            raise UsageError(f"{path} holds no curves: it has no column {name!r} (there are: {there_are})")
    arrays = [
        typed_column(table, stored[field.name], field.type, path)
        if field.name in stored
        else pa.nulls(table.num_rows, field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def _completed(table: pa.Table, instrument: str, detectors: Mapping[str, int]) -> pa.Table:
    """Fill in instrument, number and name of the detector where they are known."""
    names: dict[int | None, str] = {number: name for name, number in detectors.items()}
    places = list(zip(table["detector"].to_pylist(), table["detectorName"].to_pylist(), strict=True))
    numbers = [detectors.get(name) if number is None else number for number, name in places]
    filled = {
        "instrument": [each or instrument for each in table["instrument"].to_pylist()],
        "detector": numbers,
        "detectorName": [name or names.get(number) for number, (_, name) in zip(numbers, places, strict=True)],
    }
    for name, values in filled.items():
        index = table.schema.get_field_index(name)
        table = table.set_column(index, table.schema.field(name), pa.array(values, table.schema.field(name).type))
    return table
