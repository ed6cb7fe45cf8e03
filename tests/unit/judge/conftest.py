"""Quantities made of plain numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from harness.judge import Quantity
from harness.model import Metric

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def _quantity(
    numerator: Sequence[float],
    denominator: Sequence[float] | None = None,
    *,
    units: Sequence[int] | None = None,
    unit: str = "ct",
    rerun: str = "new",
    name: str = "dia.numSources",
    census: bool = False,
    **rest: Any,
) -> Quantity:
    reduce = "sum" if denominator is None else "ratio"
    metric = Metric(name, unit, "Plain numbers.", "test", reduce=reduce, census=census)
    return Quantity(
        metric,
        rerun,
        np.arange(len(numerator), dtype=np.int64) + 411000 if units is None else np.array(units, np.int64),
        np.array(numerator, np.float64),
        None if denominator is None else np.array(denominator, np.float64),
        **rest,
    )


@pytest.fixture(scope="session")
def quantity() -> Callable[..., Quantity]:
    """Return a maker of quantities."""
    return _quantity
