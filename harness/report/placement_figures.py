"""Where DIA sources and injections are: on the detector, on the sky, and in flux and signal-to-noise."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure

from harness.report.drawing import (
    BLACK,
    BLUE,
    GREEN,
    ORANGE,
    PURPLE,
    Drawing,
    finished,
    histograms,
    note_beyond,
    say,
    shown_range,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import polars as pl
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

__all__ = ["distribution_panels", "fraction_of_area", "on_the_detector", "placement_drawings"]

#: Label, colour and marker of each kind of source.
_KINDS: Mapping[str, tuple[str, str, str]] = {
    "unmatched": ("unmatched", BLUE, "."),
    "injected": ("injected", ORANGE, "x"),
    "known": ("known", GREEN, "^"),
    "solarSystem": ("solar system", PURPLE, "s"),
}
_COLOURS = {label: colour for label, colour, _ in _KINDS.values()}
#: Rows, or columns, of a detector are counted in so many bins: a line of sources is one of them.
_N_LINES = 128
_N_AREAS = 10
#: The density of fewer sources is all noise.
_MIN_SOURCES = 50


def placement_drawings(
    rerun: str, injections: pl.DataFrame, sources: pl.DataFrame, detectors: pl.DataFrame
) -> Iterator[Drawing]:
    """Yield the figures of where a rerun has found what.

    Parameters
    ----------
    rerun
        Name to put into the titles.
    injections, sources, detectors
        See `harness.metrics.flavor.frames`; sources may be a sample.
    """
    if sources.height:
        yield Drawing(
            f"{rerun}: DIA sources on the detector",
            f"Positions of {sources.height} DIA sources of all detectors over each other, by kind, and how many "
            "unmatched ones there are in each range of columns and of rows, with their mean: sources along a row of "
            f"pixels are one high bar. {_words_of_lines(sources)}",
            on_the_detector(sources),
        )
    if sources.height or injections.height:
        yield Drawing(
            f"{rerun}: area, sky, flux and signal-to-noise of sources and injections",
            "Fraction of the detector's area that is nearer to its middle, in which sources anywhere would be uniform; "
            "sky positions of injections, with the share of visits in which each was found; and flux and "
            "signal-to-noise of DIA sources by kind, without sign.",
            distribution_panels(injections, sources, detectors),
        )


def on_the_detector(sources: pl.DataFrame) -> Figure:
    """Draw where on the detector sources are, by kind, with counts of unmatched ones along either axis.

    Parameters
    ----------
    sources
        See `harness.metrics.flavor.frames`.
    """
    figure = Figure(figsize=(10, 7.5), layout="constrained")
    grid: Any = figure.subplots(2, 2, width_ratios=(3, 1), height_ratios=(1, 3), sharex="col", sharey="row")
    (columns, corner), (middle, rows) = grid
    corner.remove()
    for kind, (label, colour, marker) in _KINDS.items():
        x, y = _positions(sources, kind)
        if x.size:
            middle.plot(x, y, marker, ms=4, color=colour, alpha=min(0.8, max(0.2, 1000 / x.size)), label=label)
    x, y = _positions(sources, "unmatched")
    for axes, values, orientation in ((columns, x, "vertical"), (rows, y, "horizontal")):
        if counted := _lines(values):
            counts, edges = counted
            axes.stairs(counts, edges, fill=True, color=BLUE, orientation=orientation)
            of_mean = axes.axhline if orientation == "vertical" else axes.axvline
            of_mean(counts.mean(), color=BLACK, lw=1, ls="--", label="mean")
    everywhere = [np.concatenate(axis) for axis in zip(*(_positions(sources, kind) for kind in _KINDS), strict=True)]
    if everywhere[0].size:
        middle.set(xlim=shown_range(everywhere[0]), ylim=shown_range(everywhere[1]))
    else:
        say(middle, "no source has a position in pixels")
    middle.set(xlabel="column (pixel)", ylabel="row (pixel)")
    columns.set_ylabel("unmatched", fontsize="small")
    rows.set_xlabel("unmatched", fontsize="small")
    for axes in (columns, middle, rows):
        axes.tick_params(labelsize="small")
        axes.grid(alpha=0.3)
    return finished(figure)


def _positions(sources: pl.DataFrame, kind: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    own = sources.filter((sources["kind"] == kind) & sources["x"].is_finite() & sources["y"].is_finite())
    return own["x"].to_numpy(), own["y"].to_numpy()


def _lines(values: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]] | None:
    """Count positions in bins of whole pixels; None without any."""
    if not values.size:
        return None
    low, high = math.floor(values.min()), math.ceil(values.max())
    width = max(1, math.ceil((high - low) / _N_LINES))
    counts, edges = np.histogram(values, np.arange(low - 0.5, high + width + 0.5, width))
    return counts, edges


def _words_of_lines(sources: pl.DataFrame) -> str:
    """Say where unmatched sources are most frequent along either axis."""
    words = []
    for name, values in zip(("columns", "rows"), _positions(sources, "unmatched"), strict=True):
        if counted := _lines(values):
            counts, edges = counted
            most = int(np.argmax(counts))
            reach = f"{math.ceil(edges[most])} to {math.floor(edges[most + 1])}"
            words.append(f"{counts[most]} in {name} {reach}, where the mean is {counts.mean():.3g}")
    return f"Most are {' and '.join(words)}." if words else "No unmatched one has a position."


def distribution_panels(injections: pl.DataFrame, sources: pl.DataFrame, detectors: pl.DataFrame) -> Figure:
    """Draw the fraction of area, the sky positions of injections, and flux and signal-to-noise of sources.

    Parameters
    ----------
    injections, sources, detectors
        See `harness.metrics.flavor.frames`.
    """
    figure = Figure(figsize=(10, 7.5), layout="constrained")
    panels: Any = figure.subplots(2, 2)
    _draw_areas(panels[0, 0], sources, detectors)
    _draw_sky(panels[0, 1], injections)
    for axes, name, label in ((panels[1, 0], "flux", "flux (nJy)"), (panels[1, 1], "snr", "signal-to-noise")):
        amounts = {
            label: np.abs(sources.filter(sources["kind"] == kind)[name].to_numpy())
            for kind, (label, *_) in _KINDS.items()
        }
        histograms(axes, {label: own[own > 0] for label, own in amounts.items() if (own > 0).any()}, _COLOURS)
        axes.set(xlabel=label, ylabel="sources")
    for axes in panels.ravel():
        axes.tick_params(labelsize="small")
        for label in (axes.xaxis.label, axes.yaxis.label):
            label.set_fontsize("small")
        axes.grid(alpha=0.3)
    return finished(figure)


def fraction_of_area(
    x: NDArray[np.float64], y: NDArray[np.float64], width: NDArray[np.float64], height: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return which fraction of a detector's area is nearer to its middle than a place, in its own shape.

    That is u², with u the larger one of the distances from the middle in units of half the width and half the height;
    uniform between 0 and 1 when places are anywhere.

    Parameters
    ----------
    x, y
        Pixels; the centre of the first one is 0.
    width, height
        Of the detector, pixels.
    """
    across = np.abs(2 * x + 1 - width) / width
    along = np.abs(2 * y + 1 - height) / height
    return np.asarray(np.maximum(across, along) ** 2)


def _draw_areas(axes: Axes, sources: pl.DataFrame, detectors: pl.DataFrame) -> None:
    """Draw the density of each kind, that of places anywhere being 1."""
    sizes = detectors.select("visit", "detector", "width", "height").unique(["visit", "detector"])
    placed = sources.join(sizes, on=["visit", "detector"], how="inner")
    edges = np.linspace(0, 1, _N_AREAS + 1)
    drawn = 0
    for kind, (label, colour, _) in _KINDS.items():
        own = placed.filter(placed["kind"] == kind)
        x, y, width, height = (
            own[name].fill_null(math.nan).to_numpy().astype(float) for name in ("x", "y", "width", "height")
        )
        fraction = fraction_of_area(x, y, width, height)
        fraction = fraction[np.isfinite(fraction)]
        if fraction.size >= _MIN_SOURCES:
            drawn += 1
            counts, _ = np.histogram(fraction, edges)
            axes.stairs(counts * _N_AREAS / fraction.size, edges, lw=1.5, color=colour, label=label)
    axes.axhline(1, color=BLACK, lw=1, ls="--", label="anywhere alike")
    axes.set(xlabel="fraction of the area that is nearer to the middle", ylabel="density", xlim=(0, 1))
    axes.set_ylim(bottom=0)
    if not drawn:
        say(axes, f"no kind has {_MIN_SOURCES} sources with positions on a detector of known size", 40)


def _draw_sky(axes: Axes, injections: pl.DataFrame) -> None:
    """Draw injections as offsets from their middle, in shades of the share of visits in which each was found."""
    import polars as pl

    placed = injections.filter(injections["ra"].is_finite() & injections["dec"].is_finite())
    share = (pl.col("diaSourceId") != 0).mean().alias("share")
    shares = placed.group_by("injectionId", maintain_order=True).agg(pl.col("ra", "dec").first(), share)
    axes.set(xlabel="to the east (arcmin)", ylabel="to the north (arcmin)")
    if shares.is_empty():
        say(axes, "no injection has a position")
        return
    ra, dec = (shares[name].to_numpy() for name in ("ra", "dec"))
    east = (ra - ra[0] + 180) % 360 - 180  # right ascension may wrap
    middle, height = ((values.min() + values.max()) / 2 for values in (east, dec))
    east, north = 60 * (east - middle) * np.cos(np.radians(height)), 60 * (dec - height)
    points = axes.scatter(east, north, c=shares["share"].to_numpy(), s=14, cmap="cividis", vmin=0, vmax=1)
    if axes.figure is not None:
        bar = axes.figure.colorbar(points, ax=axes)
        bar.set_label("share of visits in which it was found", fontsize="small")
        bar.ax.tick_params(labelsize="small")
    low, high = shown_range(east)
    axes.set(xlim=(high, low), ylim=shown_range(north))
    note_beyond(axes, east, (low, high))
