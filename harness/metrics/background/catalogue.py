"""All background metrics: what each is, in which unit, by whose definition."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from harness.model import Metric

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["BACKGROUND_CHANGE_GROUPS", "BACKGROUND_GROUPS", "STATISTICS", "background_catalogue"]

#: Groups of these metrics: of one rerun, and of two side by side.
BACKGROUND_CHANGE_GROUPS = frozenset({"background_change"})
BACKGROUND_GROUPS = frozenset(
    {"background_closure", "background_flatness", "background_level", "background_sanity", "background_shape"}
)

STATISTICS: Mapping[str, str] = MappingProxyType(
    {
        "minimum": "Smallest value",
        "maximum": "Largest value",
        "mean": "Mean",
        "median": "Median",
        "std": "Standard deviation",
    }
)
"""Statistics of a background's finite pixels, in the order they are listed in."""

_SIGN = {
    "visitBackground": "image before subtraction = image + background",
    "coaddBackground": "background = coadd before subtraction - coadd after",
}


def background_catalogue() -> Mapping[str, Metric]:
    """Return the definitions of all background metrics by name, in the order they are listed in.

    Numbers are in the unit of the images.  They are complete: what an image holds has no sampling error.
    """
    metrics = (*_levels(), *_shapes(), *_closures(), *_changes(), *_sanity())
    return MappingProxyType({metric.name: metric for metric in metrics})


def _each(name: str, doc: str, group: str, /, unit: str = "", **definition: Any) -> Iterator[Metric]:
    """Define the mean over visits, and over coadds, of something that each background has one of."""
    for of, words in (("visitBackground", "visit"), ("coaddBackground", "coadd")):
        per: Any = "visit" if of == "visitBackground" else "coadd"
        doc_of = f"{doc}, mean over {words}s."
        yield Metric(f"{of}.{name}", unit, doc_of, group, "ratio", definition, census=True, per=per)


def _levels() -> Iterator[Metric]:
    for name, doc in STATISTICS.items():
        yield from _each(name, f"{doc} of the background's finite pixels", "background_level")
    yield from _each("fracInvalid", "Fraction of the background's pixels that are NaN or infinite", "background_level")
    yield from _each("numPixels", "Pixels of the background", "background_level", "pix")
    for of, words in (("visitBackground", "Visit-detectors"), ("coaddBackground", "Coadds")):
        per: Any = "visit" if of == "visitBackground" else "coadd"
        doc = f"{words} that have a background, or should have one."
        yield Metric(f"{of}.numBackgrounds", "ct", doc, "background_level", "ratio", census=True, per=per)


def _shapes() -> Iterator[Metric]:
    yield from _each("gradient", "Rise of a fitted plane from its lowest to its highest corner", "background_shape")
    yield from _each("numComponents", "Models that the background is the sum of", "background_shape")
    before = "Largest pixel of the image with its background"
    yield Metric(
        "visitBackground.restoredMaximum", "", f"{before}, mean over visits.", "background_shape", "ratio", census=True
    )
    yield Metric(
        "coaddBackground.varianceRatio",
        "",
        "Median variance after over before the subtraction, mean over coadds (detection rescales it).",
        "background_shape",
        "ratio",
        census=True,
        per="coadd",
    )
    yield Metric(
        "visitBackground.range",
        "",
        "Maximum minus minimum, mean over visits.",
        "background_shape",
        "ratio",
        census=True,
    )
    yield Metric(
        "coaddBackground.range",
        "",
        "Largest maximum minus minimum of any coadd: 0 for a background that is flat by construction.",
        "background_flatness",
        "max",
        census=True,
        per="coadd",
    )


def _closures() -> Iterator[Metric]:
    for of, sign in _SIGN.items():
        per: Any = "visit" if of == "visitBackground" else "coadd"
        definition = {"sign": sign, "spacing": "float32, of the largest of the three in each pixel"}
        doc = "Largest residual of the closure in units in the last place."
        group = "background_closure"
        yield Metric(f"{of}.largestResidual", "", doc, group, "max", definition, census=True, per=per)
        doc = "Pixels that do not close to half a unit in the last place."
        yield Metric(f"{of}.numUnclosedPixels", "ct", doc, group, definition=definition, census=True, per=per)


def _changes() -> Iterator[Metric]:
    for of, words in (("visitBackground", "visits"), ("coaddBackground", "coadds")):
        per: Any = "visit" if of == "visitBackground" else "coadd"
        doc = f"Pixels of the background that differ from those of the reference, over all {words} that both have."
        yield Metric(f"{of}.numChangedPixels", "ct", doc, "background_change", census=True, per=per)
        doc = "Largest change of a pixel in units in the last place."
        yield Metric(f"{of}.largestChange", "", doc, "background_change", "max", census=True, per=per)


def _sanity() -> Iterator[Metric]:
    for of, words in (("visitBackground", "visit images"), ("coaddBackground", "coadds")):
        per: Any = "visit" if of == "visitBackground" else "coadd"
        for name, doc in (
            ("numMissing", f"Backgrounds, {words} before and after subtraction, that others of the kind have."),
            ("numUnreadable", "Planes that could not be read."),
            ("numMismatched", f"{words.capitalize()} whose planes differ in box or unit, so that nothing can close."),
            ("numPatternPixels", "Pixels that are finite in one plane and not in another."),
        ):
            yield Metric(f"{of}.{name}", "ct", doc, "background_sanity", census=True, per=per)
