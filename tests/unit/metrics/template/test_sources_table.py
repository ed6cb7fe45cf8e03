"""The table in which the DIA sources of either side are kept."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from harness.errors import NotMeasuredError
from harness.metrics.flag_sets import FLAG_SETS
from harness.metrics.template.sources_table import sources_of, sources_schema, sources_table

FLAGS = FLAG_SETS["S3"]


def stored(n=3, **columns):
    """Return DIA sources as they are read."""
    flags = {name: pa.array([False] * n) for name in FLAGS.flags}
    numbers = {
        "visit": pa.array(range(1, n + 1), pa.int64()),
        "detector": pa.array([0] * n, pa.int16()),
        "psfFlux": pa.array([10.0] * n, pa.float32()),
        "psfFluxErr": pa.array([2.0] * n, pa.float32()),
    }
    return pa.table({**numbers, **flags, **columns})


def test_sources_are_kept_with_their_side_and_flags():
    """A source is flagged when any flag of the list is set, and not when it is null."""
    table = sources_table(
        stored(pixelFlags_bad=pa.array([True, False, None]), pixelFlags_suspect=pa.array([False, True, False])),
        "good",
        FLAGS,
    )
    assert table.schema == sources_schema()
    assert table["flagged"].to_pylist() == [True, True, False]
    assert set(table["side"].to_pylist()) == {"good"}
    assert table["ra"].null_count == 3
    assert sources_table(stored(ra=[1.0, 2.0, 3.0]), "deep", FLAGS)["ra"].to_pylist() == [1.0, 2.0, 3.0]


def test_a_missing_flag_is_not_an_unset_one():
    """The flag list cannot be applied then."""
    with pytest.raises(NotMeasuredError, match="pixelFlags_suspect"):
        sources_table(stored().drop_columns(["pixelFlags_suspect"]), "good", FLAGS)


def test_sources_are_told_apart_by_side():
    """From any number of tables; a side that no row is of has none."""
    tables = [sources_table(stored(2), "good", FLAGS), sources_table(stored(1), "deep", FLAGS)]
    tables.append(sources_table(stored(3, psfFlux=pa.array([1.0, None, 3.0])), "good", FLAGS))
    found = sources_of(tables, ("good", "deep"))
    assert found["good"].visit.tolist() == [1, 2, 1, 2, 3]
    np.testing.assert_array_equal(found["good"].flux, [10, 10, 1, np.nan, 3])
    assert found["deep"].detector.tolist() == [0]
    empty = sources_of([], ["good"])["good"]
    assert [len(getattr(empty, name)) for name in ("visit", "detector", "flux", "error", "is_flagged")] == [0] * 5
