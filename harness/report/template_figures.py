"""Subtractions, drawn: variances and PSF sizes of science image, template and difference, with either template."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullLocator

from harness.measure.templates import CROSSOVERS, NOISE, SOURCES
from harness.metrics.template import known
from harness.metrics.template.limits import CONFIDENCE, share_limits
from harness.metrics.template.orders import Order, order_of
from harness.metrics.template.subtraction import EXPOSURES, subtractions_of
from harness.metrics.template.visit_images import joined
from harness.report.crossover_figures import crossover_figure, crossover_listing
from harness.report.drawing import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    RED,
    SKY,
    Drawing,
    finished,
    histograms,
    note_beyond,
    shown_range,
)
from harness.report.sided_source_figures import source_drawings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import pyarrow as pa
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from harness.metrics.template.subtraction import ExposureName
    from harness.metrics.template.visit_images import VisitImage
    from harness.rerun.exposures.protocol import PsfSizeKind
    from harness.rerun.protocol import RerunRef
    from harness.session import Session

    Numbers = Callable[..., known.Number]

__all__ = ["drawings", "histograms_by_exposure", "noise_against_inputs", "order_shares", "psf_sizes"]

#: Label and colour of each template, and its marker: where both are at one place, both are to be seen.
_SIDES: Mapping[str, tuple[str, str, dict[str, Any]]] = {
    "": ("template and difference", BLUE, {"marker": "o", "ms": 4}),
    "good": ("good-seeing template", BLUE, {"marker": "o", "ms": 4}),
    "deep": ("deep template", ORANGE, {"marker": "s", "ms": 7, "mfc": "none", "mew": 1.2}),
}
_TITLES: Mapping[str, str] = {"science": "science image", "template": "template", "difference": "difference"}
_KINDS: Mapping[str, str] = {
    "determinant": "determinant radius",
    "trace": "trace radius",
    "nea": "noise-equivalent area",
}
_ORDERS: Mapping[Order, tuple[str, str]] = {
    Order.GOOD_VISIT_DEEP: ("good < visit < deep", GREEN),
    Order.VISIT_BELOW_BOTH: ("visit below both", SKY),
    Order.DEEP_VISIT_GOOD: ("deep < visit < good", RED),
    Order.VISIT_ABOVE_BOTH: ("visit above both", PURPLE),
    Order.TIES_OR_MISSING: ("tied or missing", GREY),
}


def drawings(session: Session, ref: RerunRef, tables: Sequence[pa.Table]) -> Iterator[Drawing]:
    """Yield the figures of a rerun's subtractions, those for which anything was measured."""
    images = joined(each for table in tables for each in subtractions_of(table))
    if not images:
        return
    kind = session.settings.psf_size
    count = f"{len(images)} image{'' if len(images) == 1 else 's'}"
    both = {"good", "deep"} <= images[0].by_side.keys()
    bins = ", for good-seeing and deep templates in the same bins" if both else ""
    for title, label, number in (
        ("median variances", "median variance (pixel unit²)", known.variance),
        ("PSF sizes", _size_label("", kind), partial(known.fwhm, kind=kind)),
    ):
        if figure := histograms_by_exposure(images, number, label):
            yield Drawing(
                f"{ref.name}: {title}",
                f"Histograms of {title} of science image, template and difference of {count}{bins}.",
                figure,
            )
    if figure := psf_sizes(images, kind):
        yield Drawing(
            f"{ref.name}: PSF of template and difference against that of the science image",
            f"PSF FWHM of template and difference against that of the science image of {count}, with the line on which "
            f"they are equal{'; good and deep template of an image are joined' if both else ''}.",
            figure,
        )
    if both:
        yield Drawing(
            f"{ref.name}: order of PSF sizes",
            f"Shares of {count} in each order of the PSF sizes of visit, good and deep template, with the exact "
            f"{100 * CONFIDENCE:g} % limits that independent images would have.",
            order_shares(images, kind),
        )
    yield from _crossover(session, ref)
    if figure := noise_against_inputs(images):
        yield Drawing(
            f"{ref.name}: noise of the difference against visits in the template",
            f"Noise of a point source in the difference over that in the science image of {count}, against the number "
            "of visits that the template was made of, with what a template of like visits would give.",
            figure,
        )
    if sources := session.tables(ref, SOURCES):
        orders = {(image.visit, image.detector): _order(image, kind) for image in images} if both else {}
        first = {place for place, order in orders.items() if order is Order.GOOD_VISIT_DEEP}
        yield from source_drawings(ref.name, sources, first)


def _crossover(session: Session, ref: RerunRef) -> Iterator[Drawing]:
    import pyarrow as pa

    if not (noise := session.tables(ref, NOISE)):
        return
    figure, found = crossover_figure(pa.concat_tables(noise))
    yield Drawing(
        f"{ref.name}: where the deep template becomes the better one",
        "Noise of a point source with the good template over that with the deep one, as measured and as expected, "
        f"against the PSF FWHM of the visit over that of the deep template. {found}",
        figure,
        crossover_listing(pa.concat_tables(session.tables(ref, CROSSOVERS)), found),
    )


def histograms_by_exposure(images: Sequence[VisitImage], number: Numbers, label: str) -> Figure | None:
    """Draw how a number is distributed, of science image, template and difference.

    Parameters
    ----------
    images
        Subtractions, joined by data ID.
    number
        Of a subtraction and one of its exposures (`harness.metrics.template.known`).
    label
        What it is, with its unit.

    Returns
    -------
    figure
        None when it is not known of any exposure.
    """
    found: dict[ExposureName, Any] = {exposure: _numbers(images, exposure, number) for exposure in EXPOSURES}
    if not any(map(_any, found.values())):
        return None
    figure = Figure(figsize=(10, 3.3), layout="constrained")
    panels: Any = figure.subplots(1, len(found))
    colours = {name: colour for name, colour, _ in _SIDES.values()} | {_TITLES["science"]: GREY}
    for axes, (exposure, own) in zip(panels, found.items(), strict=True):
        histograms(axes, own, colours)
        axes.set_title(_TITLES[exposure], fontsize="medium", loc="left")
        axes.set_xlabel(label, fontsize="small")
        axes.tick_params(labelsize="small")
    panels[0].set_ylabel("images", fontsize="small")
    return finished(figure)


def psf_sizes(images: Sequence[VisitImage], kind: PsfSizeKind) -> Figure | None:
    """Draw the PSF sizes of template and difference against that of the science image.

    Parameters
    ----------
    images
        Subtractions, joined by data ID.
    kind
        Which size of a PSF is meant.

    Returns
    -------
    figure
        With good and deep template of an image joined, in the colour of its order.  None when no science image has a
        size.
    """
    size = partial(known.fwhm, kind=kind)
    science = _numbers(images, "science", size)[_TITLES["science"]]
    others: dict[ExposureName, dict[str, NDArray[np.float64]]] = {
        exposure: _numbers(images, exposure, size) for exposure in ("template", "difference")
    }
    others = {exposure: own for exposure, own in others.items() if _any(own)}
    if not (np.isfinite(science).any() and others):
        return None
    figure = Figure(figsize=(10 if len(others) > 1 else 6, 5.5), layout="constrained")
    panels: Any = figure.subplots(1, len(others), squeeze=False)[0]
    handles = []
    for axes, (exposure, own) in zip(panels, others.items(), strict=True):
        shown = shown_range(np.concatenate([science, *own.values()]))
        if exposure == "template" and len(own) > 1:
            handles = _join(axes, science, own, [_order(image, kind) for image in images])
        for label, colour, marker in _SIDES.values():
            if label in own:
                axes.plot(science, own[label], ls="", color=colour, label=label, zorder=3, **marker)
        axes.plot(shown, shown, "--", color=BLACK, lw=1, label="equal", zorder=1)
        note_beyond(axes, np.concatenate(list(own.values())), shown)
        axes.set(xlim=shown, ylim=shown, xlabel=_size_label("science image", kind), ylabel=_size_label(exposure, kind))
        axes.grid(alpha=0.3)
    return finished(figure, *handles)


def _join(
    axes: Axes, science: NDArray[np.float64], own: Mapping[str, NDArray[np.float64]], orders: Sequence[Order]
) -> list[Line2D]:
    """Join good and deep template of each image in the colour of its order; return the legend of the orders there."""
    ends = np.stack([own[_SIDES[side][0]] for side in ("good", "deep")], axis=1)
    segments = np.stack([np.broadcast_to(science[:, None], ends.shape), ends], axis=-1)
    axes.add_collection(
        LineCollection(segments, colors=[_ORDERS[order][1] for order in orders], lw=1.2, alpha=0.8, zorder=2),  # type: ignore[arg-type]
        autolim=False,
    )
    return [
        Line2D([], [], color=colour, lw=2, label=f"{label}: {orders.count(order)}")
        for order, (label, colour) in _ORDERS.items()
        if order in orders
    ]


def order_shares(images: Sequence[VisitImage], kind: PsfSizeKind) -> Figure:
    """Draw how many images are in each of the five orders, with exact limits of their shares.

    Parameters
    ----------
    images
        Subtractions with a good and a deep template, joined by data ID.
    kind
        Which size of a PSF is meant.
    """
    found = [_order(image, kind) for image in images]
    counts = [found.count(order) for order in _ORDERS]
    shares = np.array(counts) / len(found)
    limits = np.array([share_limits(count, len(found), CONFIDENCE) for count in counts])
    figure = Figure(figsize=(10, 3.2), layout="constrained")
    axes = figure.subplots()
    at = np.arange(len(counts))
    axes.barh(at, shares, color=[colour for _, colour in _ORDERS.values()], alpha=0.7)
    reach = np.abs(limits.T - shares)
    axes.errorbar(
        shares, at, xerr=reach, fmt="none", color=BLACK, capsize=4, label=f"exact {100 * CONFIDENCE:g} % limits"
    )
    for number, (count, (_, high)) in enumerate(zip(counts, limits, strict=True)):
        axes.annotate(f"{count} of {len(found)}", (high, number), (8, 0), textcoords="offset points", va="center")
    axes.set_yticks(at, [label for label, _ in _ORDERS.values()])
    axes.invert_yaxis()
    axes.set(xlim=(0, 1.18), xlabel="share of images", xticks=np.linspace(0, 1, 6))
    axes.grid(axis="x", alpha=0.3)
    return finished(figure)


def noise_against_inputs(images: Sequence[VisitImage]) -> Figure | None:
    """Draw how much noise of a point source subtraction adds, against the number of visits in the template.

    Parameters
    ----------
    images
        Subtractions, joined by data ID.

    Returns
    -------
    figure
        None when noise or numbers of visits are not known of a single image.
    """
    sides = list(images[0].by_side)
    found = {}
    for side in sides:
        pairs = [(known.n_inputs(of).value, _excess(image, side)) for image in images if (of := image.by_side[side])]
        points = np.array([pair for pair in pairs if pair[0] > 0 and np.isfinite(pair).all()])
        if points.size:
            found[side] = points.T
    if not found:
        return None
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    for side, (n_visits, excess) in found.items():
        label, colour, marker = _SIDES[side]
        axes.plot(n_visits, excess, ls="", color=colour, label=label, zorder=3, **marker)
    n_visits, excess = np.concatenate(list(found.values()), axis=1)
    steps = np.geomspace(n_visits.min() / 1.2, n_visits.max() * 1.2, 100)
    axes.plot(steps, np.sqrt(1 + 1 / steps), "--", color=BLACK, lw=1, label="√(1 + 1/n): n like visits")
    low, high = shown_range(excess)
    shown = min(low, 0.99), max(high, 1.02 * np.sqrt(1 + 1 / n_visits.min()))
    note_beyond(axes, excess, shown)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set(xlabel="visits in the template", ylabel="noise of difference over science image", ylim=shown)
    axes.grid(alpha=0.3)
    return finished(figure)


def _excess(image: VisitImage, side: str) -> float:
    noise = known.noise(image.by_side[side], "difference"), known.noise(image.science, "science")
    return known.formed(lambda difference, science: difference / science, *noise).value


def _order(image: VisitImage, kind: PsfSizeKind) -> Order:
    good, deep = (known.fwhm(image.by_side[side], "template", kind).value for side in ("good", "deep"))
    return order_of(known.fwhm(image.science, "science", kind).value, good, deep)


def _numbers(images: Sequence[VisitImage], exposure: ExposureName, number: Numbers) -> dict[str, NDArray[np.float64]]:
    """Return a number of all images by label: of the science image once, of the others for each template."""
    if exposure == "science":
        return {_TITLES[exposure]: np.array([number(image.science, exposure).value for image in images])}
    return {
        _SIDES[side][0]: np.array([number(image.by_side[side], exposure).value for image in images])
        for side in images[0].by_side
    }


def _any(numbers: Mapping[str, NDArray[np.float64]]) -> bool:
    return any(np.isfinite(own).any() for own in numbers.values())


def _size_label(of: str, kind: str) -> str:
    return f"{of + ' ' if of else ''}PSF FWHM by {_KINDS[kind]} (pixel)"
