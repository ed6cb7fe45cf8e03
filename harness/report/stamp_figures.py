"""Cutouts, drawn: science image, template and difference around chosen sources."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.colors import AsinhNorm
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from harness.measure.stamps import PLANES, REASONS
from harness.report.drawing import GREEN, Drawing, finished, say

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pyarrow as pa
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

__all__ = ["shown_scale", "stamp_drawings", "stamp_panels"]

_MAX_ROWS = 16
#: Half of the values of a unit normal are nearer to 0.
_NORMAL_MEDIAN = 0.6745
_WORDS: Mapping[str, str] = {
    "missed": "missed injections of the highest signal-to-noise",
    "worst pull": "injections that were found with the largest pull",
    "unmatched": "unmatched sources of the largest flux",
    "gained": "injections that another rerun missed",
}
_TITLES = ("science image", "template", "difference")


def stamp_drawings(rerun: str, tables: Sequence[pa.Table]) -> Iterator[Drawing]:
    """Yield the figure of the stamps of a rerun.

    Parameters
    ----------
    rerun
        Name to put into the title.
    tables
        See `harness.measure.stamps.stamps_schema`.
    """
    stamps = [row for table in tables for row in table.to_pylist()]
    stamps = sorted(stamps, key=lambda row: REASONS.index(row["reason"]))[:_MAX_ROWS]
    if stamps:
        reasons = [words for reason, words in _WORDS.items() if any(row["reason"] == reason for row in stamps)]
        yield Drawing(
            f"{rerun}: cutouts of chosen sources",
            f"Science image, template and difference around {len(stamps)} sources: {'; '.join(reasons)}. In each row "
            "shades reach up to the same flux, that of science image and template above their median, and are linear "
            "up to twice the noise of the difference, logarithmic from there on; blue is negative.",
            stamp_panels(stamps),
        )


def stamp_panels(stamps: Sequence[Mapping[str, Any]]) -> Figure:
    """Draw stamps, a row for each source.

    Parameters
    ----------
    stamps
        Rows of `harness.measure.stamps.stamps_schema`.
    """
    layout = ConstrainedLayoutEngine(w_pad=0.02, h_pad=0.02, wspace=0, hspace=0)
    figure = Figure(figsize=(7, 1.2 * len(stamps) + 0.4), layout=layout)
    grid: Any = figure.subplots(len(stamps), 4, squeeze=False, width_ratios=(2, 1, 1, 1))
    for stamp, (words, *panels) in zip(stamps, grid, strict=True):
        words.set_axis_off()
        words.text(0, 0.5, _label(stamp), transform=words.transAxes, va="center", fontsize="small")
        pixels = {plane: _pixels(stamp, plane) for plane in PLANES}
        levels = {plane: 0.0 if plane == "difference" else _median(own) for plane, own in pixels.items()}
        pixels = {plane: own - levels[plane] for plane, own in pixels.items()}
        linear, reach = shown_scale(list(pixels.values()))
        for plane, axes in zip(PLANES, panels, strict=True):
            colours, low = ("RdBu_r", -reach) if plane == "difference" else ("gray", -min(2 * linear, reach))
            _draw(axes, pixels[plane], colours, AsinhNorm(linear, vmin=low, vmax=reach))
    for axes, title in zip(grid[0, 1:], _TITLES, strict=True):
        axes.set_title(title, fontsize="small")
    return finished(figure)


def shown_scale(planes: Sequence[NDArray[np.floating[Any]]]) -> tuple[float, float]:
    """Return up to which flux the shades of a row are linear, and up to which one they reach.

    Linear up to twice the noise, by the median of the difference without sign (of the last image that there is); and
    up to what 99.5 % of the pixels of no image exceed.

    Parameters
    ----------
    planes
        Science image and template less their median, and the difference; empty where there is none.
    """
    amounts = [np.abs(plane[np.isfinite(plane)]) for plane in planes]
    known = [amount for amount in amounts if amount.any()]
    if not known:
        return 1.0, 1.0
    reach = max(float(np.percentile(amount, 99.5)) for amount in known) or 1.0
    noise = float(np.median(known[-1])) / _NORMAL_MEDIAN
    return 2 * noise or reach, reach


def _draw(axes: Axes, pixels: NDArray[np.floating[Any]], colours: str, norm: AsinhNorm) -> None:
    axes.set(xticks=[], yticks=[])
    axes.set_box_aspect(1)
    if not pixels.size:
        say(axes, "not there")
        return
    axes.set_facecolor("tan")  # of pixels without a value
    axes.imshow(pixels, origin="lower", cmap=colours, norm=norm, interpolation="nearest")
    middle = (len(pixels) - 1) / 2
    # Two strokes beside the place, which they leave open to be seen.
    for x, y in (([0.25, 0.6], [0, 0]), ([0, 0], [0.25, 0.6])):
        axes.plot(middle + middle * np.array(x), middle + middle * np.array(y), color=GREEN, lw=1.5)


def _label(stamp: Mapping[str, Any]) -> str:
    place = " ".join(filter(None, (f"visit {stamp['visit']}, detector {stamp['detector']}", stamp["band"])))
    lines = [stamp["reason"], *stamp["label"].split(", "), place]
    problem = fill(stamp["problem"], 40, max_lines=2, placeholder=" …") if stamp["problem"] else ""
    return "\n".join(filter(None, [*lines, problem]))


def _pixels(stamp: Mapping[str, Any], plane: str) -> NDArray[np.floating[Any]]:
    if stamp[plane] is None:
        return np.empty((0, 0))
    width = 2 * stamp["half"] + 1
    return np.array(stamp[plane], float).reshape(width, width)


def _median(pixels: NDArray[np.floating[Any]]) -> float:
    finite = pixels[np.isfinite(pixels)]
    return float(np.median(finite)) if finite.size else 0.0
