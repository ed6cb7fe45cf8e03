"""Numbers of a subtraction that are either known or not, and then say why."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

from harness.rerun.exposures.protocol import SIGMA_TO_FWHM

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.metrics.template.subtraction import ExposureName, Subtraction
    from harness.rerun.exposures.protocol import PsfSizeKind

__all__ = [
    "NO_EXPOSURE",
    "Number",
    "coverage",
    "formed",
    "fwhm",
    "limiting_magnitude",
    "n_inputs",
    "nea",
    "noise",
    "pixels",
    "variance",
    "variance_as_science",
    "zero_point",
]

#: Why there is no number where nothing was to be read, as in a table of sizes.
NO_EXPOSURE = "no exposure"


class Number(NamedTuple):
    """A finite number, or NaN with the reason why there is none."""

    value: float
    reason: str = ""


def formed(formula: Callable[..., Any], *numbers: Number) -> Number:
    """Return a formula of numbers; where one of them is unknown, so is the result, for the same reason."""
    for number in numbers:
        if number.reason:
            return Number(math.nan, number.reason)
    return Number(float(formula(*(number.value for number in numbers))))


def fwhm(of: Subtraction, exposure: ExposureName, kind: PsfSizeKind) -> Number:
    """Return the FWHM of a PSF, pixels.

    A size of another kind is none: of one and the same PSF they differ by as much as 20 %.  The FWHM of kind ``nea``
    follows from the noise-equivalent area, 2 sqrt(2 ln 2) sqrt(NEA/4pi).
    """
    summary = of.summary(exposure)
    if summary.psf_kind == kind:
        return _positive(of, exposure, "fwhm", summary.fwhm)
    if kind == "nea":
        return formed(lambda area: SIGMA_TO_FWHM * math.sqrt(area / (4 * math.pi)), nea(of, exposure))
    if has := summary.psf_kind or ("nea" if math.isfinite(summary.nea) else ""):
        return Number(math.nan, f"the PSF size of the {exposure} image is of kind {has}, and {kind} is asked for")
    return _positive(of, exposure, "fwhm", math.nan)


def nea(of: Subtraction, exposure: ExposureName) -> Number:
    """Return the noise-equivalent area of a PSF, pixel²."""
    return _positive(of, exposure, "nea", of.summary(exposure).nea)


def variance(of: Subtraction, exposure: ExposureName) -> Number:
    """Return the median variance, in the exposure's own pixel unit squared."""
    return _positive(of, exposure, "variance", of.summary(exposure).variance)


def variance_as_science(of: Subtraction, exposure: ExposureName) -> Number:
    """Return the median variance, in the science exposure's pixel unit squared.

    Zero points tell the units apart; where neither exposure has one, the units are taken to be the same.
    """
    if math.isnan(of.science.zero_point) and math.isnan(of.summary(exposure).zero_point):
        return variance(of, exposure)
    return formed(
        lambda found, ours, theirs: found * 10 ** (0.8 * (ours - theirs)),
        *(variance(of, exposure), zero_point(of, "science"), zero_point(of, exposure)),
    )


def noise(of: Subtraction, exposure: ExposureName) -> Number:
    """Return the noise of a point source's PSF flux, sqrt(NEA × median variance), in the science exposure's unit."""
    return formed(lambda area, square: math.sqrt(area * square), nea(of, exposure), variance_as_science(of, exposure))


def limiting_magnitude(of: Subtraction, exposure: ExposureName) -> Number:
    """Return the AB magnitude of a point source of 5 sigma, zero point - 2.5 log10(5 sqrt(NEA × median variance))."""
    return formed(
        lambda zero, area, square: zero - 2.5 * math.log10(5 * math.sqrt(area * square)),
        *(zero_point(of, exposure), nea(of, exposure), variance(of, exposure)),
    )


def zero_point(of: Subtraction, exposure: ExposureName) -> Number:
    """Return the AB magnitude of one pixel unit."""
    return _finite(of, exposure, "zero_point", of.summary(exposure).zero_point)


def pixels(of: Subtraction, exposure: ExposureName) -> tuple[Number, Number]:
    """Return how many pixels have no usable variance, and how many there are."""
    summary = of.summary(exposure)
    invalid = summary.n_masked + summary.n_nan + summary.n_inf + summary.n_nonpositive
    n_pixels = _positive(of, exposure, "variance", summary.n_pixels or math.nan)
    return formed(lambda _: invalid, n_pixels), n_pixels


def coverage(of: Subtraction) -> Number:
    """Return the fraction of the template's pixels that have data."""
    return _finite(of, "template", "coverage", of.coverage)


def n_inputs(of: Subtraction) -> Number:
    """Return the number of visits that the template was made of."""
    inputs = of.input_visits
    return _finite(of, "template", "input_visits", math.nan if inputs is None else len(inputs))


_WORDS = {
    "fwhm": "PSF size",
    "nea": "noise-equivalent area",
    "variance": "median variance",
    "zero_point": "zero point",
    "coverage": "coverage",
    "input_visits": "record of its input visits",
}


def _finite(of: Subtraction, exposure: ExposureName, quantity: str, value: float) -> Number:
    return Number(value) if math.isfinite(value) else Number(math.nan, _why_unknown(of, exposure, quantity))


def _positive(of: Subtraction, exposure: ExposureName, quantity: str, value: float) -> Number:
    if value > 0 or not math.isfinite(value):
        return _finite(of, exposure, quantity, value)
    told = of.problems.get(f"{exposure}.{quantity}")
    return Number(
        math.nan, told or f"the {_WORDS[quantity]} of the {exposure} image is {value:g}, which stands for none"
    )


def _why_unknown(of: Subtraction, exposure: ExposureName, quantity: str) -> str:
    if exposure in of.missing:
        return f"the rerun has no {'science image' if exposure == 'science' else exposure} of it"
    for part in (f"{exposure}.{quantity}", exposure):
        if part in of.problems:
            return of.problems[part]
    return f"the {exposure} image has no {_WORDS[quantity]}" if of.summary(exposure).n_pixels else NO_EXPOSURE
