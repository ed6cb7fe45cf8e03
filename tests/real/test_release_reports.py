"""Release metric reports 18.0 to 23.0 as a history: their known errors are found, and a claim is counted again."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl
import pytest

from harness.history.comparison import relative_changes, summary_of_changes
from harness.history.release_reports import read_release_reports
from harness.history.released import keep_release_reports
from harness.history.repeats import repeats
from harness.history.store import HistoryStore, frame_of
from harness.history.trend import trends

NOW = datetime(2026, 11, 21, tzinfo=UTC)


@pytest.fixture(scope="module")
def reports(real_data):
    """Return what the six reports say."""
    return read_release_reports(real_data / "dmtr_release_metrics" / "dmtr_tables_parsed.csv")


@pytest.fixture(scope="module")
def printed(reports):
    """Return all that was printed, releases as their own report gives them first."""
    return frame_of([*reports.releases, *reports.repeated], NOW)


def series(frame, metric, dataset, definition):
    """Return the values of one metric through the releases."""
    (found,) = [trend for trend in trends(frame, metric) if (trend.dataset, trend.definition) == (dataset, definition)]
    return [(point.rerun.removesuffix(".0.0"), point.value) for point in found.points]


def test_releases_are_a_history(reports, tmp_path):
    """Releases 18 to 23 come in order, on each sky, into a history and out again."""
    store = HistoryStore(tmp_path)
    for entry in reports.releases:
        store.append(entry)
    frame, problems = store.read()
    order = {
        str(dataset): rows["rerun"].unique(maintain_order=True).to_list()
        for (dataset,), rows in frame.group_by(["dataset"], maintain_order=True)
    }
    assert order == {
        "hsc_rc2": ["20.0.0", "21.0.0", "22.0.0", "23.0.0"],
        "validation_data_hsc": ["18.0.0", "19.0.0", "20.0.0"],
    }
    # Drawn from another program since release 22, and given in another unit: both are changes of what is meant.
    assert len(problems) == 2
    assert "photometry.PA1.g, photometry.PA1.r" in problems[0]
    assert "and 5 more changed their definition with 22.0.0" in problems[0]
    assert "PA2.y changed their unit from mmag to % with 20.0.0" in problems[1]
    assert frame.drop("at").equals(frame_of(reports.releases, NOW).drop("at"))


def test_drop_of_release_22_is_a_change_of_definition(printed, reports):
    """PA1 in g, from DMTR-251, -281, -311 and -351: 13.7 and 7.6 mmag are one release, measured by two programs."""
    frame = frame_of(reports.releases, NOW)
    assert series(frame, "photometry.PA1.g", "hsc_rc2", "") == [("20", 12.7), ("21", 13.8), ("22", 13.7)]
    assert series(frame, "photometry.PA1.g", "hsc_rc2", "faro") == [("22", 7.6), ("23", 7.1)]


def test_known_values_are_read(reports):
    """Published values of other skies, units and forms of numbers, from DMTR-141, -191, -251 and -351."""
    frame = frame_of(reports.releases, NOW)
    assert series(frame, "photometry.PA1.i", "validation_data_hsc", "") == [("18", 12.2), ("19", 12.0), ("20", 12.1)]
    expected = [("20", 2.0e-5), ("21", 2.1e-5), ("22", 2.6e-4), ("23", 3.0e-5)]
    found = series(frame, "ellipticity.TE1.r", "hsc_rc2", "")
    assert [name for name, _ in found] == [name for name, _ in expected]
    assert [value for _, value in found] == pytest.approx([value for _, value in expected], rel=1e-12)


def test_slips_of_the_authors_are_named(reports):
    """A comma in a number and rows without names are read around, and told."""
    assert "DMTR-281, TE2.y, Release 20 Value (RC2): '1,2x10^{-6}' is read as 1.2e-06" in reports.problems
    nameless = [problem for problem in reports.problems if "neither metric nor value" in problem]
    assert [problem.split(",")[0] for problem in nameless] == ["DMTR-141", "DMTR-191"]


def test_duplicated_column_is_found_by_the_general_check(printed):
    """DMTR-311 prints the ellipticity correlations of release 20 under release 21, and nothing else is suspected."""
    (found,) = repeats(printed)
    assert (found.rerun, found.source, found.other, found.other_source) == ("21.0.0", "DMTR-311", "20.0.0", "DMTR-251")
    assert (found.group, found.equal, found.compared) == ("ellipticity", 10, 10)
    assert found.chance < 1e-6


def test_duplicated_column_differs_from_the_release_itself(printed):
    """All ten numbers that DMTR-311 repeats of release 21's ellipticity are others than those of DMTR-281."""
    release = printed.filter(pl.col("rerun") == "21.0.0", pl.col("metric").str.starts_with("ellipticity."))
    changes = relative_changes(*(release.filter(pl.col("source") == report) for report in ("DMTR-281", "DMTR-311")))
    assert changes.height == 10
    assert (changes["change"] != 0).all()


def test_claim_of_the_report_on_release_23_is_counted_again(printed):
    """DMTR-351 claims of astrometry 19 unchanged, 10 below 2.5 % and 9 of 6 to 16 %; its own table has 16, 10, 9."""
    table = printed.filter(pl.col("source") == "DMTR-351", pl.col("metric").str.starts_with("astrometry."))
    changes = relative_changes(*(table.filter(pl.col("rerun") == f"{release}.0.0") for release in (22, 23)))
    assert summary_of_changes(changes, [0.025]) == (
        "35 compared: 16 unchanged, 10 by up to 2.5 %, 9 by 6.25 to 16.7 %; median 1.19 %"
    )


def test_command_keeps_the_releases_and_tells_what_is_odd(real_data, tmp_path):
    """The duplicated column and the claim counted again are printed; then the releases are a history."""
    path, folder = real_data / "dmtr_release_metrics" / "dmtr_tables_parsed.csv", tmp_path / "history"
    listing = keep_release_reports(path, folder)
    (claim,) = [row["changes"] for row in listing.rows if (row["report"], row["metrics"]) == ("DMTR-351", "astrometry")]
    assert claim.startswith("35 compared: 16 unchanged, 10 by up to 2.5 %")
    assert listing.notes[0].startswith(
        "hsc_rc2: 10 of 10 values of ellipticity in 21.0.0 (DMTR-311) are those of 20.0.0"
    )
    first = keep_release_reports(path, folder)
    assert first.rows == listing.rows  # once more changes nothing
    assert HistoryStore(folder).read(dataset="hsc_rc2")[0]["rerun"].n_unique() == 4
