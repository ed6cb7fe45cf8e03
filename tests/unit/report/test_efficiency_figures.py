"""Figures of efficiency: that bars are exact intervals, and curves those that are stored."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from figure_layout import assert_nothing_overlaps
from flavor_frames import curve, curves, many_injections
from injected_frames import injections
from scipy.stats import binomtest

from harness.report.efficiency_figures import bin_edges, curve_band, efficiency_drawings, efficiency_panels

COLOURS = {"ours": "#0072B2", "theirs": "#E69F00"}
STAGES = ("", "S6")
STEP = injections(
    snr=[1.1] * 10 + [20.5] * 10, diaSourceId=[0] * 8 + [1] * 2 + [1] * 9 + [0], mag=[25.2] * 10 + [21.2] * 10
)


def bars(axes):
    """Return place, share and both limits of each point with an error bar, by rerun."""
    found = {}
    for container in axes.containers:
        line, _, (limits,) = container
        ends = np.array([segment[:, 1] for segment in limits.get_segments()])
        found[container.get_label()] = *line.get_data(), *ends.T
    return found


def test_bars_are_exact_intervals():
    """Shares of 2 and 9 of 10 have the limits of scipy's exact test at 68 %."""
    figure = efficiency_panels("snr", {"ours": STEP}, {}, COLOURS, [""])
    at, share, low, high = bars(figure.axes[0])["ours"]
    np.testing.assert_allclose(share, [0.2, 0.9])
    for number, n_found in enumerate((2, 9)):
        limits = binomtest(n_found, 10).proportion_ci(0.68, "exact")
        assert (low[number], high[number]) == pytest.approx((limits.low, limits.high))
    edges = bin_edges("snr", STEP["snr"].to_numpy())
    assert list(np.searchsorted(edges, at)) == list(np.searchsorted(edges, [1.1, 20.5]))


def test_nothing_and_everything_found_have_one_sided_bars():
    """0 of 4 and 4 of 4 end at 0 and at 1, with the other limit open by as much as the exact test says."""
    table = injections(snr=[1.1] * 4 + [20.5] * 4, diaSourceId=[0] * 4 + [1] * 4)
    _, share, low, high = bars(efficiency_panels("snr", {"ours": table}, {}, COLOURS, [""]).axes[0])["ours"]
    np.testing.assert_array_equal(share, [0, 1])
    np.testing.assert_allclose(high, [binomtest(0, 4).proportion_ci(0.68, "exact").high, 1])
    np.testing.assert_allclose(low, [0, binomtest(4, 4).proportion_ci(0.68, "exact").low])


def test_flags_are_applied_in_a_panel_of_their_own():
    """After the list of flags, a source that it rejects was not found."""
    table = STEP.with_columns(good_S6=pl.Series([False] * 15 + [True] * 5))
    left, right = efficiency_panels("snr", {"ours": table}, {}, COLOURS, STAGES).axes
    np.testing.assert_allclose(bars(left)["ours"][1], [0.2, 0.9])
    np.testing.assert_allclose(bars(right)["ours"][1], [0, 0.4])
    assert [axes.get_title(loc="left") for axes in (left, right)] == ["all sources", "sources that S6 leaves"]


def test_each_rerun_has_its_own_colour_and_place():
    """Bars of two reruns in one bin do not hide each other, and the first one stands first."""
    figure = efficiency_panels("snr", {"ours": STEP, "theirs": STEP}, {}, COLOURS, [""])
    found = bars(figure.axes[0])
    assert list(found) == ["ours", "theirs"]
    assert (found["ours"][0] < found["theirs"][0]).all()
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["published threshold 5", "ours", "theirs"]


def test_magnitudes_have_a_row_of_panels_for_each_band():
    """Bands that have injections are drawn, and no other."""
    table = pl.concat([STEP.with_columns(band=pl.lit("r")), STEP.with_columns(mag=np.nan, band=pl.lit("z"))])
    figure = efficiency_panels("mag", {"ours": table}, {}, COLOURS, STAGES)
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles == ["r all sources", "r sources that S6 leaves"]


def test_band_of_one_rerun_alone_is_drawn():
    """Where another rerun has no injections, nothing of it is drawn."""
    figure = efficiency_panels("mag", {"ours": STEP, "theirs": STEP.with_columns(band=pl.lit("r"))}, {}, COLOURS, [""])
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["g all sources", "r all sources"]
    assert [bars(axes)["ours"][1].size for axes in figure.axes] == [2, 0]


@pytest.mark.parametrize(("x", "rising"), [("snr", True), ("mag", False)])
def test_curve_is_at_half_of_its_ceiling_where_it_says(x, rising):
    """The curve and the band around it have the stored place, ceiling and limits."""
    stored = curve(x, "", "")
    far = 1e3 if rising else -1e3
    middle, least, most = curve_band(stored, np.array([stored["x50"], far]))
    np.testing.assert_allclose(middle, [0.95 / 2, 0.95])
    np.testing.assert_allclose([least[1], most[1]], [0.9, 1.0])
    reach = 0.3 * abs(stored["slope"])
    np.testing.assert_allclose([least[0], most[0]], [0.9 / (1 + np.exp(reach)), 1 / (1 + np.exp(-reach))])


def test_open_limits_and_steps_are_drawn():
    """Limits that injections do not give leave the band open; a step has no slope."""
    x = np.array([1.0, 5.0, 9.0])
    _, least, most = curve_band(curve("snr", "", "", x50Low=-np.inf, x50High=np.inf), x)
    np.testing.assert_array_equal(least, 0)
    np.testing.assert_array_equal(most, 1)
    middle, *_ = curve_band(curve("snr", "", "", slope=np.inf), x)
    np.testing.assert_array_equal(middle, [0, np.nan, 0.95])


def test_each_curve_is_in_its_panel():
    """Curves of bands and stages are told apart, and the table has those of the figure."""
    found = {
        each.title: each
        for each in efficiency_drawings({"ours": many_injections(1)}, {"ours": curves()}, COLOURS, STAGES)
    }
    assert list(found) == ["ours: efficiency against signal-to-noise", "ours: efficiency against magnitude"]
    for drawing, n_panels in zip(found.values(), (2, 4), strict=True):
        lines = [line for axes in drawing.figure.axes for line in axes.lines if len(line.get_xdata()) == 200]
        assert len(drawing.figure.axes) == len(lines) == len(drawing.table.rows) == n_panels
    assert found["ours: efficiency against signal-to-noise"].table.rows[0]["x50"] == "5.000 (4.700 to 5.300)"


@pytest.mark.parametrize(
    "table",
    [
        injections().clear(),
        injections(snr=np.nan, mag=np.nan),
        injections(snr=[0.0, -1.0, np.inf, np.nan]),
        injections(snr=5.0, mag=22.0, diaSourceId=0),
        injections(snr=[5.0, 5.0, 1e30], mag=[20.0, 20.0, -1e300]),
        injections(snr=5.0, mag=22.0, band=None),
        STEP.with_columns(good_S6=pl.lit(value=False)),
    ],
)
def test_what_is_missing_spoils_nothing(table):
    """None, unknown, single and far-off numbers: figures that can be drawn are."""
    for each in efficiency_drawings({"ours": table}, {"ours": curves()}, COLOURS, STAGES):
        each.figure.draw_without_rendering()
        assert all(axes.has_data() for axes in each.figure.axes)


def test_list_that_leaves_nothing_is_told():
    """A panel without any source says so, rather than to show that all injections were missed."""
    table = STEP.with_columns(good_S6=pl.lit(value=False))
    left, right = efficiency_panels("snr", {"ours": table}, {}, COLOURS, STAGES).axes
    assert not left.texts
    assert "S6 leaves none" in right.texts[0].get_text()


def test_far_off_number_sets_no_range():
    """One absurd signal-to-noise is told, not shown."""
    table = pl.concat([many_injections(1), many_injections(1)[:1].with_columns(snr=pl.lit(1e30))])
    (axes,) = efficiency_panels("snr", {"ours": table}, {}, COLOURS, [""]).axes
    assert axes.get_xlim()[1] < 1e5
    assert axes.get_title(loc="right") == "1 beyond the axis"


@pytest.mark.slow
def test_nothing_lies_over_anything_else():
    """Panels, labels and legends stand apart, with three reruns of long names."""
    names = [f"HSC/runs/w_2023_07/flavor_{n}" for n in range(3)]
    colours = dict.fromkeys(names, "#0072B2")
    tables = {name: many_injections(n) for n, name in enumerate(names)}
    for each in efficiency_drawings(tables, dict.fromkeys(names, curves()), colours, STAGES):
        assert_nothing_overlaps(each.figure)
