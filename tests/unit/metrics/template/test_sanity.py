"""Defects: each is planted, counted once, and told with its place."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from subtractions import visit_with_both

from harness.metrics.template.rows import template_rows
from harness.metrics.template.subtraction import ExposureSummary, Subtraction

NAMES = ("Duplicates", "Missing", "Unreadable", "ScienceDiffers", "WithoutInputs", "DeepLacksGood")


def counted(listed: list[Subtraction]) -> dict[str, tuple[float, str]]:
    """Return what each defect adds up to, and all it says."""
    rows = template_rows(listed, "determinant").to_pylist()
    found = {}
    for name in NAMES:
        own = [row for row in rows if row["metric"] == f"template.num{name}"]
        found[name] = sum(row["numerator"] for row in own), "; ".join(row["detail"] for row in own if row["detail"])
    return found


def sound(n_visits: int = 3) -> list[Subtraction]:
    """Return visits without a defect: good side first, in order of visits."""
    return [each for visit in range(1, n_visits + 1) for each in visit_with_both(visit)]


def test_a_sound_survey_has_no_defects() -> None:
    """Every count is zero, is there, and has nothing to say."""
    assert counted(sound()) == dict.fromkeys(NAMES, (0, ""))


def _replaced(at: int, **changes: Any) -> list[Subtraction]:
    listed = sound()
    listed[at] = replace(listed[at], **changes)
    return listed


@pytest.mark.parametrize(
    ("listed", "name", "count", "words"),
    [
        (sound() + sound()[2:3] * 2, "Duplicates", 2, "visit 2 detector 0: good listed 3 times"),
        (sound()[:-1], "Missing", 2, "visit 3 detector 0: no deep template | no deep difference"),
        (_replaced(0, missing=("difference",)), "Missing", 1, "visit 1 detector 0: no good difference"),
        (
            _replaced(3, template=ExposureSummary(), problems={"template": "t.fits is truncated"}),
            "Unreadable",
            1,
            "visit 2 detector 0: deep template: t.fits is truncated",
        ),
        (_replaced(4, problems={"difference.nea": "no PSF"}), "Unreadable", 1, "good difference.nea: no PSF"),
        (_replaced(1, science_digest="another"), "ScienceDiffers", 1, "visit 1 detector 0: the science image differs"),
        (_replaced(5, input_visits=()), "WithoutInputs", 1, "visit 3 detector 0: deep template was made of no visit"),
        (
            _replaced(0, input_visits=(3, 99, 98)),
            "DeepLacksGood",
            1,
            "the deep template lacks 2 visits of the good one: 98, 99",
        ),
    ],
)
def test_a_defect_is_counted_and_told(listed: list[Subtraction], name: str, count: int, words: str) -> None:
    """Its number is right, its detail names the place and what it is, and no other defect is invented."""
    found = counted(listed)
    assert found[name][0] == count
    assert words in found[name][1]
    innocent = set(NAMES) - {name} - ({"DeepLacksGood"} if name in ("WithoutInputs", "Duplicates") else set())
    for other in innocent:
        assert found[other] == (0, ""), other


def test_a_science_image_that_cannot_be_read_is_one_defect() -> None:
    """Both sides say the same of it, and it is counted once."""
    listed = [
        replace(each, science=ExposureSummary(), science_digest="", problems={"science": "s.fits is truncated"})
        for each in visit_with_both(1)
    ]
    assert counted(listed)["Unreadable"] == (1, "visit 1 detector 0: science: s.fits is truncated")


def test_input_lists_that_are_not_on_record_cannot_be_compared() -> None:
    """Whether the deep template contains the good one is then not known, which is no zero."""
    listed = _replaced(0, input_visits=None)
    rows = template_rows(listed, "determinant").to_pylist()
    (row,) = [each for each in rows if each["metric"] == "template.numDeepLacksGood" and each["visit"] == 1]
    assert math.isnan(row["numerator"])
    assert row["detail"] == "the template image has no record of its input visits"


def test_many_defects_are_told_in_a_few_words() -> None:
    """Five places are named, and the last one says how many more there are."""
    listed = [replace(each, input_visits=()) for each in sound(20)]
    count, words = counted(listed)["WithoutInputs"]
    assert count == 40
    assert words.count(" detector 0: ") == 5
    assert words.endswith(", and at 15 more data IDs")
