"""The cluster bootstrap of 84 visits × 50 metrics × 10,000 draws, beside the loop that a notebook writes.

Where nothing is timed, everything runs once and small.  Nothing here asserts a time; the agreement of both is asserted.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from harness.judge import Quantity, unchanged
from harness.judge.resample import DRAWS, pivot_limits, weights
from harness.model import Metric

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

N_VISITS, N_METRICS = 84, 50


@pytest.fixture
def size(full_size: bool) -> tuple[int, int]:
    """Return metrics and draws: few of both when nothing is timed."""
    return (N_METRICS, DRAWS) if full_size else (3, 2000)


@pytest.fixture
def deviations(size: tuple[int, int]) -> NDArray[np.float64]:
    """Return skewed paired differences, one row per metric, each adding up to zero."""
    made = np.random.default_rng(1).lognormal(0, 0.5, (size[0], N_VISITS))
    return np.asarray(made - made.mean(axis=1, keepdims=True))


def product(deviations: NDArray[np.float64], draws: int) -> NDArray[np.float64]:
    """Ours: multinomial weights, drawn once, times a matrix."""
    return np.array([pivot_limits(each, 0.9, draws) for each in deviations])


def loop(deviations: NDArray[np.float64], draws: int) -> NDArray[np.float64]:
    """Pick visits as a notebook does, all metrics at once, one draw after the other; the same studentised statistic."""
    rng = np.random.default_rng(2)
    pivots = np.empty((draws, len(deviations)))
    by_visit = np.ascontiguousarray(deviations.T)
    for draw in range(draws):
        picked = by_visit[rng.integers(N_VISITS, size=N_VISITS)]
        pivots[draw] = picked.sum(axis=0) / (math.sqrt(N_VISITS) * picked.std(axis=0, ddof=1))
    return np.quantile(pivots, [0.0125, 0.9875], axis=0).T


def sums_loop(deviations: NDArray[np.float64], draws: int) -> NDArray[np.float64]:
    """Take percentiles of resampled sums, the shorter way, which covers less than it says."""
    rng = np.random.default_rng(3)
    by_visit = np.ascontiguousarray(deviations.T)
    sums = np.empty((draws, len(deviations)))
    for draw in range(draws):
        sums[draw] = by_visit[rng.integers(N_VISITS, size=N_VISITS)].sum(axis=0)
    return np.quantile(sums, [0.05, 0.95], axis=0).T


@pytest.mark.parametrize("way", [product, loop, sums_loop])
@pytest.mark.benchmark(group="cluster bootstrap, 84 visits x 50 metrics x 10,000 draws")
def test_bootstrap(
    benchmark: Any, way: Callable[..., NDArray[np.float64]], deviations: NDArray[np.float64], size: tuple[int, int]
) -> None:
    """Matrix product and loop, side by side; the weights are drawn once per number of visits and counted in."""
    limits = benchmark.pedantic(way, args=(deviations, size[1]), setup=weights.cache_clear, rounds=5)
    assert limits.shape == (size[0], 2)


def test_both_ways_agree(deviations: NDArray[np.float64], size: tuple[int, int]) -> None:
    """Product and loop give the same limits within Monte-Carlo error."""
    # A quantile's error from so many draws, for a density of about 0.03 there.
    error = math.sqrt(2 * 0.0125 / size[1]) / 0.03
    assert np.abs(product(deviations, size[1]) - loop(deviations, size[1])).max() < 5 * error


@pytest.mark.parametrize("reduce", ["sum", "ratio"])
@pytest.mark.benchmark(group="one verdict, 84 visits")
def test_verdict(benchmark: Any, reduce: str) -> None:
    """The whole path from stored numbers to the sentence, for one metric."""
    rng = np.random.default_rng(4)
    metric = Metric("dia.metric", "ct" if reduce == "sum" else "", "A metric.", "test", reduce=reduce)  # type: ignore[arg-type]
    visits = np.arange(N_VISITS)
    below = rng.poisson(2000, N_VISITS).astype(float)

    def quantity(rerun: str) -> Quantity:
        above = below + rng.poisson(20, N_VISITS)
        return Quantity(metric, rerun, visits, above, None if reduce == "sum" else below)

    new, old = quantity("new"), quantity("old")
    assert benchmark(unchanged, new, old, rtol=0.02).sentence
