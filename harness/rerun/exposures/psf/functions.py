"""Functions of two variables that kernels are made of."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np
from numpy.polynomial.chebyshev import chebval2d
from numpy.polynomial.polynomial import polyval2d

from harness.rerun.exposures.archived import ArchivedObject

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.rerun.exposures.archive import Archive

__all__ = ["KernelFunction", "SpatialFunction", "read_kernel_function", "read_spatial_function"]

SpatialFunction = Callable[[float, float], float]
"""A number that varies over an image: its value at x, y in parent pixels."""

Profile = Callable[["NDArray[np.float64]", "NDArray[np.float64]", "NDArray[np.float64]"], "NDArray[np.float64]"]
"""The value of a function of given parameters at offsets x, y."""


@final
@dataclass(frozen=True, slots=True)
class KernelFunction:
    """The profile of a kernel.

    Attributes
    ----------
    parameters
        As stored; a kernel that varies has others at each place.
    profile
        ``profile(parameters, x, y)``, with x and y in pixels from the centre.
    """

    parameters: NDArray[np.float64]
    profile: Profile


def read_spatial_function(archive: Archive, object_id: int) -> SpatialFunction:
    """Read a polynomial in x and y, or in Chebyshev polynomials of the first kind of them.

    Raises
    ------
    harness.errors.BrokenFileError
        When its coefficients are not those of all terms up to a degree.
    harness.errors.NotMeasuredError
        When it is a function of another class.
    """
    stored = ArchivedObject(archive, object_id)
    match stored.class_name[:-1]:  # without D or F, its precision
        case "PolynomialFunction2":
            return _polynomial(stored)
        case "Chebyshev1Function2":
            return _chebyshev(stored)
        case _:
            raise stored.not_evaluated("is a function of place that the harness does not know")


def read_kernel_function(archive: Archive, object_id: int) -> KernelFunction:
    """Read a Gaussian, elliptical or two circular ones.

    Raises
    ------
    harness.errors.BrokenFileError
        When it lacks a parameter.
    harness.errors.NotMeasuredError
        When it is a function of another class.
    """
    stored = ArchivedObject(archive, object_id)
    match stored.class_name[:-1]:
        case "GaussianFunction2":
            fields, profile = ("sigma1", "sigma2", "angle"), _gaussian
        case "DoubleGaussianFunction2":
            fields, profile = ("sigma1", "sigma2", "ampl2"), _double_gaussian
        case _:
            raise stored.not_evaluated("is a profile that the harness does not know")
    return KernelFunction(np.array([stored.number(field) for field in fields]), profile)


def _polynomial(stored: ArchivedObject) -> SpatialFunction:
    coefficients = _by_powers(stored)
    return lambda x, y: float(polyval2d(x, y, coefficients))


def _chebyshev(stored: ArchivedObject) -> SpatialFunction:
    """Return the function whose x and y run from -1 to 1 over a box."""
    coefficients = _by_powers(stored)
    lowest, highest = np.array(stored.point("min")), np.array(stored.point("max"))
    if not np.all(highest > lowest):
        raise stored.broken("is a function over an empty box")

    def value(x: float, y: float) -> float:
        u, v = (2 * np.array([x, y]) - lowest - highest) / (highest - lowest)
        return float(chebval2d(u, v, coefficients))

    return value


def _by_powers(stored: ArchivedObject) -> NDArray[np.float64]:
    """Return the coefficient of the terms of order i in x and j in y at [i, j].

    They are stored by degree, and within it by descending order in x: 1, x, y, x², xy, y², x³, …
    """
    numbers = stored.numbers("coefficients")
    degree = math.isqrt(2 * numbers.size) - 1
    if (degree + 1) * (degree + 2) != 2 * numbers.size:
        raise stored.broken(f"has {numbers.size} coefficients, which are not those of all terms up to a degree")
    coefficients = np.zeros((degree + 1, degree + 1))
    places = [(total - j, j) for total in range(degree + 1) for j in range(total + 1)]
    coefficients[tuple(zip(*places, strict=True))] = numbers
    return coefficients


def _gaussian(parameters: NDArray[np.float64], x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a Gaussian of unit peak, its first axis at an angle from x towards y."""
    sigma1, sigma2, angle = parameters
    along = x * np.cos(angle) + y * np.sin(angle)
    across = y * np.cos(angle) - x * np.sin(angle)
    return np.asarray(np.exp(-((along / sigma1) ** 2 + (across / sigma2) ** 2) / 2))


def _double_gaussian(
    parameters: NDArray[np.float64], x: NDArray[np.float64], y: NDArray[np.float64]
) -> NDArray[np.float64]:
    sigma1, sigma2, ratio = parameters
    r2 = x**2 + y**2
    return np.asarray(np.exp(-r2 / (2 * sigma1**2)) + ratio * np.exp(-r2 / (2 * sigma2**2)))
