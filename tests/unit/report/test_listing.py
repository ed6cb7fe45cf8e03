"""One listing in three formats."""

from __future__ import annotations

import io
import json
import math

import pytest
from rich.console import Console

from harness.report.listing import Column, Listing, number, print_listing, relative_change

LISTING = Listing(
    "w_2020_24 against w_2020_20",
    [Column("metric", "metric"), Column("value", "value", number, numeric=True)],
    [
        {"metric": "dia.numSources", "value": 671170.0, "hidden": [1, math.nan]},
        {"metric": "<b>|pipe|</b>", "value": math.nan, "hidden": []},
    ],
    ["FAIL dia.numSources = 671170", "  rule: within 2 %"],
)


def _printed(fmt: str, width: int = 200) -> str:
    stream = io.StringIO()
    print_listing(LISTING, fmt, Console(file=stream, width=width, highlight=False))
    return stream.getvalue()


def test_table_shows_every_row_and_note():
    """A terminal gets headings, rows and the paragraphs below."""
    text = _printed("table")
    assert "dia.numSources  671170" in text
    assert text.endswith("FAIL dia.numSources = 671170\n  rule: within 2 %\n")


def test_sentences_are_not_folded_on_a_narrow_terminal():
    """A log is searched for whole sentences."""
    assert "FAIL dia.numSources = 671170\n" in _printed("table", width=12)


@pytest.mark.parametrize("width", [12, 40, 60])
def test_no_number_is_cut_on_a_narrow_terminal(width):
    """Names are folded and numbers stay whole: "+39.35 %" cut to "+39." would read as another number."""
    columns = [
        Column("metric", "metric"),
        Column("value", "value", numeric=True),
        Column("change", "change", numeric=True),
        Column("verdict", "verdict"),
    ]
    name = "dia.fracFlagged.pixelFlags_injected_templateCenter"
    row = {"metric": name, "value": "0.541692", "change": "+39.35 %", "verdict": "INCONCLUSIVE"}
    stream = io.StringIO()
    print_listing(Listing("title", columns, [row]), "table", Console(file=stream, width=width))
    first, *more = stream.getvalue().splitlines()[2:]
    begin, *cells = first.split(maxsplit=1)
    assert cells[0].split("  ") == ["0.541692", "+39.35 %", "INCONCLUSIVE"]
    assert begin + "".join(line.strip() for line in more) == name


def test_markup_in_data_is_text():
    """What comes from data is never taken for markup of a terminal."""
    listing = Listing("[red]title[/red]", [Column("a", "a")], [{"a": "[bold]x[/bold]"}], ["[link=x]y[/link]"])
    stream = io.StringIO()
    print_listing(listing, "table", Console(file=stream, width=100))
    assert "[bold]x[/bold]" in stream.getvalue()
    assert "[link=x]y[/link]" in stream.getvalue()


def test_json_keeps_every_key_and_writes_null_for_nan():
    """A script gets strict JSON with the raw values."""
    content = json.loads(_printed("json"), parse_constant=pytest.fail)
    assert content["rows"][0] == {"metric": "dia.numSources", "value": 671170.0, "hidden": [1, None]}
    assert content["rows"][1]["value"] is None


def test_markdown_escapes_what_would_break_it():
    """A pipe or a tag in the data stays a pipe and a tag."""
    text = _printed("md")
    assert "| metric | value |\n| --- | ---: |" in text
    assert "\\<b\\>\\|pipe\\|\\</b\\>" in text
    assert "\n  - rule: within 2 %" in text


@pytest.mark.parametrize(
    ("value", "text"),
    [(671170.0, "671170"), (0.0, "0"), (0.341234567, "0.341235"), (math.nan, "–"), (-math.inf, "−∞"), (1e20, "1e+20")],
)
def test_numbers_read_well(value, text):
    """Counts are whole numbers, and no float noise is shown."""
    assert number(value) == text


@pytest.mark.parametrize(
    ("change", "base", "text"),
    [
        (0.0, 5.0, "0"),
        (1e-16, 1.0, "0"),
        (-4e-6, 1.0, "-0.0004 %"),
        (0.0832, 1.0, "+8.32 %"),
        (-2.0, -4.0, "-50.00 %"),
        (3.0, 0.0, "+3"),
    ],
)
def test_change_is_written_relative_to_what_it_started_from(change, base, text):
    """A small change keeps its sign and its size; what is left of rounding is none."""
    assert relative_change(change, base) == text
