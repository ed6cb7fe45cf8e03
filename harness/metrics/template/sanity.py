"""Defects of what there is to measure: none is expected, and each names its place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.metrics.template.known import Number, formed, n_inputs
from harness.metrics.template.subtraction import EXPOSURES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from harness.metrics.template.collector import Collector
    from harness.metrics.template.subtraction import Subtraction
    from harness.metrics.template.visit_images import VisitImage

__all__ = ["add_sanity"]

#: A detail names this many visits.
_NAMED = 5


def add_sanity(rows: Collector, images: Sequence[VisitImage]) -> None:
    """Count the defects of subtractions.

    Parameters
    ----------
    rows
        What to add to.
    images
        The subtractions, joined by data ID.
    """
    for name, found in (
        ("numDuplicates", _duplicates),
        ("numMissing", _missing),
        ("numUnreadable", _unreadable),
        ("numWithoutInputs", _without_inputs),
    ):
        told = [(image, list(found(image))) for image in images]
        counted = [(image, Number(float(len(words))), " | ".join(words)) for image, words in told]
        rows.counts(f"template.{name}", counted)
    sides = images[0].by_side.keys()
    words = f"the science image differs between {' and '.join(sides)}"
    rows.counts(
        "template.numScienceDiffers", [(image, Number(float(image.science_differs)), words) for image in images]
    )
    if {"good", "deep"} <= sides:
        compared = [image for image in images if not any("template" in of.missing for of in image.by_side.values())]
        rows.counts("template.numDeepLacksGood", [_lacking(image) for image in compared])
    else:  # of one template alone there is nothing to lack
        rows.counts("template.numDeepLacksGood", [(image, Number(0.0), "") for image in images])


def _duplicates(image: VisitImage) -> Iterator[str]:
    for side, count in image.listed.items():
        for _ in range(count - 1):
            yield _words(side, f"listed {count} times")


def _missing(image: VisitImage) -> Iterable[str]:
    found = [
        "no science image" if exposure == "science" else f"no {_words(side, exposure)}"
        for side, of in image.by_side.items()
        for exposure in of.missing
    ]
    return dict.fromkeys(found)


def _unreadable(image: VisitImage) -> Iterable[str]:
    found = [
        f"{part if part.startswith('science') else _words(side, part)}: {reason}"
        for side, of in image.by_side.items()
        if image.listed.get(side) == 1
        for part, reason in of.problems.items()
        if _was_read(of, part)
    ]
    return dict.fromkeys(found)


def _was_read(of: Subtraction, part: str) -> bool:
    """Whether a problem is one of a file: where sizes alone are on record, one that is not is no fault."""
    exposure, _, quantity = part.partition(".")
    whole = not quantity or f"{exposure}.variance" in of.problems or exposure not in EXPOSURES
    return whole or getattr(of, exposure).n_pixels > 0


def _without_inputs(image: VisitImage) -> Iterator[str]:
    for side, of in image.by_side.items():
        if of.input_visits == ():
            yield f"{_words(side, 'template')} was made of no visit"


def _lacking(image: VisitImage) -> tuple[VisitImage, Number, str]:
    good, deep = (image.by_side[side] for side in ("good", "deep"))
    lacks = sorted(set(good.input_visits or ()) - set(deep.input_visits or ()))
    count = formed(lambda *_: bool(lacks), n_inputs(good), n_inputs(deep))
    named = ", ".join(map(str, lacks[:_NAMED])) + (", …" if len(lacks) > _NAMED else "")
    return image, count, f"the deep template lacks {len(lacks)} visits of the good one: {named}"


def _words(side: str, what: str) -> str:
    return f"{side} {what}".strip()
