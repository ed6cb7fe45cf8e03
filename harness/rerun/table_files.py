"""Small table files, read whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from harness.errors import BrokenFileError, UsageError, first_line
from harness.rerun.formats import FORMATS, batches_of_file, schema_of_file

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["TABLE_FORMATS", "table_of_file", "typed_column"]

TABLE_FORMATS = (*FORMATS, ".csv")
"""Endings of the file names that are understood."""


def table_of_file(path: Path) -> pa.Table:
    """Read a table file whole, under its stored column names.

    Raises
    ------
    harness.errors.BrokenFileError
        When the file is missing, half-written or not what its name says.
    harness.errors.UsageError
        When the format is not one of `TABLE_FORMATS`.
    """
    if path.suffix == ".csv":
        return _csv(path)
    if not path.name.endswith(FORMATS):
        raise UsageError(f"{path} is not a table file that is understood (known: {', '.join(TABLE_FORMATS)})")
    schema, _ = schema_of_file(path)
    return pa.Table.from_batches(batches_of_file(path, schema.names), schema).replace_schema_metadata()


def typed_column(table: pa.Table, stored: str, kind: pa.DataType, path: Path) -> pa.ChunkedArray:
    """Return a column with the Arrow type wanted.

    Raises
    ------
    harness.errors.BrokenFileError
        When it holds something else; the message names file, column and value.
    """
    try:
        return table[stored].cast(kind)
    except pa.ArrowException as fault:
        raise BrokenFileError(f"{path} holds something else than {kind} in column {stored!r} ({fault})") from None


def _csv(path: Path) -> pa.Table:
    import polars as pl

    try:
        return pl.read_csv(path, infer_schema_length=None).to_arrow()
    except (OSError, pl.exceptions.PolarsError) as fault:
        raise BrokenFileError(
            f"{path} cannot be read as a table ({first_line(fault)}); write it again or leave it out"
        ) from None
