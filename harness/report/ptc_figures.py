"""Photon transfer, drawn: the panels of an analysis that used to be looked at by eye.

Each function returns a figure; none of them shows or writes one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure

from harness.metrics.ptc.exp_approximation import exp_approximation, fit_exp_approximation
from harness.metrics.ptc.gains import SLOPE_WINDOW
from harness.metrics.ptc.polynomials import fit_line, fit_power_law, fit_quadratic

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from matplotlib.axes import Axes

    from harness.measure.measurements import Measurements
    from harness.metrics.ptc.curve import Curve
    from harness.metrics.ptc.fit import Fit

__all__ = ["gain_against_flux", "gain_by_method", "ptc_panels", "residual_panels"]

# Okabe & Ito (2008): told apart with any colour vision.
_BLACK, _BLUE, _ORANGE, _GREEN, _RED, _PURPLE, _SKY, _GREY = (
    "#000000",
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#D55E00",
    "#CC79A7",
    "#56B4E9",
    "#999999",
)

_METHODS: Mapping[str, tuple[str, str, str]] = {
    "eotest.ptcGain": ("EO test", _BLACK, "_"),
    "ptc.gain": ("EXPAPPROXIMATION", _BLUE, "o"),
    "ptc.gainFullCovariance": ("FULLCOVARIANCE", _SKY, "s"),
    "ptc.gainQuadratic": ("quadratic", _GREEN, "D"),
    "ptc.gainSlope": ("slope", _RED, "^"),
    "ptc.gainRhl": ("Welcome (RHL)", _ORANGE, "v"),
}


def ptc_panels(curves: Sequence[Curve]) -> Figure:
    """Draw variance over mean of every amplifier, with the fits.

    Parameters
    ----------
    curves
        Of one detector, one per amplifier.
    """
    figure, panels = _panels(curves, "variance (1000 adu²)", "photon transfer")
    for curve, fit, axes in panels:
        below, past = _split(curve, fit)
        axes.plot(curve.mean[below] / 1e3, curve.variance[below] / 1e3, ".", color=_BLACK, ms=3, label="pairs")
        axes.plot(
            curve.mean[past] / 1e3, curve.variance[past] / 1e3, "x", color=_GREY, ms=4, label="left out of the fit"
        )
        if not below.any():
            _say(axes, fit.reason)
            continue
        mean = np.geomspace(curve.mean[below].min(), curve.mean[below].max(), 200)
        lines = {
            "EXPAPPROXIMATION": (exp_approximation(mean, fit.gain, fit.a00, fit.noise), _BLUE, "-"),
            "line": (fit_line(curve, *(part * fit.turnoff for part in SLOPE_WINDOW)).variance(mean), _RED, "--"),
            "quadratic": (fit_quadratic(curve, fit.turnoff).variance(mean), _GREEN, "-."),
            "power law": (fit_power_law(curve, fit.turnoff).variance(mean), _ORANGE, ":"),
        }
        for label, (variance, colour, style) in lines.items():
            axes.plot(mean / 1e3, variance / 1e3, style, color=colour, lw=1, label=label)
        axes.set_ylim(0, 1.15 * np.nanmax(curve.variance[below]) / 1e3)
    return _with_legend(figure)


def residual_panels(curves: Sequence[Curve]) -> Figure:
    """Draw what the EXPAPPROXIMATION fit leaves of every amplifier's variance, in percent of it.

    Parameters
    ----------
    curves
        Of one detector, one per amplifier.
    """
    figure, panels = _panels(curves, "variance − fit (%)", "residuals of EXPAPPROXIMATION")
    for curve, fit, axes in panels:
        below, _ = _split(curve, fit)
        if not below.any():
            _say(axes, fit.reason)
            continue
        mean, variance = curve.mean[below], curve.variance[below]
        model = exp_approximation(mean, fit.gain, fit.a00, fit.noise)
        error = curve.variance_error[below]
        bars = 100 * error / model if np.isfinite(error).all() else None
        axes.axhline(0, color=_BLUE, lw=1)
        axes.errorbar(mean / 1e3, 100 * (variance / model - 1), bars, fmt=".", color=_BLACK, ms=3, lw=0.6)
    return figure


def gain_by_method(measurements: Measurements) -> Figure:
    """Draw the gain of every amplifier by each method beside each other.

    Parameters
    ----------
    measurements
        Of one rerun.
    """
    figure = Figure(figsize=(10, 5), layout="constrained")
    axes = figure.add_subplot()
    places = measurements.amplifiers
    position = {place: at for at, place in enumerate(places)}
    drawn = [name for name in _METHODS if name in measurements]
    for shift, name in zip(np.linspace(-0.3, 0.3, max(len(drawn), 2)), drawn, strict=False):
        label, colour, marker = _METHODS[name]
        quantities = [measurements[name, place] for place in places]
        known = [quantity for quantity in quantities if np.isfinite(quantity.value)]
        axes.errorbar(
            [position[quantity.data_id] + shift for quantity in known],
            [quantity.value for quantity in known],
            np.nan_to_num([quantity.standard_error for quantity in known]),
            fmt=marker,
            color=colour,
            ms=9 if marker == "_" else 5,
            mew=2 if marker == "_" else 1,
            lw=1,
            label=label,
        )
    names = [str(place["amplifier"]) for place in places]
    axes.set_xticks(range(len(places)), names, rotation=90 if len(places) > 16 else 0)
    axes.set(xlabel="amplifier", ylabel="gain (e⁻/adu)", title=f"{measurements.rerun}: gain by method and amplifier")
    axes.grid(axis="y", alpha=0.3)
    if drawn:
        axes.legend(ncols=3, fontsize="small")
    return figure


def gain_against_flux(curves: Sequence[Curve]) -> Figure:
    """Draw the gain that each pair gives by itself against its signal: what brighter-fatter does to it.

    Parameters
    ----------
    curves
        Of one detector, one per amplifier.
    """
    figure, panels = _panels(curves, "gain (e⁻/adu)", "gain of each pair, 1/mean[(I₁ − I₂)²/(I₁ + I₂)]")
    for curve, fit, axes in panels:
        below, _ = _split(curve, fit)
        below &= np.isfinite(curve.rhl) & (curve.rhl > 0)
        if not below.any():
            _say(axes, fit.reason or "no pair has the estimator")
            continue
        mean = np.geomspace(curve.mean[below].min(), curve.mean[below].max(), 200)
        expected = mean / exp_approximation(mean, fit.gain, fit.a00, fit.noise)
        axes.plot(curve.mean[below] / 1e3, 1 / curve.rhl[below], ".", color=_BLACK, ms=3, label="pairs")
        axes.plot(mean / 1e3, expected, "-", color=_BLUE, lw=1, label="expected of the fit")
        axes.axhline(fit.gain, color=_GREEN, lw=1, ls="--", label="gain of the fit")
    return _with_legend(figure)


def _panels(curves: Sequence[Curve], ylabel: str, title: str) -> tuple[Figure, Iterator[tuple[Curve, Fit, Axes]]]:
    """Return a figure with a panel for each curve, and the curves with their fits and panels."""
    columns = min(4, len(curves)) or 1
    rows = -(-len(curves) // columns) or 1
    figure = Figure(figsize=(3 * columns + 0.5, 2.4 * rows + 1), layout="constrained")
    grid: Any = figure.subplots(rows, columns, sharex=True, squeeze=False)
    panels = grid.ravel()
    for axes in panels[len(curves) :]:
        axes.set_visible(False)
    for curve, axes in zip(curves, panels, strict=False):
        axes.set_title(curve.amplifier, fontsize="small", loc="left")
        axes.tick_params(labelsize="x-small")
        axes.grid(alpha=0.3)
    place = curves[0].name.removesuffix(curves[0].amplifier).strip() if curves else ""
    figure.suptitle(": ".join(filter(None, (place, title))))
    figure.supxlabel("mean signal (1000 adu)")
    figure.supylabel(ylabel)
    return figure, zip(curves, fit_exp_approximation(curves), panels, strict=False)


def _split(curve: Curve, fit: Fit) -> tuple[np.ndarray, np.ndarray]:
    """Return which pairs the fit used, and which others were measured."""
    return curve.measured & fit.used, curve.measured & ~fit.used


def _say(axes: Axes, reason: str) -> None:
    axes.text(0.5, 0.5, reason, transform=axes.transAxes, ha="center", va="center", fontsize="x-small", wrap=True)


def _with_legend(figure: Figure) -> Figure:
    """Put one legend below all panels, with each label once."""
    labels: dict[str, Any] = {}
    for axes in figure.axes:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            labels.setdefault(label, handle)
    if labels:
        figure.legend(labels.values(), labels.keys(), loc="outside lower center", ncols=len(labels), fontsize="small")
    return figure
