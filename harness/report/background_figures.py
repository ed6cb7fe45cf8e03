"""Sky backgrounds, drawn: the image of each, its histogram, and how well images close with it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure

from harness.metrics.background.record import backgrounds_of
from harness.report.drawing import BLACK, BLUE, RED, Drawing, finished, note, say

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa
    from matplotlib.axes import Axes

    from harness.metrics.background.record import Background
    from harness.rerun.protocol import RerunRef
    from harness.session import Session

__all__ = ["background_panels", "closure_bars", "drawings"]

_MAX_PANELS = 4
_MAX_BARS = 20

#: What closes is off by no more than this, in units in the last place.
_CLOSED = 0.5

_NAMES = {"visit": "visit image", "coadd": "coadd"}


def drawings(_session: Session, ref: RerunRef, tables: Sequence[pa.Table]) -> Iterator[Drawing]:
    """Yield the figures of a rerun's backgrounds: the worst ones of visit images and of coadds, and all closures."""
    found = sorted((each for table in tables for each in backgrounds_of(table)), key=_badness)
    for of, name in _NAMES.items():
        own = [each for each in found if each.of == of]
        if not own:
            continue
        drawn = own[:_MAX_PANELS]
        many = f" (drawn are {len(drawn)} of {len(own)}, the worst first)" if len(own) > len(drawn) else ""
        yield Drawing(
            f"{ref.name}: backgrounds of {name}s{many}",
            f"Image and histogram of the background of {len(drawn)} {name}{'' if len(drawn) == 1 else 's'}.",
            background_panels(drawn),
        )
    if found:
        yield Drawing(
            f"{ref.name}: closure of backgrounds",
            "Largest residual of before − after − background in any pixel, in units in the last place, of "
            f"{min(len(found), _MAX_BARS)} of {len(found)} backgrounds; what closes is off by half a unit at most.",
            closure_bars(found[:_MAX_BARS]),
        )


def _badness(background: Background) -> tuple[bool, int, float]:
    """Put first what could not be measured, then what does not close, then what is least flat."""
    closing, levels = background.closing, background.background
    unknown = bool(background.problems or background.differing)
    spread = levels.maximum - levels.minimum
    return not unknown, -(closing.n_unclosed + closing.n_pattern), -spread if math.isfinite(spread) else 0.0


def background_panels(backgrounds: Sequence[Background]) -> Figure:
    """Draw backgrounds with their histograms, a row each.

    Parameters
    ----------
    backgrounds
        A few of them.
    """
    figure = Figure(figsize=(10, 2.6 * len(backgrounds) + 0.3), layout="constrained")
    grid: Any = figure.subplots(len(backgrounds), 2, squeeze=False, width_ratios=(2, 3))
    for each, (image, histogram) in zip(backgrounds, grid, strict=True):
        image.set_title(each.place, fontsize="small", loc="left")
        image.set(xticks=[], yticks=[])
        levels = each.background
        note(histogram, f"bins {each.bins}" if each.bins else "")
        if math.isfinite(levels.minimum):
            _draw_image(image, each)
            _draw_histogram(histogram, each)
        else:
            histogram.set(xticks=[], yticks=[])
            say(image, "no background")
            say(histogram, next(iter(each.problems.values()), "no pixel is finite"), 60)
    return finished(figure)


def _draw_image(axes: Axes, background: Background) -> None:
    """Draw the means of blocks of pixels, rows upwards as they are in the file."""
    rows = background.thumbnail_rows
    if not rows:
        return
    blocks = np.array(background.thumbnail).reshape(rows, -1)
    levels = background.background
    is_flat = levels.minimum == levels.maximum
    low, high = (levels.minimum - 1, levels.maximum + 1) if is_flat else (np.nanmin(blocks), np.nanmax(blocks))
    axes.set_facecolor("lightgrey")  # of pixels without a value
    shown = axes.imshow(blocks, origin="lower", cmap="cividis", vmin=low, vmax=high)
    if is_flat:
        axes.text(
            *(0.5, 0.5, "constant"), transform=axes.transAxes, ha="center", va="center", fontsize="small", color="white"
        )
    elif axes.figure is not None:
        bar = axes.figure.colorbar(shown, ax=axes, label=background.unit)
        bar.ax.tick_params(labelsize="small")
        bar.ax.ticklabel_format(useOffset=False)


def _draw_histogram(axes: Axes, background: Background) -> None:
    levels = background.background
    axes.set_xlabel(f"background{f' ({background.unit})' if background.unit else ''}", fontsize="small")
    axes.set_ylabel("pixels", fontsize="small")
    axes.tick_params(labelsize="small")
    n_invalid = levels.n_nan + levels.n_inf
    axes.set_title(f"{n_invalid} without a value" if n_invalid else "", fontsize="small", loc="left")
    if levels.minimum == levels.maximum:
        axes.bar([0], [sum(background.counts)], width=0.1, color=BLUE)
        axes.set(xlim=(-1, 1), xticks=[0], xticklabels=[f"{levels.median:.10g}"])
        return
    axes.stairs(background.counts, background.edges, fill=True, alpha=0.35, color=BLUE)
    axes.stairs(background.counts, background.edges, lw=1.2, color=BLUE)
    axes.axvline(levels.median, color=BLACK, lw=1, ls="--", label="median")
    axes.axvline(levels.mean, color=RED, lw=1.2, ls=":", label="mean")
    axes.ticklabel_format(axis="x", useOffset=False)


def closure_bars(backgrounds: Sequence[Background]) -> Figure:
    """Draw how well before − after − background closes, a bar for each background.

    Parameters
    ----------
    backgrounds
        Those to be drawn.
    """
    figure = Figure(figsize=(10, 0.4 * len(backgrounds) + 1.6), layout="constrained")
    axes = figure.subplots()
    largest = np.array([each.closing.largest for each in backgrounds])
    end = 10 * float(np.max(largest, where=np.isfinite(largest), initial=1.0))
    at = np.arange(len(backgrounds))
    colours = [BLUE if _closes(each) else RED for each in backgrounds]
    axes.barh(at, np.nan_to_num(largest, posinf=end), color=colours, alpha=0.7)
    axes.axvline(_CLOSED, color=BLACK, lw=1, ls="--", label="closes up to here")
    for row, each in enumerate(backgrounds):
        axes.text(1.01, row, _closure_words(each), transform=axes.get_yaxis_transform(), va="center", fontsize="small")
    axes.set_yticks(at, [each.place for each in backgrounds], fontsize="small")
    axes.set_xscale("symlog", linthresh=1)
    axes.invert_yaxis()
    axes.set(xlim=(0, end), xlabel="largest residual (units in the last place)")
    return finished(figure)


def _closes(background: Background) -> bool:
    return background.closing.largest <= _CLOSED and not background.closing.n_pattern


def _closure_words(background: Background) -> str:
    closing = background.closing
    if math.isnan(closing.largest):
        for kind, words in (("differing", "{} differs"), ("problems", "{}: not measured"), ("missing", "no {}")):
            if names := getattr(background, kind):
                return words.format(", ".join(names))
        return "not compared"
    words = f"{closing.largest:.4g}; {closing.n_unclosed} of {closing.n_compared} pixels do not close"
    return words + (f",\n{closing.n_pattern} have a value in one plane only" if closing.n_pattern else "")
