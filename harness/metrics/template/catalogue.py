"""All metrics of templates and of differences made with them: what each is, in which unit, by whose definition."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from harness.metrics.template.orders import Order
from harness.metrics.template.subtraction import SIDES
from harness.model import Metric

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from harness.metrics.flag_sets import FlagSet
    from harness.rerun.exposures.protocol import PsfSizeKind

__all__ = ["TEMPLATE_GROUPS", "of_side", "template_catalogue"]

TEMPLATE_GROUPS = frozenset(
    {
        "template_contrast",
        "template_crossover",
        "template_depth",
        "template_dia",
        "template_order",
        "template_psf",
        "template_sanity",
        "template_variance",
    }
)

_Unit = Literal["visit", "coadd"]
_NOTHING: Mapping[str, Any] = MappingProxyType({})
_SIDE_WORDS = MappingProxyType({"": "", "good": ", good-seeing template", "deep": ", deep template"})


def of_side(name: str, side: str) -> str:
    """Return the name of a metric for one of the templates, such as ``template.psfFwhm.deep``."""
    return f"{name}.{side}" if side else name


def template_catalogue(psf_kind: PsfSizeKind, mask_planes: Sequence[str], flag_set: FlagSet) -> Mapping[str, Metric]:
    """Return the definitions of all template metrics by name, in the order they are listed in.

    Parameters
    ----------
    psf_kind
        Which size of a PSF is meant.
    mask_planes
        Pixels with one of these set are left out of medians of the variance.
    flag_set
        Sources with one of its flags set are left out.
    """
    size: dict[str, Any] = {"psf_kind": psf_kind}
    if psf_kind != "nea":
        size["moments"] = "adaptive, about their own centre, within 5 sigma"
    median = {"statistic": "median", "pixels": "finite", "without": sorted(mask_planes)}
    metrics = (
        *_psf(size),
        *_variance(median),
        *_depth(median),
        *_contrast(size, median),
        *_order(size),
        *_crossover({**size, **median}),
        *_dia(flag_set.definition),
        *_sanity(),
    )
    return MappingProxyType({metric.name: metric for metric in metrics})


def _mean(name: str, unit: str, doc: str, group: str, definition: Mapping[str, Any], *, per: _Unit = "visit") -> Metric:
    """Define a mean over data IDs, or a share of them or of their pixels."""
    return Metric(name, unit, doc, group, "ratio", definition, per=per)


def _by_side(
    name: str, unit: str, doc: str, group: str, definition: Mapping[str, Any], *, per: _Unit = "visit"
) -> Iterator[Metric]:
    for side in SIDES:
        yield _mean(of_side(name, side), unit, f"{doc}{_SIDE_WORDS[side]}.", group, definition, per=per)


def _psf(size: Mapping[str, Any]) -> Iterator[Metric]:
    group = "template_psf"
    yield _mean("science.psfFwhm", "pixel", "FWHM of the science image's PSF.", group, size)
    yield from _by_side("template.psfFwhm", "pixel", "FWHM of the template's PSF", group, size, per="coadd")
    yield from _by_side("difference.psfFwhm", "pixel", "FWHM of the difference image's PSF", group, size)
    of = "noise-equivalent area" if size["psf_kind"] == "nea" else "FWHM"  # an area is what DMTN-256 correlates
    correlation = f"Correlation over visits of the PSF {of} of difference and science image"
    yield from _by_side("difference.psfCorrelation", "", correlation, group, {**size, "of": of})
    sharper = "Share of visits, each detector by itself, whose PSF is broader than the template's"
    yield from _by_side("template.fracSharperThanVisit", "", sharper, group, size, per="coadd")
    for side in SIDES:
        doc = f"Largest PSF FWHM of a template less that of its science image{_SIDE_WORDS[side]}."
        yield Metric(of_side("template.largestExcess", side), "pixel", doc, group, "max", size, census=True)


def _variance(median: Mapping[str, Any]) -> Iterator[Metric]:
    group = "template_variance"
    invalid = {"without": median["without"]}
    for exposure, per in _EXPOSURES:
        doc = f"Median variance per pixel of the {exposure} image, in its own unit squared"
        lost = f"Share of the {exposure} image's pixels whose variance is masked, not finite or not positive"
        if exposure == "science":
            yield _mean(f"{exposure}.medianVariance", "", f"{doc}.", group, median)
            yield _mean(f"{exposure}.fracInvalidPixels", "", f"{lost}.", group, invalid)
        else:
            yield from _by_side(f"{exposure}.medianVariance", "", doc, group, median, per=per)
            yield from _by_side(f"{exposure}.fracInvalidPixels", "", lost, group, invalid, per=per)
    additivity = "Median variance of the difference over the sum of those of science image and template"
    yield from _by_side("difference.varianceAdditivity", "", additivity, group, median)
    for side in SIDES:
        doc = f"Largest deviation of a difference's variance additivity from 1{_SIDE_WORDS[side]}."
        yield Metric(of_side("difference.largestNonadditivity", side), "", doc, group, "max", median, census=True)


_EXPOSURES: tuple[tuple[str, _Unit], ...] = (
    ("science", "visit"),
    ("template", "coadd"),
    ("difference", "visit"),
)


def _depth(median: Mapping[str, Any]) -> Iterator[Metric]:
    group = "template_depth"
    yield Metric("science.numImages", "ct", "Visit-detectors that were subtracted.", group, "ratio", census=True)
    for side in SIDES:
        doc = f"Visits that went into the template, mean over data IDs{_SIDE_WORDS[side]}."
        name = of_side("template.numVisits", side)
        yield Metric(name, "ct", doc, group, "ratio", census=True, per="coadd")
        doc = f"Visit-detectors whose visit is one of those: their noise is that of the template{_SIDE_WORDS[side]}."
        yield Metric(of_side("template.numOwnInputs", side), "ct", doc, group, census=True)
    coverage = "Fraction of the template's pixels that have data"
    yield from _by_side("template.coverage", "", coverage, group, _NOTHING, per="coadd")
    depth = {"sigma": 5, "area": "noise-equivalent", **median}
    yield _mean("science.limitingMagnitude", "mag", "AB magnitude of a point source of 5 sigma.", group, depth)
    limit = "AB magnitude of a point source of 5 sigma in the difference"
    yield from _by_side("difference.limitingMagnitude", "mag", limit, group, depth)


def _contrast(size: Mapping[str, Any], median: Mapping[str, Any]) -> Iterator[Metric]:
    pairs = {"pairs": "of different input visits"}
    noise = {"area": "noise-equivalent", **median}
    for name, unit, doc, definition in (
        ("template.psfGoodMinusDeep", "pixel", "PSF FWHM of the good template less that of the deep one.", size),
        ("template.varianceGoodOverDeep", "", "Median variance of the good template over the deep one's.", median),
        ("difference.psfGoodOverDeep", "", "PSF FWHM of the difference, good over deep template.", size),
        ("difference.noiseGoodOverDeep", "", "Noise of a point source in the difference, good over deep.", noise),
        ("template.fracGoodSharper", "", "Share of pairs whose good template has the smaller PSF FWHM.", size),
    ):
        yield _mean(name, unit, doc, "template_contrast", {**definition, **pairs}, per="coadd")


def _order(size: Mapping[str, Any]) -> Iterator[Metric]:
    words = {
        Order.GOOD_VISIT_DEEP: "good template < visit < deep template",
        Order.VISIT_BELOW_BOTH: "visit < both templates",
        Order.DEEP_VISIT_GOOD: "deep template < visit < good template",
        Order.VISIT_ABOVE_BOTH: "visit > both templates",
        Order.TIES_OR_MISSING: "two of them equal, or one missing",
    }
    for order, meaning in words.items():
        doc = f"Share of visits with this order of PSF FWHM: {meaning}."
        yield _mean(f"template.order.{order}", "", doc, "template_order", size, per="coadd")


def _crossover(definition: Mapping[str, Any]) -> Iterator[Metric]:
    doc = "Visit FWHM over that of the deep template, above which differences with the deep one are deeper."
    fit = {"fit": "measured on expected ln(noise_good/noise_deep)", "area": "noise-equivalent", **definition}
    yield _mean("template.crossover", "", doc, "template_crossover", fit, per="coadd")


def _dia(flags: Mapping[str, Any]) -> Iterator[Metric]:
    group = "template_dia"
    for side in SIDES:
        words = _SIDE_WORDS[side]
        doc = f"DIA sources without a flag of the list, of both signs{words}."
        yield Metric(of_side("difference.numSources", side), "ct", doc, group, definition=flags)
    snr = "Median over the sources of a data ID of abs(PSF flux) over its error, mean over data IDs"
    yield from _by_side("difference.medianSnr", "", snr, group, flags)
    error = "Median over the sources of a data ID of the error of the PSF flux, mean over data IDs"
    yield from _by_side("difference.medianFluxError", "nJy", error, group, flags)
    yield from _by_side("difference.fracNegative", "", "Share of DIA sources whose PSF flux is negative", group, flags)


def _sanity() -> Iterator[Metric]:
    for name, doc in (
        ("numDuplicates", "Data IDs that are listed more than once."),
        ("numMissing", "Templates and differences that science images lack."),
        ("numUnreadable", "Numbers of exposures that could not be measured."),
        ("numScienceDiffers", "Data IDs whose science image is not the same for both templates."),
        ("numWithoutInputs", "Templates made of no visit."),
        ("numDeepLacksGood", "Data IDs whose deep template lacks a visit of the good one."),
    ):
        yield Metric(f"template.{name}", "ct", doc, "template_sanity", census=True)
