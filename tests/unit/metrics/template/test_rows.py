"""Metric rows of subtractions: right numbers at the right place, and a reason wherever there is none."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from subtractions import exposure, survey, visit_with_both

from harness.metrics.rows import rows_schema
from harness.metrics.template.rows import template_rows
from harness.metrics.template.subtraction import ExposureSummary, Subtraction
from harness.metrics.template.tables import noise_table
from harness.metrics.template.visit_images import joined

if TYPE_CHECKING:
    from collections.abc import Iterable

Place = tuple[str, int | None]


def measured(subtractions: Iterable[Subtraction], kind: Any = "determinant") -> dict[Place, dict[str, Any]]:
    """Return rows by metric and visit; no two are of the same."""
    table = template_rows(list(subtractions), kind)
    assert table.schema == rows_schema()
    found = {(row["metric"], row["visit"]): row for row in table.to_pylist()}
    assert len(found) == table.num_rows
    return found


def value(found: dict[Place, dict[str, Any]], metric: str, visit: int | None = 1) -> float:
    """Return the value of one row."""
    row = found[metric, visit]
    return float(row["numerator"] / (row["denominator"] or 1))


def test_numbers_of_a_visit_are_those_of_its_exposures() -> None:
    """Sizes, variances, depths and contrasts, by hand."""
    found = measured(visit_with_both(1, fwhm=5.0, good=4.0, deep=6.0, variance=4.0, n_good=10, n_deep=40))
    expected = {
        "science.psfFwhm": 5.0,
        "template.psfFwhm.good": 4.0,
        "template.psfFwhm.deep": 6.0,
        "difference.psfFwhm.deep": 5.0,
        "template.fracSharperThanVisit.good": 1,
        "template.fracSharperThanVisit.deep": 0,
        "template.largestExcess.good": -1.0,
        "template.largestExcess.deep": 1.0,
        "science.medianVariance": 4.0,
        "template.medianVariance.good": 0.4,
        "template.medianVariance.deep": 0.1,
        "template.numVisits.good": 10,
        "template.numVisits.deep": 40,
        "template.coverage.good": 0.5,
        "template.psfGoodMinusDeep": -2.0,
        "template.varianceGoodOverDeep": 4.0,
        "difference.psfGoodOverDeep": 1.0,
        "template.fracGoodSharper": 1,
        "template.order.goodVisitDeep": 1,
        "template.order.visitBelowBoth": 0,
    }
    for name, number in expected.items():
        assert value(found, name) == pytest.approx(number, rel=1e-12), name
        assert found[name, 1]["instrument"] == "LATISS"
        assert (found[name, 1]["detector"], found[name, 1]["band"]) == (0, "r")
        assert found[name, 1]["coadd"] == "templates of visit 1"
    good = (found["difference.medianVariance.good", 1]["numerator"]) / 4.4
    assert value(found, "difference.varianceAdditivity.good") == pytest.approx(good)
    assert value(found, "difference.noiseGoodOverDeep") > 1
    assert value(found, "science.limitingMagnitude") > value(found, "difference.limitingMagnitude.good")


def test_pixels_that_are_not_usable_are_a_share_of_all() -> None:
    """Whole numbers, so that the share is judged as one: numerator and denominator are pixels."""
    good, deep = visit_with_both(1)
    holed = exposure(4.0, 0.4, n_masked=100, n_nan=20, n_inf=3, n_nonpositive=2)
    found = measured([replace(good, template=holed), deep])
    row = found["template.fracInvalidPixels.good", 1]
    assert (row["numerator"], row["denominator"]) == (125, 10_000)
    assert found["template.fracInvalidPixels.deep", 1]["numerator"] == 0


def test_rows_do_not_depend_on_the_order_of_subtractions() -> None:
    """Shuffled input gives the same table: D1 and D2 of the analysis are out of reach."""
    listed = survey(np.random.default_rng(1), n_templates=5)
    rng = np.random.default_rng(2)
    expected = template_rows(listed, "determinant").to_pandas()
    for _ in range(3):
        shuffled = [listed[at] for at in rng.permutation(len(listed))]
        pd.testing.assert_frame_equal(template_rows(shuffled, "determinant").to_pandas(), expected, rtol=1e-12)


def test_a_lost_row_shifts_nothing() -> None:
    """Without one visit's deep side, all others keep their numbers, and that visit has none that need both sides."""
    listed = survey(np.random.default_rng(3), n_templates=4)
    whole, less = measured(listed), measured([each for each in listed if (each.visit, each.side) != (2003, "deep")])
    of_both = ("template.psfGoodMinusDeep", "template.varianceGoodOverDeep", "difference.noiseGoodOverDeep")
    for place, row in whole.items():
        metric, visit = place
        if visit is None or metric == "template.numMissing":
            continue
        if visit == 2003 and (metric.endswith(".deep") or metric in of_both):
            assert math.isnan(less[place]["numerator"])
            assert "the rerun has no" in less[place]["detail"]
        elif visit != 2003:
            assert (less[place]["numerator"], less[place]["denominator"]) == (row["numerator"], row["denominator"])
    assert value(less, "template.order.tiesOrMissing", 2003) == 1
    assert value(less, "template.psfFwhm.good", 2003) == value(whole, "template.psfFwhm.good", 2003)


def test_a_copy_of_a_row_counts_for_nothing() -> None:
    """A visit that a chained collection returns twice has no numbers on that side, rather than double weight."""
    listed = survey(np.random.default_rng(4), n_templates=4)
    found = measured([*listed, listed[0]])
    row = found["template.psfFwhm.good", listed[0].visit]
    assert math.isnan(row["numerator"])
    assert row["detail"] == "the data ID is listed 2 times"
    assert value(found, "template.psfFwhm.deep", listed[0].visit) > 0


@pytest.mark.parametrize("wrong", [math.nan, math.inf, 0.0, -1.0])
def test_a_size_that_is_none_spoils_its_own_rows_alone(wrong: float) -> None:
    """NaN, infinity and the zero of a failed measurement give NaN with a reason, there and nowhere else."""
    broken = visit_with_both(1)
    broken[0] = replace(broken[0], template=replace(exposure(4.0, 0.4), fwhm=wrong))
    found = measured(broken + visit_with_both(2))
    for name in ("template.psfFwhm.good", "template.fracSharperThanVisit.good", "template.psfGoodMinusDeep"):
        assert math.isnan(found[name, 1]["numerator"])
        assert found[name, 1]["detail"]
        assert math.isfinite(found[name, 2]["numerator"])
    assert value(found, "template.order.tiesOrMissing", 1) == 1
    assert value(found, "template.psfFwhm.deep", 1) == 6.0
    assert value(found, "template.medianVariance.good", 1) == 0.4


def test_sizes_of_another_kind_are_refused() -> None:
    """Trace radii are not judged as determinant radii; the reason says what there is and what is asked for."""
    found = measured(visit_with_both(1), "trace")
    row = found["template.psfFwhm.good", 1]
    assert math.isnan(row["numerator"])
    assert "of kind determinant, and trace is asked for" in row["detail"]
    assert "asked for" in found["difference.psfCorrelation.good", None]["detail"]
    assert value(found, "template.medianVariance.good") == 0.4
    assert value(found, "template.order.tiesOrMissing") == 1


def test_science_numbers_are_of_no_side() -> None:
    """Size and variance that differ between the sides are no numbers of the visit: D5 of the analysis."""
    good, deep = visit_with_both(1)
    found = measured([good, replace(deep, science=exposure(5.5, 4.0), science_digest="another")])
    for name in ("science.psfFwhm", "science.medianVariance", "template.fracSharperThanVisit.good"):
        assert math.isnan(found[name, 1]["numerator"])
        assert found[name, 1]["detail"] == "the science image differs between good and deep"
    assert value(found, "template.numScienceDiffers") == 1


def test_variances_are_added_in_one_unit() -> None:
    """A template in units of 2.5 nJy beside images in nJy changes no ratio of variances, sum or expected noise."""
    listed = visit_with_both(1)
    step = 2.5 * math.log10(2.5)
    other = [
        replace(
            each,
            template=replace(each.template, variance=each.template.variance / 2.5**2, zero_point=31.4 - step),
        )
        for each in listed
    ]
    expected, found = measured(listed), measured(other)
    for name in ("difference.varianceAdditivity.good", "template.varianceGoodOverDeep", "difference.noiseGoodOverDeep"):
        assert value(found, name) == pytest.approx(value(expected, name), rel=1e-12)
    noise, same = (noise_table(joined(each), "determinant").to_pandas() for each in (other, listed))
    pd.testing.assert_frame_equal(noise, same, rtol=1e-12)


def test_an_order_needs_one_science_image() -> None:
    """A visit whose size depends on the side has no place among the orders."""
    good, deep = visit_with_both(1)
    found = measured([good, replace(deep, science=exposure(5.5, 4.0), science_digest="another")])
    assert value(found, "template.order.tiesOrMissing") == 1


def test_every_visit_has_one_order() -> None:
    """The five classes add up to one at every data ID, whatever is missing or tied."""
    listed = survey(np.random.default_rng(5), n_templates=5)
    listed[0] = replace(listed[0], template=ExposureSummary())
    listed[2] = replace(listed[2], template=listed[2].science)
    found = measured([each for each in listed if each.visit != 1001 or each.side == "good"])
    visits = {visit for _, visit in found if visit is not None}
    for visit in visits:
        orders = [row for (name, at), row in found.items() if name.startswith("template.order.") and at == visit]
        assert len(orders) == 5
        assert sum(row["numerator"] for row in orders) == 1
        assert all(row["denominator"] == 1 for row in orders)
    ties = [visit for visit in visits if value(found, "template.order.tiesOrMissing", visit)]
    assert sorted(ties) == sorted({listed[0].visit, listed[2].visit, 1001})


def test_the_published_fractions_come_out() -> None:
    """A survey of 55, 43, 0 and 7 visits of the orders gives 0.524, 0.409 (cut off) and 0 of 105."""
    sizes = [5.0] * 55 + [3.0] * 43 + [7.0] * 7
    listed = [
        each for visit, size in enumerate(sizes) for each in visit_with_both(visit, size, coadd=f"{visit % 14} r")
    ]
    rows = template_rows(listed, "determinant").to_pylist()

    def share(order: str) -> float:
        own = [row for row in rows if row["metric"] == f"template.order.{order}"]
        return sum(row["numerator"] for row in own) / sum(row["denominator"] for row in own)

    assert round(share("goodVisitDeep"), 3) == 0.524
    assert math.floor(1000 * share("visitBelowBoth")) / 1000 == 0.409
    assert share("deepVisitGood") == 0
    assert share("visitAboveBoth") == 7 / 105


def test_templates_of_the_same_visits_have_no_contrast() -> None:
    """They are one image: they count in no contrast, and leave those of other templates as they are."""
    same = [replace(each, visit=2, input_visits=(1, 2), coadd="8188/65 r") for each in visit_with_both(1)]
    found = measured(visit_with_both(1) + same)
    for name in ("template.psfGoodMinusDeep", "template.fracGoodSharper", "difference.noiseGoodOverDeep"):
        row = found[name, 2]
        assert (row["numerator"], row["denominator"]) == (0, 0)
        assert row["detail"] == "pairs of templates made of the same visits are left out"
        assert found[name, 1]["denominator"] == 1


def test_the_largest_excess_names_its_place() -> None:
    """The one row of the largest names visit and detector; the others say nothing."""
    listed = [each for visit, size in ((1, 5.0), (2, 3.5), (3, 6.0)) for each in visit_with_both(visit, size)]
    found = measured(listed)
    told = {visit: row["detail"] for (name, visit), row in found.items() if name == "template.largestExcess.good"}
    assert told == {1: None, 2: "visit 2 detector 0", 3: None}
    assert value(found, "template.largestExcess.good", 2) == pytest.approx(0.5)


def test_the_largest_nonadditivity_names_its_place() -> None:
    """A variance that is too small or too large in one difference alone is found there, of its own side."""
    listed = [each for visit in (1, 2, 3) for each in visit_with_both(visit, variance=4.0)]
    for at, factor in ((1, 0.8), (3, 1.15)):  # the deep differences of visits 1 and 2
        science, template = listed[at].science.variance, listed[at].template.variance
        listed[at] = replace(listed[at], difference=exposure(5.0, factor * (science + template)))
    found = measured(listed)
    told = {
        visit: row["detail"] for (name, visit), row in found.items() if name == "difference.largestNonadditivity.deep"
    }
    assert told == {1: "visit 1 detector 0", 2: None, 3: None}
    assert value(found, "difference.largestNonadditivity.deep") == pytest.approx(0.2)
    assert value(found, "difference.largestNonadditivity.deep", 2) == pytest.approx(0.15)


def test_subtractions_are_counted_once_for_both_sides() -> None:
    """A data ID counts whichever side it has, and however often."""
    listed = [each for visit in (1, 2, 3) for each in visit_with_both(visit)]
    assert value(measured(listed), "science.numImages", None) == 3
    assert value(measured([*listed[1:], listed[3]]), "science.numImages", None) == 3
    assert value(measured(listed[2:]), "science.numImages", None) == 2


def test_a_table_of_sizes_has_sizes_alone() -> None:
    """What needs pixels has no rows where nothing had pixels, and the sizes there are have theirs."""
    listed = [
        Subtraction("HSC", visit, 57, "g", "", "", *(ExposureSummary(nea=nea) for nea in (60.0 + visit, 55.0, 61.0)))
        for visit in range(6)
    ]
    found = measured(listed, "nea")
    names = {name for name, _ in found}
    assert {"science.psfFwhm", "template.psfFwhm", "difference.psfFwhm", "template.largestExcess"} <= names
    assert not any("ariance" in name or "imiting" in name or "overage" in name for name in names)
    assert found["template.psfFwhm", 0]["coadd"] == "templates of visit 0"
    assert value(found, "template.numUnreadable", 0) == 0
    assert math.isnan(measured(listed)["science.psfFwhm", 0]["numerator"])


def test_a_table_of_sizes_with_both_templates_has_contrasts_of_sizes_alone() -> None:
    """Contrasts of variance and noise have no rows either; those of size have theirs."""
    listed = [
        Subtraction("HSC", 1, 57, "g", side, "9813/4 g", *(ExposureSummary(nea=nea) for nea in (60.0, template, 61.0)))
        for side, template in (("good", 50.0), ("deep", 70.0))
    ]
    found = measured(listed, "nea")
    assert value(found, "template.fracGoodSharper") == 1
    assert ("template.varianceGoodOverDeep", 1) not in found
    assert ("difference.noiseGoodOverDeep", 1) not in found


def test_a_reason_says_of_which_side_it_is() -> None:
    """What two sides form names the one that is not known."""
    good, deep = visit_with_both(1)
    found = measured([good, replace(deep, template=ExposureSummary(), problems={"template": "it is truncated"})])
    assert found["template.psfGoodMinusDeep", 1]["detail"] == "deep: it is truncated"


def test_a_rerun_without_variances_is_not_silent() -> None:
    """Exposures that lack a plane have rows without a number, so that absence cannot pass."""
    bare = exposure(5.0, math.nan)
    listed = [
        replace(each, science=bare, template=bare, difference=bare, problems={"template.variance": "no HDU"})
        for each in visit_with_both(1)
    ]
    found = measured(listed)
    assert found["template.medianVariance.good", 1]["detail"] == "no HDU"
    assert found["science.medianVariance", 1]["detail"] == "the science image has no median variance"
    assert math.isnan(found["difference.varianceAdditivity.deep", 1]["numerator"])


def test_the_survey_has_one_crossover_and_correlation() -> None:
    """They belong to no visit, state their uncertainty, and say what they rest on."""
    found = measured(survey(np.random.default_rng(6)))
    crossover = found["template.crossover", None]
    assert 0.4 < crossover["numerator"] < 0.8
    assert 0 < crossover["uncertainty"] < 0.1
    assert crossover["detail"].endswith("of 112 images and 14 templates")
    correlation = found["difference.psfCorrelation.good", None]
    assert correlation["numerator"] == pytest.approx(1)
    assert correlation["uncertainty"] is not None
    few = measured(visit_with_both(1))
    assert math.isnan(few["template.crossover", None]["numerator"])
    assert few["template.crossover", None]["detail"] == "1 templates are too few to tell by"


def test_one_template_has_names_without_a_side() -> None:
    """Nothing is compared, nothing that needs two templates has a row, and none of their defects is there."""
    found = measured([replace(visit_with_both(1)[0], side="")])
    names = {name for name, _ in found}
    assert "template.psfFwhm" in names
    assert not any(name.startswith("template.order") or name.endswith(("OverDeep", "MinusDeep")) for name in names)
    assert (
        found["template.numScienceDiffers", 1]["numerator"] == found["template.numDeepLacksGood", 1]["numerator"] == 0
    )


def test_nothing_to_measure_has_no_rows() -> None:
    """An empty list is an empty table."""
    assert template_rows([], "determinant").num_rows == 0


def test_visits_that_went_into_their_own_template_are_counted() -> None:
    """Of which side, too; where inputs are not on record, nobody knows."""
    good, deep = visit_with_both(50)
    found = measured([*visit_with_both(5), good, replace(deep, input_visits=(50, 51)), *visit_with_both(60)])
    assert [found["template.numOwnInputs.good", visit]["numerator"] for visit in (5, 50, 60)] == [1, 0, 0]
    assert [found["template.numOwnInputs.deep", visit]["numerator"] for visit in (5, 50, 60)] == [1, 1, 0]
    assert found["template.numOwnInputs.deep", 50]["detail"].endswith("it is one of the 2 visits of its template")
    unknown = measured([replace(good, input_visits=None), deep])
    assert math.isnan(unknown["template.numOwnInputs.good", 50]["numerator"])
