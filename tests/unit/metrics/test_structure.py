"""The sanity of a table as a whole: equal and empty columns, and repeated identifiers, without a list of names."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.metrics.duplicates import DuplicateIds
from harness.metrics.rows import rows_schema
from harness.metrics.structure import TableStructure, structure_rows
from harness.rerun.protocol import Partition


@dataclass
class FakeTable:
    """A table in memory, one partition per given table, read in batches of a few rows."""

    parts: list[pa.Table]
    rows: int = 7
    reads: Counter[str] = field(default_factory=Counter)
    name: str = "diaSource"

    @property
    def columns(self):
        """Names and types of the columns."""
        return dict(zip(self.parts[0].schema.names, self.parts[0].schema.types, strict=True))

    @property
    def stored_columns(self):
        """Names of the columns."""
        return tuple(self.columns)

    def partitions(self):
        """Return one partition per table."""
        return [Partition(f"part-{i}", (str(i),), "") for i in range(len(self.parts))]

    def read(self, columns, partition=None):
        """Refuse: a whole table need not be held."""
        raise AssertionError

    def batches(self, columns, partition=None):
        """Yield batches, and count the rows read of each column."""
        for batch in self.parts[int(partition.refs[0])].select(list(columns)).to_batches(max_chunksize=self.rows):
            self.reads.update(dict.fromkeys(columns, batch.num_rows))
            yield batch


def measured(*parts: pa.Table, rows: int = 7) -> dict[str, tuple[float, str | None]]:
    """Return value and detail by metric."""
    found = structure_rows(FakeTable(list(parts), rows), "DECam")
    assert found.schema == rows_schema()
    assert found["visit"].null_count == found.num_rows
    return {row["metric"]: (row["numerator"], row["detail"]) for row in found.to_pylist()}


def sources(n: int = 40) -> dict[str, object]:
    """Return columns of numbers, no two of which are the same."""
    rng = np.random.default_rng(8)
    columns = {name: rng.standard_normal(n).astype(np.float32) for name in ("ixxPSF", "iyyPSF", "ixyPSF", "psfFlux")}
    return {"diaSourceId": np.arange(n), **columns, "ra": rng.random(n), "dec": rng.random(n)}


def test_a_sound_table_has_no_findings():
    """Different columns and identifiers give zeros and nothing to say."""
    assert measured(pa.table(sources())) == {
        "dia.numEqualColumnPairs": (0, None),
        "dia.numEmptyColumns": (0, None),
        "dia.numDuplicateIds": (0, None),
    }


def test_equal_columns_are_found_and_named():
    """Columns that are equal in every row are found, also in different precision and with the same gaps."""
    columns = sources()
    columns["iyyPSF"] = columns["ixyPSF"]
    columns["ra"][[3, 30]] = np.nan
    columns["copy"] = pa.array(columns["ra"], from_pandas=True)
    columns["again"] = columns["ra"]
    columns["double"] = columns["psfFlux"].astype(np.float64)
    value, detail = measured(pa.table(columns))["dia.numEqualColumnPairs"]
    assert value == 1 + 3 + 1
    assert set(detail.split(", ")) == {"iyyPSF == ixyPSF", "ra == copy == again", "psfFlux == double"}


@pytest.mark.parametrize("row", [0, 1, 6, 7, 20, 39])
@pytest.mark.parametrize("value", [5.0, np.nan, np.inf])
def test_one_different_row_acquits(row, value):
    """A single row that differs, wherever it is, tells two columns apart."""
    columns = sources()
    other = columns["ra"].copy()
    other[row] = value
    halves = pa.table({**columns, "other": other})
    assert measured(halves[:15], halves[15:])["dia.numEqualColumnPairs"] == (0, None)


def test_constant_and_empty_columns_are_no_pairs():
    """Columns that hold one and the same number throughout, or none, are not suspected of being copies."""
    n = 40
    columns = {
        **sources(n),
        "zero": np.zeros(n),
        "nought": np.zeros(n),
        "gappy": np.where(np.arange(n) % 2, 1.0, np.nan),
        "gaps": np.where(np.arange(n) % 2, 1.0, np.nan),
        "void": np.full(n, np.nan),
        "null": pa.nulls(n, pa.float32()),
        "untyped": pa.nulls(n),
        "text": ["g"] * n,
    }
    found = measured(pa.table(columns))
    assert found["dia.numEqualColumnPairs"] == (0, None)
    assert found["dia.numEmptyColumns"] == (3, "void, null, untyped")


@pytest.mark.parametrize("row", [0, 6, 7, 39])
def test_a_single_number_is_not_empty(row):
    """A column with one number, wherever it is, is not empty."""
    columns = {**sources(), "void": np.full(40, np.nan)}
    columns["void"][row] = 0
    assert measured(pa.table(columns))["dia.numEmptyColumns"] == (0, None)


@settings(deadline=None)
@given(seed=st.integers(0, 2**32 - 1), cut=st.integers(0, 30), rows=st.integers(1, 30))
def test_findings_are_those_of_numpy(seed, cut, rows):
    """In small tables full of coincidences, exactly the pairs and columns that numpy finds are found."""
    rng = np.random.default_rng(seed)
    choices = rng.choice([0.0, 1.0, np.nan], size=(3, 30), p=[0.1, 0.1, 0.8])
    columns = {f"c{i}": choices[rng.integers(3)].copy() for i in range(6)}
    for values in columns.values():
        values[rng.integers(30)] = rng.choice([0.0, 1.0, np.nan])
    table = pa.table(columns)
    found = measured(table[:cut], table[cut:], rows=rows)
    pairs = [
        (one, other)
        for one, other in combinations(columns, 2)
        if np.array_equal(columns[one], columns[other], equal_nan=True)
        and len(np.unique(columns[one][np.isfinite(columns[one])])) > 1
    ]
    assert found["dia.numEqualColumnPairs"][0] == len(pairs)
    assert found["dia.numEmptyColumns"][0] == sum(np.isnan(values).all() for values in columns.values())


def test_only_suspects_are_read():
    """After the first rows, a column that is like no other is not read again."""
    columns = sources(70_000)
    columns["iyyPSF"] = columns["ixyPSF"].copy()
    table = FakeTable([pa.table(columns)], rows=10_000)
    structure_rows(table, "DECam")
    assert table.reads["ixyPSF"] == 80_000
    assert table.reads["psfFlux"] == 10_000


def test_more_rows_twice_change_nothing():
    """Rows that are compared again acquit nothing and suspect nothing."""
    columns = {**sources(), "same": sources()["ra"]}
    (batch,) = pa.table(columns).to_batches()
    structure = TableStructure(dict(zip(batch.schema.names, batch.schema.types, strict=True)))
    structure.add(batch)
    before = structure.equal_columns, structure.candidates
    structure.add(batch)
    assert (structure.equal_columns, structure.candidates) == before == ((("ra", "same"),), ("ra", "same"))


def test_nothing_is_said_of_an_empty_table():
    """A table without rows is not a table of empty columns, and its identifiers are not unique."""
    found = measured(pa.table(sources())[:0])
    assert all(np.isnan(value) and detail == "the table has no rows" for value, detail in found.values())


def test_repeated_identifiers_are_counted_and_named():
    """Rows that repeat an identifier are counted over all partitions, and some identifiers named."""
    table = pa.table(sources())
    assert measured(table, table[5:7])["dia.numDuplicateIds"] == (2, "such as diaSourceId 5, 6")
    unnamed = measured(table.drop_columns(["diaSourceId"]))["dia.numDuplicateIds"]
    assert np.isnan(unnamed[0])
    assert unnamed[1] == "the table has no column diaSourceId"


@given(batches=st.lists(st.lists(st.integers(0, 20) | st.none(), max_size=6), max_size=6))
def test_repeats_of_any_batches(batches):
    """In any batches, the repeats are the rows less the different identifiers; null is one identifier, 0."""
    duplicates = DuplicateIds()
    for batch in batches:
        duplicates.add(pa.array(batch, pa.int64()))
    numbers = Counter(value or 0 for batch in batches for value in batch)
    count, repeated = duplicates.repeated()
    assert count == numbers.total() - len(numbers)
    assert repeated.tolist() == sorted(number for number, times in numbers.items() if times > 1)
