"""PSFs that are kernels, against sums written out and against GalSim."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import galsim
import numpy as np
import pytest
from archived_objects import fixed_kernel, row

from harness.errors import BrokenFileError, NotMeasuredError

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.rerun.exposures.protocol import Psf

    Read = Callable[..., Psf]

RNG = np.random.default_rng(4)
PLANES = [galsim.Moffat(beta=3, fwhm=4).drawImage(nx=15, ny=11, scale=1).array.astype(float)] + [
    0.01 * RNG.normal(size=(11, 15)) for _ in range(2)
]


def _psf(name: str = "KernelPsf") -> Any:
    return name, [row(kernel=2, averagePosition=(0.0, 0.0))]


def _combination(**fields: Any) -> Any:
    return "LinearCombinationKernel", [row(dimensions=(15, 11), center=(7, 5), **fields)]


@pytest.mark.parametrize("name", ["KernelPsf", "PcaPsf"])
def test_fixed_kernel_is_its_image(stored_psf: Read, name: str) -> None:
    """Rows and columns are kept apart, the sum is 1, the centre is that of the kernel."""
    psf = stored_psf(_psf(name), fixed_kernel(PLANES[0]))
    drawn = psf.at(3.0, 4.0)
    assert psf.name == name
    np.testing.assert_allclose(drawn.image, PLANES[0] / PLANES[0].sum(), rtol=1e-12)
    assert (drawn.x0, drawn.y0, drawn.moments) == (-7, -5, None)


def test_centre_of_a_kernel_may_be_anywhere(stored_psf: Read) -> None:
    """The centre that is stored counts, not the middle of the image."""
    columns = row(dimensions=(15, 11), center=(9, 2), image=PLANES[0].ravel())
    drawn = stored_psf(_psf(), ("FixedKernel", [columns])).at(0.0, 0.0)
    assert (drawn.x0, drawn.y0) == (-9, -2)


def test_amplitudes_weigh_the_components(stored_psf: Read) -> None:
    """A combination without functions is the same everywhere."""
    amplitudes = np.array([2.0, -0.5, 0.25])
    combination = _combination(components=np.array([3, 4, 5]), amplitudes=amplitudes)
    psf = stored_psf(_psf(), combination, *map(fixed_kernel, PLANES))
    expected = sum(amplitude * plane for amplitude, plane in zip(amplitudes, PLANES, strict=True))
    for place in [(0.0, 0.0), (500.0, 1000.0)]:
        np.testing.assert_allclose(psf.at(*place).image, expected / expected.sum(), rtol=1e-12)


def test_functions_weigh_the_components(stored_psf: Read) -> None:
    """A PCA of stars: its components are weighted by functions of place, then the sum is made 1."""
    functions = [
        ("PolynomialFunction2D", [row(coefficients=np.array([1.0]))]),
        ("PolynomialFunction2D", [row(coefficients=np.array([0.0, 1e-3, 0.0]))]),
        ("PolynomialFunction2D", [row(coefficients=np.array([0.0, 0.0, -1e-3]))]),
    ]
    combination = _combination(components=np.array([3, 4, 5]), spatialfunctions=np.array([6, 7, 8]))
    psf = stored_psf(_psf("PcaPsf"), combination, *map(fixed_kernel, PLANES), *functions)
    for x, y in [(0.0, 0.0), (500.0, 1000.0), (-20.0, 4000.0)]:
        expected = PLANES[0] + 1e-3 * x * PLANES[1] - 1e-3 * y * PLANES[2]
        np.testing.assert_allclose(psf.at(x, y).image, expected / expected.sum(), rtol=1e-12)


def test_analytic_kernel_is_its_function(stored_psf: Read) -> None:
    """An elliptical Gaussian that is stored by its axes equals that of GalSim by its shear."""
    kernel = ("AnalyticKernel", [row(dimensions=(25, 25), center=(12, 12), kernelfunction=3)])
    function = ("GaussianFunction2D", [row(sigma1=2.4, sigma2=1.5, angle=0.3)])
    profile = galsim.Gaussian(sigma=np.sqrt(2.4 * 1.5)).shear(q=1.5 / 2.4, beta=0.3 * galsim.radians)
    expected = profile.drawImage(nx=25, ny=25, scale=1.0, method="no_pixel", dtype=float).array
    np.testing.assert_allclose(stored_psf(_psf(), kernel, function).at(0, 0).image, expected, rtol=0, atol=1e-5)


def test_parameters_of_an_analytic_kernel_may_vary(stored_psf: Read) -> None:
    """Functions of place stand for the parameters, in their order."""
    fields = row(dimensions=(25, 25), center=(12, 12), kernelfunction=3, spatialfunctions=np.array([4, 5, 6]))
    constant = [("PolynomialFunction2D", [row(coefficients=np.array([value]))]) for value in (1.5, 0.0)]
    psf = stored_psf(
        _psf(),
        ("AnalyticKernel", [fields]),
        ("GaussianFunction2D", [row(sigma1=1.0, sigma2=1.0, angle=0.0)]),
        ("PolynomialFunction2D", [row(coefficients=np.array([2.0, 1e-3, 0.0]))]),
        *constant,
    )
    x, y = np.meshgrid(np.arange(-12, 13), np.arange(-12, 13))
    for sigma, place in [(2.0, 0.0), (2.5, 500.0)]:
        expected = np.exp(-(x**2) / (2 * sigma**2) - y**2 / (2 * 1.5**2))
        np.testing.assert_allclose(psf.at(place, 0.0).image, expected / expected.sum(), rtol=1e-9)


def test_unknown_kernels_are_named(stored_psf: Read) -> None:
    """A kernel that nobody here knows is not evaluated; nor is a combination of combinations."""
    unknown = ("SeparableKernel", [row(dimensions=(15, 11), center=(7, 5))])
    with pytest.raises(NotMeasuredError, match=r"^SeparableKernel \(object 2 of .* use a recorded size"):
        stored_psf(_psf(), unknown)
    combination = _combination(components=np.array([2]), amplitudes=np.array([1.0]))
    with pytest.raises(NotMeasuredError, match=r"^LinearCombinationKernel \(object 2 of "):
        stored_psf(_psf(), combination)


@pytest.mark.parametrize(
    ("kernel", "said"),
    [
        (("FixedKernel", [row(dimensions=(15, 10), center=(7, 5), image=PLANES[0].ravel())]), "has 165 numbers .* 150"),
        (_combination(components=np.array([3]), amplitudes=np.array([1.0, 2.0])), "has 2 numbers .* instead of 1"),
        (_combination(components=np.array([3, 9]), amplitudes=np.array([1.0, 2.0])), "has no object 9"),
        (_combination(components=np.array([3])), "amplitudes"),
    ],
)
def test_broken_kernels_are_named(stored_psf: Read, kernel: Any, said: str) -> None:
    """Sizes that do not fit together, and objects that are not there, are damage."""
    with pytest.raises(BrokenFileError, match=said):
        stored_psf(_psf(), kernel, fixed_kernel(PLANES[0]))


def test_components_of_different_sizes_are_broken(stored_psf: Read) -> None:
    """A sum of images needs one size."""
    combination = _combination(components=np.array([3, 4]), amplitudes=np.array([1.0, 2.0]))
    with pytest.raises(BrokenFileError, match="has a component of another size than its own"):
        stored_psf(_psf(), combination, fixed_kernel(PLANES[0]), fixed_kernel(PLANES[0].T))


def test_kernel_without_a_sum_is_not_measured(stored_psf: Read) -> None:
    """A kernel that adds up to nothing has no unit sum."""
    psf = stored_psf(_psf(), fixed_kernel(np.zeros((11, 15))))
    with pytest.raises(NotMeasuredError, match="has an image with the sum 0; use a recorded size"):
        psf.at(0.0, 0.0)
