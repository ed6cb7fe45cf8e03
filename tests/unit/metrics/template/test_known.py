"""Numbers of a subtraction, by formulas that stand elsewhere, and why there is none."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from subtractions import exposure, visit_with_both

from harness.metrics.template import known
from harness.metrics.template.known import NO_EXPOSURE, Number, formed
from harness.metrics.template.subtraction import ExposureSummary

if TYPE_CHECKING:
    from harness.metrics.template.subtraction import Subtraction


def good(**changes: Any) -> Subtraction:
    """Return a sound subtraction with some fields replaced."""
    return replace(visit_with_both(7)[0], **changes)


def test_a_formula_of_an_unknown_number_is_unknown_for_its_reason() -> None:
    """The first reason is handed on, and the formula is not tried."""
    unknown = formed(lambda a, b: a / b, Number(1.0), Number(math.nan, "no PSF"))
    assert math.isnan(unknown.value)
    assert unknown.reason == "no PSF"
    assert formed(lambda a, b: a / b, Number(1.0), Number(4.0)) == Number(0.25)


def test_only_the_kind_of_size_that_is_asked_for_counts() -> None:
    """A size of another kind is none, and the reason names both."""
    of = good(template=exposure(4.0, 1.0, psf_kind="trace"))
    assert known.fwhm(of, "template", "trace") == Number(4.0)
    found = known.fwhm(of, "template", "determinant")
    assert math.isnan(found.value)
    assert "of kind trace, and determinant is asked for" in found.reason
    only_area = good(template=ExposureSummary(nea=50.0))
    assert "of kind nea, and determinant is asked for" in known.fwhm(only_area, "template", "determinant").reason


def test_the_size_of_a_noise_equivalent_area_is_that_of_a_gaussian() -> None:
    """NEA = 1/sum(P²) of a Gaussian drawn on pixels gives back its FWHM."""
    y, x = np.mgrid[-40:41, -40:41]
    sigma = 2.5
    psf = np.exp(-(x**2 + y**2) / (2 * sigma**2))
    psf /= psf.sum()
    of = good(science=ExposureSummary(nea=float(1 / np.sum(psf**2))))
    assert known.fwhm(of, "science", "nea").value == pytest.approx(2 * math.sqrt(2 * math.log(2)) * sigma, rel=1e-10)


@pytest.mark.parametrize("sentinel", [0.0, -1.0])
def test_a_size_or_variance_that_is_not_positive_is_none(sentinel: float) -> None:
    """0 stands for a size that could not be measured, as pipelines write it."""
    of = good(template=exposure(sentinel, sentinel, nea=sentinel, n_pixels=100))
    for found in (
        known.fwhm(of, "template", "determinant"),
        known.variance(of, "template"),
        known.nea(of, "template"),
        known.noise(of, "template"),
    ):
        assert math.isnan(found.value)
        assert "stands for none" in found.reason


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_unknown(value: float) -> None:
    """NaN and infinity are no numbers, whatever they are the number of."""
    of = good(template=exposure(value, value, zero_point=value), coverage=value)
    for found in (
        known.fwhm(of, "template", "determinant"),
        known.variance(of, "template"),
        known.nea(of, "template"),
        known.zero_point(of, "template"),
        known.coverage(of),
    ):
        assert math.isnan(found.value)
        assert found.reason.startswith("the template image has no")


def test_the_most_specific_reason_is_told() -> None:
    """Missing goes before a problem of the number, that before one of the exposure, that before nothing to read."""
    problems = {"template": "it is truncated", "template.nea": "no PSF"}
    broken = good(template=ExposureSummary(), problems=problems)
    assert known.variance(broken, "template").reason == "it is truncated"
    assert known.nea(broken, "template").reason == "no PSF"
    assert (
        known.variance(replace(broken, missing=("template",)), "template").reason == "the rerun has no template of it"
    )
    assert known.variance(good(template=ExposureSummary()), "template").reason == NO_EXPOSURE


def test_variances_are_brought_to_the_unit_of_the_science_image() -> None:
    """Two images of one star field, one in units of 2.5 of the other, have one variance and one noise."""
    step = 2.5 * math.log10(2.5)
    of = good(
        science=exposure(5, 4.0, zero_point=27.0),
        template=exposure(5, 4.0 * 2.5**2, zero_point=27.0 + step),
        difference=exposure(5, 8.0, zero_point=27.0),
    )
    assert known.variance_as_science(of, "template").value == pytest.approx(4.0, rel=1e-12)
    assert known.noise(of, "template").value == pytest.approx(known.noise(of, "science").value, rel=1e-12)


def test_a_zero_point_that_only_one_image_has_leaves_the_unit_unknown() -> None:
    """Without any, units are taken to be the same; with one of two, nothing can be said."""
    nowhere = good(science=exposure(5, 4.0, zero_point=math.nan), template=exposure(5, 1.0, zero_point=math.nan))
    assert known.variance_as_science(nowhere, "template") == Number(1.0)
    half = replace(nowhere, science=exposure(5, 4.0))
    assert known.variance_as_science(half, "template").reason == "the template image has no zero point"


def test_the_limiting_magnitude_is_that_of_five_sigma() -> None:
    """The flux error of a PSF fit, by linear algebra on pixels, is sqrt(NEA × variance), and 5 of it the limit."""
    y, x = np.mgrid[-30:31, -30:31]
    psf = np.exp(-(x**2 + y**2) / (2 * 2.0**2))
    psf /= psf.sum()
    variance = 9.0
    flux_error = 1 / math.sqrt(np.sum(psf**2 / variance))
    of = good(science=exposure(2.0 * known.SIGMA_TO_FWHM, variance, zero_point=28.0))
    assert known.noise(of, "science").value == pytest.approx(flux_error, rel=1e-9)
    expected = 28.0 - 2.5 * math.log10(5 * flux_error)
    assert known.limiting_magnitude(of, "science").value == pytest.approx(expected, rel=1e-9)


def test_pixels_without_a_usable_variance_are_counted() -> None:
    """Masked, NaN, infinite and non-positive ones add up; without an exposure there are none to count."""
    of = good(template=exposure(5, 1, n_pixels=100, n_masked=5, n_nan=4, n_inf=3, n_nonpositive=2))
    assert known.pixels(of, "template") == (Number(14.0), Number(100.0))
    assert known.pixels(good(template=ExposureSummary()), "template")[0].reason == NO_EXPOSURE


def test_no_inputs_are_not_unknown_inputs() -> None:
    """An empty list is 0 visits; no list is no number."""
    assert known.n_inputs(good(input_visits=())) == Number(0.0)
    assert "no record of its input visits" in known.n_inputs(good(input_visits=None)).reason
