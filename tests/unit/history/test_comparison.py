"""Two reruns compared metric by metric, and the sentence about all of them."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import polars as pl
import pytest

from harness.errors import UsageError
from harness.history.comparison import relative_changes, summary_of_changes
from harness.history.entry import Entry, Row
from harness.history.store import frame_of


def rows_of(*rows):
    """Return the rows of one rerun."""
    return frame_of([Entry("hits", "w_1", "repo", "inputs", rows)], datetime(2026, 11, 21, tzinfo=UTC))


def sides(*values):
    """Return two reruns with these pairs of values."""
    return [
        rows_of(*(Row(f"m{index}", "", "d", float(pair[side])) for index, pair in enumerate(values))) for side in (0, 1)
    ]


def test_changes_are_relative_to_the_earlier_value():
    """Up is positive whatever the sign, nothing is 0, and from 0 anything is infinite."""
    changes = relative_changes(*sides((10, 11), (-10, -11), (5, 5), (0, 0), (0, 3)))
    assert changes["change"].to_list() == pytest.approx([0.1, -0.1, 0, 0, math.inf])


def test_only_what_is_the_same_quantity_is_compared():
    """Another unit or definition, a metric of one side and what was not measured are left out."""
    earlier = rows_of(
        Row("a", "mmag", "d", 1.0), Row("b", "", "d", 1.0), Row("c", "", "d", 1.0), Row("e", "", "d", 1.0)
    )
    later = rows_of(
        Row("a", "%", "d", 1.0), Row("b", "", "d2", 1.0), Row("c", "", "d", math.nan), Row("f", "", "d", 1.0)
    )
    assert relative_changes(earlier, later).is_empty()
    with pytest.raises(UsageError, match="no metric in common"):
        summary_of_changes(relative_changes(earlier, later))


def test_summary_counts_each_change_once():
    """Unchanged, by up to each limit, beyond with their range, and the median."""
    changes = relative_changes(*sides((100, 100), (100, 101), (100, 97.5), (100, 110), (100, 80)))
    assert summary_of_changes(changes, [0.025]) == (
        "5 compared: 1 unchanged, 2 by up to 2.5 %, 2 by 10 to 20 %; median 2.5 %"
    )
    assert summary_of_changes(changes, [0.01, 0.1, 1]) == (
        "5 compared: 1 unchanged, 1 by up to 1 %, 2 by up to 10 %, 1 by up to 100 %; median 2.5 %"
    )


def test_changes_are_a_frame_for_further_questions():
    """Columns are those that the docstring names."""
    changes = relative_changes(*sides((10, 11)))
    assert changes.columns == ["metric", "unit", "definition", "earlier", "later", "change"]
    assert changes.filter(pl.col("change") > 0).height == 1
