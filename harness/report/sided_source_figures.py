"""DIA sources of good and deep templates, drawn visit by visit: how significant they are, and where."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure

from harness.metrics.template.sources_table import sources_of
from harness.report.drawing import BLUE, ORANGE, Drawing, finished, histograms, say

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

__all__ = ["sky_positions", "source_drawings", "source_panels"]

_MAX_VISITS = 6
_LABELS = ("signal-to-noise", "error of the PSF flux (nJy)")

#: Label, colour and marker of the sources with each template: of those at one place, both markers are to be seen.
_SIDES: Mapping[str, tuple[str, str, dict[str, Any]]] = {
    "": ("template", BLUE, {"marker": "o", "facecolors": "none", "edgecolors": BLUE}),
    "good": ("good-seeing template", BLUE, {"marker": "o", "facecolors": "none", "edgecolors": BLUE}),
    "deep": ("deep template", ORANGE, {"marker": "x", "color": ORANGE}),
}

_COLOURS = {name: colour for name, colour, _ in _SIDES.values()}

_Place = tuple[int, int]


def source_drawings(rerun: str, tables: Sequence[pa.Table], first: Collection[_Place]) -> Iterator[Drawing]:
    """Yield the figures of a rerun's DIA sources, of some of its visits.

    Parameters
    ----------
    rerun
        Name to put into the titles.
    tables
        What `harness.metrics.template.sources_table.sources_table` returns.
    first
        Visits and detectors to prefer.
    """
    import pyarrow as pa

    sources = pa.concat_tables(tables)
    known = sorted(set(zip(sources["visit"].to_pylist(), sources["detector"].to_pylist(), strict=True)))
    chosen = sorted(known, key=lambda place: place not in first)[:_MAX_VISITS]
    if not chosen:
        return
    drawn = f"of all {len(known)} images" if len(known) == len(chosen) else f"of {len(chosen)} of {len(known)} images"
    preferred = ", those first whose PSF is between those of both templates" if first else ""
    yield Drawing(
        f"{rerun}: signal-to-noise and flux errors of DIA sources ({drawn})",
        f"Histograms of signal-to-noise, of either sign, and of the error of the PSF flux of unflagged DIA sources "
        f"{drawn}{preferred}, in the same bins for either template.",
        source_panels(sources, chosen),
    )
    yield Drawing(
        f"{rerun}: sky positions of DIA sources ({drawn})",
        f"Positions of unflagged DIA sources {drawn}{preferred}: a circle for the good-seeing template and a cross for "
        "the deep one.",
        sky_positions(sources, chosen),
    )


def source_panels(sources: pa.Table, chosen: Sequence[_Place]) -> Figure:
    """Draw signal-to-noise and flux error of the unflagged DIA sources of some images, two panels each.

    Parameters
    ----------
    sources
        DIA sources of either template.
    chosen
        Visit and detector of each image.
    """
    rows = -(-len(chosen) // 2)
    figure = Figure(figsize=(10, 2.1 * rows + 1), layout="constrained")
    grid: Any = figure.subplots(rows, 4, squeeze=False)
    panels = grid.reshape(-1, 2)
    for axes in panels[len(chosen) :].ravel():
        axes.remove()
    by_side = sources_of([sources], sorted(set(sources["side"].to_pylist())))
    for place, pair in zip(chosen, panels, strict=False):
        own = {
            side: each.over((each.visit == place[0]) & (each.detector == place[1])) for side, each in by_side.items()
        }
        usable = {_SIDES[side][0]: each.over(~each.is_flagged).usable for side, each in own.items()}
        signal = {name: each.flux / each.error for name, each in usable.items()}
        error = {name: each.error for name, each in usable.items()}
        for axes, label, values in zip(pair, _LABELS, (signal, error), strict=True):
            histograms(axes, values, _COLOURS)
            axes.set_xlabel(label, fontsize="small")
            axes.tick_params(labelsize="small")
        pair[0].set_ylabel("sources", fontsize="small")
        pair[0].set_title(f"{_words(place)}\n", fontsize="small", loc="left")  # notes stand on the line below
    return finished(figure)


def sky_positions(sources: pa.Table, chosen: Sequence[_Place]) -> Figure:
    """Draw where the unflagged DIA sources of some images are, as offsets from their middle.

    Parameters
    ----------
    sources
        DIA sources of either template.
    chosen
        Visit and detector of each image.
    """
    columns = min(3, len(chosen))
    rows = -(-len(chosen) // columns)
    figure = Figure(figsize=(10 if columns > 1 else 5, 3.2 * rows + 0.8), layout="constrained")
    grid: Any = figure.subplots(rows, columns, squeeze=False)
    panels = grid.ravel()
    for axes in panels[len(chosen) :]:
        axes.remove()
    kept = sources.filter(np.logical_not(np.asarray(sources["flagged"])))
    sides = np.asarray(kept["side"].to_numpy())
    visit, detector, ra, dec = (np.asarray(kept[name].to_numpy()) for name in ("visit", "detector", "ra", "dec"))
    for place, axes in zip(chosen, panels, strict=False):
        here = (visit == place[0]) & (detector == place[1]) & np.isfinite(ra) & np.isfinite(dec)
        east, north = _offsets(ra[here], dec[here])
        for side in dict.fromkeys(sides):
            own = sides[here] == side
            name, _, style = _SIDES[side]
            axes.scatter(east[own], north[own], s=36, lw=1.2, label=name, **style)
        if not here.any():
            say(axes, "no source has a position")
        axes.set_title(_words(place), fontsize="small", loc="left")
        axes.set_xlabel("to the east (arcmin)", fontsize="small")
        axes.set_ylabel("to the north (arcmin)", fontsize="small")
        axes.tick_params(labelsize="small")
        axes.locator_params(nbins=5)
        axes.invert_xaxis()
        axes.set_aspect("equal", adjustable="datalim")
        axes.grid(alpha=0.3)
    return finished(figure)


def _offsets(ra: NDArray[np.float64], dec: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return offsets from the middle in arcmin, on the plane that touches the sky there; right ascension may wrap."""
    if not ra.size:
        return ra, dec
    east = (ra - ra[0] + 180) % 360 - 180
    middle, height = (float(values.min() + values.max()) / 2 for values in (east, dec))
    return 60 * (east - middle) * np.cos(np.radians(height)), 60 * (dec - height)


def _words(place: _Place) -> str:
    visit, detector = place
    return f"visit {visit}, detector {detector}"
