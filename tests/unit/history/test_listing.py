"""The trend of a metric, read in a terminal, in Markdown and by a script."""

from __future__ import annotations

import io
import json
import math
import sys
from datetime import UTC, datetime

import numpy as np
import pytest
from rich.console import Console

from harness.baseline.model import Acceptance, Baseline, Entry, Original, Unchanged
from harness.history.listing import bars, trend_listing
from harness.history.trend import trends
from harness.report.listing import number, print_listing

NAME = "dia.numSources"
NOISE = np.random.default_rng(1).normal(100, 1, 40)


def printed(listing, fmt="table"):
    """Return a listing as it is printed."""
    stream = io.StringIO()
    print_listing(listing, fmt, Console(file=stream, width=160))
    return stream.getvalue()


@pytest.fixture
def baseline():
    """Return a baseline accepted from the rerun ``w_005``."""
    acceptance = Acceptance(
        at=datetime(2026, 11, 21, tzinfo=UTC),
        by="A. Person",
        harness="0.1.0",
        rerun="w_005",
        versions={},
        inputs="inputs of w_005",
        reason="new templates",
        ticket="DM-25125",
        visits=28,
    )
    entry = Entry(
        value=100.0,
        uncertainty=1.0,
        unit="ct",
        definition="d1",
        expectation=Unchanged(rtol=0.05, atol=0.0),
        direction="both",
        accepted="a",
        original=Original(value=100.0, accepted="a"),
    )
    return Baseline(dataset="hits", acceptances={"a": acceptance}, metrics={NAME: entry})


def test_bars_rise_with_the_values():
    """The lowest number has the lowest bar, the highest the highest, a gap is a dot."""
    assert bars(np.array([0.0, math.nan, 7.0])) == "▁·█"
    assert bars(np.arange(8.0)) == "▁▂▃▄▅▆▇█"
    assert set(bars(np.full(5, 3.0))) == {"▅"}
    assert bars(np.array([math.nan, math.inf])) == "··"
    assert bars(np.empty(0)) == ""


def test_number_out_of_all_proportion_is_an_arrow():
    """One number that went wrong does not flatten all others."""
    values = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 1e9, -1e9])
    assert bars(values)[-2:] == "↑↓"
    assert len(set(bars(values)[:5])) >= 4


def test_every_rerun_is_a_row_with_its_change(fill):
    """Value, interval, change against the last measured rerun, what was acceptable, verdict, and why there is none."""
    frame = fill([100.0, math.nan, 110.0], state=["PASS", "NOT_MEASURED", "FAIL"], low=95.0, high=105.0, detail="why")
    text = printed(trend_listing(trends(frame, NAME)))
    rows = [line.split() for line in text.splitlines()]
    assert [row[0] for row in rows[2:5]] == ["w_000", "w_001", "w_002"]
    assert "+10.00 %" in text
    assert "95 … 105" in text
    assert rows[3][-2:] == ["NOT_MEASURED", "why"]


def test_changes_acceptances_band_and_warning_are_told(fill, baseline):
    """What the figure shows is said in words too."""
    values = NOISE.copy()
    values[20:] += 12
    frame = fill(values, state=["PASS"] * 20 + ["FAIL"] * 20)
    text = printed(trend_listing(trends(frame, NAME, baseline=baseline)))
    before, after = (number(float(np.median(half))) for half in (values[:20], values[20:]))
    assert f"moved from {before} to {after} (+" in text
    assert "%) with w_020" in text
    assert "new level" in next(line for line in text.splitlines() if line.startswith("w_020"))
    assert "accepted: new templates" in next(line for line in text.splitlines() if line.startswith("w_005"))
    assert "the baseline accepts 95 … 105 ct" in text
    assert "accepted from w_005, 2026-11-21 by A. Person: new templates (DM-25125)" in text
    assert "warning: dia.numSources = 1" in text
    line = next(line for line in text.splitlines() if "▁" in line)
    assert line.split()[0] == bars(values)


def test_columns_that_say_nothing_are_left_out(fill):
    """A history without verdicts has no empty columns."""
    text = printed(trend_listing(trends(fill([1.0, 2.0], state="", uncertainty=math.nan), NAME)))
    assert text.splitlines()[1].split() == ["rerun", "added", "value", "change"]


def test_series_are_told_apart(store, make_entry):
    """Values in two units stand in one table with their series, and each series has its own line of bars."""
    for index in range(4):
        store.append(make_entry(f"w_{index}", unit="mmag" if index < 2 else "%"))
    frame, problems = store.read()
    text = printed(trend_listing(trends(frame, NAME), problems))
    assert "hits mmag d1: ▅▅" in text
    assert "hits % d1: ▅▅" in text
    assert "changed its unit from mmag to %" in text
    third = next(line for line in text.splitlines() if "w_2" in line)
    assert "mmag" not in third


def test_earlier_series_warns_no_more(store, make_entry):
    """What was odd before a redefinition is not a warning of today."""
    for index in range(12):
        store.append(make_entry(f"w_{index}", 1e6 if index == 10 else NOISE[index], state="PASS"))
    assert "warning" not in printed(trend_listing(trends(store.read()[0], NAME)))
    store.append(make_entry("w_12", 1e6, state="PASS"))
    assert "warning" in printed(trend_listing(trends(store.read()[0], NAME)))
    store.append(make_entry("w_13", definition="d2", state="PASS"))
    assert "warning" not in printed(trend_listing(trends(store.read()[0], NAME)))


def test_long_trend_fits_a_terminal(fill):
    """Of many reruns the line shows the newest."""
    values = np.arange(100.0)
    text = printed(trend_listing(trends(fill(values), NAME)))
    line = next(line for line in text.splitlines() if "▁" in line)
    assert line.split()[0] == bars(values[-64:])


def test_script_gets_raw_numbers(fill, baseline):
    """JSON has numbers as numbers, null for NaN, and what was found out of them."""
    values = NOISE.copy()
    values[20:] += 12
    values[3] = math.nan
    frame = fill(values, state=["PASS"] * 20 + ["FAIL"] * 20)
    content = json.loads(printed(trend_listing(trends(frame, NAME, baseline=baseline)), "json"))
    assert [row["value"] for row in content["rows"]] == [None if math.isnan(value) else value for value in values]
    (summary,) = content["trends"]
    assert summary["changes"] == ["w_020"]
    assert summary["accepted"] == [95, 105]
    assert "last 15 accepted" in summary["warning"]


def test_markdown_is_a_table(fill):
    """The same for a web page."""
    assert "| w\\_000 |" in printed(trend_listing(trends(fill([1.0]), NAME)), "md")


def test_short_trend_says_that_changes_need_more(fill):
    """Where change points cannot be looked for, it says so."""
    assert "change points are looked for in 8 measured points or more" in printed(
        trend_listing(trends(fill(NOISE[:7]), NAME))
    )
    assert "looked for" not in printed(trend_listing(trends(fill(NOISE[:8]), NAME)))


def test_missing_ruptures_is_told(fill, monkeypatch):
    """Where change points cannot be found at all, it says so."""
    monkeypatch.setitem(sys.modules, "ruptures", None)
    monkeypatch.setattr("harness.history.listing.find_spec", lambda _: None)
    text = printed(trend_listing(trends(fill(NOISE), NAME)))
    assert "change points are not shown: ruptures is not there" in text
