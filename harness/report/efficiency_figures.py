"""Efficiency of finding injected sources, drawn against signal-to-noise and against magnitude."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import LogLocator, NullLocator

from harness.metrics.flavor.stages import good_column
from harness.report.drawing import BLACK, GREY, Drawing, finished, note_beyond, say, shown_range
from harness.report.listing import Column, Listing, number

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import polars as pl
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

__all__ = [
    "bin_edges",
    "curve_band",
    "efficiency_drawings",
    "efficiency_panels",
    "found_at",
    "scale_of_snr",
    "stage_words",
]

#: Signal-to-noise from which on sources are detected by default.
_THRESHOLD = 5.0
#: Coverage of the error bar of a share.
_CONFIDENCE = 0.68

Abscissa = Literal["snr", "mag"]

_LABELS: Mapping[Abscissa, str] = {"snr": "signal-to-noise", "mag": "magnitude"}
_BINS_PER_DECADE = 8
_BINS_PER_MAG = 2


def efficiency_drawings(
    injections: Mapping[str, pl.DataFrame],
    curves: Mapping[str, Sequence[Mapping[str, Any]]],
    colours: Mapping[str, str],
    stages: Sequence[str],
) -> Iterator[Drawing]:
    """Yield the figures of the efficiency of a rerun, and of others beside it.

    Parameters
    ----------
    injections
        See `harness.metrics.flavor.frames`, by name of the rerun; the first is the one that the figure is of.
    curves
        Rows of what was fitted to them (`harness.metrics.flavor.curves.curves_table`), likewise.
    colours
        Of each rerun.
    stages
        At which sources are looked at (`harness.metrics.flavor.stages.STAGES`).
    """
    rerun = next(iter(injections))
    beside = f", beside {', '.join(list(injections)[1:])}" if len(injections) > 1 else ""
    for x, label in _LABELS.items():
        if figure := efficiency_panels(x, injections, curves, colours, stages):
            panels = " in each band" if x == "mag" else ""
            yield Drawing(
                f"{rerun}: efficiency against {label}",
                f"Share of injections that were found against {label}{panels}, {_joined(stages)}{beside}; with exact "
                f"{100 * _CONFIDENCE:g} % limits of each bin, the fitted curve, and a band of the 99 % limits of where "
                "it is at half of its ceiling, and of the ceiling.",
                figure,
                curve_listing(x, curves),
            )


def efficiency_panels(
    x: Abscissa,
    injections: Mapping[str, pl.DataFrame],
    curves: Mapping[str, Sequence[Mapping[str, Any]]],
    colours: Mapping[str, str],
    stages: Sequence[str],
) -> Figure | None:
    """Draw the efficiency, a column for each stage; of magnitudes, a row for each band.

    Parameters
    ----------
    x
        Against what.
    injections, curves, colours, stages
        As of `efficiency_drawings`.

    Returns
    -------
    figure
        None when no injection has such a number.
    """
    known = {name: frame.filter(_is_known(x)) for name, frame in injections.items()}
    bands = sorted({band for frame in known.values() for band in frame["band"].unique() if band})
    rows: list[str | None] = [*bands] if x == "mag" else [None]
    if not rows or not any(frame.height for frame in known.values()):
        return None
    figure = Figure(figsize=(10, 2.4 * len(rows) + 1.4), layout="constrained")
    grid: Any = figure.subplots(len(rows), len(stages), squeeze=False, sharey=True)
    for band, panels in zip(rows, grid, strict=True):
        for stage, axes in zip(stages, panels, strict=True):
            _draw_panel(axes, x, {name: _of(frame, band) for name, frame in known.items()}, stage, colours)
            edges = axes.get_xlim()
            for name, fitted in reversed(list(curves.items())):  # the first on top
                for curve in fitted:
                    if (curve["x"], curve["stage"], curve["band"] or None) == (x, stage, band):
                        _draw_curve(axes, curve, edges, colours[name])
            axes.set_title(" ".join(filter(None, (band, stage_words(stage)))), fontsize="small", loc="left")
        panels[0].set_ylabel(f"share found ({100 * _CONFIDENCE:g} % limits)", fontsize="small")
    for axes in grid[-1]:
        axes.set_xlabel(_LABELS[x], fontsize="small")
    limits = Patch(color=GREY, alpha=0.3, lw=0, label="99 % limits of the curve")
    return finished(figure, *([limits] if any(curves.values()) else []))


def _draw_panel(
    axes: Axes, x: Abscissa, injections: Mapping[str, pl.DataFrame], stage: str, colours: Mapping[str, str]
) -> None:
    """Draw the shares of each bin; each rerun has its own place in a bin, so that all bars are seen."""
    from harness.metrics.flavor.efficiency import binned_efficiency

    together = np.concatenate([frame[x].to_numpy() for frame in injections.values()])
    edges = bin_edges(x, together)
    for place, (name, frame) in enumerate(injections.items()):
        binned = binned_efficiency(frame[x].to_numpy(), found_at(frame, stage), edges.tolist(), _CONFIDENCE)
        binned = binned.filter(binned["n"] > 0)
        low, high, share, least, most = (
            binned[column].to_numpy() for column in ("low", "high", "efficiency", "ciLow", "ciHigh")
        )
        inside = 0.5 + 0.12 * (place - (len(injections) - 1) / 2)
        at = low * (high / low) ** inside if x == "snr" else low + (high - low) * inside
        reach = np.maximum([share - least, most - share], 0)  # limits that are the share itself, up to rounding
        axes.errorbar(at, share, yerr=reach, fmt="o", ms=4, capsize=2, lw=1.2, color=colours[name], label=name)
    if x == "snr":
        scale_of_snr(axes)
        axes.axvline(_THRESHOLD, color=BLACK, lw=1, ls=":", zorder=1, label=f"published threshold {_THRESHOLD:g}")
    axes.set(xlim=(edges[0], edges[-1]), ylim=(-0.03, 1.05))
    axes.tick_params(labelsize="small")
    axes.grid(alpha=0.3)
    note_beyond(axes, together, (edges[0], edges[-1]))
    if stage and not any(found_at(frame, stage).any() for frame in injections.values()):
        say(axes, f"{stage} leaves none, or cannot be applied")


def scale_of_snr(axes: Axes) -> None:
    """Make the axis of signal-to-noise logarithmic, with numbers in full."""
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_locator(NullLocator())


def _draw_curve(axes: Axes, curve: Mapping[str, Any], shown: tuple[float, float], colour: str) -> None:
    steps = np.geomspace(*shown, 200) if curve["x"] == "snr" else np.linspace(*shown, 200)
    middle, least, most = curve_band(curve, steps)
    axes.plot(steps, middle, color=colour, lw=1.5, zorder=3)
    axes.fill_between(steps, least, most, color=colour, alpha=0.15, lw=0, zorder=1)


def curve_band(
    curve: Mapping[str, Any], x: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return a fitted curve, and the lowest and highest one within the limits of its place and of its ceiling.

    Parameters
    ----------
    curve
        A row of the fitted curves.
    x
        Where.
    """
    from scipy.special import expit

    def at(x50: float, ceiling: float) -> NDArray[np.float64]:
        with np.errstate(invalid="ignore"):  # a step has no height where it is
            return ceiling * np.asarray(expit(curve["slope"] * (x - x50)))

    corners = [at(curve[place], curve[top]) for place in ("x50Low", "x50High") for top in ("ceilingLow", "ceilingHigh")]
    return at(curve["x50"], curve["ceiling"]), np.min(corners, axis=0), np.max(corners, axis=0)


def curve_listing(x: Abscissa, curves: Mapping[str, Sequence[Mapping[str, Any]]]) -> Listing | None:
    """Return what was fitted, a line for each curve; None when nothing was."""
    rows = [
        {
            "rerun": name,
            "band": curve["band"] or "all",
            "stage": stage_words(curve["stage"]),
            "x50": _limits(curve, "x50"),
            "ceiling": _limits(curve, "ceiling"),
        }
        for name, fitted in curves.items()
        for curve in fitted
        if curve["x"] == x
    ]
    if not rows:
        return None
    columns = [
        Column("rerun", "rerun"),
        Column("band", "band"),
        Column("stage", "sources"),
        Column("x50", f"{_LABELS[x]} at half of the ceiling (99 % limits)"),
        Column("ceiling", "ceiling (99 % limits)"),
    ]
    return Listing(f"Fitted efficiency against {_LABELS[x]}", columns, rows)


def _limits(curve: Mapping[str, Any], name: str) -> str:
    value, low, high = (curve[f"{name}{end}"] for end in ("", "Low", "High"))
    shown = [f"{each:.3f}" if math.isfinite(each) else number(each) for each in (value, low, high)]
    return "{} ({} to {})".format(*shown)


def bin_edges(x: Abscissa, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the edges of bins: of equal ratio of signal-to-noise, or of equal width in magnitude."""
    if x == "snr":
        low, high = shown_range(np.log10(values))
        return 10 ** _steps(low, high, _BINS_PER_DECADE)
    return _steps(*shown_range(values), _BINS_PER_MAG)


def _steps(low: float, high: float, per_unit: int) -> NDArray[np.float64]:
    return np.arange(math.floor(per_unit * low), math.ceil(per_unit * high) + 1) / per_unit


def found_at(injections: pl.DataFrame, stage: str) -> NDArray[np.bool_]:
    """Return which injections were found by a source that a stage leaves."""
    found = injections["diaSourceId"] != 0
    if stage:
        found &= injections[good_column(stage)]
    return np.asarray(found.to_numpy())


def stage_words(stage: str) -> str:
    """Say which sources a stage looks at."""
    return f"sources that {stage} leaves" if stage else "all sources"


def _joined(stages: Sequence[str]) -> str:
    return " and ".join(f"of {stage_words(stage)}" for stage in stages)


def _is_known(x: Abscissa) -> pl.Expr:
    import polars as pl

    # What a catalogue writes in place of a magnitude is none that a telescope sees.
    return pl.col("snr").is_finite() & (pl.col("snr") > 0) if x == "snr" else pl.col("mag").is_between(0, 40)


def _of(injections: pl.DataFrame, band: str | None) -> pl.DataFrame:
    return injections if band is None else injections.filter(injections["band"] == band)
