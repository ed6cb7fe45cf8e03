"""Corners of detectors on the sky."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa
    from numpy.typing import NDArray

__all__ = ["corners_of"]

_KEY = ("visit", "detector")


def corners_of(keys: pl.DataFrame, regions: pa.Table | None) -> NDArray[np.float64]:
    """Return the corners of detectors.

    Parameters
    ----------
    keys
        Frame with ``visit`` and ``detector``, n rows.
    regions : `pyarrow.Table` or `None`
        What is known of the geometry (`harness.rerun.protocol.Rerun.regions`).

    Returns
    -------
    corners : `numpy.ndarray`, shape (n, 4, 2)
        Right ascension and declination, degrees; NaN where they are not known.
    """
    import polars as pl

    corners = np.full((keys.height, 8), math.nan)
    if regions is not None:
        known = pl.DataFrame(pl.from_arrow(regions.select([*_KEY, "corners"]))).select(
            pl.col("visit").cast(pl.Int64),
            pl.col("detector").cast(pl.Int32),
            pl.col("corners").cast(pl.List(pl.Float64)),
        )
        known = known.filter(pl.col("corners").list.len() == 8).unique(_KEY, keep="first", maintain_order=True)
        both = keys.select(_KEY).with_row_index("place").join(known, on=_KEY)
        corners[both["place"].to_numpy()] = both["corners"].explode().fill_null(math.nan).to_numpy().reshape(-1, 8)
    return corners.reshape(-1, 4, 2)
