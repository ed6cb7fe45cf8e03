"""Figures of where sources are: what is drawn in them, and that what is missing spoils none."""

from __future__ import annotations

import math

import numpy as np
import pytest
from figure_layout import assert_nothing_overlaps
from flavor_frames import HEIGHT, WIDTH, many_injections, many_sources, sized_detectors
from injected_frames import injections, sources
from scipy.stats import kstest

from harness.report.placement_figures import distribution_panels, fraction_of_area, on_the_detector, placement_drawings


def points(axes, label):
    """Return x and y of a label's points."""
    (line,) = (line for line in axes.lines if line.get_label() == label)
    return np.transpose(line.get_xydata())


def stairs(axes):
    """Return the outlines of histograms by label."""
    return {patch.get_label(): patch.get_data() for patch in axes.patches if patch.get_label()}


def test_sources_of_each_kind_are_where_they_are():
    """Kinds have markers of their own, and only unmatched ones are counted along the axes."""
    table = sources(
        kind=["unmatched", "injected", "unmatched", "known"], x=[1.0, 2.0, 5.0, 4.0], y=[9.0, 8.0, 9.0, 6.0]
    )
    columns, middle, rows = on_the_detector(table).axes
    np.testing.assert_array_equal(points(middle, "unmatched"), [[1, 5], [9, 9]])
    np.testing.assert_array_equal(points(middle, "injected"), [[2], [8]])
    np.testing.assert_array_equal(points(middle, "known"), [[4], [6]])
    for axes, counts, first in ((columns, [1, 0, 0, 0, 1], 0.5), (rows, [2], 8.5)):
        (drawn,) = (patch.get_data() for patch in axes.patches)
        np.testing.assert_array_equal(drawn.values, counts)
        assert drawn.edges[0] == first


def test_sources_along_a_row_are_one_high_bar():
    """A tenth of the sources on row 250 stands out, and is told in words; columns are alike."""
    table = many_sources(1, row=250.0)
    (drawing, _) = placement_drawings("r", injections().clear(), table, sized_detectors())
    columns, _, rows = drawing.figure.axes
    (of_columns,), (of_rows,) = ([patch.get_data() for patch in axes.patches] for axes in (columns, rows))
    highest = int(np.argmax(of_rows.values))
    assert of_rows.edges[highest] < 250 < of_rows.edges[highest + 1]
    assert of_rows.values[highest] > 8 * of_rows.values.mean()
    assert of_columns.values.max() < 3 * of_columns.values.mean()
    assert of_rows.values.sum() == of_columns.values.sum() == table.filter(table["kind"] == "unmatched").height
    assert f"{of_rows.values[highest]} in rows 245 to 251" in drawing.description


def test_fraction_of_area_is_uniform_for_places_anywhere():
    """That holds for a detector that is no square, and whose pixels end half a pixel beyond the outer centres."""
    rng = np.random.default_rng(5)
    x, y = rng.uniform(-0.5, WIDTH - 0.5, 20000), rng.uniform(-0.5, HEIGHT - 0.5, 20000)
    fraction = fraction_of_area(x, y, np.full(20000, WIDTH), np.full(20000, HEIGHT))
    assert kstest(fraction, "uniform").pvalue > 0.001
    edge = fraction_of_area(*(np.array([each]) for each in (-0.5, 399.5, WIDTH, HEIGHT)))
    assert edge == pytest.approx(1)
    assert fraction_of_area(*(np.array([each]) for each in (199.5, 399.5, WIDTH, HEIGHT))) == pytest.approx(0)


def test_sources_at_the_edge_raise_the_density_there():
    """Densities are those of sources by kind, 1 being what places anywhere would have."""
    n = 200
    table = sources(x=[0.0] * (n // 2) + [200.0] * (n // 2), y=400.0, visit=1)
    axes = distribution_panels(injections().clear(), table, sized_detectors()).axes[0]
    density = stairs(axes)["unmatched"].values
    assert density.mean() == pytest.approx(1)
    np.testing.assert_allclose(density[[0, -1]], 5)
    np.testing.assert_allclose(density[1:-1], 0)


def test_found_and_missed_injections_are_on_the_sky():
    """East is to the left, offsets are arcmin on the sky, and right ascension wraps; shades are shares of visits."""
    known = {"ra": [359.99, 359.99, 0.01, 0.0], "dec": [60.0, 60.0, 60.0, 60.02], "visit": [1, 2, 1, 1]}
    table = injections(injectionId=[1, 1, 2, 3], diaSourceId=[1, 0, 0, 2], **known)
    axes = distribution_panels(table, sources().clear(), sized_detectors()).axes[1]
    height = math.cos(math.radians(60.01))
    (drawn,) = axes.collections
    np.testing.assert_allclose(drawn.get_offsets().T, [[-0.6 * height, 0.6 * height, 0], [-0.6, -0.6, 0.6]], atol=1e-6)
    np.testing.assert_array_equal(drawn.get_array(), [0.5, 0, 1])
    left, right = axes.get_xlim()
    assert left > right


def test_fluxes_are_without_sign():
    """Negative sources are counted by the amount of their flux, each once; 0 has no place on a logarithmic axis."""
    table = sources(flux=[-100.0, 10.0, 1000.0, 0.0, np.nan], snr=[-10.0, 1.0, 100.0, 0.0, np.nan])
    *_, flux, snr = distribution_panels(injections().clear(), table, sized_detectors()).axes
    for axes in (flux, snr):
        assert stairs(axes)["unmatched"].values.sum() == 3


@pytest.mark.parametrize(
    ("of_injections", "of_sources", "detectors"),
    [
        (injections().clear(), sources(), sized_detectors()),
        (injections(), sources().clear(), sized_detectors()),
        (injections(ra=np.nan), sources(x=np.nan, flux=np.nan, snr=np.nan), sized_detectors()),
        (many_injections(1), many_sources(1), sized_detectors()[:0]),
        (many_injections(1), many_sources(1), sized_detectors().with_columns(width=None)),
        (injections(), sources(x=5.0, y=[5.0, 5.0]), sized_detectors()),
        (injections(), sources(kind="injected", x=5.0, y=5.0), sized_detectors()),
        (injections(ra=[10.0, 190.0]), sources(x=[1.0, 1e9], y=[1.0, -1e9]), sized_detectors()),
    ],
)
def test_what_is_missing_spoils_nothing(of_injections, of_sources, detectors):
    """Nothing, unknown positions and sizes, one place, absurd numbers: every panel has something or says why not."""
    for each in placement_drawings("r", of_injections, of_sources, detectors.cast(sized_detectors().schema)):
        each.figure.draw_without_rendering()
        marginal = {"unmatched"} if "detector" in each.title else set()
        for axes in each.figure.axes:
            labels = {axes.get_xlabel(), axes.get_ylabel()}
            assert axes.has_data() or axes.texts or labels & marginal


def test_nothing_at_all_has_no_figure():
    """Without sources and injections there is nothing to draw."""
    assert list(placement_drawings("r", injections().clear(), sources().clear(), sized_detectors())) == []


@pytest.mark.slow
def test_nothing_lies_over_anything_else():
    """Panels, labels and legends stand apart."""
    for each in placement_drawings("r", many_injections(1), many_sources(1), sized_detectors()):
        assert_nothing_overlaps(each.figure)
