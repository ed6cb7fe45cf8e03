"""Adaptive moments beside those of `galsim.hsm`, and of Gaussians whose covariance is known."""

from __future__ import annotations

import math

import galsim
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.metrics.moments import (
    adaptive_moments,
    adaptive_moments_of_each,
    determinant_radius,
    noise_equivalent_area,
    trace_radius,
)

N_STAMPS = 60

CLASSES = {
    "Gaussian": {"profile": "gaussian", "fwhm": (2.5, 8), "shear": 0.1},
    "Moffat": {"profile": "moffat", "fwhm": (2.5, 8), "shear": 0.1},
    "elliptical": {"profile": "moffat", "fwhm": (3, 6), "shear": 0.6},
    "large": {"profile": "moffat", "fwhm": (8, 18), "shear": 0.3},
    "noisy": {"profile": "moffat", "fwhm": (2.5, 8), "shear": 0.4, "snr": (20, 300)},
    "undersampled": {"profile": "gaussian", "fwhm": (1.3, 2.2), "shear": 0.2},
    "undersampled Moffat": {"profile": "moffat", "fwhm": (1.3, 2.5), "shear": 0.2},
    "undersampled, noisy": {"profile": "moffat", "fwhm": (2, 2.5), "shear": 0.2, "snr": (50, 300)},
}


def stamps(profile, fwhm, shear, snr=None, n=N_STAMPS):
    """Return stamps of a class: sizes, shapes, places within a pixel and noise drawn at random."""
    rng = np.random.default_rng(41)
    drawn = []
    for _ in range(n):
        size = rng.uniform(*fwhm)
        star = (
            galsim.Gaussian(fwhm=size) if profile == "gaussian" else galsim.Moffat(rng.uniform(2.5, 4.5), fwhm=size)
        ).shear(g=rng.uniform(0, shear), beta=rng.uniform(0, math.pi) * galsim.radians)
        side = int(rng.choice([41, 51, 61]))
        stamp = star.drawImage(nx=side, ny=side, scale=1, offset=rng.uniform(-0.5, 0.5, 2), dtype=float).array
        if snr:
            noise = math.sqrt((stamp**2).sum()) / rng.uniform(*snr)
            stamp = stamp + rng.normal(0, noise, stamp.shape)
        drawn.append(stamp)
    return drawn


def hsm(stamp):
    """Return galsim's determinant radius, e1 and e2; NaN where it finds none."""
    found = galsim.hsm.FindAdaptiveMom(galsim.Image(np.ascontiguousarray(stamp, float), scale=1), strict=False)
    if found.error_message:
        return math.nan, math.nan, math.nan
    return found.moments_sigma, found.observed_shape.e1, found.observed_shape.e2


def measured(stamp):
    """Return our determinant radius, e1 and e2."""
    ixx, iyy, ixy = adaptive_moments(stamp, -(stamp.shape[1] // 2), -(stamp.shape[0] // 2))
    return determinant_radius(ixx, iyy, ixy), (ixx - iyy) / (ixx + iyy), 2 * ixy / (ixx + iyy)


def sampled_gaussian(ixx, iyy, ixy, *, side=61, x=0.0, y=0.0):
    """Return a stamp of a Gaussian's values at the centres of pixels."""
    rows, columns = np.indices((side, side)) - side // 2
    inverse = np.linalg.inv([[ixx, ixy], [ixy, iyy]])
    dx, dy = columns - x, rows - y
    return np.exp(-(inverse[0, 0] * dx * dx + 2 * inverse[0, 1] * dx * dy + inverse[1, 1] * dy * dy) / 2)


def pipeline_radius(stamp):
    """Return the radius as the pipeline forms it, in plain numpy: fixed centre, weight cut at r^T W^-1 r = 14."""
    rows, columns = np.indices(stamp.shape) - stamp.shape[0] // 2
    place = np.stack([columns, rows]).astype(float)
    weight = 1.5 * np.eye(2)
    for _ in range(100):
        inverse = np.linalg.inv(weight)
        q = np.einsum("iyx,ij,jyx->yx", place, inverse, place)
        light = np.where(q <= 14, stamp * np.exp(-q / 2), 0)
        moments = np.einsum("iyx,jyx,yx->ij", place, place, light) / light.sum()
        weight = np.linalg.inv(np.linalg.inv(moments) - inverse)
    return np.linalg.det(weight) ** 0.25


@pytest.mark.parametrize("name", CLASSES)
def test_radius_agrees_with_galsim(name):
    """The determinant radius is that of `galsim.hsm` to 5e-4, on every stamp that it finds a radius of and no other."""
    drawn = stamps(**CLASSES[name])
    ours, theirs = (np.array([way(stamp)[0] for stamp in drawn]) for way in (measured, hsm))
    np.testing.assert_allclose(ours, theirs, rtol=5e-4)
    assert np.isfinite(ours).sum() > N_STAMPS // 2


def test_shapes_agree_with_galsim():
    """The ellipticity is that of `galsim.hsm` too, in size and direction."""
    drawn = stamps(**CLASSES["elliptical"])
    np.testing.assert_allclose([measured(stamp) for stamp in drawn], [hsm(stamp) for stamp in drawn], atol=1e-4)


def test_narrowest_stamps_have_no_radius():
    """A PSF that lies within one pixel has no moments, as with galsim."""
    stamp = galsim.Gaussian(fwhm=0.8).drawImage(nx=41, ny=41, scale=1, dtype=float).array
    assert math.isnan(hsm(stamp)[0])
    assert math.isnan(measured(stamp)[0])


def test_ring_is_measured():
    """A source that is darker in the middle than the first weight is wide has moments none the less."""
    rows, columns = np.indices((51, 51)) - 25
    ring = np.exp(-((np.hypot(rows, columns) - 8) ** 2) / 4)
    np.testing.assert_allclose(measured(ring), hsm(ring), rtol=5e-4, atol=1e-4)


def test_noise_does_not_run_away():
    """At a signal-to-noise ratio of 10, where a full step may leave the source, galsim's radii are found."""
    drawn = stamps("moffat", (2, 8), 0.5, (10, 12), n=400)
    ours, theirs = (np.array([way(stamp)[0] for stamp in drawn]) for way in (measured, hsm))
    assert (np.isfinite(ours) != np.isfinite(theirs)).sum() <= 2
    both = np.isfinite(ours + theirs)
    np.testing.assert_allclose(ours[both], theirs[both], rtol=5e-4)


@settings(max_examples=60, deadline=None)
@given(
    st.floats(1.5, 9),
    st.floats(1.5, 9),
    st.floats(-0.6, 0.6),
    st.tuples(st.floats(-0.5, 0.5), st.floats(-0.5, 0.5)),
    st.floats(0.1, 9),
)
def test_moments_of_a_gaussian_are_its_covariance(ixx, iyy, correlation, place, flux):
    """Wherever in its pixel it lies, however bright it is."""
    ixy = correlation * math.sqrt(ixx * iyy)
    stamp = flux * sampled_gaussian(ixx, iyy, ixy, x=place[0], y=place[1])
    found = adaptive_moments(stamp, -30, -30)
    assert found == pytest.approx((ixx, iyy, ixy), rel=2e-4, abs=2e-4)


def test_first_guess_need_not_be_right():
    """The centre is found from a place that is a sigma away."""
    stamp = sampled_gaussian(4.0, 5.0, 1.0)
    expected = adaptive_moments(stamp, -30, -30)
    assert adaptive_moments(stamp, -31.5, -28.5) == pytest.approx(expected, rel=1e-5)


def test_rows_are_y():
    """What is long along rows has a large Ixx."""
    stamp = sampled_gaussian(9.0, 4.0, 0.0)[18:43]
    assert adaptive_moments(stamp, -30, -12) == pytest.approx((9, 4, 0), abs=1e-4)


@pytest.mark.parametrize(
    "profile", [galsim.Gaussian(fwhm=4.0), *(galsim.Moffat(beta, fwhm=4.0) for beta in (2.5, 3.5, 4.5))]
)
def test_cut_of_the_pipeline_costs_little(profile):
    """The pipeline's radius of a centred PSF is smaller than ours, by no more than 5e-4 of itself."""
    stamp = profile.drawImage(nx=61, ny=61, scale=1, dtype=float).array
    assert -5e-4 < pipeline_radius(stamp) / measured(stamp)[0] - 1 < 0


def test_fixed_centre_of_the_pipeline_enlarges():
    """A centroid d off the fixed centre enlarges the pipeline's radius by d²/(4 sigma²), and ours by nothing."""
    centred, off = (sampled_gaussian(4.0, 4.0, 0.0, x=x) for x in (0.0, 0.3))
    assert pipeline_radius(off) / pipeline_radius(centred) - 1 == pytest.approx(0.3**2 / 16, rel=0.02)
    assert measured(off)[0] == pytest.approx(measured(centred)[0], rel=1e-6)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "stamp",
    [
        np.zeros((41, 41)),
        -sampled_gaussian(4.0, 4.0, 0.0),
        np.full((41, 41), np.nan),
        np.where(np.eye(41) > 0, np.inf, 1.0),
        np.where(np.eye(41) > 0, np.nan, sampled_gaussian(4.0, 4.0, 0.0, side=41)),
        np.ones((1, 1)),
        np.empty((0, 0)),
    ],
    ids=["nothing", "negative", "NaN", "infinite", "NaN among others", "one pixel", "no pixel"],
)
def test_no_solution_is_nan(stamp):
    """What has no moments gets NaN and never an exception."""
    assert all(math.isnan(moment) for moment in adaptive_moments(stamp, -20, -20))


@pytest.mark.parametrize("place", [100.0, math.nan])
def test_guess_outside_the_stamp_is_nan(place):
    """A source that is looked for where there are no pixels has no moments."""
    assert math.isnan(adaptive_moments(sampled_gaussian(4.0, 4.0, 0.0), place, -30)[0])


def test_each_of_many_is_as_one():
    """A batch gives what its stamps give one by one, the one that fails included, whatever the type of its pixels."""
    images = np.stack([sampled_gaussian(4.0, 5.0, 1.0), np.zeros((61, 61)), sampled_gaussian(2.0, 3.0, -0.5)])
    expected = [adaptive_moments(image, -30, -30) for image in images]
    np.testing.assert_array_equal(adaptive_moments_of_each(images, -30, -30), expected)
    single = np.asfortranarray(images.astype(">f4"))
    single.flags.writeable = False
    np.testing.assert_allclose(adaptive_moments_of_each(single, -30, -30), expected, rtol=1e-5)
    assert adaptive_moments_of_each(images[:0], -30, -30).shape == (0, 3)


def test_radii_of_an_ellipse():
    """Semi-axes 3 and 2, turned: geometric and quadratic mean."""
    cos, sin = math.cos(0.4), math.sin(0.4)
    moments = 9 * cos**2 + 4 * sin**2, 9 * sin**2 + 4 * cos**2, 5 * cos * sin
    assert determinant_radius(*moments) == pytest.approx(math.sqrt(6))
    assert trace_radius(*moments) == pytest.approx(math.sqrt(6.5))


@pytest.mark.parametrize("moments", [(math.nan,) * 3, (1.0, 1.0, 2.0), (-1.0, -1.0, 0.0), (0.0, 1.0, 0.0)])
def test_radii_of_no_ellipse_are_nan(moments):
    """Moments that no source has give no radius."""
    assert math.isnan(determinant_radius(*moments))
    assert math.isnan(trace_radius(*moments))


def test_noise_equivalent_area_of_a_gaussian():
    """It is 4 pi sigma², whatever the normalisation; of equal pixels it is their number; of nothing it is NaN."""
    assert noise_equivalent_area(3 * sampled_gaussian(4.0, 4.0, 0.0)) == pytest.approx(16 * math.pi, rel=1e-9)
    assert noise_equivalent_area(np.full((3, 5), 0.1, np.float32)) == pytest.approx(15)
    for image in (np.zeros((3, 3)), np.full((3, 3), np.nan), np.full((3, 3), np.inf)):
        assert math.isnan(noise_equivalent_area(image))
