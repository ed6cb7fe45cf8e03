"""The compiled part of `harness.metrics.dia_objects`: which known objects a detector looked at and did not see."""

from __future__ import annotations

import numpy as np
from numba import njit

__all__ = ["count_unseen"]


@njit(nogil=True, cache=True, error_model="numpy")
def count_unseen(objects, detectors, seen, seen_start, neighbours):  # type: ignore[no-untyped-def]
    """Count the objects inside each detector's polygon that existed before its visit and have no source in it.

    Parameters
    ----------
    objects : tuple of arrays
        Cell keys (int64, ascending), unit vectors (float64, shape (n, 3)), and the rank in time of the visit that made
        each object (int64).
    detectors : tuple of arrays
        Cell keys of the polygons' middles (int64); inward normals of their sides (float64, shape (m, 4, 3)); rank in
        time of the visit (int64).
    seen, seen_start : int64 arrays
        Objects with a source in each detector, one detector after the other, and where each detector's begin
        (shape (m + 1,)).
    neighbours : int64 array
        `harness.metrics.sphere.NEIGHBOURS`, for cells as wide as the largest polygon's radius.

    Returns
    -------
    count : int64 array, shape (m,)
    """
    key, xyz, made = objects
    middle, normals, rank = detectors
    count = np.zeros(len(rank), np.int64)
    last_seen = np.full(len(made), -1, np.int64)
    for d in range(len(rank)):
        for s in range(seen_start[d], seen_start[d + 1]):
            last_seen[seen[s]] = d
        for first in neighbours + middle[d]:
            for i in range(np.searchsorted(key, first), np.searchsorted(key, first + 3)):
                if made[i] >= rank[d] or last_seen[i] == d:
                    continue
                inside = True
                for side in range(4):
                    x, y, z = normals[d, side]
                    if x * xyz[i, 0] + y * xyz[i, 1] + z * xyz[i, 2] <= 0:
                        inside = False
                        break
                count[d] += inside
    return count
