"""Neighbours within reach, against the whole matrix of separations."""

from __future__ import annotations

import numpy as np
import pytest

from harness.metrics.flavor.neighbours import Points, are_near, pairs_within, repeats_within


def crowd(seed: int, n: int, groups: int) -> Points:
    """Return points around a pole and across the wrap, some repeated, some without position."""
    rng = np.random.default_rng(seed)
    ra, dec = rng.uniform(-0.01, 0.01, n) % 360, rng.uniform(-0.01, 0.01, n)
    ra[: n // 4], dec[: n // 4] = rng.uniform(0, 360, n // 4), rng.uniform(89.99, 90, n // 4)
    again = rng.integers(0, n, n // 10)
    ra[-again.size :], dec[-again.size :] = ra[again], dec[again]
    ra[rng.integers(0, n, 5)], dec[rng.integers(0, n, 5)] = np.nan, np.inf
    return Points(ra, dec, rng.integers(0, groups, n) * 2000)


def is_within(one: Points, other: Points, arcsec: float) -> np.ndarray:
    """Return the matrix of which points of a group are within reach, by the haversine formula."""
    with np.errstate(invalid="ignore"):
        a, b = np.radians(one.ra)[:, None], np.radians(other.ra)
        c, d = np.radians(one.dec)[:, None], np.radians(other.dec)
        haversine = np.sin((c - d) / 2) ** 2 + np.cos(c) * np.cos(d) * np.sin((a - b) / 2) ** 2
        return (2 * np.degrees(np.arcsin(np.sqrt(haversine))) * 3600 <= arcsec) & (one.group[:, None] == other.group)


@pytest.mark.parametrize("groups", [1, 7])
@pytest.mark.parametrize("arcsec", [0.5, 3.0, 20.0])
def test_neighbours_equal_the_whole_matrix(groups, arcsec):
    """Who is near anybody, who has a double, and all pairs, are those of the whole matrix, group by group."""
    one, other = crowd(1, 500, groups), crowd(2, 300, groups)
    expected = is_within(one, other, arcsec)
    assert expected.any()
    np.testing.assert_array_equal(are_near(one, other, arcsec), expected.any(axis=1))
    i, j = pairs_within(one, other, arcsec)
    assert sorted(zip(i, j, strict=True)) == list(zip(*np.nonzero(expected), strict=True))
    np.testing.assert_array_equal(repeats_within(one, arcsec), is_within(one, one, arcsec).sum(axis=1) > 1)


def test_nobody_is_near_nobody():
    """Empty lists have no neighbours."""
    nothing, one = Points(*(np.empty(0),) * 2, np.empty(0, np.int64)), Points(np.ones(1), np.ones(1), np.ones(1, int))
    assert are_near(nothing, one, 1).tolist() == []
    assert are_near(one, nothing, 1).tolist() == [False]
    assert repeats_within(nothing, 1).tolist() == []
    assert repeats_within(one, 1).tolist() == [False]
    assert [len(places) for places in pairs_within(one, nothing, 1)] == [0, 0]
