"""Table files of each format, whole and damaged."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from astropy.table import MaskedColumn, Table
from astropy.time import Time

from harness.errors import BrokenFileError, UsageError
from harness.rerun.formats import _WINDOW_ROWS, BATCH_ROWS, batches_of_file, schema_of_file

if TYPE_CHECKING:
    from pathlib import Path


def read(path: Path, *columns: str) -> pa.Table:
    """Read columns of a file, all of them by default."""
    schema, _ = schema_of_file(path)
    return pa.Table.from_batches(batches_of_file(path, columns or schema.names))


@pytest.mark.parametrize("rows", [0, 1, BATCH_ROWS + 1])
def test_parquet_is_read_in_batches(tmp_path: Path, rows: int) -> None:
    """The footer tells the rows; batches hold them all, and no more than the limit each."""
    path = tmp_path / "t.parq"
    table = pa.table({"a": np.arange(rows), "b": np.arange(rows, dtype=np.float32)})
    pq.write_table(table, path)
    assert schema_of_file(path)[1] == rows
    sizes = [batch.num_rows for batch in batches_of_file(path, ["b"])]
    assert sum(sizes) == rows
    assert max(sizes, default=0) <= BATCH_ROWS


def test_ecsv_keeps_types_gaps_and_times(tmp_path: Path) -> None:
    """Masked values are null, times MJD TAI, integers exact."""
    path = tmp_path / "t.ecsv"
    moments = Time(["2025-03-10T21:40:05.865", "2015-01-01T00:00:00"], scale="utc")
    table = Table(
        {
            "id": [2226735346618466403, 1],
            "flux": MaskedColumn(np.array([1.5, 2.5], np.float32), mask=[False, True]),
            "time_processed": moments,
            "band": ["g", "r"],
            "flag": [True, False],
        }
    )
    table.write(path)
    found = read(path)
    assert found["id"].to_pylist() == [2226735346618466403, 1]
    assert found["flux"].to_pylist() == [1.5, None]
    assert found["flux"].type == pa.float32()
    assert found["time_processed"].to_pylist() == moments.tai.mjd.tolist()
    assert found["band"].to_pylist() == ["g", "r"]
    assert found["flag"].to_pylist() == [True, False]


def test_flags_and_slots_of_afw_catalogues_get_their_names(tmp_path: Path) -> None:
    """Bit i of the flag column is named by TFLAG<i+1>, slots by ALIAS cards; radians are told."""
    path = tmp_path / "src.fits"
    bits = np.array([[True, False, False], [False, True, True]])
    hdu = fits.BinTableHDU.from_columns(
        [
            fits.Column("flags", "3X", array=bits),
            fits.Column("id", "K", array=[1, 2]),
            fits.Column("coord_ra", "D", "rad", array=[0.1, 0.2]),
            fits.Column("base_SdssCentroid_x", "D", array=[10.0, 20.0]),
            fits.Column("shape", "2D", array=np.ones((2, 2))),
            fits.Column("filter", "3A", array=["g", "r"]),
        ]
    )
    hdu.header["FLAGCOL"] = 1
    names = ("base_PixelFlags_flag_bad", "base_PixelFlags_flag_edge", "base_SdssCentroid_flag")
    for i, name in enumerate(names, start=1):
        hdu.header[f"TFLAG{i}"] = name
    hdu.header.append(("ALIAS", "base_PsfFlux_flag_badCentroid:base_SdssCentroid_flag"))
    hdu.header.append(("ALIAS", "slot_Centroid:base_SdssCentroid"))
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(path)
    found = read(path)
    assert [found[name].to_pylist() for name in names] == bits.T.tolist()
    assert found["slot_Centroid_flag"].to_pylist() == [False, True]
    assert found["slot_Centroid_x"].to_pylist() == [10.0, 20.0]
    assert found["filter"].to_pylist() == ["g", "r"]
    assert not {"flags", "shape"} & set(found.column_names)
    assert found.schema.field("coord_ra").metadata == {b"unit": b"rad"}
    assert found["id"].type == pa.int64()


@pytest.mark.parametrize("name", ["t.parquet", "t.ecsv", "t.fits"])
@pytest.mark.parametrize("fraction", [0, 0.5])
def test_a_half_written_file_is_named(tmp_path: Path, name: str, fraction: float) -> None:
    """A truncated file is broken, whatever its format, and the message is one line with its path."""
    path = tmp_path / name
    table = Table({"a": np.arange(1000.0), "b": [f"text {i}" for i in range(1000)]})
    if name.endswith("parquet"):
        pq.write_table(pa.table({"a": np.arange(1000.0)}), path)
    else:
        table.write(path)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * fraction)])
    with pytest.raises(BrokenFileError, match=name) as caught:
        read(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["t.parquet", "t.ecsv", "t.fits"])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    """A file that is not there is a broken rerun, not a traceback."""
    with pytest.raises(BrokenFileError, match=name):
        schema_of_file(tmp_path / name)


def test_a_fits_file_without_a_table_is_named(tmp_path: Path) -> None:
    """An image is no table."""
    fits.PrimaryHDU(np.zeros((2, 2))).writeto(tmp_path / "image.fits")
    with pytest.raises(BrokenFileError, match=r"image\.fits cannot be read as a table \(there is no binary table"):
        schema_of_file(tmp_path / "image.fits")


def test_an_unknown_format_is_refused(tmp_path: Path) -> None:
    """The message lists the formats."""
    with pytest.raises(UsageError, match=r"t\.csv is not a table file that is understood .*\.parq.*\.ecsv.*\.fits"):
        schema_of_file(tmp_path / "t.csv")


@pytest.mark.parametrize("row_group_size", [100_000, 2_000_000])
def test_large_file_is_decoded_as_pyarrow_does(tmp_path: Path, row_group_size: int) -> None:
    """Windows of a large file join to the very values that pyarrow reads, of every type that catalogues have."""
    rows = 2 * _WINDOW_ROWS + 12_345
    rng = np.random.default_rng(3)
    known = rng.random(rows) < 0.9
    table = pa.table(
        {
            "id": np.arange(rows),
            "detector": rng.integers(62, size=rows).astype(np.int16),
            "flux": pa.array(rng.normal(size=rows).astype(np.float32), mask=~known),
            "ra": rng.uniform(0, 360, rows),
            "flag": pa.array(rng.random(rows) < 0.1, mask=~known),
            "band": pa.array(np.where(known, "g", "r")),
            "time": pa.array(rng.integers(2**40, size=rows), pa.timestamp("us")),
            "withdrawn": pa.nulls(rows),
        }
    )
    path = tmp_path / "large.parquet"
    pq.write_table(table, path, row_group_size=row_group_size)
    batches = list(batches_of_file(path, table.column_names))
    assert max(batch.num_rows for batch in batches) <= BATCH_ROWS
    decoded = pa.Table.from_batches(batches).cast(table.schema)
    assert decoded.equals(table)
