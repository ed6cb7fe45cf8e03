"""Which visits and detectors were subtracted."""

from __future__ import annotations

import polars as pl
import pyarrow as pa

from harness.metrics.flavor.detectors import detectors_frame
from harness.metrics.flavor.frames import detectors_schema

SOURCES = pa.table({"visit": [1, 1, 2], "detector": pa.array([49, 49, 57], pa.int32()), "band": ["g", "g", None]})
INJECTIONS = pa.table({"visit": [1, 2, 3], "detector": pa.array([49, 58, 49], pa.int32()), "ra": [1.0, 2.0, 3.0]})
REGIONS = pa.table(
    {
        "visit": [1, 2, 2],
        "detector": pa.array([49, 57, 58], pa.int32()),
        "band": ["g", None, "r"],
        "area": [0.02, 0.03, None],
        "width": [2048.0, 2048.0, None],
        "height": [4096.0, 4096.0, None],
    }
)


def test_a_detector_on_which_nothing_was_found_counts():
    """Where nothing lists what was subtracted, sources, injections and regions tell it."""
    found = detectors_frame(SOURCES, INJECTIONS, REGIONS, None)
    assert found.schema == detectors_schema()
    assert found.select("visit", "detector").rows() == [(1, 49), (2, 57), (2, 58), (3, 49)]


def test_what_is_listed_is_what_was_subtracted():
    """A list of what was subtracted is neither added to nor taken from, and each is there once."""
    found = detectors_frame(SOURCES, INJECTIONS, REGIONS, [(7, 1), (1, 49), (1, 49)])
    assert found.select("visit", "detector").rows() == [(1, 49), (7, 1)]


def test_only_the_visits_asked_for_are_there():
    """Parts of a rerun have their own visits."""
    assert detectors_frame(SOURCES, INJECTIONS, REGIONS, None, {2})["visit"].to_list() == [2, 2]


def test_the_band_is_the_visits():
    """A detector whose own rows name no band has that of another detector of the visit; geometry stays its own."""
    found = detectors_frame(SOURCES, INJECTIONS, REGIONS, None)
    assert found["band"].to_list() == ["g", "r", "r", None]
    assert found["area"].to_list() == [0.02, 0.03, None, None]
    assert found.row(0, named=True) | {"width": 2048.0, "height": 4096.0} == found.row(0, named=True)


def test_a_catalogue_of_the_sky_tells_nothing():
    """Injections without visits, no region and no source are no detectors."""
    nothing = SOURCES.schema.empty_table()
    found = detectors_frame(nothing, pa.table({"ra": [1.0], "dec": [2.0]}), None, None)
    assert found.equals(pl.DataFrame(schema=detectors_schema()))
