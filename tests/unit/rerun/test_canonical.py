"""Conversion of stored columns, against dates and numbers known otherwise."""

from __future__ import annotations

from datetime import date, datetime

import numpy as np
import pyarrow as pa
import pytest
from astropy.time import Time

from harness.rerun.canonical import canonical_batch, canonical_columns, canonical_type, merged_types


def convert(batch: pa.RecordBatch, table: str = "diaSource", instrument: str = "") -> pa.RecordBatch:
    """Return all canonical columns of a batch."""
    columns = canonical_columns(batch.schema, table, instrument)
    return canonical_batch(batch, columns, pa.schema([(name, each.type) for name, each in columns.items()]))


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_naive_timestamps_become_tai(unit: str) -> None:
    """A UTC timestamp is 37 s behind TAI in 2020, 35 s in early 2015; a missing one stays missing."""
    moments = [datetime(2020, 5, 24), datetime(2015, 2, 17, 12), None, datetime(2020, 5, 24)]  # noqa: DTZ001
    batch = pa.record_batch({"time_processed": pa.array(moments, pa.timestamp(unit))})
    found = convert(batch)["timeProcessedMjdTai"]
    assert found.type == pa.float64()
    assert found.to_pylist()[2] is None
    seconds = [(found[i].as_py() - day) * 86400 for i, day in ((0, 58993), (1, 57070.5), (3, 58993))]
    assert seconds == pytest.approx([37, 35, 37], abs=2e-6)


def test_timestamps_are_exactly_what_astropy_says() -> None:
    """The conversion is that of the field's own schema migration, to the last digit."""
    texts = ["2024-05-08 01:29:35.444733", "2016-12-31 23:59:59.999999"]
    batch = pa.record_batch({"validityStart": pa.array([datetime.fromisoformat(t) for t in texts])})
    assert convert(batch, "diaObject")[0].to_pylist() == Time(texts, scale="utc").tai.mjd.tolist()


def test_text_and_dates_are_times_too() -> None:
    """SQLite hands out timestamps as text; a date is midnight UTC."""
    declared = pa.schema([("time_processed", pa.timestamp("us"))])
    columns = canonical_columns(declared, "diaSource", "")
    batch = pa.record_batch({"time_processed": ["2020-05-24 00:00:00", None]})
    found = canonical_batch(batch, columns, pa.schema([("timeProcessedMjdTai", pa.float64())]))
    expected = 58993 + 37 / 86400
    assert found[0].to_pylist() == [pytest.approx(expected, abs=1e-10), None]
    assert convert(pa.record_batch({"when": [date(2020, 5, 24)]}))[0][0].as_py() == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize(
    "stored",
    [
        pa.array([True, None, False]),
        pa.array([1, None, 0], pa.int64()),
        pa.array([1.0, float("nan"), 0.0]),
        pa.array([1, None, 0], pa.int8()),
    ],
)
def test_a_missing_flag_is_false(stored: pa.Array) -> None:
    """Flags are bool however they are stored, and one that is missing is False."""
    found = convert(pa.record_batch({"pixelFlags_bad": stored}))["pixelFlags_bad"]
    assert found.type == pa.bool_()
    assert found.to_pylist() == [True, False, False]


def test_a_flag_column_without_any_value_is_false() -> None:
    """A flag of Arrow type null is False throughout."""
    found = convert(pa.record_batch({"isNegative": pa.nulls(2)}))["isNegative"]
    assert found.to_pylist() == [False, False]


def test_packed_flags_are_unpacked() -> None:
    """Bits of 64-bit integers become flags; the packed column stays; a missing one has none set."""
    packed = pa.array([1 << 6 | 1 << 9, None, 1 << 7, 0], pa.int64())
    found = convert(pa.record_batch({"flags": packed, "decl": [0.0] * 4}))
    assert found["pixelFlags_bad"].to_pylist() == [True, False, False, False]
    assert found["pixelFlags_saturatedCenter"].to_pylist() == [True, False, False, False]
    assert found["pixelFlags_suspect"].to_pylist() == [False, False, True, False]
    assert "shape_flag" not in found.schema.names
    assert found["flags"].to_pylist()[0] == 64 + 512


def test_a_flag_column_counts_before_a_packed_bit() -> None:
    """Where a flag has a column of its own as well, that one is read."""
    batch = pa.record_batch({"flags": [0], "pixelFlags_bad": [True]})
    assert convert(batch)["pixelFlags_bad"].to_pylist() == [True]


@pytest.mark.parametrize(("instrument", "packed"), [("DECam", 41137156), ("HSC", 411371 * 200 + 56)])
def test_visit_and_detector_are_unpacked(instrument: str, packed: int) -> None:
    """DECam packed visit × 100 + CCD, HSC visit × 200 + CCD."""
    found = convert(pa.record_batch({"ccdVisitId": pa.array([packed, None])}), instrument=instrument)
    assert found["visit"].to_pylist() == [411371, None]
    assert found["detector"].to_pylist() == [56, None]
    assert (found["visit"].type, found["detector"].type) == (pa.int64(), pa.int32())


def test_an_unknown_packing_is_not_guessed() -> None:
    """Without a known instrument there is no visit."""
    assert "visit" not in convert(pa.record_batch({"ccdVisitId": [41137156]}), instrument="LSSTCam").schema.names


def test_identifiers_keep_their_last_digit() -> None:
    """Identifiers are int64; pandas' floats with gaps become integers with gaps; text is not taken for one."""
    batch = pa.record_batch(
        {
            "diaSourceId": pa.array([2226735346618466403, 1]),
            "diaObjectId": pa.array([float("nan"), 3.0]),
            "ssObjectId": pa.array([7, 8], pa.int32()),
            "detector": pa.array([5, 60], pa.int16()),
        }
    )
    found = convert(batch)
    assert found["diaSourceId"].to_pylist() == [2226735346618466403, 1]
    assert found["diaObjectId"].to_pylist() == [None, 3]
    assert [str(kind) for kind in found.schema.types] == ["int64", "int64", "int64", "int32"]


def test_the_canonical_name_wins() -> None:
    """Of two columns for one name the one that bears it counts; the other keeps its own; pandas' index is no column."""
    batch = pa.record_batch({"coord_ra": [1.0], "ra": [2.0], "psFlux": [3.0], "__index_level_0__": [9]})
    found = convert(batch)
    assert found.schema.names == ["coord_ra", "ra", "psfFlux"]
    assert found["ra"].to_pylist() == [2.0]


def test_radians_become_degrees() -> None:
    """Catalogues of lsst.afw keep positions in radians and say so."""
    field = pa.field("coord_ra", pa.float64(), metadata={"unit": "rad"})
    batch = pa.record_batch([pa.array([np.pi / 6])], schema=pa.schema([field]))
    assert convert(batch)["ra"].to_pylist() == [pytest.approx(30, rel=1e-15)]


def test_what_is_canonical_is_not_copied() -> None:
    """Arrays of canonical type are handed on as they are."""
    batch = pa.record_batch(
        {
            "diaSourceId": pa.array([1, 2]),
            "psfFlux": pa.array([1, 2], pa.float32()),
            "isDipole": pa.array([True, False]),
        }
    )
    found = convert(batch)
    for name in batch.schema.names:
        assert found[name].type == batch[name].type
        assert found[name].buffers()[1].address == batch[name].buffers()[1].address


def test_a_data_id_fills_in_what_the_table_lacks() -> None:
    """Visit and detector come from the data ID, unless the table has them."""
    batch = pa.record_batch({"detector": pa.array([7, 8], pa.int16())})
    columns = canonical_columns(batch.schema, "source", "", ["visit", "detector"])
    schema = pa.schema([(name, each.type) for name, each in columns.items()])
    found = canonical_batch(batch, columns, schema, {"visit": 411371, "detector": 5})
    assert found.to_pydict() == {"detector": [7, 8], "visit": [411371, 411371]}


@pytest.mark.parametrize(
    ("stored", "canonical"),
    [
        (pa.large_string(), pa.string()),
        (pa.dictionary(pa.int8(), pa.string()), pa.string()),
        (pa.float32(), pa.float32()),
        (pa.int16(), pa.int16()),
        (pa.null(), pa.null()),
    ],
)
def test_other_types_stay(stored: pa.DataType, canonical: pa.DataType) -> None:
    """Numbers keep their width, text is one type."""
    assert canonical_type("glint", stored) == canonical


@pytest.mark.parametrize("stored", [pa.string(), pa.large_string(), pa.dictionary(pa.int8(), pa.string())])
def test_text_is_no_number(stored: pa.DataType) -> None:
    """What is computed with is a number, however it was written; a narrow one stays narrow."""
    assert canonical_type("psfFlux", stored) == pa.float64()
    assert canonical_type("psfFlux", pa.float32()) == pa.float32()


def test_types_of_several_files_are_merged_without_loss() -> None:
    """Null gives way, and the wider type holds both."""
    assert merged_types([pa.null(), pa.float32()]) == pa.float32()
    assert merged_types([pa.float32(), pa.float64()]) == pa.float64()
    with pytest.raises(pa.ArrowException):
        merged_types([pa.string(), pa.int64()])
