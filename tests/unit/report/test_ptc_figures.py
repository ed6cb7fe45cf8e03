"""Figures of photon transfer: what is drawn in them, and that nothing lies over anything else."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from curve_tables import curve_of
from figure_layout import assert_nothing_overlaps
from flux_ladders import FULL_WELL, GAIN, NOISE, ladder_curve

from harness.measure.catalogue import all_metrics
from harness.measure.measurements import Measurements
from harness.metrics.rows import rows_schema
from harness.metrics.settings import Settings
from harness.model import DataId
from harness.report.ptc_figures import gain_against_flux, gain_by_method, ptc_panels, residual_panels

A00 = -2e-6
NAMES = [f"C{row}{number}" for row in (0, 1) for number in range(8)]
DRAWN = [ptc_panels, residual_panels, gain_against_flux]


def sensor(n=16, **known):
    """Return curves of so many amplifiers, of the same known truth."""
    rng = np.random.default_rng(0)
    return [replace(ladder_curve("logarithmic", rng, a00=A00, **known), amplifier=name) for name in NAMES[:n]]


def truth(mean):
    """Return the variance that the amplifiers have."""
    return (np.expm1(2 * A00 * GAIN * mean) / (2 * A00) + NOISE**2) / GAIN**2


def lines(axes):
    """Return signals and values of each line of a panel by its label."""
    return {line.get_label(): np.transpose(line.get_xydata()) for line in axes.lines}


def texts(axes):
    """Return what a panel says in words."""
    return [text.get_text().replace("\n", " ") for text in axes.texts]


def saturated(curve):
    """Return the curve of an amplifier that has no light to measure: each pair is full, and only noise is left."""
    n = len(curve)
    return replace(curve, mean=190_000 + np.arange(n), variance=np.linspace(60, 40, n))


def measurements(rows, rerun="run_1"):
    """Return the measurements of these rows."""
    filled = [{"instrument": "LSSTCam", "denominator": 1.0, **row} for row in rows]
    return Measurements(rerun, None, pa.Table.from_pylist(filled, rows_schema()), all_metrics(Settings()), {})


def gain_rows(n=16, detector=1):
    """Return rows of gains by some methods: the slope is 10 % high, and that is predicted."""
    values = {"eotest.ptcGain": 0.72, "ptc.gain": 0.70, "ptc.gainSlope": 0.77, "ptc.offset.gainSlope": 0.10}
    return [
        {"metric": metric, "detector": detector, "amplifier": name, "numerator": value, "uncertainty": 0.01}
        for metric, value in values.items()
        for name in NAMES[:n]
    ]


@pytest.mark.parametrize("draw", DRAWN)
@pytest.mark.parametrize("n", [1, 6, 8, 16])
def test_each_amplifier_has_a_panel(draw, n):
    """Each panel bears its amplifier's name, and the lowest of each column says what its axis is."""
    figure = draw(sensor(n))
    assert [axes.get_title("left") for axes in figure.axes] == NAMES[:n]
    assert [axes.get_xlabel() for axes in figure.axes[-4:]] == ["mean signal (adu)"] * min(n, 4)
    assert all(axes.xaxis.get_tick_params()["labelbottom"] for axes in figure.axes[-4:])
    assert figure.get_suptitle().startswith("R22_S11: ")
    assert len({axes.get_xlim() for axes in figure.axes}) == len({axes.get_ylim() for axes in figure.axes}) == 1


@pytest.mark.parametrize("n", [1, 6, pytest.param(16, marks=pytest.mark.slow)])
@pytest.mark.parametrize("draw", [*DRAWN, gain_by_method])
def test_nothing_lies_over_anything_else(draw, n):
    """Panels with their labels, title and legend stand apart, inside of the figure."""
    figure = draw(measurements(gain_rows(n)) if draw is gain_by_method else sensor(n))
    assert_nothing_overlaps(figure)


def test_curves_are_drawn_whole():
    """Each measured pair is there once, either as used or as left out, and the fit goes through the truth."""
    (curve,) = sensor(1)
    (axes,) = ptc_panels([curve]).axes
    drawn = lines(axes)
    pairs = np.concatenate([drawn["pairs"], drawn["left out of the fit"]], axis=1)
    np.testing.assert_array_equal(pairs[:, np.argsort(pairs[0])], [curve.mean, curve.variance])
    assert drawn["left out of the fit"][1].min() < 100 < drawn["pairs"][1].min()  # the pair in saturation
    mean, variance = drawn["EXPAPPROXIMATION"]
    np.testing.assert_allclose(variance, truth(mean), rtol=0.005)
    assert 0.8 < drawn["turnoff"][0][0] / (FULL_WELL / GAIN) <= 1
    assert mean[-1] == pytest.approx(drawn["turnoff"][0][0])
    assert axes.get_xscale() == axes.get_yscale() == "log"
    assert axes.get_title("right").startswith("g = 0.7")


def test_formulas_are_drawn_from_where_they_were_fitted():
    """The line and the quadratic are right low in their ranges; the line misses brighter-fatter at the top."""
    (axes,) = ptc_panels(sensor(1)).axes
    drawn = lines(axes)
    turnoff = drawn["turnoff"][0][0]
    for label in ("line", "quadratic", "power law"):
        assert drawn[label][0][-1] == pytest.approx(turnoff)
    assert 0.02 * turnoff < drawn["line"][0][0] < 0.03 * turnoff
    departure = {label: drawn[label][1] / truth(drawn[label][0]) - 1 for label in drawn if label[0] in "lq"}
    assert abs(departure["line"][0]) < 0.02
    assert departure["line"][-1] > 0.1
    assert np.abs(departure["quadratic"]).max() < 0.05


def test_residuals_are_percents_with_their_errors():
    """Residuals of a good fit have the counting error as their bars and their scatter, and all are in view."""
    figure = residual_panels(sensor(4, n_pixels=2e4))
    scatter = []
    for axes in figure.axes:
        drawn = lines(axes)
        _, residual = drawn["pairs"]
        (bars,) = axes.collections
        half = [np.ptp(segment[:, 1]) / 2 for segment in bars.get_segments()]
        np.testing.assert_allclose(half, 1.0, rtol=0.05)  # sqrt(2 / 20000) is 1 %
        low, high = axes.get_ylim()
        assert low < (residual - half).min()
        assert (residual + half).max() < high
        assert low == -high
        assert axes.get_title("right").startswith("χ²/ν = ")
        scatter += list(residual)
    assert np.std(scatter) == pytest.approx(1.0, rel=0.2)


def test_residuals_of_unknown_errors_have_no_bars():
    """Where nobody knows the number of pixels, the scatter stands in the place of χ²."""
    mean = np.geomspace(200, 1e5, 40)
    rng = np.random.default_rng(1)
    curve = curve_of(mean, truth(mean) * (1 + 0.01 * rng.standard_normal(40)))
    (axes,) = residual_panels([curve]).axes
    assert axes.get_title("right").startswith(("scatter 0.", "scatter 1"))
    assert all(np.ptp(segment[:, 1]) == 0 for bars in axes.collections for segment in bars.get_segments())


def test_a_wild_pair_does_not_set_the_range():
    """A pair that is left out of the fit is a cross, in view or not."""
    (curve,) = sensor(1)
    curve.variance[15] *= 3
    (axes,) = residual_panels([curve]).axes
    assert lines(axes)["left out of the fit"][1].max() == pytest.approx(200, abs=5)
    assert axes.get_ylim()[1] < 10


def test_lamp_mismatch_is_expected():
    """Pairs of a lamp that jumps lie at their circles, and off the line for a steady lamp."""
    lamp = np.where(np.arange(39) % 5 == 0, 0.02, 0.0)
    (curve,) = sensor(1, lamp=lamp)
    (axes,) = gain_against_flux([curve]).axes
    drawn = lines(axes)
    mean, gains = drawn["pairs, by RHL"]
    np.testing.assert_array_equal(gains, 1 / curve.rhl[: len(gains)])
    np.testing.assert_allclose(drawn["expected with lamp mismatch"][1][: len(gains)], gains, rtol=0.01)
    steady = np.interp(mean, *drawn["expected of the fit"])
    assert (gains / steady).min() < 0.95
    assert drawn["gain of the fit"][1][0] == pytest.approx(GAIN, rel=0.005)


def test_gain_without_the_estimator_is_mean_over_variance():
    """A curve of mean and variance alone says which gain is drawn, and the expectation goes through it."""
    mean = np.geomspace(200, 1e5, 40)
    (axes,) = gain_against_flux([curve_of(mean, truth(mean), n_pixels=1e6)]).axes
    drawn = lines(axes)
    signals, gains = drawn["pairs, mean/variance"]
    np.testing.assert_allclose(gains, signals / truth(signals))
    np.testing.assert_allclose(np.interp(signals, *drawn["expected of the fit"]), gains, rtol=2e-3)
    assert "expected with lamp mismatch" not in drawn


@pytest.mark.parametrize("draw", DRAWN)
def test_what_was_not_fitted_says_why(draw):
    """The panel of an amplifier without a fit holds the reason and no fit; the others are as they were."""
    good, bad, empty = sensor(3)
    bad, empty = saturated(bad), replace(empty, mean=np.full(len(empty), np.nan))
    panels = draw([good, bad, empty]).axes
    assert texts(panels[0]) == []
    (reason,) = texts(panels[1])
    assert "turnoff" in reason
    assert texts(panels[2]) == ["0 measured pairs, and the fit needs 4"]
    assert "EXPAPPROXIMATION" not in lines(panels[1])
    assert lines(panels[1])["left out of the fit"].shape[1] >= len(bad) - 1
    np.testing.assert_array_equal(panels[0].get_ylim(), panels[1].get_ylim())


@pytest.mark.parametrize("draw", DRAWN)
def test_nothing_but_bad_curves_is_drawn_as_well(draw):
    """A sensor in saturation has panels with reasons, and no error."""
    figure = draw([saturated(curve) for curve in sensor(2)])
    figure.draw_without_rendering()
    assert all(texts(axes) for axes in figure.axes)


@pytest.mark.parametrize("draw", DRAWN)
def test_one_legend_names_everything(draw):
    """What is drawn in any panel is named once."""
    figure = draw(sensor(4))
    (legend,) = figure.legends
    named = [text.get_text() for text in legend.get_texts()]
    assert len(named) == len(set(named))
    assert set(named) == {label for axes in figure.axes for label in lines(axes) if not label.startswith("_")}


def test_gains_stand_side_by_side():
    """Each method has a marker per amplifier with its error, hollow where the predicted offset has been removed."""
    figure = gain_by_method(measurements(gain_rows()))
    (axes,) = figure.axes
    assert [label.get_text() for label in axes.get_xticklabels()] == NAMES
    values = [(line.get_xdata(), line.get_ydata(), line.get_markerfacecolor()) for line in axes.lines]
    np.testing.assert_allclose([y[0] for _, y, _ in values], [0.72, 0.70, 0.77, 0.77 / 1.10])
    assert [face == "none" for _, _, face in values] == [False, False, False, True]
    np.testing.assert_array_equal(values[2][0], values[3][0])  # one below the other
    half = [np.ptp(bars.get_segments()[0][:, 1]) / 2 for bars in axes.collections]
    np.testing.assert_allclose(half, [0.01, 0.01, 0.01, 0.01 / 1.10])
    (legend,) = figure.legends
    named = [text.get_text() for text in legend.get_texts()]
    assert named == ["EO test", "EXPAPPROXIMATION", "slope", "hollow: predicted offset removed"]


def test_only_the_amplifiers_asked_for_are_drawn():
    """A detector of many has a figure of its own."""
    known = measurements([*gain_rows(2, detector=1), *gain_rows(16, detector=2)])
    (axes,) = gain_by_method(known, [DataId(detector=1, amplifier=name) for name in NAMES[:2]]).axes
    assert len(axes.get_xticks()) == 2
    assert all(line.get_xdata().size == 2 for line in axes.lines)


@pytest.mark.parametrize("placeholder", [1e10, 0.0, -1.0, 1.5])
def test_a_placeholder_does_not_set_the_scale(placeholder):
    """A gain out of all proportion is named at the edge, with its number."""
    rows = gain_rows()
    rows[3]["numerator"] = placeholder
    (axes,) = gain_by_method(measurements(rows)).axes
    low, high = axes.get_ylim()
    assert 0.5 < low < 0.70
    assert 0.77 < high < 0.9
    (note,) = axes.texts
    assert note.get_text() == f"{placeholder:.3g}"
    assert note.xy[0] == pytest.approx(3, abs=0.4)
    assert note.xy[1] == (placeholder > 1)


def test_amplifiers_that_a_method_has_no_gain_of_are_empty():
    """A gain that could not be measured leaves its place empty, and one method alone is drawn as well."""
    rows = [{**row, "numerator": np.nan} if row["amplifier"] == "C03" else row for row in gain_rows()[16:32]]
    (axes,) = gain_by_method(measurements(rows)).axes
    (line,) = axes.lines
    assert np.flatnonzero(np.isnan(line.get_ydata())).tolist() == [3]


def test_no_gain_at_all_is_said():
    """Where there is nothing to draw the figure says so."""
    rows = [{"metric": "ptc.noise", "detector": 1, "amplifier": "C00", "numerator": 5.0}]
    for known in (measurements(rows), measurements([])):
        figure = gain_by_method(known)
        figure.draw_without_rendering()
        assert texts(figure.axes[0]) == ["no gain was measured"]


def test_a_curve_of_hundreds_of_pairs():
    """A finely sampled curve is drawn with all its pairs."""
    mean = np.geomspace(40, 1e5, 600)
    curve = curve_of(mean, truth(mean))
    for draw in DRAWN:
        (axes,) = draw([curve]).axes
        assert sum(values.shape[1] for label, values in lines(axes).items() if label[:4] in {"pair", "left"}) == 600


def test_figures_need_no_display():
    """Figures are drawn without pyplot, which would keep them, and ask for a display."""
    code = "import sys, harness.report.ptc_figures; assert 'matplotlib.pyplot' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
