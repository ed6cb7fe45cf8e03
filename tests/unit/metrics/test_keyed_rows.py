"""Metric rows from columns."""

from __future__ import annotations

import numpy as np
import polars as pl

from harness.metrics.keyed_rows import keyed_rows, rows_table
from harness.metrics.rows import rows_schema


def test_rows_have_the_common_schema_and_keep_their_keys():
    """Every value stands beside its own visit and detector; what was not given is null."""
    keys = pl.DataFrame({"visit": [2, 1], "detector": [5, 6], "band": ["g", None]})
    rows = rows_table(
        [
            keyed_rows("a.sum", keys, np.array([1, 2])),
            keyed_rows("a.ratio", keys, pl.Series([1.0, np.nan]), np.array([4.0, 5.0]), [None, "why"]),
        ],
        "DECam",
    )
    assert rows.schema == rows_schema()
    assert [tuple(row.values()) for row in rows.slice(0, 3).to_pylist()] == [
        ("a.sum", "DECam", 2, 5, None, None, "g", 1.0, None, None, None, None),
        ("a.sum", "DECam", 1, 6, None, None, None, 2.0, None, None, None, None),
        ("a.ratio", "DECam", 2, 5, None, None, "g", 1.0, 4.0, None, None, None),
    ]
    assert np.isnan(rows["numerator"][3].as_py())
    assert rows["detail"][3].as_py() == "why"
