"""Figures of DIA sources of good and deep templates."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest
from figure_layout import assert_nothing_overlaps

from harness.metrics.template.sources_table import sources_schema
from harness.report.sided_source_figures import sky_positions, source_drawings, source_panels


def table(rows):
    """Return a table of DIA sources, each of which is like a sound one but for what is given."""
    sound = {"side": "good", "visit": 1, "detector": 0, "ra": 150.0, "dec": 2.0, "psfFlux": 900.0, "psfFluxErr": 100.0}
    return pa.Table.from_pylist([{**sound, "flagged": False, **row} for row in rows], sources_schema())


def survey(n_visits=8):
    """Return some sources of either template in each of some visits, of both signs."""
    rng = np.random.default_rng(0)
    return table(
        {
            "side": side,
            "visit": visit,
            "ra": 150 + rng.uniform(0, 0.1),
            "dec": 2 + rng.uniform(0, 0.1),
            "psfFlux": rng.normal(0, 3000),
            "psfFluxErr": rng.uniform(80, 120),
        }
        for visit in range(n_visits)
        for side in ("good", "deep")
        for _ in range(12)
    )


def histograms(axes):
    """Return counts and edges of each histogram by its label."""
    return {patch.get_label(): patch.get_data() for patch in axes.patches if patch.get_label()}


def positions(axes):
    """Return the points of each side."""
    return {points.get_label(): points.get_offsets() for points in axes.collections}


def test_preferred_visits_are_drawn_and_the_others_counted():
    """Of eight visits six are drawn, those first that are asked for, and the title says so."""
    panels, sky = source_drawings("w_2023_49", [survey()], {(5, 0), (7, 0)})
    assert panels.title.endswith("(of 6 of 8 images)")
    assert len(panels.figure.axes) == 12
    shown = [f"visit {visit}, detector 0" for visit in (5, 7, 0, 1, 2, 3)]
    assert [axes.get_title("left").strip() for axes in panels.figure.axes[::2]] == shown
    assert [axes.get_title("left") for axes in sky.figure.axes] == shown


def test_all_visits_are_said_to_be_all():
    """Where nothing is left out the title says so."""
    panels, _ = source_drawings("w_2023_49", [survey(3)], set())
    assert panels.title.endswith("(of all 3 images)")
    assert "between" not in panels.description


def test_both_signs_are_in_the_same_bins():
    """No source is lost for being negative, and the bins of both templates are the same."""
    sources = survey(2)
    figure = source_panels(sources, [(0, 0), (1, 0)])
    for axes in figure.axes:
        found = histograms(axes)
        assert list(found) == ["deep template", "good-seeing template"]
        assert all(data.values.sum() == 12 for data in found.values())
        np.testing.assert_array_equal(*(data.edges for data in found.values()))
    assert histograms(figure.axes[0])["deep template"].edges[0] < 0
    assert histograms(figure.axes[1])["deep template"].edges[0] > 75


def test_flagged_sources_are_left_out():
    """They are neither counted nor seen."""
    sources = table([{}, {"flagged": True, "ra": 150.1}, {"side": "deep"}])
    assert histograms(source_panels(sources, [(1, 0)]).axes[0])["good-seeing template"].values.sum() == 1
    assert len(positions(sky_positions(sources, [(1, 0)]).axes[0])["good-seeing template"]) == 1


@pytest.mark.parametrize("ra", [150.0, 0.0, 359.99])
def test_positions_are_offsets_in_arcmin(ra):
    """East is at the left; one minute of right ascension at 60° is half as long, across 0 h as well."""
    sources = table([{"ra": (ra + east / 60) % 360, "dec": 60 + north / 60} for east, north in ((0, 0), (2, 1))])
    (axes,) = sky_positions(sources, [(1, 0)]).axes
    np.testing.assert_allclose(positions(axes)["good-seeing template"], [[-0.5, -0.5], [0.5, 0.5]], atol=1e-3)
    assert axes.xaxis_inverted()


@pytest.mark.parametrize(
    "rows",
    [
        [{"psfFlux": math.nan}],
        [{"psfFlux": None, "psfFluxErr": None}],
        [{"psfFluxErr": 0.0}],
        [{"ra": None, "dec": None}],
        [{"flagged": True}],
        [{}],
        [{}] * 5,
        [{"side": ""}],
        [{"psfFlux": 1e30, "psfFluxErr": 1e20}],
    ],
)
def test_what_is_missing_spoils_nothing(rows):
    """Sources without flux, error or position, one source, one side: each panel is drawn, or says why it is empty."""
    for each in source_drawings("w_2023_49", [table(rows)], set()):
        each.figure.draw_without_rendering()
        for axes in each.figure.axes:
            counted = any(data.values.any() for data in histograms(axes).values())
            seen = any(len(points) for points in positions(axes).values())
            assert counted or seen or axes.texts


def test_no_source_has_no_figure():
    """An empty table is drawn as nothing."""
    assert list(source_drawings("w_2023_49", [table([])], set())) == []


@pytest.mark.slow
@pytest.mark.parametrize("n_visits", [1, 2, 6])
def test_nothing_lies_over_anything_else(n_visits):
    """Panels, labels and legends stand apart."""
    for each in source_drawings("w_2023_49", [survey(n_visits)], set()):
        assert_nothing_overlaps(each.figure)
