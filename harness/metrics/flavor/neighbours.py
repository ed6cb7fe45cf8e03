"""What lies within reach of what, counted within groups (a visit and detector, say)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, final

import numpy as np

from harness.metrics.sphere import unit_vectors

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Points", "are_near", "pairs_within", "repeats_within"]

#: Unit vectors are at most 2 apart: so far away along a fourth axis, one group is out of reach of the next.
_GROUPS_APART = 10.0


@final
class Points(NamedTuple):
    """Positions on the sphere.

    Attributes
    ----------
    ra, dec
        Degrees, shape (n,).  A position that is not finite is near nothing.
    group
        Only points of one group are near each other, shape (n,).
    """

    ra: NDArray[np.float64]
    dec: NDArray[np.float64]
    group: NDArray[np.int64]


def are_near(points: Points, others: Points, arcsec: float) -> NDArray[np.bool_]:
    """Return which points have one of the others within reach, shape (n,)."""
    from scipy.spatial import cKDTree

    (place, here), (_, there) = _vectors(points), _vectors(others)
    distance, _ = cKDTree(there).query(here, distance_upper_bound=_bound(arcsec))
    return _mask(len(points.ra), place[np.isfinite(distance)])


def repeats_within(points: Points, arcsec: float) -> NDArray[np.bool_]:
    """Return which points have another one of them within reach, shape (n,)."""
    from scipy.spatial import cKDTree

    place, here = _vectors(points)
    distance, _ = cKDTree(here).query(here, k=2, distance_upper_bound=_bound(arcsec))
    return _mask(len(points.ra), place[np.isfinite(distance[:, 1])])


def pairs_within(points: Points, others: Points, arcsec: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return all pairs of a point and another that are within reach of each other, as places in the two lists."""
    from scipy.spatial import cKDTree

    (place, here), (other_place, there) = _vectors(points), _vectors(others)
    pairs = cKDTree(here).sparse_distance_matrix(cKDTree(there), _bound(arcsec), output_type="ndarray")
    return place[pairs["i"]], other_place[pairs["j"]]


def _vectors(points: Points) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the places of finite positions, and their vectors with the group as a fourth coordinate."""
    place = np.flatnonzero(np.isfinite(points.ra) & np.isfinite(points.dec))
    xyz = unit_vectors(points.ra[place], points.dec[place])
    return place, np.column_stack([xyz, _GROUPS_APART * points.group[place]])


def _bound(arcsec: float) -> float:
    chord = 2 * np.sin(np.radians(arcsec / 3600) / 2)
    return float(np.nextafter(chord, np.inf))  # the trees look for what is nearer than this


def _mask(n: int, place: NDArray[np.int64]) -> NDArray[np.bool_]:
    mask = np.zeros(n, bool)
    mask[place] = True
    return mask
