"""Gaussian PSFs against GalSim's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import galsim
import numpy as np
import pytest
from archived_objects import row

from harness.errors import BrokenFileError

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.rerun.exposures.protocol import Psf

    Read = Callable[..., Psf]


def _drawn(profile: galsim.GSObject, width: int, height: int) -> np.ndarray:
    """Return a profile at the centres of pixels, centred on pixel [h // 2, w // 2], with unit sum."""
    image = galsim.ImageD(galsim.BoundsI(-(width // 2), (width - 1) // 2, -(height // 2), (height - 1) // 2))
    profile.drawImage(image, scale=1.0, method="no_pixel", center=galsim.PositionD(0, 0))
    return image.array / image.array.sum()


@pytest.mark.parametrize("name", ["GaussianPsf", "SingleGaussianPsf"])
@pytest.mark.parametrize(("width", "height"), [(25, 25), (21, 31), (24, 18)])
def test_gaussian_is_that_of_galsim(stored_psf: Read, name: str, width: int, height: int) -> None:
    """Its pixels are those of GalSim, about pixel [h // 2, w // 2]."""
    psf = stored_psf((name, [row(dimensions=(width, height), sigma=1.7)]))
    drawn = psf.at(100.5, 2000.0)
    assert psf.name == name
    assert (drawn.x0, drawn.y0) == (-(width // 2), -(height // 2))
    np.testing.assert_allclose(drawn.image, _drawn(galsim.Gaussian(sigma=1.7), width, height), rtol=0, atol=1e-9)


def test_moments_of_a_gaussian_are_known(stored_psf: Read) -> None:
    """A GaussianPsf has those of its formula, a SingleGaussianPsf none but what its pixels have."""
    fields = row(dimensions=(25, 25), sigma=0.6)
    assert stored_psf(("GaussianPsf", [fields])).at(0, 0).moments == pytest.approx((0.36, 0.36, 0))
    assert stored_psf(("SingleGaussianPsf", [fields])).at(0, 0).moments is None


def test_double_gaussian_is_the_sum_of_two(stored_psf: Read) -> None:
    """The second is given by the ratio of the peaks."""
    psf = stored_psf(("DoubleGaussianPsf", [row(dimensions=(41, 41), sigma1=1.5, sigma2=3.0, b=0.1)]))
    # A GalSim Gaussian of unit flux has a peak of 1 / (2 pi sigma²).
    both = galsim.Gaussian(sigma=1.5, flux=1.5**2) + galsim.Gaussian(sigma=3.0, flux=0.1 * 3.0**2)
    np.testing.assert_allclose(psf.at(0, 0).image, _drawn(both, 41, 41), rtol=0, atol=1e-9)


def test_double_gaussian_may_have_one_alone(stored_psf: Read) -> None:
    """With a ratio of 0 the second has no width."""
    double = stored_psf(("DoubleGaussianPsf", [row(dimensions=(25, 25), sigma1=1.5, sigma2=0.0, b=0.0)]))
    single = stored_psf(("SingleGaussianPsf", [row(dimensions=(25, 25), sigma=1.5)]))
    np.testing.assert_array_equal(double.at(0, 0).image, single.at(0, 0).image)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"dimensions": (25, 25), "sigma": 0.0}, "has sigma = 0;"),
        ({"dimensions": (25, 25), "sigma": np.nan}, "has a number in its field sigma that is not finite"),
        ({"dimensions": (25, -1), "sigma": 1.0}, "has the dimensions 25 × -1"),
        ({"dimensions": (25, 25)}, "cannot be read"),
        ({"sigma": 1.0}, "cannot be read"),
        ({"dimensions": (25, 25), "sigma": np.array([1.0, 2.0])}, "has 2 numbers in its field sigma instead of 1"),
    ],
)
def test_broken_fields_are_named(stored_psf: Read, fields: dict[str, object], said: str) -> None:
    """What cannot be a Gaussian says so, with class, object and file."""
    with pytest.raises(BrokenFileError, match=rf"^GaussianPsf \(object 1 of the archive\) in .*\.fits {said}"):
        stored_psf(("GaussianPsf", [row(**fields)]))
