"""The figure of alert packets."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
from figure_layout import assert_nothing_overlaps

from harness.metrics.alerts.numbers import alerts_schema, unreadable_packet
from harness.report.alert_figures import alert_panels, drawings


def packet(number, **changes):
    """Return the row of an alert: fluxes of both signs, found 2 % too high."""
    signal = (-1) ** number * (5.0 + number)
    numbers = {
        "place": f"alert {number}",
        "visit": 2025090500225 + number % 3,
        "detector": 1,
        "unclean": "",
        "fluxRatio": 1.02,
        "pull": 0.02 * signal,
        "additivity": 0.98 + 0.001 * (number % 5),
        "scienceFwhm": 8 + 0.1 * number,
        "differenceFwhm": 8 + 0.1 * number,
        "templateFwhm": 5.3,
    }
    return {**numbers, **changes}


def table(rows):
    """Return rows as a table of alerts."""
    return pa.Table.from_pylist(rows, alerts_schema())


SOUND = [packet(number) for number in range(20)]


def drawn(rows):
    """Return the figures of a rerun with these alerts."""
    return list(drawings(SimpleNamespace(), SimpleNamespace(name="run_1"), [table(rows)]))


def lines(axes):
    """Return x and y of each line of a panel by its label."""
    return {line.get_label(): np.transpose(line.get_xydata()) for line in axes.lines}


def texts(axes):
    """Return what a panel says in words."""
    return [text.get_text().replace("\n", " ") for text in axes.texts]


def test_each_panel_has_its_numbers():
    """Additivity by visit with its median, the signal that pull and ratio imply, and sizes at the science image's."""
    (one,) = drawn(SOUND)
    assert "20 alerts" in one.description
    additivity, flux, size = (lines(axes) for axes in one.figure.axes)
    at, values = additivity["alert"]
    np.testing.assert_array_equal(np.round(at), np.arange(20) % 3)
    np.testing.assert_array_equal(values, [row["additivity"] for row in SOUND])
    np.testing.assert_allclose(
        additivity["median of the visit"][1],
        [np.median([row["additivity"] for row in SOUND[first::3]]) for first in range(3)],
    )
    np.testing.assert_allclose(flux["positive flux"], [np.arange(5, 25, 2), np.full(10, 1.02)])
    np.testing.assert_allclose(flux["negative flux"], [np.arange(6, 25, 2), np.full(10, 1.02)])
    np.testing.assert_allclose(size["PSF of the difference"], [np.arange(8, 10, 0.1)] * 2)
    np.testing.assert_array_equal(size["PSF of the template"][1], 5.3)


def test_a_flux_error_off_is_where_its_line_says():
    """A flux that is found one psfFluxErr too high lies on the line, whatever its signal-to-noise."""
    rows = [packet(number, fluxRatio=1 + 1 / signal, pull=1.0) for number, signal in enumerate((5.0, 20.0, 100.0))]
    (axes,) = (axes for axes in alert_panels(table(rows)).axes if "psfFlux" in axes.get_xlabel())
    low, high = (line.get_xydata().T for line in axes.lines if line.get_label() == "one psfFluxErr off")
    signal, ratio = lines(axes)["positive flux"]
    np.testing.assert_allclose(signal, [5, 20, 100])
    np.testing.assert_allclose(np.interp(signal, *high), ratio, rtol=1e-3)
    np.testing.assert_allclose(low[1] + high[1], 2)


def test_alerts_that_are_not_clean_are_crosses():
    """They are in view, and not counted among the others."""
    rows = [*SOUND, packet(20, unclean="psfFlux_flag is set")]
    flux = lines(alert_panels(table(rows)).axes[1])
    assert flux["not clean"].shape == (2, 1)
    assert flux["positive flux"].shape == (2, 10)


def test_many_visits_are_counted():
    """Beyond a dozen their numbers could not be read."""
    axes = alert_panels(table([packet(0, visit=number) for number in range(40)])).axes[0]
    assert axes.get_xlabel() == "40 visits"
    assert len(axes.get_xticks()) == 0


EMPTY = dict.fromkeys(("fluxRatio", "pull", "additivity", "scienceFwhm", "differenceFwhm", "templateFwhm"))


@pytest.mark.parametrize(
    "rows",
    [
        SOUND[:1],
        SOUND[:2] * 3,
        [packet(0, fluxRatio=1.0, pull=0.0)],
        [packet(0, fluxRatio=None), packet(1, additivity=None), packet(2, scienceFwhm=None), packet(3, **EMPTY)],
        [*SOUND, unreadable_packet("truncated")],
        [packet(0, unclean="there is no difference image", **EMPTY)],
    ],
)
def test_what_is_missing_spoils_nothing(rows):
    """One alert, ties, unknown numbers, packets that cannot be read: each panel is there, or says why it is empty."""
    (one,) = drawn(rows)
    one.figure.draw_without_rendering()
    assert all(axes.lines or axes.texts for axes in one.figure.axes)


def test_a_panel_without_numbers_says_so():
    """Alerts of which nothing was measured have a figure of words."""
    figure = alert_panels(table([packet(0, **EMPTY)]))
    assert [texts(axes) for axes in figure.axes] == [
        ["no alert has three variances"],
        ["no flux could be measured"],
        ["no alert has the PSF of its science image and another one"],
    ]


def test_no_readable_alert_has_no_figure():
    """There is nothing to draw of packets that cannot be read, or of none."""
    assert drawn([unreadable_packet("truncated")]) == drawn([]) == []


@pytest.mark.slow
@pytest.mark.parametrize("rows", [SOUND, [packet(0, **EMPTY)]])
def test_nothing_lies_over_anything_else(rows):
    """Panels, labels and legends stand apart."""
    assert_nothing_overlaps(alert_panels(table(rows)))
