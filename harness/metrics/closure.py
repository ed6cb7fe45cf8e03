"""How well a - b - c closes, in units of the operands' own float spacing.

Planes are stored in float32.  With c = float32(a - b), the residual a - b - c is at most half a unit in the last place
of the largest of the three: what is allowed follows the star that lies on a pixel, not the level of the background.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

from harness.metrics._row_blocks import common_type, row_blocks

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["HALF_ULP", "Closure", "closure"]

HALF_ULP = 0.5
"""Largest residual, in units in the last place, of one rounded subtraction or addition."""


@final
@dataclass(frozen=True, slots=True)
class Closure:
    """How well a - b - c closes.

    Attributes
    ----------
    largest
        Largest absolute residual, in units in the last place of float32 of the largest operand of its pixel; infinite
        when a pixel is finite in one operand and not in another, NaN when no pixel is finite in any.
    n_compared
        Pixels finite in all operands.
    n_unclosed
        Those of them whose residual is more than half a unit.
    n_pattern
        Pixels finite in some operands and not in all.
    worst
        Row and column of the first pixel with the largest residual, or of the first of ``n_pattern``; None when nothing
        differs.
    rms
        Root mean square of the residual, in the unit of the operands; NaN when no pixel was compared.
    """

    largest: float
    n_compared: int
    n_unclosed: int
    n_pattern: int
    worst: tuple[int, int] | None
    rms: float


def closure(a: NDArray[Any], b: NDArray[Any], c: NDArray[Any]) -> Closure:
    """Return how well a - b - c closes, formed in float64.

    Parameters
    ----------
    a, b, c : (ny, nx)
        Planes of any byte order and strides, as stored.

    Raises
    ------
    ValueError
        When they are not 2-D of one shape.
    """
    from harness.metrics._closure_kernel import compare

    if a.ndim != 2 or not a.shape == b.shape == c.shape:
        raise ValueError(f"planes must be 2-D and of one shape, not {a.shape}, {b.shape} and {c.shape}")
    n_compared = n_unclosed = n_pattern = start = 0
    squares = largest = 0.0
    worst = first_pattern = -1
    for blocks in row_blocks([a, b, c], [common_type(a, b, c)] * 3):
        n, unclosed, pattern, square, largest, place, pattern_place = compare(tuple(blocks), HALF_ULP, largest)
        n_compared += n
        n_unclosed += unclosed
        n_pattern += pattern
        squares += square
        if place >= 0:
            worst = start + place
        if pattern_place >= 0 > first_pattern:
            first_pattern = start + pattern_place
        start += blocks[0].size
    if n_pattern:
        largest, worst = math.inf, first_pattern
    elif not n_compared:
        largest = math.nan
    return Closure(
        largest=largest,
        n_compared=n_compared,
        n_unclosed=n_unclosed,
        n_pattern=n_pattern,
        worst=None if worst < 0 else divmod(worst, a.shape[1]),
        rms=math.sqrt(squares / n_compared) if n_compared else math.nan,
    )
