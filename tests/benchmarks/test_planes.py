"""Statistics and closure of full-size planes: ours beside the notebook's calls and beside reading memory.

Planes are 4096 × 4096 and 256 × 256, or 64 × 64 where nothing is timed.  Nothing here asserts a time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from harness.metrics.closure import closure
from harness.metrics.planes import plane_statistics

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Plane = NDArray[np.float32]


def variance(side: int) -> Plane:
    """Return a variance plane with stars, and NaN where there are no data."""
    rng = np.random.default_rng(4)
    plane = rng.normal(100, 3, (side, side)) + 30 * rng.pareto(1.5, (side, side))
    plane[: side // 50] = np.nan
    return plane.astype(np.float32)


def ours(plane: Plane) -> list[float]:
    """Return count of NaN, minimum, maximum, mean, median and standard deviation, in one walk."""
    found = plane_statistics(plane)
    return [found.n_nan, found.minimum, found.maximum, found.mean, found.median, found.std]


def notebook(plane: Plane) -> list[float]:
    """Return the same by the notebook's calls."""
    return [
        float(number)
        for number in (
            np.isnan(plane).sum(),
            np.nanmin(plane),
            np.nanmax(plane),
            np.nanmean(plane),
            np.nanmedian(plane),
            np.nanstd(plane),
        )
    ]


def read(plane: Plane) -> list[float]:
    """Return the sum of pixels: what it takes to read them."""
    return [float(plane.sum())]


@pytest.mark.parametrize("way", [ours, notebook, read])
@pytest.mark.parametrize("order", ["native", "big-endian"])
@pytest.mark.parametrize("side", [4096, 256])
def test_statistics(
    benchmark: Any, side: int, order: str, way: Callable[[Plane], list[float]], full_size: bool
) -> None:
    """Each way, side by side, with the same numbers."""
    plane = variance(side if full_size else 64)
    plane = plane.astype(">f4") if order == "big-endian" else plane
    benchmark.group = f"statistics of a {order} plane of {side} × {side}"
    found = benchmark.pedantic(way, (plane,), rounds=7 if side > 1000 else 101, warmup_rounds=1)
    if way is not read:
        np.testing.assert_allclose(found, ours(plane), rtol=1e-4)


@pytest.mark.benchmark(group="statistics of a masked native plane of 4096 × 4096")
@pytest.mark.parametrize("is_ours", [True, False], ids=["ours", "notebook"])
def test_masked(benchmark: Any, is_ours: bool, full_size: bool) -> None:
    """With a mask: `np.nanmedian` and the rest of what a notebook sets to NaN first."""
    plane = variance(4096 if full_size else 64)
    mask = (np.random.default_rng(5).random(plane.shape, np.float32) < 0.05).astype(np.int32) << 3

    def by_mask() -> float:
        return plane_statistics(plane, (mask, 8 | 2)).median

    def by_nan() -> float:
        return notebook(np.where(mask & (8 | 2), np.float32(np.nan), plane))[4]

    found = benchmark.pedantic(by_mask if is_ours else by_nan, rounds=7, warmup_rounds=1)
    assert found == pytest.approx(by_mask(), rel=1e-6)


def close(planes: Sequence[Plane]) -> list[float]:
    """Return how a - b - c closes, in one walk: in spacings of its pixels, which the notebook's calls do not tell."""
    return [closure(*planes).rms]


def close_notebook(planes: Sequence[Plane]) -> list[float]:
    """Return the statistics of a - b - c as the notebook prints those of a difference, formed in single precision.

    There it rounds to zero what it should tell.
    """
    a, b, c = planes
    return notebook(a - b - c)[-1:]


def close_numpy(planes: Sequence[Plane]) -> list[float]:
    """Return the same closure as ours in numpy: formed in float64, in spacings of the largest operand."""
    a, b, c = planes
    residual = a.astype(np.float64) - b - c
    largest = np.maximum(np.maximum(np.abs(a), np.abs(b)), np.abs(c)).astype(np.float32)
    ulp = np.abs(residual) / np.spacing(largest)
    assert np.nanmax(ulp) <= 0.5
    return [float(np.sqrt(np.nanmean(residual**2)))]


@pytest.mark.parametrize("way", [close, close_notebook, close_numpy])
@pytest.mark.parametrize("order", ["native", "big-endian"])
def test_closure(benchmark: Any, order: str, way: Callable[[Sequence[Plane]], list[float]], full_size: bool) -> None:
    """Each way, side by side, with the same root mean square but for the notebook's."""
    side = 4200 if full_size else 64
    before = np.random.default_rng(6).lognormal(3, 2, (side, side)).astype(np.float32)
    background = np.full_like(before, 0.0173)
    planes = [
        plane.astype(">f4" if order == "big-endian" else "<f4") for plane in (before, background, before - background)
    ]
    benchmark.group = f"closure of three {order} planes of 4200 × 4200"
    found = benchmark.pedantic(way, (planes,), rounds=5, warmup_rounds=1)
    assert found == (pytest.approx(close(planes), rel=1e-9) if way is not close_notebook else [0])
