r"""Tables of release reports, with what their authors wrote: ``1,2x10^{-6}``, ``---``, no heading twice the same."""

from __future__ import annotations

import math

import pytest

from harness.errors import BrokenFileError
from harness.history.release_reports import read_release_reports

HEAD = (
    r"report,release,section,Metric,Unit,Target,Value,Value (RC2),Release 21 Value (RC2),"
    r"Release 22 Value (RC2-\texttt{faro}),Release 22 Value (RC2)"
)
PHOTOMETRY = "Photometric Performance"


@pytest.fixture
def table(tmp_path):
    """Return a function that writes rows into a CSV file and returns its path."""

    def write(*lines, head=HEAD):
        path = tmp_path / "reports.csv"
        path.write_text("\n".join([head, *lines]) + "\n")
        return path

    return write


def values(entry):
    """Return value by metric and definition."""
    return {(row.metric, row.definition): row.value for row in entry.rows}


def test_columns_say_release_and_sky(table):
    """A column without a release is of the report's own; without a sky it is of the validation data."""
    path = table(
        f"D-1,20.0.0,{PHOTOMETRY},PA1: g,mmag,8.0,14.3,12.7,,,", f"D-2,21.0.0,{PHOTOMETRY},PA1: g,mmag,,,,13.8,,"
    )
    read = read_release_reports(path)
    assert [(each.dataset, each.rerun, each.source) for each in read.releases] == [
        ("hsc_rc2", "20.0.0", "D-1"),
        ("validation_data_hsc", "20.0.0", "D-1"),
        ("hsc_rc2", "21.0.0", "D-2"),
    ]
    assert [row.value for each in read.releases for row in each.rows] == [12.7, 14.3, 13.8]
    assert {(row.metric, row.unit) for each in read.releases for row in each.rows} == {("photometry.PA1.g", "mmag")}
    assert (read.repeated, read.problems) == ((), ())


def test_repeated_release_is_kept_apart(table):
    """What a report says of an earlier release is no second release."""
    path = table(f"D-1,21.0.0,{PHOTOMETRY},PA1: g,mmag,,,,13.8,,", f"D-2,22.0.0,{PHOTOMETRY},PA1: g,mmag,,,,13.9,,13.7")
    read = read_release_reports(path)
    assert [(each.rerun, each.source) for each in read.releases] == [("21.0.0", "D-1"), ("22.0.0", "D-2")]
    assert [(each.rerun, each.source, each.rows[0].value) for each in read.repeated] == [("21.0.0", "D-2", 13.9)]


def test_column_goes_on_from_the_numbers_that_it_repeats(table):
    """A report that silently compares with the other program's numbers is of that program's definition."""
    head = HEAD + ",Release 23 Value (RC2)"
    path = table(
        *(f"D-1,22.0.0,{PHOTOMETRY},PA1: {band},mmag,,,,,7.6,13.7," for band in "gri"),
        *(f"D-2,23.0.0,{PHOTOMETRY},PA1: {band},mmag,,,,,,7.6,7.1" for band in "gri"),
        head=head,
    )
    read = read_release_reports(path)
    assert values(read.releases[0])["photometry.PA1.g", "faro"] == 7.6
    assert values(read.releases[0])["photometry.PA1.g", ""] == 13.7
    assert values(read.releases[1]) == {(f"photometry.PA1.{band}", "faro"): 7.1 for band in "gri"}
    assert values(read.repeated[0]) == {(f"photometry.PA1.{band}", "faro"): 7.6 for band in "gri"}


@pytest.mark.parametrize(
    ("text", "value"),
    [("14.3", 14.3), ("1.36x 10^{-5}", 1.36e-5), ("1.5x10^{-5}", 1.5e-5), ("3", 3.0), ('"1,2x10^{-6}"', 1.2e-6)],
)
def test_numbers_as_they_are_printed(table, text, value):
    """Powers of ten, with and without a space, and a comma in place of the point."""
    read = read_release_reports(table(f"D-1,20.0.0,Ellipticity Correlations,TE1: g,---,,{text},,,,"))
    (row,) = read.releases[0].rows
    assert (row.metric, row.unit, row.value) == ("ellipticity.TE1.g", "", pytest.approx(value, rel=1e-15))
    assert bool(read.problems) == ("," in text) == bool(row.detail)


def test_what_is_no_number_is_a_gap_and_named(table):
    """A cell with words is not measured; a dash or nothing is no cell."""
    path = table(
        f"D-1,20.0.0,{PHOTOMETRY},PA1: g,mmag,,see text,---,,,",
        f"D-1,20.0.0,{PHOTOMETRY},PA1: r,mmag,,---,,,,",
        "D-1,20.0.0,Astrometric Performance,,,,,,,,",
    )
    read = read_release_reports(path)
    ((row,),) = (each.rows for each in read.releases)
    assert math.isnan(row.value)
    assert row.detail == "printed as see text"
    assert read.problems == (
        "D-1, PA1.g, Value: 'see text' is no number",
        "D-1, Astrometric Performance: 1 rows have neither metric nor value; left out",
    )


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("D-1,20.0.0,Weather,PA1: g,mmag,,1.0,,,,", "D-1 has the section 'Weather', which is unknown"),
        (f"D-1,20.0.0,{PHOTOMETRY},PA1: g,mmag,,,,,,,9", "row 2 has not as many cells as there are headings"),
        (f"D-1,20.0.0,{PHOTOMETRY},PA1: g,mmag", "row 2 has not as many cells as there are headings"),
    ],
)
def test_what_the_reader_does_not_know_it_does_not_guess(table, line, message):
    """An unknown section and a row with shifted cells are one sentence each."""
    with pytest.raises(BrokenFileError, match=message):
        read_release_reports(table(line))


def test_unknown_sky_is_one_sentence(table):
    """A column of another data set is not put into a known one."""
    path = table(f"D-1,20.0.0,{PHOTOMETRY},PA1: g,mmag,1.0", head="report,release,section,Metric,Unit,Value (Medium)")
    with pytest.raises(BrokenFileError, match="D-1 has values of 'Medium', which is unknown"):
        read_release_reports(path)


def test_other_files_are_one_sentence(tmp_path, table):
    """No file, no CSV, other columns."""
    with pytest.raises(BrokenFileError, match=r"reports cannot be read|release reports .* cannot be read"):
        read_release_reports(tmp_path / "none.csv")
    with pytest.raises(BrokenFileError, match="holds no release reports: it needs the columns report, release"):
        read_release_reports(table("1,2", head="a,b"))
    binary = tmp_path / "binary.csv"
    binary.write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(BrokenFileError, match="cannot be read"):
        read_release_reports(binary)
