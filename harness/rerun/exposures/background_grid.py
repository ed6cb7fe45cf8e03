"""A background model evaluated at full size: values in bins, interpolated or approximated as ``lsst/afw`` does it.

Bins, styles and their order follow ``BackgroundMI``, ``Interpolate`` and ``Approximate`` of ``lsst/afw``.  Nothing here
was compared with a running afw; where scipy and GSL differ (the Akima slope between two pairs of exactly equal slopes)
scipy's rule is used.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

__all__ = ["InterpolationStyle", "UndersampleStyle", "approximate", "bin_centres", "interpolate"]


class InterpolationStyle(IntEnum):
    """How values between bin centres are found; numbers as stored.

    Both cubic splines are the natural one.  The two periodic styles of afw (4 and 6) are not evaluated.
    """

    CONSTANT = 0
    LINEAR = 1
    NATURAL_SPLINE = 2
    CUBIC_SPLINE = 3
    AKIMA_SPLINE = 5


class UndersampleStyle(IntEnum):
    """What to do with too few bins for a style; numbers as stored."""

    THROW_EXCEPTION = 0
    REDUCE_INTERP_ORDER = 1
    INCREASE_NXNYSAMPLE = 2


_FEWEST: Final = {
    InterpolationStyle.CONSTANT: 1,
    InterpolationStyle.LINEAR: 2,
    InterpolationStyle.NATURAL_SPLINE: 3,
    InterpolationStyle.CUBIC_SPLINE: 3,
    InterpolationStyle.AKIMA_SPLINE: 5,
}


def bin_centres(size: int, n: int) -> NDArray[np.float64]:
    """Return the centres of ``n`` bins that divide ``size`` pixels, in pixels from the first one.

    Bins end on whole pixels, at k size/n rounded half up, so that their sizes differ by one pixel at most.
    """
    ends = (np.arange(n + 1) * size + n // 2) // n
    return (ends[:-1] + ends[1:] - 1) / 2


def interpolate(
    statistics: NDArray[np.floating[Any]],
    shape: tuple[int, int],
    style: InterpolationStyle,
    undersample: UndersampleStyle,
) -> NDArray[np.float64]:
    """Interpolate values in bins to pixels: along each column of bins first, then along each row of pixels.

    Beyond the outermost centres the curve goes on as a parabola with the derivatives it has there.

    Parameters
    ----------
    statistics : (ny, nx)
        Values in bins; NaN where a bin has none, and then it is bridged.
    shape
        Rows and columns of the result.
    style, undersample
        As stored.

    Raises
    ------
    ValueError
        When there are too few values for the style and it must not be reduced; the message says what is wrong.
    """
    rows, columns = (np.arange(size, dtype=float) for size in shape)
    y, x = (bin_centres(size, n) for size, n in zip(shape, statistics.shape, strict=True))
    style = _affordable(style, min(statistics.shape), undersample)
    valid = np.isfinite(statistics)
    used = np.flatnonzero(valid.any(axis=0))
    if not used.size:
        raise ValueError("has no finite value in any bin")
    grid = np.empty((shape[0], used.size))
    for k, column in enumerate(used):
        good = valid[:, column]
        values = statistics[good, column].astype(float)
        grid[:, k] = _curve(y[good], values, _affordable(style, values.size, undersample))(rows)
    return _curve(x[used], grid.T, _affordable(style, used.size, undersample))(columns).T


def approximate(
    statistics: NDArray[np.floating[Any]],
    weights: NDArray[np.floating[Any]],
    shape: tuple[int, int],
    order: int,
) -> NDArray[np.float64]:
    """Fit Chebyshev polynomials T_i(x) T_j(y), i + j <= order, to values in bins, and evaluate them at pixels.

    Parameters
    ----------
    statistics : (ny, nx)
        Values in bins.
    weights : (ny, nx)
        Their inverse variances.  Bins whose value or weight is not finite, or whose weight is not positive, are left
        out.
    shape
        Rows and columns of the result; their range, outer pixel edges included, is the domain -1 to 1.
    order
        Highest total order.

    Raises
    ------
    ValueError
        When the bins do not determine the coefficients; the message says what is wrong.
    """
    from numpy.polynomial.chebyshev import chebvander

    y, x = (
        chebvander(_to_unit(bin_centres(size, n), size), order) for size, n in zip(shape, statistics.shape, strict=True)
    )
    terms = [(j, i) for j in range(order + 1) for i in range(order + 1 - j)]
    design = np.stack([np.multiply.outer(y[:, j], x[:, i]).ravel() for j, i in terms], axis=1)
    values, weight = statistics.ravel().astype(float), weights.ravel().astype(float)
    good = np.isfinite(values) & np.isfinite(weight) & (weight > 0)
    root = np.sqrt(weight[good])
    fitted, _, rank, _ = np.linalg.lstsq(design[good] * root[:, np.newaxis], values[good] * root)
    if rank < len(terms):
        raise ValueError(f"has {np.count_nonzero(good)} usable bins for the {len(terms)} terms of its polynomial")
    coefficients = np.zeros((order + 1, order + 1))
    for term, value in zip(terms, fitted, strict=True):
        coefficients[term] = value
    rows, columns = (chebvander(_to_unit(np.arange(size, dtype=float), size), order) for size in shape)
    return np.asarray(rows @ coefficients @ columns.T)


def _to_unit(pixels: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """Scale pixels to -1 at the lower edge of the first and 1 at the upper edge of the last."""
    return (2.0 * pixels + 1.0) / size - 1.0


def _affordable(style: InterpolationStyle, n: int, undersample: UndersampleStyle) -> InterpolationStyle:
    """Return the style itself where ``n`` values are enough for it, else the highest for which they are."""
    if n >= _FEWEST[style]:
        return style
    if undersample != UndersampleStyle.REDUCE_INTERP_ORDER:
        raise ValueError(f"has {n} usable bins in a row, and {style.name} needs {_FEWEST[style]}")
    highest = (InterpolationStyle.CONSTANT, InterpolationStyle.LINEAR, InterpolationStyle.CUBIC_SPLINE)
    return highest[min(n, 3) - 1]


def _curve(
    centres: NDArray[np.float64], values: NDArray[np.float64], style: InterpolationStyle
) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    """Return the curves through values (n, ...) at centres (n,), as a function of pixels."""
    if style == InterpolationStyle.CONSTANT:
        return lambda pixels: _steps(centres, values, pixels)
    from scipy.interpolate import Akima1DInterpolator, CubicSpline, make_interp_spline

    if style == InterpolationStyle.LINEAR:
        curve = make_interp_spline(centres, values, k=1)
    elif style == InterpolationStyle.AKIMA_SPLINE:
        curve = Akima1DInterpolator(centres, values)
    else:
        curve = CubicSpline(centres, values, bc_type="natural")

    def evaluate(pixels: NDArray[np.float64]) -> NDArray[np.float64]:
        within = np.clip(pixels, centres[0], centres[-1])
        result: NDArray[np.float64] = curve(within)
        beyond = np.flatnonzero(pixels != within)
        step = (pixels - within)[beyond].reshape(-1, *(1,) * (values.ndim - 1))
        result[beyond] += step * curve(within[beyond], 1) + 0.5 * step**2 * curve(within[beyond], 2)
        return result

    return evaluate


def _steps(
    centres: NDArray[np.float64], values: NDArray[np.float64], pixels: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the CONSTANT interpolation of afw: steps midway between centres.

    After the first step the level is the mean of a bin and the one before it, not the bin's own (as the tests of
    ``lsst/afw`` have it too), and a single bin is constant.
    """
    middles = 0.5 * (values[:-1] + values[1:])
    levels = np.concatenate([values[:1], middles, values[-1:]])
    edges = 0.5 * (centres[:-1] + centres[1:])
    end = centres[-1:] + 0.5 * (centres[-1:] - centres[-2:-1] if centres.size > 1 else 1.0)
    return levels[np.searchsorted(np.concatenate([edges, end]), pixels, side="right")]
