"""Flag lists: what they hold, and what a missing column or value means."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from harness.errors import NotMeasuredError
from harness.metrics.flag_sets import FLAG_SETS, PIXEL_FLAGS, FlagSet, good_mask

#: The lists as the publications print them, "pixelFlags_" left out.
PUBLISHED = {
    "S3": {"bad", "suspect", "saturatedCenter"},
    "S6": {"bad", "suspect", "saturatedCenter", "interpolated", "interpolatedCenter", "edge"},
    "A5": {"bad", "saturatedCenter", "interpolatedCenter", "edge", "nodata"},
    "N7": {
        "centroid_flag",
        "crCenter",
        "nodataCenter",
        "interpolatedCenter",
        "saturatedCenter",
        "suspectCenter",
        "streakCenter",
        "glint_trail",
    },
}


def table_of(name: str, rows: int = 4) -> dict[str, list[object]]:
    """Return columns for a flag list in which nothing is flagged."""
    columns: dict[str, list[object]] = {flag: [False] * rows for flag in FLAG_SETS[name].flags}
    columns["reliability"] = [0.5] * rows
    return columns


@pytest.mark.parametrize("name", PUBLISHED)
def test_lists_are_the_published_ones(name):
    """Each list holds exactly the published flags, and says where it was published."""
    assert {flag.removeprefix("pixelFlags_") for flag in FLAG_SETS[name].flags} == PUBLISHED[name]
    assert FLAG_SETS[name].source


def test_pixel_flags_cover_every_list():
    """Every pixel flag that a list uses is a flag whose fraction is measured."""
    used = {flag for flag_set in FLAG_SETS.values() for flag in flag_set.flags if flag.startswith("pixelFlags_")}
    assert used <= set(PIXEL_FLAGS)


@pytest.mark.parametrize("name", FLAG_SETS)
def test_every_flag_of_a_list_rejects(name):
    """A source is rejected by each flag of the list alone, and by no other."""
    flag_set = FLAG_SETS[name]
    for flag in flag_set.flags:
        columns = {**table_of(name), flag: [False, True, None, False], "pixelFlags_cr": [True] * 4}
        assert good_mask(pa.table(columns), flag_set).tolist() == [True, False, True, True]


@pytest.mark.parametrize("kind", [pa.float32(), pa.float64()])
def test_only_a_low_reliability_rejects(kind):
    """N7 rejects scores below 0.1 and neither 0.1 itself nor a missing score."""
    columns = {**table_of("N7", 5), "reliability": pa.array([0.0999, 0.1, np.nan, None, 0.9], kind)}
    assert good_mask(pa.table(columns), FLAG_SETS["N7"]).tolist() == [False, True, True, True, True]
    assert good_mask(pa.table(columns), FlagSet("none", (), "")).all()


@pytest.mark.parametrize("name", FLAG_SETS)
def test_a_missing_column_is_an_error(name):
    """A column that is not there never means that nothing is flagged."""
    for column in FLAG_SETS[name].columns:
        columns = table_of(name)
        del columns[column]
        with pytest.raises(NotMeasuredError, match=rf"flag list {name} needs {column}, not in the table"):
            good_mask(pa.table(columns), FLAG_SETS[name])


def test_a_column_of_nulls_flags_nothing():
    """A column without a type, as written for a flag that is null throughout, is not set anywhere."""
    columns = {**table_of("S3"), "pixelFlags_bad": pa.nulls(4)}
    assert good_mask(pa.table(columns), FLAG_SETS["S3"]).all()
