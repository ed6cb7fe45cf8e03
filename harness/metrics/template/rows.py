"""Metric rows of subtractions: sizes, variances, depths, and how templates of good seeing compare with deep ones."""

from __future__ import annotations

import math
import operator
from functools import partial
from typing import TYPE_CHECKING

from harness.metrics.template import known
from harness.metrics.template.catalogue import of_side
from harness.metrics.template.collector import Collector
from harness.metrics.template.correlation import correlation
from harness.metrics.template.known import Number, formed
from harness.metrics.template.limits import CONFIDENCE, stated_uncertainty
from harness.metrics.template.orders import Order, order_of
from harness.metrics.template.sanity import add_sanity
from harness.metrics.template.tables import measured_crossover, noise_table
from harness.metrics.template.visit_images import joined

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import pyarrow as pa

    from harness.metrics.template.subtraction import ExposureName, Subtraction
    from harness.metrics.template.visit_images import VisitImage
    from harness.rerun.exposures.protocol import PsfSizeKind

__all__ = ["template_rows"]


def template_rows(subtractions: Iterable[Subtraction], psf_kind: PsfSizeKind) -> pa.Table:
    """Return all metrics of a rerun's subtractions.

    Parameters
    ----------
    subtractions
        All of the rerun, with every template, in any order: what spans visits cannot be put together of parts.
    psf_kind
        Which size of a PSF is meant.  A size of another kind counts as none.

    Returns
    -------
    rows
        Metric rows (`harness.metrics.rows`).  What a side lacks is a row without a number, and a defect
        (`harness.metrics.template.sanity`).
    """
    images = joined(subtractions)
    rows = Collector()
    if images:
        sides = list(images[0].by_side)
        _add_sizes(rows, images, sides, psf_kind)
        _add_variances(rows, images, sides)
        _add_depths(rows, images, sides)
        if {"good", "deep"} <= set(sides):
            _add_contrasts(rows, images, psf_kind)
            _add_orders(rows, images, psf_kind)
            _add_crossover(rows, images, psf_kind)
        add_sanity(rows, images)
    return rows.table()


def _add_sizes(rows: Collector, images: Sequence[VisitImage], sides: Sequence[str], kind: PsfSizeKind) -> None:
    science = [known.fwhm(image.science, "science", kind) for image in images]
    correlated = known.nea if kind == "nea" else partial(known.fwhm, kind=kind)
    for image, size in zip(images, science, strict=True):
        rows.mean("science.psfFwhm", image, size)
    for side in sides:
        excesses, pairs = [], []
        for image, size in zip(images, science, strict=True):
            template = known.fwhm(image.by_side[side], "template", kind)
            difference = known.fwhm(image.by_side[side], "difference", kind)
            rows.mean(of_side("template.psfFwhm", side), image, template)
            rows.mean(of_side("difference.psfFwhm", side), image, difference)
            sharper = formed(operator.lt, template, size)
            rows.mean(of_side("template.fracSharperThanVisit", side), image, sharper)
            excesses.append((image, formed(operator.sub, template, size)))
            pairs.append(
                (image.visit, correlated(image.science, "science"), correlated(image.by_side[side], "difference"))
            )
        rows.largest(of_side("template.largestExcess", side), excesses)
        found, uncertainty, detail = correlation(pairs)
        rows.whole(of_side("difference.psfCorrelation", side), images[0].instrument, found, uncertainty, detail)


def _add_variances(rows: Collector, images: Sequence[VisitImage], sides: Sequence[str]) -> None:
    def add(exposure: ExposureName, side: str, image: VisitImage, of: Subtraction) -> None:
        rows.mean(of_side(f"{exposure}.medianVariance", side), image, known.variance(of, exposure))
        rows.mean(of_side(f"{exposure}.fracInvalidPixels", side), image, *known.pixels(of, exposure))

    for image in images:
        add("science", "", image, image.science)
    for side in sides:
        excesses = []
        for image in images:
            of = image.by_side[side]
            add("template", side, image, of)
            add("difference", side, image, of)
            parts = (known.variance_as_science(of, each) for each in ("difference", "science", "template"))
            additivity = formed(lambda made, science, template: made / (science + template), *parts)
            rows.mean(of_side("difference.varianceAdditivity", side), image, additivity)
            excesses.append((image, formed(lambda found: abs(found - 1), additivity)))
        rows.largest(of_side("difference.largestNonadditivity", side), excesses)


def _add_depths(rows: Collector, images: Sequence[VisitImage], sides: Sequence[str]) -> None:
    # What is paired by visit cannot miss one.
    rows.whole("science.numImages", images[0].instrument, Number(float(len(images))), math.nan)
    for image in images:
        rows.mean("science.limitingMagnitude", image, known.limiting_magnitude(image.science, "science"))
        for side in sides:
            of = image.by_side[side]
            rows.mean(of_side("template.numVisits", side), image, known.n_inputs(of))
            rows.mean(of_side("template.coverage", side), image, known.coverage(of))
            rows.mean(of_side("difference.limitingMagnitude", side), image, known.limiting_magnitude(of, "difference"))
    for side in sides:
        rows.counts(of_side("template.numOwnInputs", side), [_own_input(image, side) for image in images])


def _own_input(image: VisitImage, side: str) -> tuple[VisitImage, Number, str]:
    of = image.by_side[side]
    found = formed(lambda _: image.visit in (of.input_visits or ()), known.n_inputs(of))
    return image, found, f"it is one of the {len(of.input_visits or ())} visits of its template"


def _add_contrasts(rows: Collector, images: Sequence[VisitImage], kind: PsfSizeKind) -> None:
    for image in images:
        sizes = _sides(image, lambda of: known.fwhm(of, "template", kind))
        contrasts = {
            "template.psfGoodMinusDeep": formed(operator.sub, *sizes),
            "template.varianceGoodOverDeep": _over(image, lambda of: known.variance_as_science(of, "template")),
            "difference.psfGoodOverDeep": _over(image, lambda of: known.fwhm(of, "difference", kind)),
            "difference.noiseGoodOverDeep": _over(image, lambda of: known.noise(of, "difference")),
            "template.fracGoodSharper": formed(operator.lt, *sizes),
        }
        for metric, value in contrasts.items():
            if image.has_same_inputs:
                rows.nothing(metric, image, "pairs of templates made of the same visits are left out")
            else:
                rows.mean(metric, image, value)


def _add_orders(rows: Collector, images: Sequence[VisitImage], kind: PsfSizeKind) -> None:
    for image in images:
        good, deep = _sides(image, lambda of: known.fwhm(of, "template", kind))
        found = order_of(known.fwhm(image.science, "science", kind).value, good.value, deep.value)
        for order in Order:
            rows.mean(f"template.order.{order}", image, Number(float(order is found)))


def _add_crossover(rows: Collector, images: Sequence[VisitImage], kind: PsfSizeKind) -> None:
    found = measured_crossover(noise_table(images, kind))
    uncertainty = stated_uncertainty(found.value, found.low, found.high)
    limits = f"{found.low:.3g} to {found.high:.3g} at {CONFIDENCE * 100:g} %"
    detail = f"{limits}, of {found.line.n_points} images and {found.line.n_clusters} templates"
    rows.whole("template.crossover", images[0].instrument, Number(found.value, found.reason), uncertainty, detail)


def _sides(image: VisitImage, number: Callable[[Subtraction], Number]) -> list[Number]:
    """Return a number of both sides; one that is not known says of which side."""

    def named(side: str) -> Number:
        value, reason = number(image.by_side[side])
        return Number(value, reason if reason in ("", known.NO_EXPOSURE) else f"{side}: {reason}")

    return [named("good"), named("deep")]


def _over(image: VisitImage, number: Callable[[Subtraction], Number]) -> Number:
    return formed(operator.truediv, *_sides(image, number))
