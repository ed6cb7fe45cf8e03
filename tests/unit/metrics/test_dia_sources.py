"""Counts of DIA sources: equal to plain pandas, whatever the order and the batches they arrive in."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import NotMeasuredError
from harness.metrics.catalogue import RATIOS, metric_catalogue
from harness.metrics.dia_sources import SourceCounter, combine_digests, science_columns, science_rows
from harness.metrics.flag_sets import FLAG_SETS, PIXEL_FLAGS, good_mask
from harness.metrics.rows import rows_schema
from harness.metrics.settings import Settings

KEYS = ["visit", "detector"]
FLAGS = sorted({*PIXEL_FLAGS, *(flag for each in FLAG_SETS.values() for flag in each.flags)})


def make_sources(seed: int, rows: int = 300) -> pa.Table:
    """Return sources of a few visits and detectors in any order, with missing and infinite values everywhere."""
    rng = np.random.default_rng(seed)

    def numbers(kind: pa.DataType) -> pa.Array:
        values = rng.standard_normal(rows)
        values[rng.random(rows) < 0.05] = np.nan
        values[rng.random(rows) < 0.05] = -np.inf
        return pa.array(values, kind, mask=rng.random(rows) < 0.05)

    visit = rng.integers(5, size=rows)
    return pa.table(
        {
            "diaSourceId": rng.integers(2**60, size=rows),
            "visit": visit + 2**40,
            "detector": pa.array(rng.integers(3, size=rows), pa.int16()),
            "band": pa.array(np.array(["g", "r"])[visit % 2], mask=rng.random(rows) < 0.5),
            "isDipole": pa.array(rng.random(rows) < 0.4, mask=rng.random(rows) < 0.1),
            "reliability": numbers(pa.float32()),
            **{name: numbers(pa.float64()) for name in ("ra", "dec")},
            **{name: numbers(pa.float32()) for name in ("psfFlux", "ixxPSF", "iyyPSF", "ixyPSF")},
            **{flag: pa.array(rng.random(rows) < 0.1, mask=rng.random(rows) < 0.02) for flag in FLAGS},
        }
    )


def count(batches: list[pa.RecordBatch], good_flags: str = "S3", columns: list[str] | None = None) -> SourceCounter:
    """Return a counter that was given these batches."""
    counter = SourceCounter(Settings(good_flags=good_flags), columns or batches[0].schema.names)
    for batch in batches:
        counter.add(batch.select(list(counter.columns)))
    return counter


def one_batch(table: pa.Table) -> list[pa.RecordBatch]:
    """Return a table as a single batch."""
    return table.combine_chunks().to_batches()


def by_data_id(rows: pa.Table) -> pd.DataFrame:
    """Return numerators with a row for each data ID and a column for each metric."""
    frame = rows.to_pandas()
    return frame.pivot(index=KEYS, columns="metric", values="numerator")


def reference(table: pa.Table, good_flags: str) -> pd.DataFrame:
    """Return the same counts by pandas."""
    frame = table.to_pandas()
    numbers = frame[["ra", "dec", "psfFlux", "ixxPSF", "iyyPSF", "ixyPSF"]].astype(float)
    determinant = numbers["ixxPSF"] * numbers["iyyPSF"] - numbers["ixyPSF"] ** 2
    flags = dict.fromkeys([*PIXEL_FLAGS, *FLAG_SETS[good_flags].flags])
    counted = {
        "dia.numSources": 1.0,
        "dia.numGoodSources": good_mask(table, FLAG_SETS[good_flags]),
        "dia.numDipoles": frame["isDipole"] == True,  # noqa: E712  (null is not a dipole)
        "dia.numNonFinitePositions": ~np.isfinite(numbers[["ra", "dec"]]).all(axis=1),
        "dia.numNonFiniteFluxes": ~np.isfinite(numbers["psfFlux"]),
        "dia.numNonPositivePsfDeterminants": determinant <= 0,
        "dia.numNullFlags": frame[list(flags)].isna().sum(axis=1),
        **{f"dia.numFlagged.{flag}": frame[flag] == True for flag in PIXEL_FLAGS},  # noqa: E712
    }
    return frame[KEYS].assign(**counted).groupby(KEYS).sum().astype(float)


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 2**32 - 1), good_flags=st.sampled_from(list(FLAG_SETS)), rows=st.integers(1, 300))
def test_counts_are_those_of_pandas(seed, good_flags, rows):
    """Every metric of every visit and detector is what pandas counts."""
    table = make_sources(seed, rows)
    found = by_data_id(count(one_batch(table), good_flags).rows("DECam")).drop(columns="dia.area")
    wanted = reference(table, good_flags)
    pd.testing.assert_frame_equal(found[wanted.columns], wanted, check_names=False, check_index_type=False)
    assert set(found) == set(wanted)


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 2**32 - 1), cuts=st.lists(st.integers(0, 300), max_size=6))
def test_order_and_batches_do_not_matter(seed, cuts):
    """Any order of rows, in any batches, gives the same rows and the same digest."""
    table = make_sources(1)
    whole = count(one_batch(table))
    shuffled = one_batch(table.take(np.random.default_rng(seed).permutation(300)))[0]
    edges = [0, *sorted(cuts), 300]
    parts = count([shuffled.slice(start, stop - start) for start, stop in pairwise(edges)])
    pd.testing.assert_frame_equal(parts.rows("DECam").to_pandas(), whole.rows("DECam").to_pandas())
    assert parts.content_digest == whole.content_digest


@settings(deadline=None, max_examples=10)
@given(seed=st.integers(0, 2**32 - 1))
def test_disjoint_parts_add_up(seed):
    """Parts of a table counted apart give the sums of the whole, and together its digest."""
    table = make_sources(seed)
    detector = table["detector"].to_numpy()
    parts = [count(one_batch(table.filter(detector == each))) for each in np.unique(detector)]
    rows = pa.concat_tables([part.rows("DECam") for part in parts])
    pd.testing.assert_frame_equal(by_data_id(rows), by_data_id(count(one_batch(table)).rows("DECam")))
    assert combine_digests(part.content_digest for part in parts) == count(one_batch(table)).content_digest


def test_long_runs_and_word_boundaries():
    """Flags are counted in the right detector wherever its rows begin and end within a word of the bitmap."""
    rng = np.random.default_rng(5)
    lengths = np.array([1, 63, 64, 65, 127, 128, 129, 1000, 7, 56, 64])
    detector = np.repeat(np.arange(len(lengths)), lengths)
    flag = rng.random(len(detector)) < 0.5
    table = pa.table({"visit": np.full(len(detector), 3), "detector": detector, "pixelFlags_cr": flag})
    found = by_data_id(count(one_batch(table)).rows("DECam"))
    assert found["dia.numSources"].tolist() == lengths.tolist()
    assert found["dia.numFlagged.pixelFlags_cr"].tolist() == np.bincount(detector, flag).tolist()


def test_rows_have_the_shape_of_all_metric_rows():
    """Rows have the common schema, plain sums have no denominator, and every metric is in the catalogue."""
    rows = count(one_batch(make_sources(2))).rows("DECam")
    assert rows.schema == rows_schema()
    assert rows["denominator"].null_count == rows.num_rows
    assert set(rows["instrument"].to_pylist()) == {"DECam"}
    measured, catalogue = set(rows["metric"].to_pylist()), metric_catalogue(Settings())
    assert measured <= set(catalogue)
    assert {part for parts in RATIOS.values() for part in parts} <= measured | {"dia.numSciSources"}


@pytest.mark.parametrize("good_flags", FLAG_SETS)
def test_a_missing_flag_column_is_not_nothing_flagged(good_flags):
    """Without one of the columns of the flag list, good sources are not measured, and the row says which is missing."""
    missing = FLAG_SETS[good_flags].columns[-1]
    table = make_sources(3).drop_columns([missing])
    rows = count(one_batch(table), good_flags).rows("DECam").to_pandas()
    good = rows[rows["metric"] == "dia.numGoodSources"]
    assert good["numerator"].isna().all()
    assert set(good["detail"]) == {f"flag list {good_flags} needs {missing}, not in the table"}
    assert rows.loc[rows["metric"] == "dia.numSources", "numerator"].sum() == 300


def test_other_missing_columns_are_named():
    """A count whose column is not there is NaN and names it; the others are counted."""
    table = make_sources(4).select(["visit", "detector", "dec", "ixxPSF", "iyyPSF"])
    rows = count(one_batch(table)).rows("").to_pandas()
    unmeasured = rows[rows["numerator"].isna()].groupby("metric")["detail"].first()
    assert unmeasured["dia.numDipoles"] == "the table has no column isDipole"
    assert unmeasured["dia.numNonFinitePositions"] == "the table has no column ra"
    assert unmeasured["dia.numNonPositivePsfDeterminants"] == "the table has no column ixyPSF"
    assert unmeasured["dia.numFlagged.pixelFlags_nodata"] == "the table has no column pixelFlags_nodata"
    assert unmeasured["dia.numNullFlags"] == "the table has no flag columns"
    assert set(rows["metric"]) - set(unmeasured.index) == {"dia.numSources"}
    assert rows["instrument"].isna().all()


@pytest.mark.parametrize("kind", [pa.float32(), pa.float64()])
def test_limits_belong_to_the_right_side(kind):
    """A PSF whose determinant is exactly zero is none, and a reliability of exactly 0.1 is not too low."""
    table = pa.table(
        {
            "visit": [1] * 4,
            "detector": [1] * 4,
            "ixxPSF": pa.array([0.25, 0.25, 0.25, np.nan], kind),
            "iyyPSF": pa.array([0.25, 0.25, 0.25, 0.25], kind),
            "ixyPSF": pa.array([0.125, -0.25, 0.375, 0.5], kind),
            "reliability": pa.array([0.1, 0.0999, np.nan, None], kind),
            **dict.fromkeys(FLAG_SETS["N7"].flags, [False] * 4),
        }
    )
    found = by_data_id(count(one_batch(table), "N7").rows("DECam"))
    assert found["dia.numNonPositivePsfDeterminants"].tolist() == [2]
    assert found["dia.numGoodSources"].tolist() == [3]


def test_no_source_is_not_no_catalogue():
    """A detector whose catalogue is empty counts zero; one without a catalogue has no row."""
    table = make_sources(5, 10)
    counter = count(one_batch(table))
    found = by_data_id(counter.rows("DECam", expected=[(7, 99), (2**40, 0)]))
    assert (found.loc[(7, 99)].drop("dia.area") == 0).all()
    assert found["dia.numSources"].sum() == 10
    assert (7, 98) not in found.index


def test_nothing_at_all_gives_no_rows():
    """A table without rows, of which nothing is expected, gives no metric rows."""
    table = make_sources(5)[:0]
    assert count([pa.RecordBatch.from_pylist([], schema=table.schema)]).rows("DECam").num_rows == 0


def test_band_is_the_visits():
    """A band is found in any row of the visit, else in the geometry, else it is null."""
    table = pa.table(
        {
            "visit": [1, 1, 2, 2, 3],
            "detector": [1, 2, 1, 1, 1],
            "band": pa.array([None, "g", None, None, None], pa.string()),
        }
    )
    regions = pa.table({"visit": [2], "detector": [1], "band": ["r"], "area": pa.array([None], pa.float64())})
    rows = count(one_batch(table)).rows("DECam", regions=regions).to_pandas()
    bands = rows[rows["metric"] == "dia.numSources"].set_index(KEYS)["band"]
    assert bands.fillna("").to_dict() == {(1, 1): "g", (1, 2): "g", (2, 1): "r", (3, 1): ""}
    encoded = table.set_column(2, "band", table["band"].dictionary_encode())
    assert count(one_batch(encoded)).rows("DECam", regions=regions).to_pandas().equals(rows)


def test_area_is_known_or_says_that_it_is_not():
    """The area of each detector is that of the geometry, and NaN with a reason where that has none."""
    table = pa.table({"visit": [1, 1], "detector": [1, 2]})
    regions = pa.table({"visit": [1, 9], "detector": [1, 1], "band": ["g", "g"], "area": [0.04, 0.05]})
    rows = count(one_batch(table)).rows("DECam", regions=regions).to_pandas()
    area = rows[rows["metric"] == "dia.area"].set_index("detector")
    assert area["numerator"].tolist() == pytest.approx([0.04, np.nan], nan_ok=True)
    assert area["detail"].tolist()[1] == "the area of the detector is not known"
    assert pd.isna(area["detail"].tolist()[0])


@pytest.mark.parametrize("column", KEYS)
def test_a_row_without_data_id_is_an_error(column):
    """A source that belongs nowhere is not counted somewhere."""
    table = pa.table({"visit": [1, 2], "detector": [1, 1]})
    broken = table.set_column(KEYS.index(column), column, pa.array([1, None]))
    with pytest.raises(NotMeasuredError, match=f"^1 rows have no {column}"):
        count(one_batch(broken))


SCIENCE = {
    "visit": [1, 1, 1, 2],
    "detector": [1, 1, 2, 1],
    "sky_source": [False, True, False, False],
    "detect_isPrimary": [False, True, True, True],
}


@pytest.mark.parametrize(
    ("dropped", "counts"),
    [
        ([], {(1, 1): 1, (1, 2): 1, (2, 1): 1, (3, 3): 0}),
        (["detect_isPrimary"], {(1, 1): 1, (1, 2): 1, (2, 1): 1, (3, 3): 0}),
        (["detect_isPrimary", "sky_source"], {(1, 1): 2, (1, 2): 1, (2, 1): 1, (3, 3): 0}),
    ],
)
def test_direct_image_sources_that_count(dropped, counts):
    """Primary sources count, else all but sky sources, else all; an empty catalogue counts zero."""
    table = pa.table(SCIENCE).drop_columns(dropped)
    rows = science_rows(table.select(list(science_columns(table.column_names))), "DECam", expected=[(3, 3)])
    assert rows.schema == rows_schema()
    assert by_data_id(rows)["dia.numSciSources"].to_dict() == counts


def test_no_direct_image_table_is_not_zero_sources():
    """Without a table of direct-image sources their number is not measured, for the whole rerun."""
    (row,) = science_rows(None, "DECam").to_pylist()
    assert np.isnan(row["numerator"])
    assert row["visit"] is None
    assert row["detail"] == "the rerun has no table of direct-image sources"
