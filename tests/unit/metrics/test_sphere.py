"""Positions, polygons and cells on the sphere, against sphgeom and astropy."""

from __future__ import annotations

import numpy as np
import pytest

from harness.metrics.sphere import NEIGHBOURS, cell_keys, convex_polygons, unit_vectors


def test_unit_vectors_are_those_of_astropy():
    """Any position, poles included, gives the Cartesian vector that SkyCoord gives."""
    from astropy.coordinates import SkyCoord

    rng = np.random.default_rng(1)
    ra, dec = np.append(rng.uniform(-360, 720, 100), [0, 90]), np.append(rng.uniform(-90, 90, 100), [90, -90])
    expected = SkyCoord(ra, dec, unit="deg").cartesian.xyz.value.T
    np.testing.assert_allclose(unit_vectors(ra, dec), expected, atol=1e-15)


@pytest.mark.parametrize("centre", [(150, 2), (0, -30), (45, 89.9), (200, -90)])
@pytest.mark.parametrize("reverse", [False, True])
def test_polygons_hold_the_points_that_sphgeom_puts_inside(centre, reverse):
    """A polygon of either sense holds what sphgeom's convex polygon does, and nothing beyond its radius."""
    from lsst.sphgeom import ConvexPolygon, LonLat, UnitVector3d

    rng = np.random.default_rng(2)
    around = np.degrees([[-0.01, -0.008], [0.012, -0.01], [0.011, 0.009], [-0.012, 0.01]])
    # Corners are placed around the pole of a rotated frame, so that a field at the pole is no special shape.
    tangent = unit_vectors(around[:, 0], around[:, 1]) @ rotation(*centre).T
    corners = np.stack([np.degrees(np.arctan2(tangent[:, 1], tangent[:, 0])), np.degrees(np.arcsin(tangent[:, 2]))], 1)
    if reverse:
        corners = corners[::-1]
    normals, middle, radius = convex_polygons(corners[None])
    points = unit_vectors(*np.degrees(rng.uniform(-0.02, 0.02, (2, 2000)))) @ rotation(*centre).T
    inside = (points @ normals[0].T > 0).all(axis=1)
    polygon = ConvexPolygon([UnitVector3d(LonLat.fromDegrees(*corner)) for corner in corners])
    expected = [polygon.contains(UnitVector3d(*point)) for point in points]
    assert 0 < inside.sum() < len(points)
    np.testing.assert_array_equal(inside, expected)
    assert np.linalg.norm(points[inside] - middle, axis=1).max() < radius[0]


def rotation(ra: float, dec: float) -> np.ndarray:
    """Return the matrix that takes the x axis to a position."""
    a, d = np.radians([ra, dec])
    about_y = np.array([[np.cos(d), 0, -np.sin(d)], [0, 1, 0], [np.sin(d), 0, np.cos(d)]])
    about_z = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    return about_z @ about_y


@pytest.mark.parametrize("reach", [1e-9, 2.4e-6, 0.001, 0.3, 2.0])
def test_vectors_within_reach_lie_in_neighbouring_cells(reach):
    """Whatever the reach, two vectors within it have keys that the neighbours of either one cover."""
    rng = np.random.default_rng(3)
    one = rng.normal(size=(5000, 3))
    one[:6] = [[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]]
    one /= np.linalg.norm(one, axis=1, keepdims=True)
    two = one + rng.normal(size=one.shape) * reach / 2
    two /= np.linalg.norm(two, axis=1, keepdims=True)
    near = np.linalg.norm(one - two, axis=1) <= reach
    assert near.sum() > 500
    ahead = (cell_keys(two[near], reach) - cell_keys(one[near], reach))[:, None] - NEIGHBOURS
    assert ((ahead >= 0) & (ahead <= 2)).any(axis=1).all()
    assert (np.diff(NEIGHBOURS) > 0).all()
