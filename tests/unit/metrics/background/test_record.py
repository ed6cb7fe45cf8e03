"""The record of one background, and the table it is kept in."""

from __future__ import annotations

import math

from harness.metrics.background.record import Background, Closing, Statistics, backgrounds_of, backgrounds_table


def test_a_table_gives_back_what_it_was_made_of():
    """All fields, those that are empty included."""
    full = Background(
        *("coadd", "LSSTCam-imSim", -1, -1, "r", "tract 4226, patch 17, r"),
        unit="nJy",
        background=Statistics(100, 2, 1, -1.5, 2.5, 0.25, 0.5, 1.25, 3.0),
        restored_maximum=77.0,
        closing=Closing(0.5, 97, 1, 2, 3, 4, 1e-7),
        variance_ratio=1.1875,
        n_components=2,
        bins="1x1, 8x8",
        differing={"box": "the planes differ"},
        missing=("before",),
        problems={"after": "a.fits is missing"},
        edges=(0.0, 1.0, 2.0),
        counts=(60, 37),
        thumbnail=(0.5, 1.5),
        thumbnail_rows=1,
    )
    bare = Background("visit", "", 7, 8, "", "")
    found = backgrounds_of(backgrounds_table([full, bare]))
    assert found[0] == full
    assert repr(found[1]) == repr(bare)  # NaN is not equal to itself
    assert backgrounds_of(backgrounds_table([])) == []


def test_a_place_is_a_coadd_or_a_visit():
    """In words for people."""
    assert Background("visit", "X", 7, 8, "r", "").place == "visit 7, detector 8"
    assert Background("coadd", "X", -1, -1, "r", "tract 1, patch 2, r").place == "tract 1, patch 2, r"
    assert math.isnan(Statistics().median)
