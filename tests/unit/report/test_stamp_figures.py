"""Cutouts, drawn: what is in each row, and that what is missing spoils none."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from figure_layout import assert_nothing_overlaps

from harness.measure.stamps import PLANES, stamps_schema
from harness.report.stamp_figures import shown_scale, stamp_drawings, stamp_panels

HALF = 5
WIDTH = 2 * HALF + 1


def stamp(reason="missed", **known):
    """Return a stamp whose middle pixel is the brightest of each plane."""
    row = {"visit": 411420, "detector": 5, "band": "g", "reason": reason, "label": "injection 7, SNR 20"}
    row |= {"x": 100.0, "y": 200.0, "half": HALF, "problem": ""}
    for number, plane in enumerate(PLANES):
        pixels = np.random.default_rng(number).normal(0, 1, (WIDTH, WIDTH))
        pixels[HALF, HALF] = 50
        row[plane] = (pixels + (100 if plane == "science" else 0)).ravel().tolist()
    return row | known


def table(*rows):
    """Return stamps as they are stored."""
    return pa.Table.from_pylist(list(rows), stamps_schema())


def panels(figure):
    """Return the four panels of each row."""
    return np.reshape(figure.axes, (-1, 4))


def test_each_row_has_words_and_three_images():
    """Images are in the order of their titles, with the source in the middle."""
    ((words, *images),) = panels(stamp_panels([stamp()]))
    assert words.texts[0].get_text() == "missed\ninjection 7\nSNR 20\nvisit 411420, detector 5 g"
    assert [axes.get_title() for axes in images] == ["science image", "template", "difference"]
    for axes, level in zip(images, (100, 0, 0), strict=True):
        (drawn,) = axes.images
        pixels = drawn.get_array()
        assert np.unravel_index(np.argmax(pixels), pixels.shape) == (HALF, HALF)
        assert pixels[HALF, HALF] == pytest.approx(50, abs=0.2), level
        assert drawn.origin == "lower"


def test_place_is_marked_beside_it():
    """Strokes point at the middle and leave it open."""
    ((_, *images),) = panels(stamp_panels([stamp()]))
    for axes in images:
        ends = np.concatenate([line.get_xydata() for line in axes.lines])
        assert len(axes.lines) == 2
        assert np.hypot(*(ends - HALF).T).min() >= 1
        np.testing.assert_array_equal(np.sort(ends - HALF, axis=1)[:, 0], 0)


def test_row_has_one_scale():
    """All three reach up to the same flux, and the difference as far down, around 0."""
    ((_, science, template, difference),) = panels(stamp_panels([stamp()]))
    norms = [axes.images[0].norm for axes in (science, template, difference)]
    assert len({norm.vmax for norm in norms}) == len({norm.linear_width for norm in norms}) == 1
    assert norms[2].vmin == -norms[2].vmax
    assert norms[2](0.0) == pytest.approx(0.5)


def test_scale_is_robust():
    """It is linear up to twice the noise of the difference, and single hot pixels do not set how far it reaches."""
    rng = np.random.default_rng(1)
    planes = rng.normal(0, [[[9]], [[1]], [[3]]], (3, 101, 101))
    planes[:, 0, 0] = 1e9, np.nan, np.inf
    linear, reach = shown_scale(list(planes))
    assert linear == pytest.approx(6, rel=0.05)
    assert reach == pytest.approx(9 * 2.807, rel=0.05)  # 99.5 % of a normal, without sign


@pytest.mark.parametrize("planes", [[np.empty((0, 0))] * 3, [np.zeros((3, 3))] * 3, [np.full((3, 3), np.nan)] * 3])
def test_scale_of_nothing(planes):
    """Images without anything in them have some scale."""
    assert shown_scale(planes) == (1.0, 1.0)


def test_rows_are_in_the_order_of_reasons_and_few():
    """Stamps of all tables are put together, and no more are drawn than can be looked at."""
    tables = [table(*[stamp("gained")] * 9), table(*[stamp("missed")] * 4, *[stamp("unmatched")] * 9)]
    (drawing,) = stamp_drawings("r", tables)
    found = [words.texts[0].get_text().partition("\n")[0] for words, *_ in panels(drawing.figure)]
    assert found == ["missed"] * 4 + ["unmatched"] * 9 + ["gained"] * 3
    assert "around 16 sources" in drawing.description


def test_no_stamps_have_no_figure():
    """An empty table, or none, is drawn as nothing."""
    assert list(stamp_drawings("r", [table()])) == []
    assert list(stamp_drawings("r", [])) == []


@pytest.mark.parametrize(
    "row",
    [
        stamp(template=None, problem="there is no template image"),
        stamp(science=None, template=None, difference=None, problem="; ".join(["difference_1.fits is missing"] * 9)),
        stamp(difference=[np.nan] * WIDTH**2),
        stamp(science=[0.0] * WIDTH**2, difference=[0.0] * WIDTH**2),
        stamp(difference=[*[0.0] * (WIDTH**2 - 1), 1e30]),
        stamp(band=None),
    ],
)
def test_what_is_missing_spoils_nothing(row):
    """Absent, empty and constant images: each has its panel, and the problem is told."""
    (drawing,) = stamp_drawings("r", [table(row, stamp())])
    assert_nothing_overlaps(drawing.figure)
    (words, *images), _ = panels(drawing.figure)
    for plane, axes in zip(PLANES, images, strict=True):
        assert len(axes.images) == (row[plane] is not None)
    assert row["problem"][:12] in words.texts[0].get_text()


@pytest.mark.slow
def test_nothing_lies_over_anything_else():
    """Rows of words and images stand apart, and the figure is small."""
    import io

    (drawing,) = stamp_drawings(
        "r", [table(*[stamp("worst pull", label="injection 1234567890123456789, SNR 1.23e+04, pull -1.23e+04")] * 16)]
    )
    assert_nothing_overlaps(drawing.figure)
    buffer = io.BytesIO()
    drawing.figure.savefig(buffer, format="png", dpi=150)
    assert len(buffer.getvalue()) < 500_000
