"""Positions, polygons and cells on the sphere.

Everything works on unit vectors, so that poles and the wrap of right ascension do not exist.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["NEIGHBOURS", "cell_keys", "convex_polygons", "unit_vectors"]

_BITS = 21

#: Cell numbers run from 1 to 2 / size + 1 and need a neighbour on each side within their bits of the key.
_SMALLEST_CELL = 2.0 / (2 ** (_BITS - 1))

#: The 27 cells around a cell as nine runs of three keys: what to add to its key for the first of each, ascending.
NEIGHBOURS: NDArray[np.int64] = np.array(
    [(x << 2 * _BITS) + (y << _BITS) - 1 for x in (-1, 0, 1) for y in (-1, 0, 1)], np.int64
)


def unit_vectors(ra: NDArray[np.float64], dec: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return unit vectors, shape (..., 3), of positions in degrees, shape (...)."""
    ra, dec = np.radians(ra), np.radians(dec)
    vectors = np.empty((*np.shape(ra), 3))
    equatorial = np.cos(dec)
    np.multiply(equatorial, np.cos(ra), out=vectors[..., 0])
    np.multiply(equatorial, np.sin(ra), out=vectors[..., 1])
    np.sin(dec, out=vectors[..., 2])
    return vectors


def cell_keys(vectors: NDArray[np.float64], reach: float) -> NDArray[np.int64]:
    """Return the numbers of the cubic cells that unit vectors lie in.

    Parameters
    ----------
    vectors : shape (n, 3)
        Unit vectors.
    reach
        Chord within which two vectors must lie in the same cell or in neighbouring ones (`NEIGHBOURS`).

    Returns
    -------
    keys : shape (n,)
        One number for each cell; cells that differ in z only, by one, differ by one.
    """
    # A little wider than the reach, so that rounding never puts two vectors within it more than a cell apart.
    size = max(reach * (1 + 1e-6), _SMALLEST_CELL)
    keys = np.zeros(len(vectors), np.int64)
    for axis in range(3):  # one at a time: lists of millions are matched
        keys <<= _BITS
        keys |= ((vectors[:, axis] + 1) / size).astype(np.int64) + 1
    return keys


def convex_polygons(
    corners: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Prepare convex polygons with great-circle sides, each smaller than a hemisphere.

    Parameters
    ----------
    corners : shape (n, k, 2)
        Corners (ra, dec) in degrees, in either sense of rotation.

    Returns
    -------
    normals : shape (n, k, 3)
        Normals of the sides: a vector is inside when its product with each of them is positive.
    centre : shape (n, 3)
        Unit vectors to the polygons' middle.
    radius : shape (n,)
        Chord from there to the farthest corner, and so to any point inside.
    """
    vectors = unit_vectors(corners[..., 0], corners[..., 1])
    centre = vectors.sum(axis=1)
    centre /= np.linalg.norm(centre, axis=1, keepdims=True)
    normals = np.cross(vectors, np.roll(vectors, -1, axis=1))
    inward = np.sign(np.einsum("nki,ni->n", normals, centre))
    radius = np.linalg.norm(vectors - centre[:, None], axis=2).max(axis=1)
    return normals * inward[:, None, None], centre, radius
