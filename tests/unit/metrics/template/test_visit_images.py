"""Sides joined by data ID: rows of other visits, copies and gaps cannot get in."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from subtractions import exposure, survey, visit_with_both

from harness.metrics.template.subtraction import ExposureSummary
from harness.metrics.template.visit_images import joined


def test_every_number_stays_with_its_visit() -> None:
    """In whatever order the rows come, each image has the sides of its own data ID."""
    listed = survey(np.random.default_rng(1), n_templates=3)
    shuffled = [listed[at] for at in np.random.default_rng(2).permutation(len(listed))]
    assert joined(shuffled) == joined(listed)
    for image in joined(shuffled):
        for side, of in image.by_side.items():
            assert (of.visit, of.detector, of.side) == (image.visit, image.detector, side)


def test_a_side_that_a_visit_lacks_is_missing() -> None:
    """It has a place, so that nothing of another visit can take it."""
    good, deep = visit_with_both(1)
    first, second = joined([good, deep, replace(good, visit=2)])
    assert first.by_side["deep"] is deep
    assert second.by_side["deep"].missing == ("template", "difference")
    assert second.by_side["deep"].visit == 2
    assert second.science is second.by_side["good"]


def test_of_two_copies_none_is_used() -> None:
    """A data ID that is listed twice has no numbers on that side, and says so, in whichever order they come."""
    good, deep = visit_with_both(1)
    other = replace(good, template=exposure(3.0, 1.0))
    for listed in ([good, other, deep], [deep, other, good]):
        (image,) = joined(listed)
        assert image.listed == {"good": 2, "deep": 1}
        assert not image.by_side["good"].template.is_known
        assert image.by_side["good"].problems["template"] == "the data ID is listed 2 times"
        assert image.by_side["deep"] is deep


def test_a_rerun_with_one_template_has_one_side() -> None:
    """No side is made up that no visit has."""
    (image,) = joined([replace(visit_with_both(1)[0], side="")])
    assert list(image.by_side) == [""]
    assert not image.science_differs


def test_science_images_that_differ_are_found_out() -> None:
    """By digest where both have one, and by size and variance; then no number is that of the visit."""
    good, deep = visit_with_both(1)
    assert not joined([good, deep])[0].science_differs
    bare = replace(deep, science_digest="")
    for other in (
        replace(deep, science_digest="another"),
        replace(bare, science=exposure(5.0, 4.1)),
        replace(bare, science=exposure(5.1, 4.0)),
        replace(deep, science=exposure(5.0, 4.1)),
        replace(deep, science=exposure(5.1, 4.0)),
    ):
        (image,) = joined([good, other])
        assert image.science_differs
        assert image.science.problems["science"] == "the science image differs between good and deep"
        assert not image.science.science.is_known
    unknown = exposure(5.0, math.nan)
    assert not joined([replace(good, science=unknown), replace(bare, science=unknown)])[0].science_differs


def test_a_science_image_that_one_side_could_not_read_is_the_other_ones() -> None:
    """What is not known differs from nothing."""
    good, deep = visit_with_both(1)
    blind = replace(good, science=ExposureSummary(), science_digest="", problems={"science": "it is truncated"})
    (image,) = joined([blind, deep])
    assert not image.science_differs
    assert image.science is deep


def test_visits_of_linked_templates_share_a_name() -> None:
    """Where good and deep templates have names of their own, whatever a visit links is one, in any order."""
    listed = []
    for visit, good_name, deep_name in ((1, "b", "x"), (2, "c", "y"), (3, "b", "y"), (4, "d", "z")):
        good, deep = visit_with_both(visit)
        listed += [replace(good, coadd=good_name), replace(deep, coadd=deep_name)]
    for rows in (listed, listed[::-1]):
        assert [image.coadd for image in joined(rows)] == ["templates of visit 1"] * 3 + ["templates of visit 4"]


def test_a_visit_without_the_name_of_a_template_stands_for_itself() -> None:
    """It is no member of one large unnamed template."""
    listed = [replace(each, coadd="") for visit in (1, 2) for each in visit_with_both(visit)]
    assert [image.coadd for image in joined(listed)] == ["templates of visit 1", "templates of visit 2"]


def test_templates_of_the_same_visits_are_known_as_one() -> None:
    """In any order of their lists; what is not on record is not the same."""
    good, deep = visit_with_both(1, n_good=3, n_deep=3)
    turned = replace(deep, input_visits=(2, 1, 0))
    assert joined([good, turned])[0].has_same_inputs
    assert not joined([good, replace(deep, input_visits=(0, 1))])[0].has_same_inputs
    assert not joined([replace(good, input_visits=None), replace(deep, input_visits=None)])[0].has_same_inputs
