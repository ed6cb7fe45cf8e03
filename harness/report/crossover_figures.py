"""Good against deep templates, drawn: whose differences have less noise, and from which visit PSF on."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure

from harness.metrics.template.limits import CONFIDENCE
from harness.metrics.template.tables import measured_crossover
from harness.report.drawing import BLACK, GREEN, GREY, RED, finished, note_beyond, say, shown_range
from harness.report.listing import Column, Listing, number

if TYPE_CHECKING:
    import pyarrow as pa
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from harness.metrics.template.crossover import Crossover

__all__ = ["crossover_figure", "crossover_listing"]


def crossover_figure(noise: pa.Table) -> tuple[Figure, str]:
    """Draw the noise of differences with the good over that with the deep template, and where it is 1.

    Parameters
    ----------
    noise
        What `harness.metrics.template.tables.noise_table` returns.

    Returns
    -------
    figure
        At the left the ratio against visit FWHM over deep template FWHM, with the crossover; at the right against the
        ratio that theory expects, with the line that the crossover is from.  Filled markers are measured, and coloured
        by the number of visits in the deep template; hollow ones are expected.
    found
        The crossover in words, or why there is none.
    """
    crossover = measured_crossover(noise)
    rows = [row for row in noise.to_pylist() if not row["same_inputs"]]
    figure = Figure(figsize=(10, 5.2), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    size, expected, measured, n_visits = (
        np.array(values, np.float64)
        for values in (
            [row["visit_fwhm"] / row["fwhm_deep"] for row in rows],
            [row["expected_good"] / row["expected_deep"] for row in rows],
            [row["measured_good"] / row["measured_deep"] for row in rows],
            [math.nan if row["n_deep"] is None else row["n_deep"] for row in rows],
        )
    )
    shown = shown_range(np.concatenate([expected, measured, [1.0]]))
    _points(left, size, expected, measured, n_visits)
    points = _points(right, expected, expected, measured, n_visits, with_expected=False)
    if np.isfinite(n_visits).any() and np.isfinite(measured).any():
        figure.colorbar(points, ax=[left, right], label="visits in the deep template", pad=0.01)
    _mark(left, crossover)
    _line(right, crossover, shown_range(expected))
    for axes, values in ((left, size), (right, expected)):
        axes.axhline(1, color=BLACK, lw=1, ls=":", zorder=1)
        axes.set(xlim=shown_range(values), ylim=shown)
        axes.grid(alpha=0.3)
        if not (np.isfinite(values) & np.isfinite(measured)).any():
            say(axes, "no image has its PSF sizes and its noise with two different templates")
    note_beyond(left, measured, shown)
    left.set(xlabel="visit FWHM over deep template FWHM", ylabel="noise in the difference, good over deep template")
    right.set(xlabel="the same, as theory expects")
    return finished(figure), _words(crossover)


def _points(
    axes: Axes,
    x: NDArray[np.float64],
    expected: NDArray[np.float64],
    measured: NDArray[np.float64],
    n_visits: NDArray[np.float64],
    *,
    with_expected: bool = True,
) -> Any:
    """Draw measured ratios, and expected ones below them; return the measured ones."""
    if with_expected:
        axes.plot(x, expected, "o", mfc="none", color=GREY, ms=5, label="expected", zorder=2)
    own = np.isfinite(n_visits)
    axes.plot(x[~own], measured[~own], "o", color=GREY, ms=5, zorder=3)
    style: Any = {"cmap": "viridis", "s": 26, "edgecolors": "white", "linewidths": 0.5, "zorder": 3}
    return axes.scatter(x[own], measured[own], c=n_visits[own], label="measured", **style)


def _mark(axes: Axes, crossover: Crossover) -> None:
    """Draw the crossover with its limits; an open one reaches the edge."""
    if not math.isfinite(crossover.value):
        return
    axes.axvspan(
        *(crossover.low, crossover.high if math.isfinite(crossover.high) else 1e3),
        color=GREEN,
        alpha=0.15,
        lw=0,
        label=f"{100 * CONFIDENCE:g} % limits",
    )
    axes.axvline(crossover.value, color=GREEN, lw=1.5, label="crossover")


def _line(axes: Axes, crossover: Crossover, shown: tuple[float, float]) -> None:
    """Draw equality, and the line that was fitted to the logarithms of both ratios."""
    steps = np.linspace(*shown, 100)
    steps = steps[steps > 0]
    axes.plot(steps, steps, "--", color=BLACK, lw=1, label="measured as expected", zorder=1)
    line = crossover.line
    if math.isfinite(line.slope):
        axes.plot(steps, np.exp(line.intercept + line.slope * np.log(steps)), color=RED, lw=1.5, label="fitted line")


def _words(crossover: Crossover) -> str:
    if not math.isfinite(crossover.value):
        return f"No crossover is measured: {crossover.reason}."
    return (
        f"The crossover is measured at {crossover.value:.3g} times the deep template's FWHM "
        f"({number(round(crossover.low, 3))} to {number(round(crossover.high, 3))} at {100 * CONFIDENCE:g} %): "
        "sharper visits are deeper with the good template, broader ones with the deep one."
    )


def crossover_listing(crossovers: pa.Table, found: str) -> Listing:
    """Return per template where the deep one is expected to become the better one.

    Parameters
    ----------
    crossovers
        What `harness.metrics.template.tables.crossover_table` returns.
    found
        What was measured, in words.
    """
    columns = [
        Column("coadd", "template"),
        Column("n_visits", "images", number, numeric=True),
        Column("n_good", "visits in good", number, numeric=True),
        Column("n_deep", "in deep", number, numeric=True),
        Column("fwhm_good", "FWHM of good (pixel)", _two_digits, numeric=True),
        Column("fwhm_deep", "of deep", _two_digits, numeric=True),
        Column("crossover", "expected crossover (pixel)", _two_digits, numeric=True),
        Column("frac_below", "visits below it", _percent, numeric=True),
        Column("frac_good_deeper", "less noise with good", _percent, numeric=True),
        Column("reason", "why there is none"),
    ]
    rows = sorted(crossovers.to_pylist(), key=lambda row: (row["n_deep"], row["coadd"]))
    return Listing("Expected crossover of each template", columns, rows, [found])


def _two_digits(value: float) -> str:
    return f"{value:.2f}" if math.isfinite(value) else number(value)


def _percent(value: float) -> str:
    return f"{100 * value:.0f} %" if math.isfinite(value) else number(value)
