"""Figures of subtractions: what is drawn in them, and that what is missing spoils none."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
from figure_layout import assert_nothing_overlaps
from subtractions import exposure, survey, visit_with_both

from harness.metrics.template import known
from harness.metrics.template.subtraction import ExposureSummary, Subtraction, subtractions_table
from harness.metrics.template.tables import crossover_table, noise_table
from harness.metrics.template.visit_images import joined
from harness.report.template_figures import (
    drawings,
    histograms_by_exposure,
    noise_against_inputs,
    order_shares,
    psf_sizes,
)

FWHM = partial(known.fwhm, kind="determinant")
NOTHING = ExposureSummary()
ONE_SIDE = [replace(each, side="") for each in visit_with_both(1)[:1] + visit_with_both(2, fwhm=6.0)[:1]]
SIZES = [
    Subtraction(
        *("HSC", visit, 1, "g", ""),
        science=ExposureSummary(nea=70.0 + visit),
        template=ExposureSummary(nea=60.0),
        difference=ExposureSummary(nea=69.0 + visit),
    )
    for visit in range(4)
]
WITHOUT = [replace(each, science=NOTHING, template=NOTHING, difference=NOTHING) for each in visit_with_both(1)]


def drawn(subtractions, kind="determinant", **tables):
    """Return the figures of a rerun with these subtractions, as its measurements would have them."""
    stored = {"subtractions": subtractions_table(subtractions)}
    if {"good", "deep"} <= {each.side for each in subtractions}:
        stored["noise"] = noise_table(joined(subtractions), kind)
        stored["crossovers"] = crossover_table(stored["noise"])
    stored |= tables
    session = SimpleNamespace(
        tables=lambda ref, name: [stored[name]] if name in stored else [],
        settings=SimpleNamespace(psf_size=kind),
    )
    ref = SimpleNamespace(name="w_2023_49")
    return list(drawings(session, ref, session.tables(ref, "subtractions")))


def lines(axes):
    """Return x and y of each line of a panel by its label."""
    return {line.get_label(): np.transpose(line.get_xydata()) for line in axes.lines}


def test_two_templates_have_five_figures():
    """Each title names the rerun, and the table of crossovers comes with its figure."""
    figures = drawn(survey(np.random.default_rng(0)))
    assert [each.title for each in figures] == [
        "w_2023_49: median variances",
        "w_2023_49: PSF sizes",
        "w_2023_49: PSF of template and difference against that of the science image",
        "w_2023_49: order of PSF sizes",
        "w_2023_49: where the deep template becomes the better one",
        "w_2023_49: noise of the difference against visits in the template",
    ]
    assert all("112 images" in each.description for each in figures if "becomes" not in each.title)
    (table,) = (each.table for each in figures if each.table)
    assert len(table.rows) == 14


def test_one_template_has_no_comparison_of_two():
    """What compares two templates is left out, and the rest says nothing of a good one."""
    figures = drawn(ONE_SIDE)
    assert [each.title.partition(": ")[2] for each in figures] == [
        "median variances",
        "PSF sizes",
        "PSF of template and difference against that of the science image",
        "noise of the difference against visits in the template",
    ]
    assert not any("good" in each.description for each in figures)


def test_sizes_alone_are_drawn():
    """A table of noise-equivalent areas has figures of sizes, whose labels name that kind."""
    figures = drawn(SIZES, "nea")
    assert [each.title.partition(": ")[2] for each in figures] == [
        "PSF sizes",
        "PSF of template and difference against that of the science image",
    ]
    assert "noise-equivalent area" in figures[0].figure.axes[0].get_xlabel()
    assert drawn(SIZES, "determinant") == []


@pytest.mark.parametrize(
    "subtractions",
    [
        [],
        WITHOUT,
        visit_with_both(1),
        visit_with_both(1)[:1],
        visit_with_both(1) * 2,
        [*visit_with_both(1), visit_with_both(2)[1]],
        [*visit_with_both(1), *(replace(each, visit=2) for each in WITHOUT)],
        [replace(each, input_visits=None) for each in visit_with_both(1) + visit_with_both(2)],
        [replace(each, input_visits=()) for each in visit_with_both(1) + visit_with_both(2)],
        visit_with_both(1, n_good=3, n_deep=3) + visit_with_both(2, n_good=3, n_deep=3),
        [each for visit in range(9) for each in visit_with_both(visit, good=5.0, deep=5.0)],
        [replace(each, difference=exposure(5, -1.0)) for each in visit_with_both(1) + visit_with_both(2)],
        [replace(each, science=exposure(1e12, 1e30)) for each in visit_with_both(1) + visit_with_both(2)],
        [replace(each, template=exposure(math.inf, math.nan)) for each in visit_with_both(1)],
    ],
)
def test_what_is_missing_spoils_nothing(subtractions):
    """Missing sides, exposures and inputs, one visit, ties, repeats: figures that can be drawn are."""
    for each in drawn(subtractions):
        each.figure.draw_without_rendering()
        assert all(axes.has_data() or axes.texts for axes in each.figure.axes)


@pytest.mark.slow
@pytest.mark.parametrize("subtractions", [survey(np.random.default_rng(2)), ONE_SIDE, visit_with_both(1)])
def test_nothing_lies_over_anything_else(subtractions):
    """Panels, labels and legends stand apart."""
    for each in drawn(subtractions):
        assert_nothing_overlaps(each.figure)


def test_histograms_count_each_image_once():
    """The science image is drawn once, templates and differences for either side, in the same bins."""
    images = joined(survey(np.random.default_rng(3)))
    figure = histograms_by_exposure(images, known.variance, "median variance (pixel unit²)")
    found = [
        {patch.get_label(): patch.get_data() for patch in axes.patches if patch.get_label()} for axes in figure.axes
    ]
    assert [list(each) for each in found] == [["science image"]] + [["good-seeing template", "deep template"]] * 2
    assert all(data.values.sum() == 112 for each in found for data in each.values())
    assert all(len({data.edges.tobytes() for data in each.values()}) == 1 for each in found)
    good, deep = (np.average(data.edges[:-1], weights=data.values) for data in found[1].values())
    assert good > 3 * deep


def test_sizes_of_an_image_stand_above_each_other():
    """Good and deep template are drawn at their visit, joined in the colour of their order."""
    images = joined([*visit_with_both(1, fwhm=5.0), *visit_with_both(2, fwhm=3.0), *visit_with_both(3, good=6, deep=4)])
    figure = psf_sizes(images, "determinant")
    template, difference = figure.axes
    points = lines(template)
    np.testing.assert_array_equal(points["good-seeing template"], [[5, 3, 5], [4, 4, 6]])
    np.testing.assert_array_equal(points["deep template"], [[5, 3, 5], [6, 6, 4]])
    np.testing.assert_array_equal(*points["equal"])
    np.testing.assert_array_equal(*lines(difference)["deep template"])
    (joins,) = template.collections
    np.testing.assert_array_equal(joins.get_segments(), [[[5, 4], [5, 6]], [[3, 4], [3, 6]], [[5, 6], [5, 4]]])
    assert len({tuple(colour) for colour in joins.get_colors()}) == 3
    (legend,) = figure.legends
    named = [text.get_text() for text in legend.get_texts()]
    assert named[3:] == ["good < visit < deep: 1", "visit below both: 1", "deep < visit < good: 1"]


def test_shares_add_up_and_have_exact_limits():
    """Of 105 visits 55 and 43 as published: the shares are theirs, and none of 105 is less than 4.3 % at 99 %."""
    images = joined(
        each
        for visit in range(105)
        for each in visit_with_both(visit, fwhm=5.0 if visit < 55 else 3.0 if visit < 98 else 7.0)
    )
    (axes,) = order_shares(images, "determinant").axes
    shares = [patch.get_width() for patch in axes.patches]
    np.testing.assert_allclose(shares, [55 / 105, 43 / 105, 0, 7 / 105, 0])
    assert [text.get_text() for text in axes.texts] == [f"{count} of 105" for count in (55, 43, 0, 7, 0)]
    (bars,) = axes.collections
    low, high = np.transpose([segment[:, 0] for segment in bars.get_segments()])
    assert high[2] == pytest.approx(1 - 0.01 ** (1 / 105))
    assert low[2] == 0
    assert low[0] < 55 / 105 < high[0]


def test_noise_of_like_visits_lies_on_the_line():
    """A template of n visits as sharp as the visit adds 1/n of its variance, as the line says."""
    images = joined(
        each
        for visit, n_inputs in enumerate((1, 2, 5, 20))
        for each in visit_with_both(visit, good=5.0, deep=5.0, n_good=n_inputs, n_deep=3 * n_inputs)
    )
    drawn_lines = lines(noise_against_inputs(images).axes[0])
    for label in ("good-seeing template", "deep template"):
        n_visits, excess = drawn_lines[label]
        np.testing.assert_allclose(excess, np.sqrt(1 + 1 / n_visits), rtol=1e-6)
    np.testing.assert_array_equal(drawn_lines["deep template"][0], [3, 6, 15, 60])
    n_visits, line = drawn_lines["√(1 + 1/n): n like visits"]
    np.testing.assert_allclose(line**2 - 1, 1 / n_visits)
