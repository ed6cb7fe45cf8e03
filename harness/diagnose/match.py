"""Mutual nearest neighbours of two lists of positions on the sphere."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias, final

import numpy as np

from harness.diagnose._match_kernel import mutual_nearest_sorted
from harness.errors import UsageError
from harness.metrics.sphere import NEIGHBOURS, cell_keys, unit_vectors

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["Match", "mutual_nearest"]

_ARCSEC = np.pi / 180 / 3600

#: Keys, unit vectors and places of one list, as the kernel takes them.
_Side: TypeAlias = "tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]"


@final
class Match(NamedTuple):
    """Pairs of sources, each source in at most one, ordered by the first list.

    Attributes
    ----------
    index1, index2
        Places in the two lists, shape (n,).
    separation
        Angular separation in arcsec, shape (n,).
    """

    index1: NDArray[np.int64]
    index2: NDArray[np.int64]
    separation: NDArray[np.float64]


def mutual_nearest(
    ra1: ArrayLike,
    dec1: ArrayLike,
    ra2: ArrayLike,
    dec2: ArrayLike,
    radius: float,
    *,
    group1: ArrayLike | None = None,
    group2: ArrayLike | None = None,
) -> Match:
    """Match each source with its nearest neighbour in the other list when that is mutual.

    Of several neighbours at the same distance the preferred one has the same number among the sources at its position
    (two sources at one position are the first and the second there, in list order), then the lowest place in its list.
    A list with repeated positions therefore matches itself completely.

    Parameters
    ----------
    ra1, dec1, ra2, dec2 : array-like of float
        Positions in degrees, shapes (n1,) and (n2,).  A position that is not finite or beyond a pole never matches.
    radius : float
        Largest separation, in arcsec.
    group1, group2 : array-like of int, optional
        Only sources of equal group match (a visit-detector, say).

    Returns
    -------
    match : `Match`
        The pairs.

    Raises
    ------
    harness.errors.UsageError
        When the radius is not between 0 and 180 degrees.

    Notes
    -----
    Unit vectors are sorted into cubic cells as wide as the radius, so that a source's neighbours lie in the 27 cells
    around it; the sphere's poles and the wrap of right ascension do not exist there.  Chords are exact to 1e-10 arcsec.
    """
    if not 0 < radius <= 180 * 3600:
        raise UsageError(f"the match radius must be more than 0 and at most 648000 arcsec (got {radius!r})")
    if (group1 is None) != (group2 is None):
        raise TypeError("either both lists have groups or none has")
    chord = 2 * np.sin(radius * _ARCSEC / 2)
    side1, sorted1 = _sort(ra1, dec1, group1, chord)
    side2, sorted2 = _sort(ra2, dec2, group2, chord)
    if sorted1 is None or sorted2 is None:
        segments = np.array([[0, side1[0].size, 0, side2[0].size]])
    else:
        segments = _segments(sorted1, sorted2)
    partner, squared = mutual_nearest_sorted(segments, side1, side2, (chord**2, NEIGHBOURS), np.size(ra1))
    index1 = np.flatnonzero(partner >= 0)
    half = np.minimum(np.sqrt(squared[index1]) / 2, 1)
    return Match(index1, partner[index1], 2 * np.arcsin(half) / _ARCSEC)


def _sort(
    ra: ArrayLike, dec: ArrayLike, group: ArrayLike | None, chord: float
) -> tuple[_Side, NDArray[np.int64] | None]:
    """Sort the sources that have a position by group and, within it, by cell."""
    ra, dec = np.asarray(ra, np.float64), np.asarray(dec, np.float64)
    groups = None if group is None else np.asarray(group, np.int64)
    is_placed = np.isfinite(ra) & (np.abs(dec) <= 90)
    place = None
    if not is_placed.all():
        place = np.flatnonzero(is_placed)
        ra, dec, groups = ra[place], dec[place], None if groups is None else groups[place]
    xyz = unit_vectors(ra, dec)
    key = cell_keys(xyz, chord)
    order = np.argsort(key)
    if groups is not None:
        order = order[_stable_order(groups[order])]
        groups = groups[order]
    # Each list is replaced by its sorted copy at once: together they would be the peak of the memory needed.
    key, xyz = key[order], np.take(xyz, order, axis=0)
    return (key, xyz, order if place is None else place[order]), groups


def _stable_order(groups: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the stable order of groups; numpy counts 16 bits instead of comparing them, seven times faster."""
    is_small = groups.size and groups.min() >= 0 and groups.max() < 2**16
    return np.argsort(groups.astype(np.uint16) if is_small else groups, kind="stable")


def _segments(group1: NDArray[np.int64], group2: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return start and stop in both lists of the groups that both have, shape (n, 4)."""
    common = np.intersect1d(group1, group2)
    return np.stack(
        [np.searchsorted(group, common, where) for group in (group1, group2) for where in ("left", "right")], axis=1
    )
