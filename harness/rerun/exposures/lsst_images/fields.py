"""Fields of ``lsst.images``: functions of place, of which the mean over an exposure is wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ["mean_in_njy"]

_NODES: Final = 64


def mean_in_njy(field: Mapping[str, Any], shape: tuple[int, int], xy0: tuple[int, int]) -> float:
    """Return the mean of a photometric scaling over an exposure, nJy for one unit; NaN when it is not in nJy.

    The mean is that of a grid of 64 by 64 places: such fields are smooth.

    Parameters
    ----------
    field
        Its node: ``CHEBYSHEV``, or a ``PRODUCT`` or ``SUM`` of such; the mean of any other one is NaN.
    shape, xy0
        Rows and columns of the exposure, and its first pixel.
    """
    if not any(unit.startswith("nJy") for unit in _units(field)):
        return float("nan")
    x, y = (
        start + (np.arange(_NODES) + 0.5) * size / _NODES - 0.5
        for start, size in zip(xy0, reversed(shape), strict=True)
    )
    return float(np.mean(_evaluate(field, x, y)))


def _units(field: Mapping[str, Any]) -> list[str]:
    """Return the units of a field and its operands."""
    return [str(field.get("unit") or ""), *(unit for part in field.get("operands", ()) for unit in _units(part))]


def _evaluate(field: Mapping[str, Any], x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a field on a grid, (rows, columns)."""
    match field["field_type"]:
        case "CHEBYSHEV":
            from numpy.polynomial.chebyshev import chebgrid2d

            coefficients = np.array(field["coefficients"]["data"], np.float64)  # [p, q] of T_p(y) T_q(x)
            box = field["bounds"]
            return np.asarray(chebgrid2d(_to_unit(y, box["y"]), _to_unit(x, box["x"]), coefficients))
        case "PRODUCT":
            return np.asarray(np.prod([_evaluate(part, x, y) for part in field["operands"]], axis=0))
        case "SUM":
            return np.asarray(np.sum([_evaluate(part, x, y) for part in field["operands"]], axis=0))
        case _:
            return np.full((y.size, x.size), np.nan)


def _to_unit(pixels: NDArray[np.float64], interval: Mapping[str, int]) -> NDArray[np.float64]:
    """Scale pixels to -1 at the lower edge of the first of an interval and 1 at the upper edge of the last."""
    return (2.0 * (pixels - interval["start"]) + 1.0) / (interval["stop"] - interval["start"]) - 1.0
