"""Table files: Parquet as it is decoded, ECSV and FITS as `astropy.table` reads them, all as Arrow batches."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from harness.errors import BrokenFileError, UsageError, first_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import polars as pl
    from astropy.table import Table as AstropyTable
    from numpy.typing import NDArray

__all__ = ["BATCH_ROWS", "FITS", "FORMATS", "batches_of_file", "schema_of_file"]

BATCH_ROWS = 1 << 17
"""Most rows of a batch."""

_WINDOW_ROWS = 1 << 19

#: Row groups up to this size (what pyarrow writes at most) are decoded by polars, which starts each window at the
#: beginning of its row group; larger ones, as Butler writes them, by pyarrow, which goes on where it was.
_GROUP_ROWS = 1 << 20

#: pyarrow decodes column chunks from a small window and fetches nothing ahead: no row group is held as a whole.
_BUFFER_BYTES = 1 << 20

_PARQUET = (".parq", ".parquet", ".pq")
FITS = (".fits", ".fits.gz", ".fit")
"""Endings of FITS files."""

FORMATS = (*_PARQUET, ".ecsv", *FITS)
"""Endings of the file names that are understood."""


def schema_of_file(path: Path) -> tuple[pa.Schema, int]:
    """Return stored columns and the number of rows of a table file, without reading columns where the format allows.

    Raises
    ------
    harness.errors.BrokenFileError
        When the file is missing, half-written or not what its name says.
    harness.errors.UsageError
        When the format is not one of `FORMATS`.
    """
    if _format(path) in _PARQUET:
        try:
            with pq.ParquetFile(path) as file:
                return file.schema_arrow, file.metadata.num_rows
        except (OSError, pa.ArrowException) as fault:
            raise _broken(path, fault) from None
    table = _whole(path)
    return table.schema, table.num_rows


def batches_of_file(path: Path, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a table file in batches of at most `BATCH_ROWS`.

    Parameters
    ----------
    path
        The file.
    columns
        Stored names of the columns to read.

    Raises
    ------
    harness.errors.BrokenFileError
        When the file is missing, half-written or not what its name says.
    """
    if _format(path) in _PARQUET:
        yield from _parquet_batches(path, columns)
    else:
        yield from _whole(path).select(list(columns)).to_batches(max_chunksize=BATCH_ROWS)


def _parquet_batches(path: Path, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Decode a file a window of rows at a time, by the library that is faster at it: polars is 8 times at flags."""
    import polars as pl

    try:
        with pq.ParquetFile(path, buffer_size=_BUFFER_BYTES, pre_buffer=False) as file:
            groups = [file.metadata.row_group(i).num_rows for i in range(file.metadata.num_row_groups)]
            rows = sum(groups)
            if rows <= BATCH_ROWS or max(groups) > _GROUP_ROWS:
                yield from file.iter_batches(batch_size=BATCH_ROWS, columns=list(columns))
                return
        query = pl.scan_parquet(path, glob=False).select(columns)
        for start in range(0, rows, _WINDOW_ROWS):
            # No name is given to a window, so that it is gone when the next one is decoded.
            yield from _decoded(query.slice(start, _WINDOW_ROWS)).to_batches(max_chunksize=BATCH_ROWS)
    except (OSError, pa.ArrowException, pl.exceptions.PolarsError) as fault:
        raise _broken(path, fault) from None


def _decoded(query: pl.LazyFrame) -> pa.Table:
    import polars as pl

    return query.collect(engine="streaming").to_arrow(compat_level=pl.CompatLevel.newest())


def _format(path: Path) -> str:
    for ending in FORMATS:
        if path.name.endswith(ending):
            return ending
    raise UsageError(f"{path} is not a table file that is understood (known: {', '.join(FORMATS)})")


def _whole(path: Path) -> pa.Table:
    try:
        state = path.stat()
    except OSError as fault:
        raise _broken(path, fault) from None
    return _read_whole(path, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=2)  # these formats cannot be read by column, and a table is read a few columns at a time
def _read_whole(path: Path, _mtime: int, _size: int) -> pa.Table:
    from astropy.io import fits
    from astropy.table import Table

    try:
        if _format(path) not in FITS:
            if not path.read_bytes().endswith(b"\n"):
                raise ValueError("its last line is not finished")  # noqa: TRY301 - told like any other damage
            return _arrow(Table.read(path, format="ascii.ecsv"))
        with fits.open(path) as file:
            hdu = next(hdu for hdu in file if isinstance(hdu, fits.BinTableHDU))
            return _arrow(_afw_names(Table.read(hdu), hdu.header))
    except StopIteration:
        raise _broken(path, ValueError("there is no binary table in it")) from None
    except Exception as fault:  # noqa: BLE001 - astropy raises of every kind on a damaged file
        raise _broken(path, fault) from None


def _afw_names(table: AstropyTable, header: Any) -> AstropyTable:
    """Name what `lsst.afw.table` stores by number or under another name: flag bits and slots.

    Its catalogues hold all flags as bits of one column, bit i named by the header card ``TFLAG<i+1>``; slots are cards
    ``ALIAS`` with ``slot_Centroid:base_SdssCentroid``.
    """
    column = header.get("FLAGCOL")
    if column is not None:
        bits = table[table.colnames[column - 1]]
        for i in range(bits.shape[1]):
            table[header[f"TFLAG{i + 1}"]] = bits[:, i]
        table.remove_column(bits.name)
    aliases = [str(card.value) for card in header.cards if card.keyword == "ALIAS"]
    for slot, target in (text.split(":") for text in aliases if text.startswith("slot_")):
        for name in [name for name in table.colnames if name == target or name.startswith(f"{target}_")]:
            table[slot + name.removeprefix(target)] = table[name]
    return table


def _arrow(table: AstropyTable) -> pa.Table:
    """Convert columns of scalars; times become MJD TAI, units travel in the fields."""
    from astropy.time import Time

    arrays, fields = [], []
    for name in table.colnames:
        column = table[name]
        values = column.tai.mjd if isinstance(column, Time) else column
        if values.ndim != 1:
            continue
        unit = getattr(column, "unit", None)
        array = _array(np.ma.getdata(values), np.ma.getmaskarray(values))
        arrays.append(array)
        fields.append(pa.field(name, array.type, metadata={} if unit is None else {"unit": str(unit)}))
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def _array(values: NDArray[Any], mask: NDArray[np.bool_]) -> pa.Array:
    values = np.asarray(values)
    if values.dtype.kind in "SO":
        values = np.char.decode(values, "utf-8") if values.dtype.kind == "S" else values
        return pa.array(values.tolist(), mask=mask)
    if values.dtype.kind == "U":
        return pa.array(values, pa.string(), mask=mask)
    return pa.array(np.ascontiguousarray(values, values.dtype.newbyteorder("=")), mask=mask)


def _broken(path: Path, fault: BaseException) -> BrokenFileError:
    return BrokenFileError(
        f"{path} cannot be read as a table ({first_line(fault)}); write it again or leave it out of the rerun"
    )
