"""Columns of two reruns, value by value."""

from __future__ import annotations

import datetime
import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.diagnose.columns import changed_columns, column_catalogue, column_rows
from harness.metrics.rows import rows_schema


@dataclass
class StoredTable:
    """A `harness.rerun.protocol.Table` in memory that counts what is read at a time."""

    table: pa.Table
    widest: int = 0

    @property
    def columns(self):
        """Names and types."""
        return {field.name: field.type for field in self.table.schema}

    def read(self, columns, partition=None):
        """Return some columns."""
        self.widest = max(self.widest, len(columns))
        return self.table.select(list(columns))


def catalogue(n: int = 50) -> pa.Table:
    """Return a table with a column of each kind that DIA source tables have."""
    rng = np.random.default_rng(4)
    flux = rng.normal(0, 100, n)
    flux[3] = np.nan
    return pa.table(
        {
            "diaSourceId": np.arange(n) * 7 + 2**60,
            "detector": pa.array(rng.integers(0, 60, n), pa.int16()),
            "psfFlux": pa.array(flux, pa.float32()),
            "ra": rng.uniform(150, 151, n),
            "psfNdata": pa.array([None, *range(n - 1)], pa.int32()),
            "pixelFlags_bad": pa.array([None, True] + [False] * (n - 2)),
            "band": ["g"] * n,
            "timeWithdrawnMjdTai": pa.nulls(n),
        }
    )


def change(table: pa.Table, name: str, values) -> pa.Table:
    """Return the table with another column of that name."""
    column = pa.array(values) if isinstance(values, np.ndarray) else values
    return table.set_column(table.schema.get_field_index(name), name, column)


def counts(rerun: pa.Table, reference: pa.Table) -> dict[str, int]:
    """Return the changed columns with the number of changed values."""
    return {each.name: each.n_changed for each in changed_columns(rerun, reference) if each.n_changed}


def test_equal_rows_in_another_order_are_unchanged():
    """Rows are paired by their key: a permutation changes nothing, nor does a row that only one side has."""
    table = catalogue()
    order = np.random.default_rng(0).permutation(40)
    changes = changed_columns(table.take(order), table)
    assert [each.name for each in changes] == table.column_names[1:]
    assert all(each.n_compared == 40 and each.n_changed == 0 and each.largest == 0 for each in changes)


@pytest.mark.parametrize(
    ("name", "convert"),
    [
        ("psfFlux", lambda column: column.cast(pa.float64())),
        ("ra", lambda column: column.cast(pa.float32(), safe=False)),
        ("detector", lambda column: column.cast(pa.int64())),
        ("detector", lambda column: column.cast(pa.float64())),
        ("psfNdata", lambda column: column.cast(pa.float64())),
        (
            "psfNdata",
            lambda column: pa.array(np.where(column.is_null(), np.nan, column.fill_null(0)).astype(np.float64)),
        ),
        ("pixelFlags_bad", lambda column: column.fill_null(False)),
        ("pixelFlags_bad", lambda column: column.cast(pa.int8())),
        ("band", lambda column: column.dictionary_encode()),
        ("timeWithdrawnMjdTai", lambda column: pa.array([math.nan] * len(column))),
        ("timeWithdrawnMjdTai", lambda column: column.cast(pa.timestamp("ms"))),
    ],
)
def test_another_type_for_the_same_values_is_no_change(name, convert):
    """What a schema conversion stores a value as makes no difference, either way round."""
    table = catalogue()
    converted = change(table, name, convert(table[name].combine_chunks()))
    assert counts(converted, table) == {}
    assert counts(table, converted) == {}


@pytest.mark.parametrize(
    ("name", "values", "n_changed", "largest"),
    [
        ("ra", lambda old: np.nextafter(old, 1e9), 50, 2**-45),
        ("psfFlux", lambda old: np.where(np.arange(50) == 3, 1.0, old).astype("f4"), 1, math.nan),
        ("psfFlux", lambda old: np.where(np.arange(50) < 2, old + 2, old), 2, 2.0),
        ("psfNdata", lambda old: pa.array(range(50), pa.int32()), 50, 1.0),
        ("pixelFlags_bad", lambda old: pa.array([True] * 50), 49, 1.0),
        ("band", lambda old: pa.array(["r", None] + ["g"] * 48), 2, math.nan),
        ("band", lambda old: np.arange(50.0), 50, math.nan),
        ("timeWithdrawnMjdTai", lambda old: np.arange(50.0), 50, math.nan),
    ],
)
def test_changed_values_are_counted_and_sized(name, values, n_changed, largest):
    """Each changed value counts, one unit in the last place included; the largest difference is given."""
    table = catalogue()
    changed = change(table, name, values(table[name].to_numpy()))
    (found,) = [each for each in changed_columns(changed, table) if each.n_changed]
    assert (found.name, found.n_changed) == (name, n_changed)
    assert found.largest == pytest.approx(largest, rel=1e-6, nan_ok=True)


numbers = st.one_of(st.none(), st.floats(width=32), st.sampled_from([0.0, -0.0, math.nan, math.inf, 1.5]))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(numbers, numbers), min_size=1, max_size=20))
def test_changed_floats_are_those_that_pandas_calls_unequal(rows):
    """For any floats, missing ones included, the count is that of `pandas.Series.compare`."""
    one, other = ([row[i] for row in rows] for i in (0, 1))
    key = np.arange(len(rows))
    tables = [pa.table({"diaSourceId": key, "x": pa.array(side, pa.float64())}) for side in (one, other)]
    expected = len(pd.Series(one, dtype=float).compare(pd.Series(other, dtype=float)))
    assert changed_columns(*tables)[0].n_changed == expected


def test_swapped_ids_are_seen():
    """Two rows that swap ids change in every column in which they differ, though no column's content does."""
    table = catalogue()
    ids = table["diaSourceId"].to_numpy().copy()
    ids[[10, 11]] = ids[[11, 10]]
    found = counts(change(table, "diaSourceId", ids), table)
    assert found["ra"] == found["psfFlux"] == 2
    assert "band" not in found


def test_columns_that_slipped_by_a_row_are_seen():
    """A column joined by position instead of key, one row off, changes throughout."""
    table = catalogue()
    shifted = change(table, "ra", np.roll(table["ra"].to_numpy(), 1))
    assert counts(shifted, table) == {"ra": 50}


def test_rows_name_the_worst_columns():
    """The count is the number of columns; the detail names those with most changed values, and what one side lacks."""
    table = catalogue()
    changed = table.append_column("isNegative", pa.array([False] * 50)).drop_columns("band")
    ra, flux = table["ra"].to_numpy().copy(), table["psfFlux"].to_numpy().copy()
    flux[10:20] += 1
    changed = change(change(changed, "ra", ra + 0.5), "psfFlux", flux)
    rows = column_rows(StoredTable(changed), StoredTable(table), "DECam")
    assert rows.schema == rows_schema()
    compared, differing = rows.to_pylist()
    assert compared["metric"] == "columns.numCompared"
    assert compared["numerator"] == 6
    assert compared["detail"] == (
        "50 rows of equal diaSourceId; only in the rerun: isNegative; only in the reference: band"
    )
    assert differing["metric"] == "columns.numChanged"
    assert differing["numerator"] == 2
    assert differing["detail"] == "ra (50 of 50, by up to 0.5), psfFlux (10 of 50, by up to 1)"
    assert compared["visit"] is None
    assert compared["instrument"] == "DECam"
    assert {row["metric"] for row in (compared, differing)} == set(column_catalogue())


def test_many_changed_columns_are_named_up_to_a_few():
    """A detail names three columns and says how many more there are; wide tables are read in parts."""
    n = 40
    table = pa.table({"diaSourceId": [1, 2], **{f"c{i}": [float(i), 1.0] for i in range(n)}})
    other = pa.table({"diaSourceId": [1, 2], **{f"c{i}": [i + 1.0, 1.0] for i in range(n)}})
    side = StoredTable(table)
    differing = column_rows(side, StoredTable(other)).to_pylist()[1]
    assert differing["numerator"] == n
    assert differing["detail"].endswith(f"and {n - 3} more")
    assert 1 < side.widest < n


def test_no_common_row_is_not_measured():
    """Two reruns without a common id are not "unchanged": the counts are NaN and say why."""
    table = catalogue()
    other = change(table, "diaSourceId", table["diaSourceId"].to_numpy() + 1)
    for row in column_rows(StoredTable(other), StoredTable(table)).to_pylist():
        assert math.isnan(row["numerator"])
        assert row["detail"] == "the two reruns have no diaSourceId in common"


def test_times_are_compared():
    """Time stamps that a reader left as they were are compared like any value."""
    when = [datetime.datetime(2025, 4, 18, tzinfo=datetime.UTC)] * 2
    one = pa.table({"diaSourceId": [1, 2], "time": pa.array(when, pa.timestamp("ms", "UTC"))})
    other = change(one, "time", pa.array([when[0], None], pa.timestamp("ms", "UTC")))
    assert counts(one, other) == {"time": 1}
