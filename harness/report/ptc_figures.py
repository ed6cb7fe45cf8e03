"""Photon transfer, drawn: the panels of an analysis that used to be looked at by eye.

Each function returns a figure; none of them shows or writes one.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from harness.metrics.ptc.curve import curves_of
from harness.metrics.ptc.exp_approximation import exp_approximation, fit_exp_approximation
from harness.metrics.ptc.gains import QUADRATIC_BELOW, SLOPE_WINDOW
from harness.metrics.ptc.offsets import expected_rhl
from harness.metrics.ptc.polynomials import fit_line, fit_power_law, fit_quadratic
from harness.report.drawing import BLACK, BLUE, GREEN, GREY, ORANGE, RED, SKY, Drawing, finished, note, say

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pyarrow as pa
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from harness.measure.measurements import Measurements
    from harness.metrics.ptc.curve import Curve
    from harness.metrics.ptc.fit import Fit
    from harness.model import DataId
    from harness.rerun.protocol import RerunRef
    from harness.session import Session

__all__ = ["drawings", "gain_against_flux", "gain_by_method", "ptc_panels", "residual_panels"]

#: Label, colour and marker of each estimate of gain, in the order in which they are drawn beside each other.
_METHODS: Mapping[str, tuple[str, str, str]] = {
    "eotest.ptcGain": ("EO test", BLACK, "_"),
    "ptc.gain": ("EXPAPPROXIMATION", BLUE, "o"),
    "ptc.gainFullCovariance": ("FULLCOVARIANCE", SKY, "s"),
    "ptc.gainQuadratic": ("quadratic", GREEN, "D"),
    "ptc.gainSlope": ("slope", RED, "^"),
    "ptc.gainRhl": ("RHL", ORANGE, "v"),
}

#: A gain this far from the median, as a factor, is named at the edge: a placeholder must not set the scale.
_SHOWN = 1.6
_LIT = "expected with lamp mismatch"
#: Up to so many amplifiers have their names side by side.
_SIDE_BY_SIDE = 16


#: A focal plane has 200 detectors: nobody looks at more than a few of them, and a page has to open.
_MAX_DETECTORS = 4


def drawings(session: Session, ref: RerunRef, tables: Sequence[pa.Table]) -> Iterator[Drawing]:
    """Yield the figures of each detector of a rerun, or of the first few of them, from its stored curves."""
    measurements = session.measurements(ref)
    curves = sorted((curve for table in tables for curve in curves_of(table)), key=_detector)
    detectors = [list(group) for _, group in groupby(curves, key=_detector)]
    for amplifiers in detectors[:_MAX_DETECTORS]:
        first = amplifiers[0]
        place = first.name.removesuffix(first.amplifier).strip()
        if len(detectors) > _MAX_DETECTORS:
            place += f" (drawn are {_MAX_DETECTORS} of {len(detectors)} detectors)"
        where = ", ".join(filter(None, (ref.name, place)))
        count = f"{len(amplifiers)} amplifier{'' if len(amplifiers) == 1 else 's'}"
        places = [known for known in measurements.amplifiers if known.get("detector") == first.detector]
        yield Drawing(
            f"{where}: gain by method and amplifier",
            f"Gain of {count} by each method, with standard errors; hollow markers have the predicted offset removed.",
            gain_by_method(measurements, places),
        )
        yield Drawing(
            f"{where}: photon transfer curves",
            f"Variance against mean signal of {count}, a panel each, with the fits; pairs left out are grey crosses.",
            ptc_panels(amplifiers),
        )
        yield Drawing(
            f"{where}: residuals",
            f"What the EXPAPPROXIMATION fit leaves of the variance of {count}, a panel each, in percent.",
            residual_panels(amplifiers),
        )
        yield Drawing(
            f"{where}: gain against flux",
            f"Gain that each pair of flats gives, against its signal, of {count}, with what is expected of the fit.",
            gain_against_flux(amplifiers),
        )


def _detector(curve: Curve) -> tuple[int, str]:
    return (-1 if curve.detector is None else curve.detector), curve.detector_name


def ptc_panels(curves: Sequence[Curve]) -> Figure:
    """Draw variance against mean signal of every amplifier, with the fits, in logarithmic axes that all have in common.

    Parameters
    ----------
    curves
        Of one detector, one per amplifier.
    """
    figure, panels = _panels(curves, "variance (adu²)", "photon transfer curves")
    for curve, fit, axes in panels:
        axes.set_yscale("log")
        used = _draw_pairs(axes, curve, fit, curve.variance)
        if not used.any():
            continue
        note(axes, _with_error(fit))
        mean = _signals(curve, used, fit)
        axes.plot(mean, _expected(fit, mean), "-", color=BLUE, lw=1.2, label=fit.model)
        axes.axvline(fit.turnoff, color=GREY, lw=1, label="turnoff", zorder=1)
        for label, mean, variance, style in _formulas(curve, fit):
            axes.plot(mean, variance, lw=1.2, label=label, **style)
    return finished(figure)


def residual_panels(curves: Sequence[Curve]) -> Figure:
    """Draw what the EXPAPPROXIMATION fit leaves of every amplifier's variance, in percent of it, and the other fits.

    Parameters
    ----------
    curves
        Of one detector, one per amplifier.
    """
    figure, panels = _panels(curves, "variance − fit (%)", "residuals of EXPAPPROXIMATION")
    reach = []
    for curve, fit, axes in panels:
        expected = _expected(fit, curve.mean)
        residual = 100 * (curve.variance / expected - 1)
        bars = np.nan_to_num(100 * curve.variance_error / expected)
        used = _draw_pairs(axes, curve, fit, residual, bars=bars)
        if not used.any():
            continue
        known = fit.scale == "known"
        note(axes, f"χ²/ν = {fit.reduced_chi2:.2f}" if known else f"scatter {np.std(residual[used]):.2g} %")
        axes.axhline(0, color=BLUE, lw=1.2, label=fit.model)
        for label, mean, variance, style in _formulas(curve, fit):
            axes.plot(mean, 100 * (variance / _expected(fit, mean) - 1), lw=1.2, label=label, **style)
        reach.append(np.max(np.abs(residual[used]) + bars[used]))
    if reach:
        _limit(figure, -max(reach), max(reach))
    return finished(figure)


def gain_against_flux(curves: Sequence[Curve]) -> Figure:
    """Draw the gain that each pair gives by itself against its signal: what brighter-fatter does to it.

    Each pair's gain is the inverse of mean[(I₁ − I₂)²/(I₁ + I₂)] (RHL); of a curve without, it is mean over variance.
    Beside it stands what is expected of the fit: in light that does not change, and with the lamp mismatch of the pair.

    Parameters
    ----------
    curves
        Of one detector, one per amplifier.
    """
    figure, panels = _panels(curves, "gain (e⁻/adu)", "gain of each pair of flats")
    shown = []
    for curve, fit, axes in panels:
        has_rhl = bool(np.isfinite(curve.rhl[curve.measured]).any())
        with np.errstate(divide="ignore", invalid="ignore"):
            gains = 1 / curve.rhl if has_rhl else curve.mean / curve.variance
        used = _draw_pairs(axes, curve, fit, gains, label="pairs, by RHL" if has_rhl else "pairs, mean/variance")
        if not used.any():
            continue
        note(axes, _with_error(fit))
        mean = _signals(curve, used, fit)
        steady = mean / _expected(fit, mean)
        axes.plot(mean, steady, "-", color=BLUE, lw=1.2, label="expected of the fit")
        if has_rhl:
            below = fit.below_turnoff(curve)
            lit = expected_rhl(curve.mean[below], curve.delta[below], fit.gain, fit.a00, _noise(fit))
            axes.plot(curve.mean[below], 1 / lit, "o", color=RED, mfc="none", ms=6, mew=0.8, label=_LIT)
        axes.axhline(fit.gain, color=GREEN, lw=1.2, ls="--", label="gain of the fit")
        shown += [*steady, *gains[used][np.isfinite(gains[used])]]
    if shown:
        margin = 0.05 * (max(shown) - min(shown))
        _limit(figure, min(shown) - margin, max(shown) + margin)
    return finished(figure)


def gain_by_method(measurements: Measurements, amplifiers: Sequence[DataId] | None = None) -> Figure:
    """Draw the gain of every amplifier by each method beside each other, with standard errors.

    Methods whose offset from the true gain can be predicted have a hollow marker as well: with the offset removed.

    Parameters
    ----------
    measurements
        Of one rerun.
    amplifiers
        Which amplifiers to draw; None is all.
    """
    places = measurements.amplifiers if amplifiers is None else amplifiers
    figure = Figure(figsize=(min(max(0.6 * len(places), 5), 10), 5), layout="constrained")
    axes = figure.add_subplot()
    drawn = [name for name in _METHODS if name in measurements]
    shifts = np.linspace(-0.35, 0.35, len(drawn)) if len(drawn) > 1 else np.zeros(1)
    points: list[tuple[float, float]] = []
    corrected = False
    for shift, name in zip(shifts, drawn, strict=False):
        label, colour, marker = _METHODS[name]
        value = np.array([measurements[name, place].value for place in places])
        error = np.array([measurements[name, place].standard_error for place in places])
        at = np.arange(len(places)) + shift
        style: dict[str, Any] = {"fmt": marker, "color": colour, "ms": 9 if marker == "_" else 5, "lw": 1}
        axes.errorbar(at, value, error, label=label, mew=2 if marker == "_" else 1, **style)
        points += [point for point in zip(at.tolist(), value.tolist(), strict=True) if np.isfinite(point[1])]
        offset = measurements.catalogue[name].offset
        if offset:
            true = 1 + np.array([measurements[offset, place].value for place in places])
            axes.errorbar(at, value / true, error / true, mfc="none", mew=1, **style)
            corrected |= bool(np.isfinite(value / true).any())
    _name_outliers(axes, points)
    for at in range(0, len(places), 2):
        axes.axvspan(at - 0.5, at + 0.5, color=GREY, alpha=0.12, lw=0)
    names = [str(place["amplifier"]) for place in places]
    axes.set_xticks(range(len(places)), names, rotation=90 if len(places) > _SIDE_BY_SIDE else 0)
    axes.set(xlabel="amplifier", ylabel="gain (e⁻/adu)", xlim=(-0.5, max(len(places), 1) - 0.5))
    axes.set_title(f"{measurements.rerun}: gain by method and amplifier", fontsize="medium")
    axes.grid(axis="y", alpha=0.3)
    if not points:
        say(axes, "no gain was measured")
    hollow = Line2D([], [], ls="", marker="^", color=GREY, mfc="none", label="hollow: predicted offset removed")
    return finished(figure, *([hollow] if corrected else []))


def _panels(curves: Sequence[Curve], ylabel: str, title: str) -> tuple[Figure, Iterator[tuple[Curve, Fit, Axes]]]:
    """Return a figure with a panel for each curve, and the curves with their fits and panels."""
    columns = min(4, len(curves)) or 1
    rows = -(-len(curves) // columns) or 1
    figure = Figure(figsize=(max(2.5 * columns, 5), 2 * rows + 2), layout="constrained")
    grid: Any = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    panels = grid.ravel()
    for axes in panels[len(curves) :]:
        axes.remove()
    panels = panels[: len(curves)]
    for curve, axes in zip(curves, panels, strict=True):
        axes.set_title(curve.amplifier, fontsize="small", loc="left")
        axes.set_xscale("log")
        axes.tick_params(labelsize="small")
        axes.grid(alpha=0.3)
    for axes in panels[-columns:]:  # the lowest of each column, not a label of the figure: the legend would cover it
        axes.set_xlabel("mean signal (adu)", fontsize="small")
        axes.tick_params(labelbottom=True)
    place = curves[0].name.removesuffix(curves[0].amplifier).strip() if curves else ""
    figure.suptitle(": ".join(filter(None, (place, title))), fontsize="medium")
    figure.supylabel(ylabel, fontsize="medium")
    return figure, zip(curves, fit_exp_approximation(curves), panels, strict=True)


def _draw_pairs(
    axes: Axes,
    curve: Curve,
    fit: Fit,
    values: NDArray[np.float64],
    *,
    bars: NDArray[np.float64] | None = None,
    label: str = "pairs",
) -> NDArray[np.bool_]:
    """Draw the pairs that were measured, say why where none could be fitted, and return which the fit used."""
    used, left_out = curve.measured & fit.used, curve.measured & ~fit.used
    axes.plot(curve.mean[used], values[used], ".", color=BLACK, ms=4, label=label, zorder=3)
    if bars is not None:
        axes.errorbar(curve.mean[used], values[used], bars[used], fmt="none", color=BLACK, lw=0.7)
    axes.plot(curve.mean[left_out], values[left_out], "x", color=GREY, ms=4, label="left out of the fit")
    if not used.any():
        say(axes, fit.reason)
    return used


def _formulas(curve: Curve, fit: Fit) -> Iterator[tuple[str, NDArray[np.float64], NDArray[np.float64], dict[str, Any]]]:
    """Yield label, signals, variances and style of each formula, fitted where its metric is measured.

    They are drawn from the lowest signal that they were fitted to, and on to the turnoff.
    """
    for label, formula, style in (
        ("line", fit_line(curve, *(part * fit.turnoff for part in SLOPE_WINDOW)), {"color": RED, "ls": "--"}),
        ("quadratic", fit_quadratic(curve, QUADRATIC_BELOW * fit.turnoff), {"color": GREEN, "ls": "-."}),
        ("power law", fit_power_law(curve, fit.turnoff), {"color": ORANGE, "ls": ":"}),
    ):
        if formula.used.any():
            mean = _signals(curve, formula.used, fit)
            yield label, mean, formula.variance(mean), style


def _signals(curve: Curve, used: NDArray[np.bool_], fit: Fit) -> NDArray[np.float64]:
    """Return signals to draw a model at: from the lowest that it was fitted to, to the turnoff."""
    return np.geomspace(curve.mean[used].min(), fit.turnoff, 200)


def _expected(fit: Fit, mean: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(exp_approximation(mean, fit.gain, fit.a00, _noise(fit)))


def _noise(fit: Fit) -> float:
    """Return the read noise; none where its square came out negative."""
    return fit.noise if np.isfinite(fit.noise) else 0.0


def _limit(figure: Figure, low: float, high: float) -> None:
    """Show this range in all panels, whatever lies beyond: pairs that were left out do."""
    margin = 0.05 * (high - low)
    for axes in figure.axes:
        axes.set_ylim(low - margin, high + margin)


def _with_error(fit: Fit) -> str:
    """Return the gain with as many digits as its error allows."""
    if not fit.gain_error > 0:
        return f"g = {fit.gain:.4g}"
    digits = max(0, -int(np.floor(np.log10(fit.gain_error))))
    return f"g = {fit.gain:.{digits}f} ± {fit.gain_error:.{digits}f}"


def _name_outliers(axes: Axes, points: Sequence[tuple[float, float]]) -> None:
    """Name gains that are out of all proportion at the edge, so that the others can be told apart."""
    if not points:
        return
    middle = float(np.median([gain for _, gain in points]))
    far = [(at, gain) for at, gain in points if not middle / _SHOWN < gain < middle * _SHOWN]
    if not far:
        return
    near = [gain for _, gain in points if middle / _SHOWN < gain < middle * _SHOWN]
    margin = 0.2 * (max(near) - min(near)) or 0.1 * middle
    axes.set_ylim(min(near) - margin, max(near) + margin)
    for at, gain in far:
        edge, towards = (0.0, 14) if gain < middle else (1.0, -14)
        axes.annotate(
            f"{gain:.3g}",
            (at, edge),
            (0, towards),
            xycoords=axes.get_xaxis_transform(),
            textcoords="offset points",
            ha="center",
            va="center",
            fontsize="small",
            arrowprops={"arrowstyle": "->"},
        )
