"""Figures of residuals: what is drawn in them, and that what is missing spoils none."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from figure_layout import assert_nothing_overlaps
from flavor_frames import many_injections
from injected_frames import injections

from harness.report.residual_figures import residual_drawings, residual_panels

COLOURS = {"ours": "#0072B2", "theirs": "#E69F00"}
RADIUS = 0.5


def points(axes, label="into the visit"):
    """Return x and y of a label's points."""
    (line,) = (line for line in axes.lines if line.get_label() == label)
    return np.transpose(line.get_xydata())


def stairs(axes):
    """Return the outlines of histograms by label."""
    return {patch.get_label(): patch.get_data() for patch in axes.patches if patch.get_label()}


def test_pulls_are_those_of_bright_injections():
    """The histogram has unit area, in the bins that the pulls are in; faint and missed ones are none of it."""
    table = injections(
        flux=100.0,
        sourceFlux=[110.0, 90.0, 125.0, 300.0, 400.0],
        sourceFluxErr=10.0,
        snr=[10.0, 20.0, 30.0, 9.9, 30.0],
        diaSourceId=[1, 1, 1, 1, 0],
    )
    axes = residual_panels({"ours": table}, COLOURS, RADIUS).axes[0]
    drawn = stairs(axes)["ours"]
    width = np.diff(drawn.edges)
    assert np.sum(drawn.values * width) == pytest.approx(1)
    inside = {int(np.searchsorted(drawn.edges, pull, side="right")) - 1 for pull in (1.0, -1.0, 2.5)}
    assert set(np.flatnonzero(drawn.values)) == inside


def test_normal_that_pulls_should_be_is_drawn_over_them():
    """The line is the density of a unit normal, and unit pulls follow it."""
    axes = residual_panels({"ours": many_injections(1, n=9000)}, COLOURS, RADIUS).axes[0]
    x, density = points(axes, "unit normal")
    np.testing.assert_allclose(density, np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi))
    drawn = stairs(axes)["ours"]
    middle = (drawn.edges[1:] + drawn.edges[:-1]) / 2
    np.testing.assert_allclose(drawn.values, np.interp(middle, x, density), atol=0.06)


def test_pulls_of_other_reruns_are_outlines():
    """Another rerun is in the first panel alone."""
    tables = {"ours": many_injections(1), "theirs": many_injections(2)}
    figure = residual_panels(tables, COLOURS, RADIUS)
    assert list(stairs(figure.axes[0])) == ["ours", "theirs"]
    n_found = int((tables["ours"]["diaSourceId"] != 0).sum())
    drawn = (points(figure.axes[1], label)[0].size for label in ("into the visit", "into the template"))
    assert sum(drawn) == n_found


def test_injections_into_the_template_have_the_sign_of_the_difference():
    """Their flux is negative there, as is that of their source; they have a marker of their own."""
    table = injections(flux=-100.0, sourceFlux=[-100.0, -110.0], sourceFluxErr=10.0, inTemplate=True, mag=26.4)
    _, pulls, magnitudes, _ = residual_panels({"ours": table}, COLOURS, RADIUS).axes
    np.testing.assert_allclose(points(pulls, "into the template")[1], [0, -1])
    np.testing.assert_allclose(points(magnitudes, "into the template")[1], [0, -2.5 * np.log10(1.1)])


def test_magnitude_residual_of_a_wrong_sign_is_counted():
    """It has no magnitude to draw."""
    table = injections(flux=100.0, sourceFlux=[-50.0, 100.0, 200.0], mag=[26.0, 25.0, 24.0])
    axes = residual_panels({"ours": table}, COLOURS, RADIUS).axes[2]
    np.testing.assert_allclose(points(axes), [[25, 24], [0, -2.5 * np.log10(2)]])
    assert axes.get_title(loc="left") == "1 of the wrong sign"


def test_circle_holds_68_percent_of_the_offsets():
    """Offsets are in mas with east to the left, and the cross is at their mean."""
    rng = np.random.default_rng(4)
    east, north = rng.normal(20, 10, (2, 2000))
    table = injections(offsetRa=east, offsetDec=north)
    axes = residual_panels({"ours": table}, COLOURS, RADIUS).axes[3]
    (circle,) = (line for line in axes.lines if "68 %" in line.get_label())
    radius = np.hypot(*np.transpose(circle.get_xydata()))
    np.testing.assert_allclose(radius, radius[0])
    assert np.mean(np.hypot(east, north) <= radius[0]) == pytest.approx(0.68, abs=0.001)
    np.testing.assert_allclose(points(axes, "mean offset").ravel(), [east.mean(), north.mean()])
    left, right = axes.get_xlim()
    assert left > right


def test_far_off_residuals_set_no_range():
    """A few absurd fluxes are told, not shown."""
    table = many_injections(1)
    spoiled = pl.concat([table, table.filter(table["snr"] > 100)[:5].with_columns(sourceFlux=pl.lit(1e12))])
    pulls, against_snr, magnitudes, _ = residual_panels({"ours": spoiled}, COLOURS, RADIUS).axes
    for axes, most in ((pulls, 10), (against_snr, 10), (magnitudes, 1)):
        low, high = axes.get_xlim() if axes is pulls else axes.get_ylim()
        assert -most < low < high < most
    assert "beyond the axis" in pulls.get_title(loc="right")


def test_rerun_that_found_nothing_has_no_figure():
    """Without an injection that was found there is no residual."""
    assert list(residual_drawings({"ours": injections(diaSourceId=[0, 0])}, COLOURS, RADIUS)) == []
    assert list(residual_drawings({"ours": injections().clear()}, COLOURS, RADIUS)) == []


@pytest.mark.parametrize(
    "table",
    [
        injections(),
        injections(snr=5.0),
        injections(snr=np.nan, mag=np.nan),
        injections(snr=0.0, flux=0.0),
        injections(sourceFlux=np.nan),
        injections(sourceFluxErr=[0.0, -1.0, np.nan, np.inf]),
        injections(offsetRa=np.nan, offsetDec=np.nan),
        injections(inTemplate=None),
        injections(sourceFlux=[1e30, 1000.0], snr=[1e30, 20.0]),
    ],
)
def test_what_is_missing_spoils_nothing(table):
    """Unknown, single and absurd numbers: every panel has something or says that it has not."""
    for each in residual_drawings({"ours": table, "theirs": table[:0]}, COLOURS, RADIUS):
        each.figure.draw_without_rendering()
        assert all(axes.has_data() or axes.texts for axes in each.figure.axes)


@pytest.mark.slow
def test_nothing_lies_over_anything_else():
    """Panels, labels and legends stand apart, with three reruns of long names."""
    names = [f"HSC/runs/w_2023_07/flavor_{n}" for n in range(3)]
    tables = {name: many_injections(n) for n, name in enumerate(names)}
    (drawing,) = residual_drawings(tables, dict.fromkeys(names, "#0072B2"), RADIUS)
    assert_nothing_overlaps(drawing.figure)
