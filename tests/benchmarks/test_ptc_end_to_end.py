"""From two Rice-compressed files of full-size flats to mean, variance and RHL: ours beside astropy and the notebook.

A file has 16 segments of 2048 × 576 pixels, or of 104 × 87 where nothing is timed.  Nothing here asserts a time.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from astropy.io import fits
from flat_files import E2V, SMALL, flat, write

from harness.metrics.ptc.overscan import subtract_overscan
from harness.metrics.ptc.pair_statistics import fast_statistics, pair_statistics
from harness.rerun.raw_fits import RawFile

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from flat_files import Geometry
    from numpy.typing import NDArray

    Files = tuple[Path, Path]

ELECTRONS = 30_000
GROUP = "mean, variance and RHL of a pair of compressed files"
PARTS = ("open, read headers", "read, decompress", "overscan", "mean, variance, RHL", "clips, covariances")


@pytest.fixture(scope="module")
def geometry(full_size: bool) -> Geometry:
    """Return that of an e2v sensor, or a small one with as many amplifiers."""
    return E2V if full_size else replace(SMALL, names=E2V.names)


@pytest.fixture(scope="module")
def files(geometry: Geometry, tmp_path_factory: pytest.TempPathFactory) -> Files:
    """Return the two files, compressed by rows as the camera's are."""
    folder = tmp_path_factory.mktemp("flats")
    first, second = (
        write(
            folder / f"flat_{i}.fits", flat(ELECTRONS * (1 + 0.003 * i), i, geometry), geometry, "RICE_1", EXPTIME=30.0
        )
        for i in range(2)
    )
    return first, second


def ours(files: Files, _: Geometry) -> list[tuple[float, ...]]:
    """Read, subtract the overscan and measure, amplifier by amplifier."""
    with RawFile(files[0]) as first, RawFile(files[1]) as second:
        return [
            measured(*(subtract_overscan(raw.segment(name), raw.amplifiers[name])[0] for raw in (first, second)))
            for name in first.amplifiers
        ]


def ours_but_astropy_reads(files: Files, _: Geometry) -> list[tuple[float, ...]]:
    """Do the same with pixels that astropy decompresses."""
    rows = []
    with RawFile(files[0]) as raw, fits.open(files[0]) as first, fits.open(files[1]) as second:
        for number, amplifier in enumerate(raw.amplifiers.values(), start=1):
            rows.append(measured(*(subtract_overscan(hdus[number].data, amplifier)[0] for hdus in (first, second))))
    return rows


def measured(first: NDArray[np.float32], second: NDArray[np.float32]) -> tuple[float, ...]:
    """Return mean of the first flat, variance scaled to the first, and RHL."""
    found = fast_statistics(first[np.newaxis], second[np.newaxis])
    mean1, mean2 = found.mean1[0], found.mean2[0]
    return mean1, found.variance[0] * ((mean1 + mean2) / 2 / mean2) ** 2, found.rhl[0]


def notebook(files: Files, geometry: Geometry, dtype: Any = np.float64) -> list[tuple[float, ...]]:
    """Read with astropy, subtract the mean of each row's overscan, and form each number by a line of numpy."""
    rows = []
    with fits.open(files[0]) as first_file, fits.open(files[1]) as second_file:
        for number in range(1, len(geometry.names) + 1):
            first, second = (plain(hdus[number].data.astype(dtype), geometry) for hdus in (first_file, second_file))
            mean1, mean2 = np.mean(first), np.mean(second)
            difference = first - second * (mean1 / mean2)
            rows.append((mean1, np.var(difference) / 2, np.mean((first - second) ** 2 / (first + second))))
    return rows


def notebook_in_single_precision(files: Files, geometry: Geometry) -> list[tuple[float, ...]]:
    """Do the same with half the memory to walk through."""
    return notebook(files, geometry, np.float32)


def plain(segment: NDArray[Any], geometry: Geometry) -> NDArray[Any]:
    """Return the imaging pixels less the mean of their row's overscan."""
    overscan = segment[: geometry.rows, geometry.prescan + geometry.columns :][:, 5:-2]
    return np.asarray(segment[geometry.imaging] - overscan.mean(axis=1)[:, np.newaxis])


@pytest.mark.parametrize("way", [ours, ours_but_astropy_reads, notebook, notebook_in_single_precision])
@pytest.mark.benchmark(group=GROUP)
def test_end_to_end(benchmark: Any, way: Callable[..., Any], files: Files, geometry: Geometry) -> None:
    """Each way, side by side, with the same numbers."""
    found = benchmark.pedantic(way, (files, geometry), rounds=7, warmup_rounds=1)
    np.testing.assert_allclose(found, notebook(files, geometry), rtol=2e-4)


def by_part(files: Files) -> dict[str, float]:
    """Return the milliseconds that each part takes; the last is what `extract_curves` does in place of the one before.

    It goes amplifier by amplifier as `ours` does, because memory that is used again is faster.
    """
    clock, seconds = time.perf_counter, dict.fromkeys(PARTS, 0.0)
    start = clock()
    with RawFile(files[0]) as first, RawFile(files[1]) as second:
        seconds["open, read headers"] = clock() - start
        for name in first.amplifiers:
            times = [clock()]
            segments = [raw.segment(name) for raw in (first, second)]
            times.append(clock())
            planes = [subtract_overscan(segment, first.amplifiers[name])[0] for segment in segments]
            times.append(clock())
            measured(*planes)
            times.append(clock())
            pair_statistics(*(plane[np.newaxis] for plane in planes))
            times.append(clock())
            for part, taken in zip(PARTS[1:], np.diff(times), strict=True):
                seconds[part] += taken
    return {part: 1e3 * taken for part, taken in seconds.items()}


@pytest.mark.benchmark(group=GROUP)
def test_where_the_time_goes(benchmark: Any, files: Files) -> None:
    """Decompression takes most of it, whatever is measured of the pixels."""
    taken: list[dict[str, float]] = []
    benchmark.pedantic(lambda: taken.append(by_part(files)), rounds=7, warmup_rounds=1)
    medians = {part: round(float(np.median([each[part] for each in taken])), 1) for part in PARTS}
    benchmark.extra_info |= medians
    print(medians)
    assert min(medians.values()) > 0
