"""Matching two reruns of 670,000 sources: ours beside the notebook's way and a k-d tree, and the whole churn.

Where nothing is timed, everything runs once with 20,000.  Nothing here asserts a time; identical pairs are asserted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pytest

from harness.diagnose.churn import churn_rows
from harness.diagnose.match import mutual_nearest
from harness.metrics.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

RADIUS = 0.5
ARCSEC = 1 / 3600

Positions = tuple["NDArray[np.float64]", "NDArray[np.float64]"]
Pairs = tuple["NDArray[np.int64]", "NDArray[np.int64]"]


class Sky(NamedTuple):
    """Positions (ra, dec) of two reruns in degrees."""

    first: Positions
    second: Positions


@pytest.fixture(scope="module")
def sky(full_size: bool) -> Sky:
    """Return three fields, both poles, the wrap of right ascension and clumps; a tenth of each side is its own."""
    n = 670_000 if full_size else 20_000
    rng = np.random.default_rng(2015)

    def cap(n: int, low: float, high: float) -> Positions:
        return rng.uniform(0, 360, n), np.degrees(np.arcsin(rng.uniform(*np.sin(np.radians([low, high])), n)))

    def field(n: int, ra: float, dec: float, size: float = 2.2) -> Positions:
        return rng.uniform(ra, ra + size, n), rng.uniform(dec, dec + size, n)

    few = n // 50
    parts = [cap(few, 89.9, 90), cap(few, -90, -89.9), field(few, 359.5, -1, 1.0), field(few, 155, -5, 0.02)]
    rest = n - 4 * few
    parts += [field(rest // 3, 150, 1), field(rest // 3, 153, -6), field(rest - 2 * (rest // 3), 158, -4)]
    ra, dec = (np.concatenate([part[i] for part in parts]) for i in (0, 1))
    moved = np.clip(dec + rng.normal(0, 0.1 * ARCSEC, n), -90, 90)
    east = ra + rng.normal(0, 0.1 * ARCSEC, n) / np.maximum(np.cos(np.radians(dec)), 1e-6)
    own = rng.random(n) < 0.1
    east[own], moved[own] = field(int(own.sum()), 150, 1)
    order = rng.permutation(n)
    first, second = (ra % 360, dec), (east[order] % 360, moved[order])
    for side in (first, second):
        side[0][rng.choice(n, n // 1000, replace=False)] = np.nan
    return Sky(first, second)


def ours(sky: Sky) -> Pairs:
    """Match by a sweep over sorted cells."""
    match = mutual_nearest(*sky.first, *sky.second, RADIUS)
    return match.index1, match.index2


def notebook(sky: Sky) -> Pairs:
    """Match as a notebook does: `SkyCoord.match_to_catalog_sky` both ways, keeping what is mutual."""
    from astropy import units as u
    from astropy.coordinates import SkyCoord

    def nearest(one: Any, other: Any) -> Any:
        index, separation, _ = one.match_to_catalog_sky(other)
        return index, separation

    places = [_placed(side) for side in sky]
    one, two = (SkyCoord(*(x[place] for x in side), unit="deg") for side, place in zip(sky, places, strict=True))
    (there, separation), (back, _) = nearest(one, two), nearest(two, one)
    mutual = (back[there] == np.arange(len(one))) & (separation <= RADIUS * u.arcsec)
    return places[0][mutual], places[1][there[mutual]]


def tree(sky: Sky) -> Pairs:
    """Match with scipy's k-d tree of unit vectors, both ways, bounded by the radius."""
    from scipy.spatial import cKDTree

    places = [_placed(side) for side in sky]
    vectors = [_vectors(*(x[place] for x in side)) for side, place in zip(sky, places, strict=True)]
    chord = 2 * np.sin(np.radians(RADIUS * ARCSEC) / 2)
    one, two = (cKDTree(each, balanced_tree=False, compact_nodes=False) for each in vectors)
    distance, there = two.query(vectors[0], distance_upper_bound=chord * (1 + 1e-9))
    _, back = one.query(vectors[1], distance_upper_bound=chord * (1 + 1e-9))
    near = np.flatnonzero(distance <= chord)
    mutual = near[back[there[near]] == near]
    return places[0][mutual], places[1][there[mutual]]


def _placed(side: Positions) -> NDArray[np.int64]:
    return np.flatnonzero(np.isfinite(side[0]))


def _vectors(ra: NDArray[np.float64], dec: NDArray[np.float64]) -> NDArray[np.float64]:
    ra, dec = np.radians(ra), np.radians(dec)
    return np.column_stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)])


@pytest.mark.parametrize("way", [ours, notebook, tree])
@pytest.mark.benchmark(group="match two reruns")
def test_match(benchmark: Any, way: Callable[[Sky], Pairs], sky: Sky) -> None:
    """Each way, side by side, on the same positions, with the same pairs as ours."""
    ours(sky)  # compiled before anything is timed
    index1, index2 = benchmark.pedantic(way, args=(sky,), rounds=5)
    expected1, expected2 = ours(sky)
    assert expected1.size > 0.8 * sky.first[0].size
    np.testing.assert_array_equal(index1, expected1)
    np.testing.assert_array_equal(index2, expected2)


@pytest.mark.benchmark(group="churn of two reruns, 5040 visit-detectors")
def test_churn(benchmark: Any, sky: Sky) -> None:
    """The whole churn: unique sources, match within visit and detector, counts, medians and edges."""
    n = sky.first[0].size
    rng = np.random.default_rng(1)

    def table(side: Positions) -> pa.Table:
        return pa.table(
            {
                "diaSourceId": rng.permutation(n),
                "visit": rng.integers(0, 84, n),
                "detector": rng.integers(0, 60, n).astype(np.int32),
                "ra": side[0],
                "dec": side[1],
                "psfFlux": rng.normal(100, 10, n),
                "x": rng.uniform(0, 2047, n),
                "y": rng.uniform(0, 4095, n),
            }
        )

    rerun, reference = table(sky.first), table(sky.second)
    rows = benchmark.pedantic(churn_rows, args=(rerun, reference, Settings()), rounds=3, warmup_rounds=1)
    assert set(rows["metric"].to_pylist()) > {"churn.numMatched", "churn.numLost", "churn.numGained"}
