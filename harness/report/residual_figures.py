"""Residuals of injected sources that were found: pulls of their fluxes, magnitudes and positions."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure

from harness.metrics.flavor.frames import MIN_SNR
from harness.report.drawing import BLACK, GREY, Drawing, finished, note_beyond, say, shown_range
from harness.report.efficiency_figures import scale_of_snr

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import polars as pl
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

__all__ = ["residual_drawings", "residual_panels"]

#: Width of a bin of pulls, and how many bins there are at most.
_BIN, _MAX_BINS = 0.25, 100
#: A histogram of pulls reaches at least so far, that the normal it should be is seen whole.
_NORMAL = 4.0
_BRIGHT = f"signal-to-noise from {MIN_SNR:g} on"
#: So far off, DMTN-256 calls a magnitude an outlier.
_OUTLIER = 0.1


def residual_drawings(
    injections: Mapping[str, pl.DataFrame], colours: Mapping[str, str], match_radius: float
) -> Iterator[Drawing]:
    """Yield the figure of the residuals of a rerun, with the pulls of others beside it.

    Parameters
    ----------
    injections
        See `harness.metrics.flavor.frames`, by name of the rerun; the first is the one that the figure is of.
    colours
        Of each rerun.
    match_radius
        Largest separation of an injection and its source, arcsec.
    """
    rerun, own = next(iter(injections.items()))
    found = int((own["diaSourceId"] != 0).sum())
    if found:
        beside = f" (with those of {', '.join(list(injections)[1:])} as outlines)" if len(injections) > 1 else ""
        yield Drawing(
            f"{rerun}: residuals of injections",
            f"Of {found} injections that were found: pulls of their fluxes{beside} under the unit normal, those of "
            f"signal-to-noise {MIN_SNR:g} or more; pulls against signal-to-noise; measured less true magnitude against "
            "magnitude; and measured less true position of the bright ones, with the circle that 68 % are within.",
            residual_panels(injections, colours, match_radius),
        )


def residual_panels(injections: Mapping[str, pl.DataFrame], colours: Mapping[str, str], match_radius: float) -> Figure:
    """Draw residuals of the first rerun, and the distribution of pulls of all.

    Parameters
    ----------
    injections, colours, match_radius
        As of `residual_drawings`.
    """
    rerun, own = next(iter(injections.items()))
    found = own.filter(own["diaSourceId"] != 0)
    figure = Figure(figsize=(10, 7.5), layout="constrained")
    panels: Any = figure.subplots(2, 2)
    _draw_pulls(panels[0, 0], injections, colours)
    _draw_pull_against_snr(panels[0, 1], found, colours[rerun])
    _draw_magnitudes(panels[1, 0], found, colours[rerun])
    _draw_offsets(panels[1, 1], found, colours[rerun], 1000 * match_radius)
    for axes in panels.ravel():
        axes.tick_params(labelsize="small")
        for label in (axes.xaxis.label, axes.yaxis.label):
            label.set_fontsize("small")
        axes.grid(alpha=0.3)
    return finished(figure)


def _draw_pulls(axes: Axes, injections: Mapping[str, pl.DataFrame], colours: Mapping[str, str]) -> None:
    """Draw the distribution of pulls, of unit area, so that a unit normal can be drawn over it."""
    pulls = {name: _pull(_bright(frame)) for name, frame in injections.items()}
    together = np.concatenate(list(pulls.values()))
    reach = max(_NORMAL, *map(abs, shown_range(together)))
    edges = np.linspace(-reach, reach, min(math.ceil(2 * reach / _BIN), _MAX_BINS) + 1)
    for name, pull in pulls.items():
        finite = pull[np.isfinite(pull)]
        if finite.size:
            counts, _ = np.histogram(finite, edges)
            density = counts / (finite.size * np.diff(edges))
            is_own = name == next(iter(pulls))
            if is_own:
                axes.stairs(density, edges, fill=True, alpha=0.35, color=colours[name])
            axes.stairs(density, edges, lw=1.5, color=colours[name], label=name, zorder=3 if is_own else 2)
    steps = np.linspace(-reach, reach, 300)
    axes.plot(steps, np.exp(-(steps**2) / 2) / math.sqrt(2 * math.pi), "--", color=BLACK, lw=1.2, label="unit normal")
    axes.set(xlabel="pull (measured less true flux over its error)", ylabel="density", xlim=(-reach, reach))
    axes.set_title(_BRIGHT, fontsize="small", loc="left")
    note_beyond(axes, together, (-reach, reach))
    if not np.isfinite(together).any():
        say(axes, f"no injection of signal-to-noise {MIN_SNR:g} or more was found with a flux")


def _draw_pull_against_snr(axes: Axes, found: pl.DataFrame, colour: str) -> None:
    snr, pull = found["snr"].to_numpy(), _pull(found)
    shown = shown_range(pull)
    shown = min(shown[0], -_NORMAL), max(shown[1], _NORMAL)
    if _draw_points(axes, np.where(snr > 0, snr, np.nan), pull, found, colour):
        scale_of_snr(axes)
        axes.axvline(MIN_SNR, color=GREY, lw=1, ls=":", zorder=1)
    for level, style in ((0, "-"), (-3, "--"), (3, "--")):
        axes.axhline(level, color=BLACK, lw=1, ls=style, zorder=1)
    note_beyond(axes, pull, shown)
    axes.set(xlabel="signal-to-noise", ylabel="pull", ylim=shown)


def _draw_magnitudes(axes: Axes, found: pl.DataFrame, colour: str) -> None:
    """Draw measured less true magnitude; a source of the other sign has none."""
    ratio = found["sourceFlux"].to_numpy() / _nonzero(found["flux"].to_numpy())
    is_same = ratio > 0
    offset = np.full(ratio.shape, np.nan)
    offset[is_same] = -2.5 * np.log10(ratio[is_same])
    shown = shown_range(offset)
    shown = min(shown[0], -2 * _OUTLIER), max(shown[1], 2 * _OUTLIER)
    _draw_points(axes, found["mag"].to_numpy(), offset, found, colour)
    axes.axhline(0, color=BLACK, lw=1, zorder=1)
    for level in (-_OUTLIER, _OUTLIER):
        axes.axhline(level, color=BLACK, lw=1, ls="--", zorder=1)
    note_beyond(axes, offset, shown)
    wrong = int(np.sum(ratio <= 0))
    axes.set_title(f"{wrong} of the wrong sign" if wrong else "", fontsize="small", loc="left")
    axes.set(
        xlim=shown_range(found["mag"].to_numpy()),
        xlabel="true magnitude",
        ylabel="measured less true magnitude",
        ylim=shown,
    )


def _draw_offsets(axes: Axes, found: pl.DataFrame, colour: str, radius: float) -> None:
    bright = _bright(found)
    east, north = (bright[name].to_numpy() for name in ("offsetRa", "offsetDec"))
    axes.set_title(_BRIGHT, fontsize="small", loc="left")
    reach = radius
    if _draw_points(axes, east, north, bright, colour):
        within, most = np.percentile(_finite(np.hypot(east, north)), [68, 99]).tolist()
        reach = 1.05 * most or radius
        around = np.linspace(0, 2 * np.pi, 200)
        label = f"68 % within {within:.3g} mas"
        axes.plot(within * np.cos(around), within * np.sin(around), color=BLACK, lw=1.2, zorder=4, label=label)
        mean = np.mean(_finite(east)), np.mean(_finite(north))
        axes.plot(*mean, "+", color=BLACK, ms=10, mew=1.5, zorder=4, label="mean offset")
    axes.axhline(0, color=BLACK, lw=0.6, zorder=1)
    axes.axvline(0, color=BLACK, lw=0.6, zorder=1)
    axes.set(xlabel="to the east (mas)", ylabel="to the north (mas)", xlim=(reach, -reach), ylim=(-reach, reach))
    axes.set_aspect("equal")
    axes.locator_params(nbins=5)
    note_beyond(axes, np.maximum(np.abs(east), np.abs(north)), (0, reach))


def _draw_points(axes: Axes, x: NDArray[np.float64], y: NDArray[np.float64], found: pl.DataFrame, colour: str) -> bool:
    """Draw injections into the visit and into the template, each with its own marker; return whether there are any."""
    known = np.isfinite(x) & np.isfinite(y)
    in_template = found["inTemplate"].fill_null(False).to_numpy()
    style: Any = {"ms": 3.5, "mew": 0.8, "alpha": min(0.8, max(0.1, 300 / max(1, int(known.sum())))), "zorder": 2}
    for marker, own, label, of in (
        ("o", known & ~in_template, "into the visit", colour),
        ("x", known & in_template, "into the template", BLACK),
    ):
        if own.any():
            axes.plot(x[own], y[own], marker, color=of, label=label, **style)
    if not known.any():
        say(axes, "nothing was measured")
    return bool(known.any())


def _bright(injections: pl.DataFrame) -> pl.DataFrame:
    return injections.filter((injections["diaSourceId"] != 0) & (injections["snr"] >= MIN_SNR))


def _pull(found: pl.DataFrame) -> NDArray[np.float64]:
    flux, true, error = (found[name].to_numpy() for name in ("sourceFlux", "flux", "sourceFluxErr"))
    return np.asarray((flux - true) / np.where(error > 0, error, np.nan))


def _nonzero(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(values == 0, np.nan, values)


def _finite(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return values[np.isfinite(values)]
