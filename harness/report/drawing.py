"""What all figures have in common: colours, ranges that no single number sets, histograms, one legend."""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import fill
from typing import TYPE_CHECKING, Any, final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from harness.report.listing import Listing

__all__ = [
    "BLACK",
    "BLUE",
    "GREEN",
    "GREY",
    "ORANGE",
    "PURPLE",
    "RED",
    "SKY",
    "Drawing",
    "Range",
    "finished",
    "histograms",
    "note",
    "note_beyond",
    "say",
    "shown_range",
]

# Okabe & Ito (2008): told apart with any colour vision.
BLACK, BLUE, ORANGE, GREEN, RED, SKY, PURPLE, GREY = (
    "#000000",
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#D55E00",
    "#56B4E9",
    "#CC79A7",
    "#999999",
)

Range = tuple[float, float]

#: A number so many times the quartiles' distance beyond them does not set the range of an axis.
_FAR = 5.0
_N_BINS = 24
#: Positive numbers that differ by more than this factor have bins of equal ratio.
_WIDE = 10.0


@final
@dataclass(frozen=True, slots=True)
class Drawing:
    """A figure, its title, what it shows in words for who cannot see it, and a table where numbers are wanted."""

    title: str
    description: str
    figure: Figure
    table: Listing | None = None


def shown_range(values: NDArray[np.float64]) -> Range:
    """Return which range an axis has to show: of all numbers but those that are out of all proportion.

    Parameters
    ----------
    values
        Numbers; those that are not finite do not count, and without any the range is 0 to 1.
    """
    finite = values[np.isfinite(values)]
    if not finite.size:
        return 0.0, 1.0
    lower, upper = np.percentile(finite, [25, 75]).tolist()
    if reach := _FAR * (upper - lower):
        finite = finite[(finite >= lower - reach) & (finite <= upper + reach)]
    low, high = float(finite.min()), float(finite.max())
    margin = 0.05 * (high - low)
    if margin <= 1e-9 * max(abs(low), abs(high)):  # all alike
        margin = 0.05 * abs(high) or 0.5
    return low - margin, high + margin


def histograms(axes: Axes, values: Mapping[str, NDArray[np.float64]], colours: Mapping[str, str]) -> None:
    """Draw histograms in the same bins, over each other, and tell how many numbers lie beyond them.

    Parameters
    ----------
    axes
        Where to.
    values, colours
        Of each histogram, by its label.
    """
    from matplotlib.ticker import MaxNLocator

    together = np.concatenate([*values.values(), np.empty(0)])
    known = together[np.isfinite(together)]
    if not known.size:
        say(axes, "nothing was measured")
        return
    if known.min() > 0 and known.max() > _WIDE * known.min():
        low, high = shown_range(np.log10(known))
        edges = np.logspace(low, high, _N_BINS + 1)
        axes.set_xscale("log")
    else:
        edges = np.linspace(*shown_range(known), _N_BINS + 1)
    for label, own in values.items():
        counts, _ = np.histogram(own[np.isfinite(own)], edges)
        axes.stairs(counts, edges, fill=True, alpha=0.35, color=colours[label])
        axes.stairs(counts, edges, lw=1.5, color=colours[label], label=label)
    axes.set_xlim(edges[0], edges[-1])
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    note_beyond(axes, known, (edges[0], edges[-1]))


def note_beyond(axes: Axes, values: NDArray[np.float64], shown: Range) -> None:
    """Tell at the upper right how many finite numbers a range leaves out; nothing when it has them all."""
    finite = values[np.isfinite(values)]
    beyond = int(np.sum((finite < shown[0]) | (finite > shown[1])))
    if beyond:
        note(axes, f"{beyond} beyond the axis")


def note(axes: Axes, text: str) -> None:
    """Put a few words above a panel, at its right."""
    axes.set_title(text, fontsize="small", loc="right")


def say(axes: Axes, reason: str, width: int = 30) -> None:
    """Put words into the middle of a panel, in place of what could not be drawn."""
    axes.text(0.5, 0.5, fill(reason, width), transform=axes.transAxes, ha="center", va="center", fontsize="small")


def finished(figure: Figure, *more: Artist) -> Figure:
    """Put one legend below all panels, with each label once, and these further ones; return the figure."""
    labels: dict[str, Any] = {}
    for axes in figure.axes:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            labels.setdefault(label, handle)
    labels |= {str(handle.get_label()): handle for handle in more}
    if labels:
        longest = max(map(len, labels))
        columns = max(min(int(figure.get_figwidth() / (0.9 + 0.075 * longest)), 4), 1)
        figure.legend(labels.values(), labels.keys(), loc="outside lower center", ncols=columns, fontsize="small")
    return figure
