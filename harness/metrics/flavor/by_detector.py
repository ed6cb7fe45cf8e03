"""Sums by visit and detector, exactly the same for any order of the rows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from harness.metrics.data_ids import whole_rerun
from harness.metrics.keyed_rows import keyed_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from harness.metrics.flavor.stages import Stage

__all__ = ["floats", "found_by", "left_by", "numbered", "sums", "unavailable"]

_KEY = ("visit", "detector")


def numbered(frame: pl.DataFrame, detectors: pl.DataFrame, order: str) -> pl.DataFrame:
    """Return the rows of a frame in an order of their own, each with ``at``, the row of ``detectors`` that is its.

    Parameters
    ----------
    frame
        With ``visit`` and ``detector``.
    detectors
        A row for each visit and detector (`harness.metrics.flavor.frames.detectors_schema`).
    order
        Column that orders the rows of a visit and detector.
    """
    places = detectors.select(*_KEY).with_row_index("at")
    return frame.join(places, on=_KEY, validate="m:1").sort("at", order)


def floats(frame: pl.DataFrame, name: str) -> NDArray[np.float64]:
    """Return a column as numbers, NaN where it is null."""
    return frame[name].cast(pl.Float64).fill_null(math.nan).to_numpy()


def left_by(stage: Stage, frame: pl.DataFrame, side: str = "") -> NDArray[np.bool_]:
    """Return which rows of a frame a stage leaves; ``side`` is what the names of its columns end in."""
    if not stage.column:
        return np.ones(frame.height, bool)
    return frame[f"{stage.column}{side}"].fill_null(value=False).to_numpy()


def found_by(stage: Stage, injections: pl.DataFrame, side: str = "") -> NDArray[np.bool_]:
    """Return which injections were found, and are left by a stage; ``side`` as above."""
    found: NDArray[np.bool_] = injections[f"diaSourceId{side}"].to_numpy() != 0
    return found & left_by(stage, injections, side)


def sums(at: NDArray[np.int64], n_detectors: int, values: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
    """Return the sum of values for each row of the detectors; their number when there are no values."""
    return np.bincount(at, values, n_detectors).astype(np.float64)


def unavailable(names: Iterable[str], reason: str) -> Iterator[pl.DataFrame]:
    """Return one row for each metric, of the whole rerun, that says why it could not be measured."""
    for name in names:
        yield keyed_rows(name, whole_rerun(), np.array([math.nan]), detail=[reason])
