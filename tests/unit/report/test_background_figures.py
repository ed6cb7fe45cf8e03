"""Figures of backgrounds: the worst first, the flat ones said to be flat, the unreadable ones said to be that."""

from __future__ import annotations

import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from figure_layout import assert_nothing_overlaps

from harness.metrics.background.planes import histogram_edges
from harness.metrics.background.record import Background, Closing, Statistics, backgrounds_table
from harness.report.background_figures import background_panels, closure_bars, drawings

SOUND = Closing(largest=0.5, n_compared=600, n_unclosed=0)
OPEN = Closing(largest=2097152.0, n_compared=600, n_unclosed=64)


def background(plane, patch=17, closing=SOUND, **changes):
    """Return the record of a coadd's background."""
    plane = np.asarray(plane, np.float32)
    known = plane[np.isfinite(plane)]
    statistics = Statistics(n_pixels=plane.size, n_nan=plane.size - known.size)
    edges = histogram_edges(known.min(), known.max()) if known.size else np.empty(0)
    if known.size:
        levels = (known.min(), known.max(), known.mean(), np.median(known))
        statistics = replace(
            statistics, **dict(zip(("minimum", "maximum", "mean", "median"), map(float, levels), strict=True))
        )
    record = Background(
        *("coadd", "", -1, -1, "r", f"tract 4226, patch {patch}, r"),
        unit="nJy",
        background=statistics,
        closing=closing,
        bins="1x1",
        edges=tuple(edges.tolist()),
        counts=tuple(np.histogram(known, edges)[0].tolist()) if known.size else (),
        thumbnail=tuple(plane.ravel().tolist()),
        thumbnail_rows=len(plane),
    )
    return replace(record, **changes)


FLAT = background(np.full((20, 30), 0.0164))
TILTED = background(np.linspace(10, 40, 600).reshape(20, 30), 18)
HOLES = background(np.where(np.arange(600) % 7, 5.0 + np.arange(600), np.nan).reshape(20, 30), 19)
UNREADABLE = replace(
    background(np.full((1, 1), np.nan), 20, Closing()),
    thumbnail=(),
    thumbnail_rows=0,
    problems={"background": "background /a/very/long/path/to/a/file/that/has/no/space.fits: is truncated"},
)
ALL = [FLAT, TILTED, HOLES, UNREADABLE]


def visit(record, number):
    """Return the record as that of a visit."""
    return replace(record, of="visit", visit=number, detector=75, coadd="", missing=("before",))


def drawn(backgrounds):
    """Return the figures of a rerun with these backgrounds."""
    ref = SimpleNamespace(name="w_2023_41")
    return list(drawings(SimpleNamespace(), ref, [backgrounds_table(backgrounds)]))


def texts(axes):
    """Return what a panel says in words."""
    return [text.get_text().replace("\n", "") for text in axes.texts]


def test_visits_and_coadds_have_figures_of_their_own():
    """The worst are drawn, and the title counts the others."""
    sides = [visit(TILTED, number) for number in range(6)]
    found = drawn([*ALL, *sides])
    assert [each.title for each in found] == [
        "w_2023_41: backgrounds of visit images (drawn are 4 of 6, the worst first)",
        "w_2023_41: backgrounds of coadds",
        "w_2023_41: closure of backgrounds",
    ]


def test_the_worst_stand_first():
    """What could not be measured is before what does not close, and that before what is not flat."""
    does_not_close = replace(FLAT, coadd="tract 1, patch 1, r", closing=OPEN)
    *_, bars = drawn([FLAT, HOLES, TILTED, does_not_close, UNREADABLE])
    places = [label.get_text() for label in bars.figure.axes[0].get_yticklabels()]
    assert places == [each.coadd for each in (UNREADABLE, does_not_close, HOLES, TILTED, FLAT)]


def test_image_and_histogram_are_of_the_background():
    """The image has its blocks and a colour bar with the unit, the histogram all pixels that have a value."""
    figure = background_panels([HOLES])
    image, histogram, bar = figure.axes
    (shown,) = image.images
    np.testing.assert_array_equal(np.ma.filled(shown.get_array(), np.nan).ravel(), HOLES.thumbnail)
    assert shown.get_clim() == (6.0, 604.0)
    assert bar.get_ylabel() == "nJy"
    counts = histogram.patches[-1].get_data().values
    assert counts.sum() == HOLES.background.n_pixels - HOLES.background.n_nan
    assert histogram.get_title("left") == f"{HOLES.background.n_nan} without a value"
    assert image.get_title("left") == "tract 4226, patch 19, r"
    assert histogram.get_title("right") == "bins 1x1"


def test_a_flat_background_is_said_to_be_constant():
    """One value is one bar, with its number."""
    image, histogram = background_panels([FLAT]).axes
    assert texts(image) == ["constant"]
    (bar,) = histogram.patches
    assert bar.get_height() == 600
    assert float(histogram.get_xticklabels()[0].get_text()) == pytest.approx(0.0164, rel=1e-6)


def test_what_was_not_measured_says_why():
    """A file that cannot be read has its reason in place of the image."""
    image, histogram = background_panels([UNREADABLE]).axes
    assert texts(image) == ["no background"]
    assert texts(histogram)[0].replace(" ", "").endswith("istruncated")
    nothing = replace(UNREADABLE, problems={})
    assert texts(background_panels([nothing]).axes[1]) == ["no pixel is finite"]


def test_bars_are_the_largest_residuals():
    """What closes ends at half a unit in another colour than what does not."""
    (axes,) = closure_bars([FLAT, replace(TILTED, closing=OPEN)]).axes
    closed, opened = axes.patches
    assert (closed.get_width(), opened.get_width()) == (0.5, 2097152)
    assert closed.get_facecolor() != opened.get_facecolor()
    assert axes.get_xlim()[1] > 2097152
    assert texts(axes) == [
        "0.5; 0 of 600 pixels do not close",
        "2.097e+06; 64 of 600 pixels do not close",
    ]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"differing": {"box": "the planes differ", "unit": "too"}}, "box, unit differs"),
        ({"problems": {"before": "cannot be read"}}, "before: not measured"),
        ({"missing": ("after",)}, "no after"),
        ({}, "not compared"),
        ({"closing": Closing(math.inf, 9, 0, 7)}, "inf; 0 of 9 pixels do not close,7 have a value in one plane only"),
    ],
)
def test_what_does_not_compare_says_why(changes, words):
    """Planes that differ, are missing or cannot be read, and patterns of NaN that differ."""
    (axes,) = closure_bars([replace(FLAT, **{"closing": Closing(), **changes})]).axes
    assert texts(axes) == [words]
    axes.figure.draw_without_rendering()


@pytest.mark.parametrize("backgrounds", [[], [FLAT], [UNREADABLE], [visit(HOLES, 1)], ALL])
def test_whatever_there_is_can_be_drawn(backgrounds):
    """None, one, or all kinds of backgrounds."""
    for each in drawn(backgrounds):
        each.figure.draw_without_rendering()


@pytest.mark.slow
def test_nothing_lies_over_anything_else():
    """Panels, labels and legends stand apart."""
    for each in drawn([*ALL, visit(TILTED, 2023110500317)]):
        assert_nothing_overlaps(each.figure)
