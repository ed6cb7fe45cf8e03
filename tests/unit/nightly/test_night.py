"""The code a night ends with, and what is printed of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.nightly.night import Night, Result, night_listing, worst


@pytest.mark.parametrize(
    ("codes", "code"),
    [((), 0), ((0, 0), 0), ((0, 3), 3), ((3, 2), 2), ((2, 4), 4), ((4, 1), 1), ((3, 1, 2, 0, 4), 1)],
)
def test_worst_code_counts(codes, code):
    """What fails comes before what is broken, that before what is not there, that before what nobody could judge."""
    assert worst(codes) == code
    assert worst(reversed(codes)) == code


def test_problems_count_beside_reruns():
    """An announcement that was not delivered is the night's code, where everything passes."""
    night = Night(results=[Result("w", "r", "d", "", 0)])
    assert night.exit_code == 0
    night.problems.append((2, "not delivered"))
    assert night.exit_code == 2


def test_listing_names_everything():
    """A row for each rerun, and below it what is to be said of which, what went wrong, and what is odd."""
    night = Night(
        results=[
            Result("w_1", "r", "d", "1 judged: 1 FAIL", 1, 1, Path("/r/w_1.html"), ("confirmed",)),
            Result("w_2", "r", "", "could not be judged", 4, notes=("broken",)),
        ],
        known=7,
        problems=[(2, "no such source")],
        notes=["odd"],
    )
    listing = night_listing(night)
    assert listing.title == "2 reruns new, 7 in the history"
    assert [row["report"] for row in listing.rows] == ["/r/w_1.html", ""]
    assert listing.notes == ["w_1: confirmed", "w_2: broken", "no such source", "odd"]
    assert listing.extra == {"exit_code": 1}
    json.dumps([dict(row) for row in listing.rows])


def test_dry_run_says_so():
    """Nothing was judged, and nobody should think so."""
    assert night_listing(Night(results=[Result("w", "r", "d", "new", 0)], dry_run=True)).title == (
        "1 rerun would be judged, 0 in the history"
    )
