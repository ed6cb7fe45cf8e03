"""Background records as metric rows."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from harness.metrics.background.catalogue import BACKGROUND_CHANGE_GROUPS, BACKGROUND_GROUPS, background_catalogue
from harness.metrics.background.record import Background, Closing, Statistics
from harness.metrics.background.rows import background_rows, change_rows
from harness.metrics.rows import rows_schema

HELD = Statistics(100, 4, 1, 90.0, 110.0, 100.5, 100.25, 3.0, 12.0)
FLAT = Statistics(100, 0, 0, 0.0625, 0.0625, 0.0625, 0.0625, 0.0, 0.0)
CLOSED = Closing(0.5, 95, 0, 0, 3, 4, 1e-7)
VISIT = Background(
    *("visit", "X", 7, 8, "r", ""), background=HELD, closing=CLOSED, restored_maximum=5000.0, n_components=2
)
COADD = Background(
    *("coadd", "", -1, -1, "r", "tract 1, patch 2, r"), background=FLAT, closing=CLOSED, variance_ratio=1.25
)


def rows_of(*backgrounds):
    """Return rows by metric; of several, the first one that is not well."""
    found = {}
    for row in background_rows(backgrounds).to_pylist():
        if row["metric"] not in found or row["detail"]:
            found[row["metric"]] = row
    return found


def test_every_metric_of_a_sound_background_is_a_number():
    """Of visit and coadd, in a group that the family knows; nothing is the matter with either."""
    table = background_rows([VISIT, COADD])
    assert table.schema == rows_schema()
    rows = rows_of(VISIT, COADD)
    catalogue = background_catalogue()
    assert set(rows) == {name for name, each in catalogue.items() if each.group in BACKGROUND_GROUPS}
    assert {each.group for each in catalogue.values()} == BACKGROUND_GROUPS | BACKGROUND_CHANGE_GROUPS
    assert all(math.isfinite(row["numerator"]) for row in rows.values())
    assert not [row for row in rows.values() if row["detail"]]
    for name, metric in catalogue.items():
        if name in rows:
            assert (rows[name]["denominator"] == 1.0) is (metric.reduce == "ratio"), name


def test_numbers_stand_where_they_belong():
    """Each under its name, with the data ID of its visit or the name of its coadd."""
    rows = rows_of(VISIT, COADD)
    levels = {"minimum": 90, "maximum": 110, "mean": 100.5, "median": 100.25, "std": 3, "range": 20}
    for name, value in levels.items():
        assert rows[f"visitBackground.{name}"]["numerator"] == value
    assert rows["visitBackground.fracInvalid"]["numerator"] == 0.05
    assert rows["visitBackground.gradient"]["numerator"] == 12.0
    assert rows["visitBackground.restoredMaximum"]["numerator"] == 5000.0
    assert rows["coaddBackground.range"]["numerator"] == 0.0
    assert rows["coaddBackground.varianceRatio"]["numerator"] == 1.25
    assert rows["coaddBackground.largestResidual"]["numerator"] == 0.5
    of_visit, of_coadd = rows["visitBackground.mean"], rows["coaddBackground.mean"]
    assert (of_visit["visit"], of_visit["detector"], of_visit["coadd"]) == (7, 8, None)
    assert (of_coadd["visit"], of_coadd["detector"], of_coadd["coadd"]) == (None, None, "tract 1, patch 2, r")


def test_backgrounds_are_counted_in_the_whole_rerun():
    """Of visits and of coadds, one that is not there included, in a row of no place; of what there is none, nothing."""
    rows = rows_of(VISIT, replace(VISIT, detector=9), COADD)
    assert rows["visitBackground.numBackgrounds"]["numerator"] == 2
    assert rows["visitBackground.numBackgrounds"]["visit"] is None
    assert rows["coaddBackground.numBackgrounds"]["numerator"] == 1
    assert rows["coaddBackground.numBackgrounds"]["coadd"] is None
    alone = rows_of(replace(VISIT, missing=("background",)))
    assert alone["visitBackground.numBackgrounds"]["numerator"] == 1
    assert "coaddBackground.numBackgrounds" not in alone


def test_a_background_that_is_not_flat_names_its_coadd():
    """Its range is no more than what separates two neighbouring floats, and is found."""
    tilted = replace(COADD, background=replace(FLAT, maximum=0.0625 + 2**-28))
    row = rows_of(tilted)["coaddBackground.range"]
    assert (row["numerator"], row["detail"]) == (2**-28, "in tract 1, patch 2, r")


def test_a_pixel_that_does_not_close_is_located():
    """Row and column of the worst one, and how many there are."""
    rows = rows_of(replace(COADD, closing=Closing(8.0, 95, 3, 0, 12, 34, 1e-3)))
    assert rows["coaddBackground.largestResidual"]["numerator"] == 8.0
    assert rows["coaddBackground.largestResidual"]["detail"] == "row 12, column 34 of tract 1, patch 2, r"
    assert rows["coaddBackground.numUnclosedPixels"]["numerator"] == 3
    assert rows["coaddBackground.numUnclosedPixels"]["detail"] == "3 in tract 1, patch 2, r"


def test_planes_that_differ_in_pattern_have_no_residual():
    """How many pixels are finite in one alone is counted, and the rest is not said to close."""
    rows = rows_of(replace(COADD, closing=Closing(math.inf, 90, 0, 5, 1, 2, 0.0)))
    assert rows["coaddBackground.numPatternPixels"]["numerator"] == 5
    assert math.isnan(rows["coaddBackground.largestResidual"]["numerator"])
    assert (
        "5 pixels of tract 1, patch 2, r are finite in one plane" in rows["coaddBackground.largestResidual"]["detail"]
    )


@pytest.mark.parametrize(
    ("changes", "sanity", "words", "unknown"),
    [
        (
            {"differing": {"unit": "planes differ in unit"}, "closing": Closing()},
            "numMismatched",
            "planes differ in unit",
            {"largestResidual", "numUnclosedPixels"},
        ),
        (
            {"problems": {"background": "b.fits is broken"}, "background": Statistics(), "closing": Closing()},
            "numUnreadable",
            "b.fits is broken",
            {"largestResidual", "numUnclosedPixels", "minimum", "maximum", "mean", "median", "std", "range"}
            | {"fracInvalid", "numPixels", "gradient", "numComponents"},
        ),
        (
            {"missing": ("before",), "closing": Closing(), "variance_ratio": math.nan},
            "numMissing",
            "tract 1, patch 2, r has no before",
            {"largestResidual", "numUnclosedPixels", "varianceRatio"},
        ),
        (
            {"problems": {"variance_ratio": "a.fits has no variance"}, "variance_ratio": math.nan},
            "numUnreadable",
            "a.fits has no variance",
            {"varianceRatio"},
        ),
    ],
)
def test_what_is_not_there_is_counted_and_said(changes, sanity, words, unknown):
    """Numbers that need it are not measured and say why; all the others are."""
    rows = rows_of(replace(COADD, **changes))
    assert rows[f"coaddBackground.{sanity}"]["numerator"] == 1
    assert rows[f"coaddBackground.{sanity}"]["detail"]
    lost = {name.partition(".")[2] for name, row in rows.items() if math.isnan(row["numerator"])}
    assert lost == unknown
    for name in lost:
        assert rows[f"coaddBackground.{name}"]["detail"] == words


def test_a_background_without_a_number_says_so():
    """Nothing is known of its level; that all of it is invalid is."""
    empty = replace(VISIT, background=Statistics(100, 100, 0), closing=Closing(n_pattern=100, largest=math.inf))
    rows = rows_of(empty)
    assert rows["visitBackground.median"]["detail"] == "the background of visit 7, detector 8 has no finite pixel"
    assert rows["visitBackground.fracInvalid"]["numerator"] == 1.0
    assert math.isnan(rows["visitBackground.largestResidual"]["numerator"])


def test_a_kind_of_background_that_is_not_there_has_no_defects():
    """A rerun of visit images has no coadds to be missing; of their level nothing is said."""
    rows = rows_of(VISIT)
    of_coadds = {name: row["numerator"] for name, row in rows.items() if name.startswith("coadd")}
    assert set(of_coadds.values()) == {0.0}
    assert all(background_catalogue()[name].group == "background_sanity" for name in of_coadds)


def test_changes_name_their_places():
    """Nothing that is the same does; what cannot be compared, or has no size, says why."""
    broken = replace(VISIT, visit=9, problems={"change": "b.fits is broken"})
    rows = change_rows(
        [(VISIT, 0, 0.0), (COADD, 12, 3.0), (broken, 0, math.nan), (replace(COADD, coadd="c"), 4, math.nan)]
    )
    found = {(row["metric"].partition(".")[2], row["visit"] or row["coadd"]): row for row in rows.to_pylist()}
    assert (found["numChangedPixels", 7]["numerator"], found["numChangedPixels", 7]["detail"]) == (0, None)
    changed = found["largestChange", "tract 1, patch 2, r"]
    assert (changed["numerator"], changed["detail"]) == (3.0, "in tract 1, patch 2, r")
    assert found["numChangedPixels", "tract 1, patch 2, r"]["numerator"] == 12
    for metric in ("numChangedPixels", "largestChange"):
        assert math.isnan(found[metric, 9]["numerator"])
        assert found[metric, 9]["detail"] == "b.fits is broken"
    assert found["numChangedPixels", "c"]["numerator"] == 4
    assert found["largestChange", "c"]["detail"] == "the pixels of the background of c that differ are finite in one rerun alone"  # fmt: skip  # noqa: E501
