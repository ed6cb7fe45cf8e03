"""The content digest: the same for the same rows however they are stored, another for any other rows."""

from __future__ import annotations

import itertools

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.metrics.content import CONTENT_COLUMNS, ContentDigest, combine_digests

ROWS = 50


def content_of(table: pa.Table) -> str:
    """Return the digest of a table read in one batch."""
    return digest(table.combine_chunks().to_batches())


def digest(batches: list[pa.RecordBatch]) -> str:
    """Return the digest of a table read in batches."""
    content = ContentDigest()
    for batch in batches:
        content.add(batch)
    return content.hexdigest


def make_table() -> pa.Table:
    """Return rows that differ in every column, with missing values of every kind."""
    rng = np.random.default_rng(3)
    return pa.table(
        {
            "diaSourceId": np.arange(ROWS) + 2**40,
            "visit": np.arange(ROWS) // 20,
            "detector": pa.array(np.arange(ROWS) // 5 % 4, pa.int16()),
            "ra": rng.uniform(0, 360, ROWS),
            "dec": np.where(np.arange(ROWS) == 7, np.nan, rng.uniform(-90, 90, ROWS)),
            "psfFlux": pa.array([None if i == 9 else float(i) / 3 for i in range(ROWS)], pa.float32()),
        }
    )


@pytest.fixture
def table() -> pa.Table:
    """Return a table to change."""
    return make_table()


@settings(deadline=None)
@given(seed=st.integers(0, 2**32 - 1), cuts=st.lists(st.integers(0, ROWS), max_size=5))
def test_order_and_batches_do_not_matter(seed, cuts):
    """Any order of rows, split anywhere, gives the same digest, also when parts are digested apart."""
    rows = make_table()
    shuffled = rows.take(np.random.default_rng(seed).permutation(ROWS)).combine_chunks().to_batches()[0]
    edges = [0, *sorted(cuts), ROWS]
    parts = [shuffled.slice(start, stop - start) for start, stop in itertools.pairwise(edges)]
    assert digest(parts) == content_of(rows)
    assert combine_digests(digest([part]) for part in parts) == content_of(rows)


@pytest.mark.parametrize("column", CONTENT_COLUMNS)
def test_any_changed_value_shows(table, column):
    """The smallest change of a single value of any column changes the digest."""
    values = table[column].to_numpy().copy()
    values[3] = np.nextafter(values[3], np.inf, dtype=values.dtype) if values.dtype.kind == "f" else values[3] + 1
    position = table.column_names.index(column)
    changed = table.set_column(position, column, pa.array(values, table.schema.field(column).type, from_pandas=True))
    assert content_of(changed) != content_of(table)


def test_signs_show(table):
    """Two sign bits that change in one row do not cancel."""
    flipped = table
    for column in ("ra", "dec"):
        values = table[column].to_numpy().copy()
        values[3] *= -1
        flipped = flipped.set_column(table.column_names.index(column), column, pa.array(values, from_pandas=True))
    assert content_of(flipped) != content_of(table)


def test_swapped_values_show(table):
    """The same values with two of them exchanged between rows, or between columns, are other rows."""
    visit = table["visit"].to_numpy().copy()
    visit[[3, 43]] = visit[[43, 3]]
    assert content_of(table.set_column(1, "visit", pa.array(visit))) != content_of(table)
    names = ["diaSourceId", "visit", "detector", "dec", "ra", "psfFlux"]
    assert content_of(table.rename_columns(names)) != content_of(table)


def test_repeated_and_missing_rows_show(table):
    """A row too many, a row too few and a row twice too many are other rows."""
    whole = content_of(table)
    assert len({whole, *(content_of(pa.concat_tables([table, table[:1]] + [table[:1]] * n)) for n in (0, 1))}) == 3
    assert content_of(table[1:]) != whole


def test_storage_does_not_matter(table):
    """Other types of the same values, null for NaN, 0 for a null identifier and other zeros are the same rows."""
    wide = pa.table(
        {
            "psfFlux": table["psfFlux"].cast("float64"),
            "band": ["g"] * ROWS,
            "dec": pa.array(table["dec"].to_numpy(), from_pandas=True),
            "ra": table["ra"],
            "detector": table["detector"].cast("int64"),
            "visit": pa.array([None if v == 0 else v for v in table["visit"].to_pylist()]),
            "diaSourceId": table["diaSourceId"],
        }
    )
    negative_zero = pa.array([-0.0, *table["psfFlux"].to_pylist()[1:]], pa.float32())
    assert table["psfFlux"][0].as_py() == 0
    assert content_of(wide) == content_of(table)
    assert content_of(table.set_column(5, "psfFlux", negative_zero)) == content_of(table)


def test_every_nan_is_the_same(table):
    """A NaN is a NaN, whatever its sign and payload."""
    payloads = np.array([0x7FF8000000000001, 0xFFF8000000000000, 0x7FF8000000000000], np.uint64).view(np.float64)
    assert len({content_of(pa.table({"ra": np.full(3, nan)})) for nan in payloads}) == 1


def test_sum_and_parity_are_told_apart(table):
    """The same row twice doubles the sum and cancels in the exclusive or, so that both are needed."""
    once, twice = (content_of(pa.concat_tables([table[:1]] * n)) for n in (1, 2))
    rows, total, parity = ([int(digits[at : at + 16], 16) for digits in (once, twice)] for at in (0, 16, 32))
    assert rows == [1, 2]
    assert total[1] == 2 * total[0] % 2**64
    assert parity == [total[0], 0]


def test_a_missing_column_leaves_its_place(table):
    """Positions are not mistaken for each other when one of the columns is missing."""
    only_ra = table.drop_columns(["dec"])
    as_dec = only_ra.rename_columns([name if name != "ra" else "dec" for name in only_ra.column_names])
    assert content_of(only_ra) != content_of(as_dec)


def test_no_rows_have_a_digest():
    """A table without rows has the digest of nothing, which adds nothing."""
    nothing = ContentDigest().hexdigest
    assert combine_digests([]) == nothing == combine_digests([nothing, nothing])


def test_hashes_spread():
    """Identifiers that count up give hashes whose bits are all set half of the time, each within five sigma."""
    from harness.metrics._content_kernel import mix_identifiers

    states = np.zeros(100_000, np.uint64)
    mix_identifiers(states, np.arange(len(states)))
    share = np.unpackbits(states.view(np.uint8)).reshape(-1, 64).mean(axis=0)
    assert np.abs(share - 0.5).max() < 5 * 0.5 / np.sqrt(len(states))
