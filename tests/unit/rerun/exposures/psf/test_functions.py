"""Functions of place and profiles of kernels, against their formulas written out."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from archived_objects import archive_of, row
from scipy.special import eval_chebyt

from harness.errors import BrokenFileError, NotMeasuredError
from harness.rerun.exposures.psf.functions import read_kernel_function, read_spatial_function

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from harness.rerun.exposures.archive import Archive

PLACES = [(0.0, 0.0), (10.0, 20.0), (1023.5, 2047.5), (-7.0, 4000.0)]


@pytest.fixture
def stored(tmp_path: Path) -> Iterator[Callable[..., Archive]]:
    """Return what stores one object."""
    with ExitStack() as files:
        yield lambda name, **fields: files.enter_context(archive_of(tmp_path / "one.fits", (name, [row(**fields)])))


@pytest.mark.parametrize("precision", "DF")
@pytest.mark.parametrize(("x", "y"), PLACES)
def test_polynomial_has_its_terms_by_degree(stored: Any, precision: str, x: float, y: float) -> None:
    """The coefficients belong to 1, x, y, x², xy, y², x³, x²y, xy², y³."""
    c = np.array([1.0, 2e-3, -3e-3, 4e-6, -5e-6, 6e-6, -7e-9, 8e-9, 9e-9, -1e-8])
    function = read_spatial_function(stored(f"PolynomialFunction2{precision}", coefficients=c), 1)
    terms = [1, x, y, x * x, x * y, y * y, x**3, x * x * y, x * y * y, y**3]
    assert function(x, y) == pytest.approx(c @ terms, rel=1e-12)


@pytest.mark.parametrize(("x", "y"), PLACES)
def test_chebyshev_has_its_terms_by_degree(stored: Any, x: float, y: float) -> None:
    """They are products of T_i in x and T_j in y, both from -1 to 1 over the box, and go on outside it."""
    c = np.array([1.0, 0.2, -0.3, 0.04, -0.05, 0.06])
    archive = stored("Chebyshev1Function2D", coefficients=c, min=(0.0, 10.0), max=(2047.0, 4090.0))
    u, v = 2 * x / 2047 - 1, 2 * (y - 10) / 4080 - 1
    terms = [eval_chebyt(i, u) * eval_chebyt(j, v) for i, j in [(0, 0), (1, 0), (0, 1), (2, 0), (1, 1), (0, 2)]]
    assert read_spatial_function(archive, 1)(x, y) == pytest.approx(c @ terms, rel=1e-12)


def test_constant_is_a_function(stored: Any) -> None:
    """One coefficient is a polynomial of degree 0."""
    assert read_spatial_function(stored("PolynomialFunction2D", coefficients=np.array([3.5])), 1)(7.0, 8.0) == 3.5


def test_gaussian_profile_is_turned_from_x_to_y(stored: Any) -> None:
    """Its first axis lies at the angle: at 90 degrees along y."""
    function = read_kernel_function(stored("GaussianFunction2D", sigma1=2.0, sigma2=1.0, angle=np.pi / 6), 1)
    along = np.array([np.cos(np.pi / 6), np.sin(np.pi / 6)])
    across = np.array([-along[1], along[0]])
    value = lambda at: float(function.profile(function.parameters, at[0], at[1]))  # noqa: E731
    assert value(2 * along) == pytest.approx(np.exp(-0.5))
    assert value(1 * across) == pytest.approx(np.exp(-0.5))
    assert value(along + across) == pytest.approx(np.exp(-1 / 8 - 1 / 2))


def test_double_gaussian_profile_has_the_ratio_of_peaks(stored: Any) -> None:
    """The second Gaussian is as high at the centre as the ratio says."""
    function = read_kernel_function(stored("DoubleGaussianFunction2D", sigma1=1.0, sigma2=3.0, ampl2=0.25), 1)
    x, y = np.array([0.0, 3.0]), np.array([0.0, 4.0])
    expected = [1.25, np.exp(-25 / 2) + 0.25 * np.exp(-25 / 18)]
    np.testing.assert_allclose(function.profile(function.parameters, x, y), expected, rtol=1e-12)


def test_incomplete_polynomials_are_broken(stored: Any) -> None:
    """Two coefficients, or five, are not all terms up to a degree."""
    with pytest.raises(BrokenFileError, match="has 5 coefficients, which are not those of all terms up to a degree"):
        read_spatial_function(stored("PolynomialFunction2D", coefficients=np.arange(5.0)), 1)


def test_chebyshev_over_nothing_is_broken(stored: Any) -> None:
    """A box without an extent has no coordinates from -1 to 1."""
    archive = stored("Chebyshev1Function2D", coefficients=np.array([1.0]), min=(0.0, 10.0), max=(0.0, 20.0))
    with pytest.raises(BrokenFileError, match="is a function over an empty box"):
        read_spatial_function(archive, 1)


def test_other_functions_are_named(stored: Any) -> None:
    """A function that nobody here knows is not evaluated, and says which it is."""
    archive = stored("LanczosFunction2D", order=3)
    with pytest.raises(NotMeasuredError, match=r"^LanczosFunction2D \(object 1 .* is a function of place that"):
        read_spatial_function(archive, 1)
    with pytest.raises(NotMeasuredError, match=r"^LanczosFunction2D \(object 1 .* is a profile that"):
        read_kernel_function(archive, 1)
