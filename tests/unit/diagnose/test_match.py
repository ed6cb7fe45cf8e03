"""Mutual nearest neighbours, against brute force and against astropy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.diagnose.match import Match, mutual_nearest
from harness.errors import UsageError
from harness.metrics.sphere import unit_vectors

ARCSEC = 1 / 3600


def brute_force(ra1, dec1, ra2, dec2, radius, *, group1=None, group2=None) -> list[tuple[int, int]]:
    """Match by the whole matrix of chords, with the documented order among equal distances."""

    def vectors(ra, dec):
        ra, dec = np.radians(np.asarray(ra, float)), np.radians(np.asarray(dec, float))
        return np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)], axis=1)

    one, two = vectors(ra1, dec1), vectors(ra2, dec2)
    group1 = np.zeros(len(one), int) if group1 is None else np.asarray(group1)
    group2 = np.zeros(len(two), int) if group2 is None else np.asarray(group2)

    def number(points, group):
        seen: dict[tuple, int] = {}
        numbers = []
        for point, which in zip(points, group, strict=True):
            key = (*point.tolist(), int(which))
            numbers.append(seen.get(key, 0))
            seen[key] = numbers[-1] + 1
        return numbers

    number1, number2 = number(one, group1), number(two, group2)
    limit = (2 * np.sin(np.radians(radius / 3600) / 2)) ** 2
    with np.errstate(invalid="ignore"):
        squared = (one[:, None, :] - two[None, :, :]) ** 2
        squared = squared[..., 0] + squared[..., 1] + squared[..., 2]
    allowed = (squared <= limit) & (group1[:, None] == group2[None, :])

    def nearest(i, distance, ok, mine, theirs):
        candidates = [(distance[j], abs(theirs[j] - mine), j) for j in np.flatnonzero(ok)]
        return min(candidates)[2] if candidates else -1

    best1 = [nearest(i, squared[i], allowed[i], number1[i], number2) for i in range(len(one))]
    best2 = [nearest(j, squared[:, j], allowed[:, j], number2[j], number1) for j in range(len(two))]
    return [(i, j) for i, j in enumerate(best1) if j >= 0 and best2[j] == i]


def by_astropy(ra1, dec1, ra2, dec2, radius) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Match as the notebooks do, both ways, keeping what is mutual."""
    from astropy import units as u
    from astropy.coordinates import SkyCoord

    one, two = SkyCoord(ra1, dec1, unit="deg"), SkyCoord(ra2, dec2, unit="deg")
    there, separation, _ = one.match_to_catalog_sky(two)
    back, _, _ = two.match_to_catalog_sky(one)
    mutual = (back[there] == np.arange(len(one))) & (separation <= radius * u.arcsec)
    return np.flatnonzero(mutual), there[mutual], separation.arcsec[mutual]


def pairs(match: Match) -> list[tuple[int, int]]:
    """Return the pairs as a list."""
    return list(zip(match.index1.tolist(), match.index2.tolist(), strict=True))


ORIGINS = [(0.0, 0.0), (360.0, 0.0), (150.0, 2.0), (0.0, 90.0), (123.0, 90.0), (10.0, -90.0), (359.99999, -4.0)]

# A few origins, and steps of a fraction of the radius around them: clumps, exact ties, repeated positions, poles, wrap.
clumped = st.builds(
    lambda origin, east, north: (
        (origin[0] + east * 0.25 * ARCSEC) % 360.0 if east else origin[0],
        float(np.clip(origin[1] + north * 0.25 * ARCSEC, -90, 90)),
    ),
    st.sampled_from(ORIGINS),
    st.integers(-4, 4),
    st.integers(-4, 4),
)
anywhere = st.tuples(st.floats(-720, 720), st.floats(-90, 90))
broken = st.sampled_from([(np.nan, 0.0), (150.0, np.nan), (np.inf, 2.0), (150.0, 90.5)])
sources = st.lists(st.tuples(st.one_of(clumped, clumped, clumped, anywhere, broken), st.integers(0, 1)), max_size=40)


@settings(max_examples=300, deadline=None)
@given(first=sources, second=sources, radius=st.sampled_from([0.2, 0.5, 1.0, 40.0, 3600.0 * 30, 3600.0 * 180]))
def test_match_equals_brute_force_on_adversarial_positions(first, second, radius):
    """Clumps, ties, repeated positions, poles, wrap and missing positions give the pairs of the whole matrix."""

    def split(rows):
        ra = np.array([position[0] for position, _ in rows], float)
        dec = np.array([position[1] for position, _ in rows], float)
        return ra, dec, np.array([group for _, group in rows], int)

    (ra1, dec1, group1), (ra2, dec2, group2) = split(first), split(second)
    match = mutual_nearest(ra1, dec1, ra2, dec2, radius, group1=group1, group2=group2)
    usable = [(np.isfinite(ra) & (np.abs(dec) <= 90)) for ra, dec in ((ra1, dec1), (ra2, dec2))]
    for ra, ok in zip((ra1, ra2), usable, strict=True):
        ra[~ok] = np.nan
    assert pairs(match) == brute_force(ra1, dec1, ra2, dec2, radius, group1=group1, group2=group2)


@pytest.mark.parametrize(
    ("ra", "dec"),
    [
        ((150, 152), (2, 4)),
        ((359, 361), (-1, 1)),
        ((0, 360), (89.5, 90)),
        ((0, 360), (-90, -89.9)),
        ((0, 360), (-90, 90)),
    ],
    ids=["field", "wrap", "north pole", "south pole", "whole sky"],
)
@pytest.mark.parametrize("radius", [0.5, 60.0, 7200.0])
def test_match_equals_astropy(ra, dec, radius):
    """Pairs and separations are those of SkyCoord, everywhere on the sky and up to a radius of degrees."""
    rng = np.random.default_rng(20150217)
    n = 3000
    ra1 = rng.uniform(*ra, n) % 360
    dec1 = np.degrees(np.arcsin(rng.uniform(*np.sin(np.radians(dec)), n)))
    scatter = 0.3 * ARCSEC
    ra2 = (ra1[: n - 500] + rng.normal(0, scatter, n - 500) / np.cos(np.radians(dec1[: n - 500]))) % 360
    dec2 = np.clip(dec1[: n - 500] + rng.normal(0, scatter, n - 500), -90, 90)
    order = rng.permutation(n - 500)
    match = mutual_nearest(ra1, dec1, ra2[order], dec2[order], radius)
    index1, index2, separation = by_astropy(ra1, dec1, ra2[order], dec2[order], radius)
    assert match.index1.size > 1000
    np.testing.assert_array_equal(match.index1, index1)
    np.testing.assert_array_equal(match.index2, index2)
    np.testing.assert_allclose(match.separation, separation, rtol=1e-12, atol=1e-9)


def test_a_catalogue_matches_itself_completely():
    """Repeated positions, which upstream's comparison reports as unique, leave nothing over in any order of rows."""
    rng = np.random.default_rng(3)
    ra, dec = rng.uniform(150, 150.01, 200), rng.uniform(2, 2.01, 200)
    ra, dec = np.append(ra, ra[[5, 5, 5, 7, 9]]), np.append(dec, dec[[5, 5, 5, 7, 9]])
    order = rng.permutation(ra.size)
    match = mutual_nearest(ra, dec, ra[order], dec[order], 0.5)
    np.testing.assert_array_equal(match.index1, np.arange(ra.size))
    np.testing.assert_array_equal(np.sort(match.index2), np.arange(ra.size))
    assert not match.separation.any()


def test_repeated_positions_pair_up_as_far_as_they_go():
    """Three sources at one position and two beside them are two pairs, first with first."""
    match = mutual_nearest([10.0] * 3, [1.0] * 3, [10.0] * 2, [1.0 + 0.1 * ARCSEC] * 2, 0.5)
    assert pairs(match) == [(0, 0), (1, 1)]
    np.testing.assert_allclose(match.separation, 0.1, rtol=1e-6)


def test_groups_are_matched_as_if_alone():
    """Matching with groups is matching each group by itself, even where groups share the sky."""
    rng = np.random.default_rng(8)
    ra, dec = rng.uniform(150, 150.002, (2, 600)), rng.uniform(2, 2.002, (2, 600))
    group = rng.integers(-2, 3, (2, 600)) * 10**12
    group[1][group[1] == 0] = 7  # one group on each side only
    match = mutual_nearest(ra[0], dec[0], ra[1], dec[1], 0.5, group1=group[0], group2=group[1])
    expected = []
    for value in np.unique(group[0]):
        one, two = np.flatnonzero(group[0] == value), np.flatnonzero(group[1] == value)
        if two.size:
            alone = mutual_nearest(ra[0][one], dec[0][one], ra[1][two], dec[1][two], 0.5)
            expected += zip(one[alone.index1].tolist(), two[alone.index2].tolist(), strict=True)
    assert expected
    assert pairs(match) == sorted(expected)


def test_swapping_the_lists_swaps_the_pairs():
    """The match is symmetric."""
    rng = np.random.default_rng(5)
    ra, dec = rng.uniform(0, 0.003, (2, 500)), rng.uniform(-90, -89.997, (2, 500))
    forward = mutual_nearest(ra[0], dec[0], ra[1], dec[1], 2.0)
    backward = mutual_nearest(ra[1], dec[1], ra[0], dec[0], 2.0)
    assert forward.index1.size
    assert sorted(pairs(forward)) == sorted((j, i) for i, j in pairs(backward))


@pytest.mark.parametrize(("n1", "n2"), [(0, 0), (0, 3), (3, 0)])
def test_empty_lists_match_nothing(n1, n2):
    """No source on a side is no pair, not an error."""
    match = mutual_nearest(np.ones(n1), np.ones(n1), np.ones(n2), np.ones(n2), 0.5)
    assert pairs(match) == []
    assert (
        mutual_nearest(
            np.ones(n1), np.ones(n1), np.ones(n2), np.ones(n2), 0.5, group1=np.ones(n1), group2=np.ones(n2)
        ).index1.size
        == 0
    )


def test_read_only_columns_are_accepted():
    """Columns straight from an Arrow table, which cannot be written to, are matched."""
    import pyarrow as pa

    column = pa.array([10.0, 20.0]).to_numpy()
    assert not column.flags.writeable
    assert pairs(mutual_nearest(column, column, column, column, 0.5)) == [(0, 0), (1, 1)]


@pytest.mark.parametrize("radius", [0.0, -1.0, np.nan, np.inf, 648000.1])
def test_a_radius_that_is_no_angle_is_refused(radius):
    """A radius of zero, less, or more than half the sky is a usage error that names it."""
    with pytest.raises(UsageError, match="match radius must be"):
        mutual_nearest([1.0], [1.0], [1.0], [1.0], radius)


@pytest.mark.parametrize("n_groups", [None, 40])
def test_no_source_is_used_twice_in_a_crowd(n_groups):
    """Thousands of sources in a few arcsec, many at one position: each is in one pair at most, and mutual nearest."""
    from scipy.spatial import cKDTree

    rng = np.random.default_rng(7)
    n = 4000
    ra, dec = rng.uniform(0, 12 * ARCSEC, (2, n)), rng.uniform(45, 45 + 12 * ARCSEC, (2, n))
    again = rng.integers(0, n, (2, 800))
    for side in (0, 1):
        ra[side, -800:], dec[side, -800:] = ra[side, again[side]], dec[side, again[side]]
    ra[1, :500], dec[1, :500] = ra[0, :500], dec[0, :500]
    ra[0, 1000:1010] = np.nan
    group = np.zeros((2, n), int) if n_groups is None else rng.integers(0, n_groups, (2, n))
    groups = {} if n_groups is None else {"group1": group[0], "group2": group[1]}
    match = mutual_nearest(ra[0], dec[0], ra[1], dec[1], 0.5, **groups)
    assert match.index1.size > 500
    assert np.unique(match.index1).size == np.unique(match.index2).size == match.index1.size
    for value in np.unique(group):
        one, two = (np.flatnonzero((group[side] == value) & np.isfinite(ra[side])) for side in (0, 1))
        there = unit_vectors(ra[0, one], dec[0, one]), unit_vectors(ra[1, two], dec[1, two])
        nearest = np.full(n, np.nan), np.full(n, np.nan)
        nearest[0][one], nearest[1][two] = cKDTree(there[1]).query(there[0])[0], cKDTree(there[0]).query(there[1])[0]
        pair = group[0, match.index1] == value
        chord = 2 * np.sin(np.radians(match.separation[pair] * ARCSEC) / 2)
        np.testing.assert_allclose(nearest[0][match.index1[pair]], chord, atol=1e-15)
        np.testing.assert_allclose(nearest[1][match.index2[pair]], chord, atol=1e-15)
