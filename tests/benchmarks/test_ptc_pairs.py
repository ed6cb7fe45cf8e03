"""Statistics of a pair of full-size flats: ours beside reading memory, the notebook, and the field's pipeline.

A pair has 16 amplifiers of 2002 × 512 pixels, or of 100 × 64 where nothing is timed.  Nothing here asserts a time.
"""

from __future__ import annotations

import tracemalloc
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pytest
from numba import njit
from pair_reference import fft_covariances, pipeline

from harness.metrics.ptc.pair_statistics import clip_correction, fast_statistics, pair_statistics

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

MAX_LAG = 8
GAIN = 1.5
ELECTRONS = 30_000


class Pair(NamedTuple):
    """Two flats, and the pixels not to be used."""

    first: NDArray[np.float32]
    second: NDArray[np.float32]
    mask: NDArray[np.bool_]


@pytest.fixture(scope="module")
def pair(full_size: bool) -> Pair:
    """Return flats with 1 pixel in 1000 hit by a cosmic ray, and 1 in 1000 masked."""
    shape = (16, 2002, 512) if full_size else (16, 100, 64)
    rng = np.random.default_rng(2019)

    def flat(electrons: float) -> NDArray[np.float32]:
        light = electrons + np.sqrt(np.float32(electrons)) * rng.standard_normal(shape, np.float32)
        light[rng.random(shape, np.float32) < 1e-3] += 50_000
        return light / np.float32(GAIN)

    return Pair(flat(ELECTRONS), flat(1.003 * ELECTRONS), rng.random(shape, np.float32) < 1e-3)


def ours(pair: Pair, _: object) -> list[NDArray[np.float64]]:
    """Return means of the first flat, variances and RHL of all pixels, in one walk."""
    found = fast_statistics(pair.first, pair.second)
    mean = (found.mean1 + found.mean2) / 2
    # The notebook's variance is of the second flat scaled to the first.
    return [found.mean1, found.variance * (mean / found.mean2) ** 2, found.rhl]


def arithmetic(first: NDArray[Any], second: NDArray[Any]) -> tuple[float, float, float]:
    """Return what the notebook forms of an amplifier, step by step as it does."""
    mean1, mean2 = np.mean(first), np.mean(second)
    scaled = second * (mean1 / mean2)
    difference = first - scaled
    return float(mean1), float(np.var(difference) / 2), float(np.mean((first - second) ** 2 / (first + second)))


def notebook(pair: Pair, detectors: NDArray[Any]) -> list[NDArray[np.float64]]:
    """Return the same by the notebook's arithmetic on amplifiers cut from two detectors as astropy reads them."""
    _, ny, nx = pair.first.shape
    boxes = [np.s_[:, y : y + ny, x : x + nx] for y in (0, ny) for x in range(0, 8 * nx, nx)]
    rows = [arithmetic(*detectors[box].astype(np.float64)) for box in boxes]
    return [np.array(column) for column in zip(*rows, strict=True)]


def notebook_at_its_best(pair: Pair, _: object) -> list[NDArray[np.float64]]:
    """Return the same by the notebook's arithmetic on what ours gets: single precision, amplifier by amplifier."""
    rows = [arithmetic(first, second) for first, second in zip(pair.first, pair.second, strict=True)]
    return [np.array(column) for column in zip(*rows, strict=True)]


@pytest.fixture(scope="module")
def detectors(pair: Pair) -> NDArray[Any]:
    """Return both flats as assembled detectors of two rows of eight amplifiers, in the byte order of a FITS file."""
    _, ny, nx = pair.first.shape
    flats = np.stack([pair.first, pair.second]).reshape(2, 2, 8, ny, nx)
    return flats.transpose(0, 1, 3, 2, 4).reshape(2, 2 * ny, 8 * nx).astype(">f4")


@pytest.mark.parametrize("way", [ours, notebook, notebook_at_its_best])
@pytest.mark.benchmark(group="mean, variance and RHL of a pair")
def test_fast_statistics(
    benchmark: Any, way: Callable[[Pair, object], Any], pair: Pair, detectors: NDArray[Any]
) -> None:
    """Each way, side by side, with the same numbers."""
    found = benchmark.pedantic(way, (pair, detectors), rounds=7, warmup_rounds=1)
    for numbers, expected in zip(found, notebook(pair, detectors), strict=True):
        np.testing.assert_allclose(numbers, expected, rtol=2e-4)


@njit(nogil=True, error_model="numpy", fastmath={"reassoc", "nsz"})
def _total(first, second):  # type: ignore[no-untyped-def]
    total = 0.0
    for y in range(first.shape[0]):
        row1, row2 = first[y], second[y]
        subtotal = np.float32(0)
        for x in range(len(row1)):
            subtotal += row1[x] + row2[x]
        total += subtotal
    return total


def read_compiled(pair: Pair) -> float:
    """Read both flats and do no more than add their pixels up."""
    return sum(_total(first, second) for first, second in zip(pair.first, pair.second, strict=True))


def read_numpy(pair: Pair) -> float:
    """Read both flats with `numpy.sum`."""
    return float(pair.first.sum()) + float(pair.second.sum())


@pytest.mark.parametrize("way", [read_compiled, read_numpy])
@pytest.mark.benchmark(group="mean, variance and RHL of a pair")
def test_read(benchmark: Any, way: Callable[[Pair], float], pair: Pair) -> None:
    """What it takes to read the two flats from memory."""
    total = benchmark.pedantic(way, (pair,), rounds=7, warmup_rounds=1)
    assert total == pytest.approx(pair.first.sum(dtype=float) + pair.second.sum(dtype=float), rel=1e-4)


def extract(pair: Pair) -> list[NDArray[np.float64]]:
    """Return clipped means, variances and covariances."""
    found = pair_statistics(pair.first, pair.second, pair.mask, max_lag=MAX_LAG)
    return [found.mean1, found.mean2, found.variance, found.covariance]


def extract_by_fft(pair: Pair) -> list[NDArray[np.float64]]:
    """Return the same as the field's pipeline forms them, in numpy and double precision."""
    found = [pipeline(*planes, ~mask, MAX_LAG) for *planes, mask in zip(*pair, strict=True)]
    s2 = clip_correction(5.5)
    return [
        np.array([each.mean1 for each in found]),
        np.array([each.mean2 for each in found]),
        s2 * np.array([each.variance for each in found]),
        s2**2 * np.array([each.covariance for each in found]),
    ]


@pytest.mark.parametrize(("way", "rounds"), [(extract, 7), (extract_by_fft, 2)])
@pytest.mark.benchmark(group="masked and clipped statistics and covariances of a pair")
def test_extraction(benchmark: Any, way: Callable[[Pair], Any], rounds: int, pair: Pair) -> None:
    """Both ways, side by side, with the same numbers."""
    found = benchmark.pedantic(way, (pair,), rounds=rounds, warmup_rounds=rounds > 2)
    for numbers, expected in zip(found, extract_by_fft(pair), strict=True):
        np.testing.assert_allclose(numbers, expected, rtol=1e-4, atol=1e-4 * ELECTRONS / GAIN**2)


@pytest.mark.benchmark(group="masked and clipped statistics and covariances of a pair")
def test_transforms_alone(benchmark: Any, pair: Pair) -> None:
    """The Fourier transforms of the field's pipeline and nothing else."""

    def transforms() -> list[Any]:
        return [
            fft_covariances(first.astype(np.float64) - second, ~mask, MAX_LAG)
            for first, second, mask in zip(*pair, strict=True)
        ]

    assert len(benchmark.pedantic(transforms, rounds=2)) == len(pair.first)


def test_workspaces_are_small(full_size: bool, pair: Pair) -> None:
    """The extraction takes less memory than two amplifiers' pixels in both flats, on top of the flats."""
    pair_statistics(*(plane[:1] for plane in pair))
    tracemalloc.start()
    pair_statistics(*pair)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    print(f"{peak / 1e6:.1f} MB on top of {(pair.first.nbytes + pair.second.nbytes) / 1e6:.0f} MB")
    assert peak < 4 * pair.first[0].nbytes or not full_size
