"""Matching 1,000,000 injections to 5,000,000 DIA sources: ours beside astropy's way, its time and its memory.

Where nothing is timed, everything runs once with 1000 and 5000.  Nothing here asserts a time; identical pairs are
asserted, and at full size the share of memory.  Run as a script, this file matches one way and prints its peak memory.
"""

from __future__ import annotations

import gc
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pytest

from harness.diagnose.match import mutual_nearest

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

RADIUS = 0.5
ARCSEC = 1 / 3600
N_DETECTORS = 5040

Pairs = tuple["NDArray[np.int64]", "NDArray[np.int64]"]


class Sky(NamedTuple):
    """Positions in degrees and visit-detectors."""

    ra: NDArray[np.float64]
    dec: NDArray[np.float64]
    detector: NDArray[np.int64]


def skies(n: int) -> tuple[Sky, Sky]:
    """Return n injections and five times as many sources over 4 deg²; nine in ten injections are among the sources."""
    rng = np.random.default_rng(2561)
    found = Sky(rng.uniform(150, 152, 5 * n), rng.uniform(1, 3, 5 * n), rng.integers(0, N_DETECTORS, 5 * n))
    injected = Sky(rng.uniform(150, 152, n), rng.uniform(1, 3, n), rng.integers(0, N_DETECTORS, n))
    among = rng.permutation(5 * n)[: 9 * n // 10]
    for mine, theirs, scatter in zip(injected, found, (0.1 * ARCSEC, 0.1 * ARCSEC, 0), strict=True):
        mine[: among.size] = theirs[among] + rng.normal(0, 1, among.size) * scatter
    return injected, found


def ours(injected: Sky, found: Sky) -> Pairs:
    """Match by a sweep over sorted cells."""
    match = mutual_nearest(injected.ra, injected.dec, found.ra, found.dec, RADIUS)
    return match.index1, match.index2


def by_detector(injected: Sky, found: Sky) -> Pairs:
    """Match likewise, within visits and detectors only, as the harness does."""
    one, two = injected.detector, found.detector
    match = mutual_nearest(injected.ra, injected.dec, found.ra, found.dec, RADIUS, group1=one, group2=two)
    return match.index1, match.index2


def astropy(injected: Sky, found: Sky) -> Pairs:
    """Match by `SkyCoord.match_to_catalog_sky` both ways, keeping what is mutual."""
    from astropy import units as u
    from astropy.coordinates import SkyCoord

    one, two = (SkyCoord(each.ra, each.dec, unit="deg") for each in (injected, found))
    there, separation, _ = one.match_to_catalog_sky(two)
    back, _, _ = two.match_to_catalog_sky(one)
    mutual = np.flatnonzero((back[there] == np.arange(len(one))) & (separation <= RADIUS * u.arcsec))
    return mutual, there[mutual]


WAYS = {way.__name__: way for way in (ours, by_detector, astropy)}


@pytest.fixture(scope="module")
def sky(full_size: bool) -> tuple[Sky, Sky]:
    """Return injections and sources."""
    return skies(1_000_000 if full_size else 1000)


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.benchmark(group="match 1,000,000 injections to 5,000,000 sources")
def test_match(benchmark: Any, way: Callable[[Sky, Sky], Pairs], sky: tuple[Sky, Sky]) -> None:
    """Each way, side by side; ours with the pairs of astropy's."""
    way(*skies(10))  # compiled and imported before anything is timed
    index1, index2 = benchmark.pedantic(way, args=sky, rounds=3)
    assert np.unique(index2).size == index2.size > 0.85 * sky[0].ra.size
    if way is astropy:
        expected1, expected2 = ours(*sky)
        np.testing.assert_array_equal(index1, expected1)
        np.testing.assert_array_equal(index2, expected2)


@pytest.mark.skipif(sys.platform != "linux", reason="reads and resets the peak of memory in /proc")
def test_memory(full_size: bool) -> None:
    """Beyond the positions themselves ours needs at most 40 % of astropy's memory, with detectors or without."""
    if not full_size:
        assert _peak_megabytes("ours", 1000) >= 0
        return
    peaks = {name: _peak_megabytes(name, 1_000_000) for name in WAYS}
    print("peak memory, MB:", peaks)
    assert max(peaks["ours"], peaks["by_detector"]) <= 0.4 * peaks["astropy"], peaks


def _peak_megabytes(way: str, n: int) -> float:
    """Return by how much a fresh process grows while it matches one way."""
    command = [sys.executable, __file__, way, str(n)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def _status(name: str) -> float:
    """Return a figure of this process's memory, MB."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(f"{name}:"))
    return int(line.split()[1]) / 1024


def _print_peak(way: Callable[[Sky, Sky], Pairs], n: int) -> None:
    way(*skies(10))
    sky = skies(n)
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # the peak is what is resident now
    before = _status("VmRSS")
    way(*sky)
    print(_status("VmHWM") - before)


if __name__ == "__main__":
    _print_peak(WAYS[sys.argv[1]], int(sys.argv[2]))
