"""Where the points of a small drawing stand: a metric in each visit or amplifier, or its change there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np

from harness.report.listing import number

if TYPE_CHECKING:
    from harness.judge.quantity import Quantity

__all__ = ["HEIGHT", "WIDTH", "UnitDrawing", "unit_drawing"]

#: Size of the drawing; positions are in the same unit.
WIDTH, HEIGHT = 1000.0, 200.0
_MARGIN = 16.0


@final
@dataclass(frozen=True, slots=True)
class UnitDrawing:
    """Positions of the points, (x, y) from the upper left, and the same in words.

    Attributes
    ----------
    points
        One for each unit, in the order of their numbers.
    zero
        Height of 0.
    description
        What the drawing shows.
    """

    points: tuple[tuple[float, float], ...]
    zero: float
    description: str


def unit_drawing(quantity: Quantity, reference: Quantity | None) -> UnitDrawing | None:
    """Return how a metric is drawn unit by unit; None when there are not two units to draw.

    Parameters
    ----------
    quantity
        The metric of the rerun.
    reference
        The same of the rerun that it is compared with: then the change in the units that both have is drawn.
    """
    units, values, what = quantity.units, quantity.per_unit, "Value"
    if reference is not None and not quantity.metric.paired:
        units, ours, theirs = np.intersect1d(units, reference.units, assume_unique=True, return_indices=True)
        values, what = quantity.per_unit[ours] - reference.per_unit[theirs], "Change"
    known = np.isfinite(values)
    units, values = units[known], values[known]
    if units.size < 2:
        return None
    low, high = min(float(values.min()), 0.0), max(float(values.max()), 0.0)
    reach = (high - low) or 1.0
    x = _MARGIN + (WIDTH - 2 * _MARGIN) * np.arange(units.size) / (units.size - 1)
    y = HEIGHT - _MARGIN - (HEIGHT - 2 * _MARGIN) * (values - low) / reach
    per = quantity.metric.per
    farthest = int(np.argmax(abs(values)))
    where = f" (the farthest from 0: visit {units[farthest]})" if per == "visit" else ""
    return UnitDrawing(
        points=tuple(zip(x.round(1).tolist(), y.round(1).tolist(), strict=True)),
        zero=round(HEIGHT - _MARGIN + (HEIGHT - 2 * _MARGIN) * low / reach, 1),
        description=f"{what} in each of {units.size} {per}s: from {number(float(values.min()))} to "
        f"{number(float(values.max()))}{where}; the line is 0.",
    )
