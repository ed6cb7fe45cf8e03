"""Tables of noise, per visit and per template."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from subtractions import exposure, survey, visit_with_both

from harness.metrics.template.crossover import TemplatePair, expected_crossover
from harness.metrics.template.subtraction import ExposureSummary
from harness.metrics.template.tables import crossover_table, measured_crossover, noise_table
from harness.metrics.template.visit_images import joined


def test_noise_of_each_visit_is_expected_and_measured() -> None:
    """A survey whose noise is what theory says has equal numbers in both columns, beside what they come from."""
    listed = visit_with_both(1, fwhm=5.0) + visit_with_both(2, fwhm=3.5)
    rows = noise_table(joined(listed), "determinant").to_pylist()
    assert [(row["visit"], row["visit_fwhm"]) for row in rows] == [(1, 5.0), (2, 3.5)]
    for row in rows:
        assert (row["n_good"], row["n_deep"]) == (10, 40)
        assert (row["fwhm_good"], row["fwhm_deep"]) == (4.0, 6.0)
        assert (row["variance_good"], row["variance_deep"]) == (0.4, 0.1)
        for side in ("good", "deep"):
            assert row[f"measured_{side}"] == pytest.approx(row[f"expected_{side}"], rel=1e-12)
    assert rows[0]["measured_good"] > rows[0]["measured_deep"]
    assert rows[1]["measured_good"] < rows[1]["measured_deep"]


def test_what_is_unknown_has_no_number() -> None:
    """A template that could not be read leaves its columns empty, and those of the other side as they are."""
    good, deep = visit_with_both(1)
    broken = replace(good, template=ExposureSummary(), input_visits=None, problems={"template": "it is truncated"})
    (row,) = noise_table(joined([broken, deep]), "determinant").to_pylist()
    assert math.isnan(row["expected_good"])
    assert math.isnan(row["fwhm_good"])
    assert row["n_good"] is None
    assert row["expected_deep"] > 0


def test_each_template_has_its_crossover() -> None:
    """It is that of its sizes and variances; the shares count the visits that are sharper, and better with good."""
    sizes = [3.0, 3.5, 4.0, 5.0, 6.0]
    listed = [each for visit, size in enumerate(sizes) for each in visit_with_both(visit, size, coadd="455/33 r")]
    listed += visit_with_both(10, 5.0, coadd="455/14 y", n_good=40)
    second, first = crossover_table(noise_table(joined(listed), "determinant")).to_pylist()
    assert (first["coadd"], first["band"], first["n_visits"], first["n_good"]) == ("templates of visit 10", "y", 1, 40)
    assert math.isnan(first["crossover"])
    assert first["reason"].startswith("the good template is the deeper one")
    assert math.isnan(first["frac_below"])
    expected = 6 * expected_crossover([TemplatePair(4.0, (4.0, 0.4), (6.0, 0.1))]).value
    assert second["crossover"] == pytest.approx(expected)
    assert 4.0 < expected < 5.0
    assert second["frac_below"] == second["frac_good_deeper"] == 0.6
    assert second["reason"] == ""


def test_a_survey_crosses_where_its_templates_do() -> None:
    """The measured crossover of a survey is among those expected of its templates."""
    table = noise_table(joined(survey(np.random.default_rng(1))), "determinant")
    found = measured_crossover(table)
    ratios = [row["crossover"] / row["fwhm_deep"] for row in crossover_table(table).to_pylist()]
    assert min(ratios) < found.value < max(ratios)
    assert found.low < np.median(ratios) < found.high
    assert found.line.n_clusters == 14


def test_images_without_two_templates_are_left_out() -> None:
    """Templates made of the same visits, and images of which something is unknown, do not enter the crossover."""
    whole = survey(np.random.default_rng(2))
    bare = [replace(each, visit=each.visit + 90_000, difference=ExposureSummary()) for each in whole[:20]]
    same = [
        replace(each, visit=each.visit + 50_000, input_visits=(1, 2), difference=exposure(5, 1)) for each in whole[:20]
    ]
    found = measured_crossover(noise_table(joined(whole + bare + same), "determinant"))
    assert found == measured_crossover(noise_table(joined(whole), "determinant"))
    assert measured_crossover(noise_table(joined(bare), "determinant")).reason.startswith("no image has")
