"""Where detectors lie on the sky: which positions each of them holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

import numpy as np

from harness.metrics.corners import corners_of
from harness.metrics.sphere import convex_polygons, unit_vectors

if TYPE_CHECKING:
    from collections.abc import Iterator

    import polars as pl
    import pyarrow as pa
    from numpy.typing import NDArray

__all__ = ["Footprints"]


@final
class Footprints:
    """The corners of detectors on the sky.

    Parameters
    ----------
    detectors : `polars.DataFrame`
        ``visit`` and ``detector``, unique.
    regions : `pyarrow.Table`, optional
        Corners (`harness.rerun.protocol.Rerun.regions`); where they are null or missing, the footprint is not known.
    """

    def __init__(self, detectors: pl.DataFrame, regions: pa.Table | None) -> None:
        corners = corners_of(detectors, regions)
        self.known: NDArray[np.int64] = np.flatnonzero(np.isfinite(corners).all(axis=(1, 2)))
        """Rows of the detectors whose footprint is known."""
        self._normals = np.full((detectors.height, 4, 3), np.nan)
        self._normals[self.known], self._centre, self._radius = convex_polygons(corners[self.known])

    def is_outside(self, ra: NDArray[np.float64], dec: NDArray[np.float64], at: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which positions (degrees, shape (n,)) lie outside the detector of a row, shape (n,).

        Nothing is outside a footprint that is not known.
        """
        vectors = unit_vectors(ra, dec)
        outside = np.zeros(len(ra), bool)
        for side in range(4):
            outside |= np.einsum("ij,ij->i", vectors, self._normals[at, side]) < 0
        return outside

    def holding(self, ra: NDArray[np.float64], dec: NDArray[np.float64]) -> Iterator[tuple[int, NDArray[np.int64]]]:
        """Yield each known row of the detectors with the places of the positions (finite, degrees) that it holds."""
        from scipy.spatial import cKDTree

        vectors = unit_vectors(ra, dec)
        tree = cKDTree(vectors)
        for row, centre, radius in zip(self.known.tolist(), self._centre, self._radius, strict=True):
            near = np.asarray(tree.query_ball_point(centre, radius * (1 + 1e-9)), np.int64)
            yield row, near[(vectors[near] @ self._normals[row].T >= 0).all(axis=1)]
