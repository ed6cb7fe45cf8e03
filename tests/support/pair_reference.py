"""Statistics of a pair of flats the plain way, in double precision: what the compiled ones have to agree with."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIGMAS = 5.5
ITERATIONS = 3


class Reference(NamedTuple):
    """Means, variance of one image, its covariances and the number of pixels, of one amplifier."""

    mean1: float
    mean2: float
    variance: float
    covariance: NDArray[np.float64]
    n: int


def fft_covariances(
    image: NDArray[np.float64], good: NDArray[np.bool_], max_lag: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return covariances by lag (x, y) and the number of pairs: appendix A of arXiv:1905.08677."""
    shape = tuple(1 << (int(np.log2(n + max_lag + 1)) + 1) for n in image.shape)
    weights = good.astype(np.float64)
    transform = np.fft.rfft2(np.where(good, image, 0.0), shape)
    of_weights = np.fft.rfft2(weights, shape)
    products = np.fft.irfft2(transform * transform.conj(), shape)
    overlap = np.fft.irfft2(transform * of_weights.conj(), shape)
    pairs = np.rint(np.fft.irfft2(of_weights * of_weights.conj(), shape))
    covariance = np.empty((max_lag + 1, max_lag + 1))
    n = np.empty_like(covariance)
    for dx in range(max_lag + 1):
        for dy in range(max_lag + 1):
            found = [
                products[j, dx] / pairs[j, dx] - overlap[j, dx] * overlap[-j, -dx] / pairs[j, dx] ** 2
                for j in {dy, -dy if dx else dy}
            ]
            covariance[dx, dy] = np.mean(found)
            n[dx, dy] = sum(pairs[j, dx] for j in {dy, -dy if dx else dy})
    return covariance, n


def clipped(values: NDArray[np.float64]) -> tuple[float, float, int]:
    """Return mean, variance and number of what a clip around median and interquartile range leaves."""
    low, centre, high = np.percentile(values, [25, 50, 75])
    sigma = 0.741301 * (high - low)
    for _ in range(ITERATIONS):
        kept = values[np.abs(values - centre) <= SIGMAS * sigma]
        centre, sigma = kept.mean(), kept.std(ddof=1)
    return float(centre), float(sigma**2), len(kept)


def pipeline(
    first: NDArray[np.float32], second: NDArray[np.float32], good: NDArray[np.bool_], max_lag: int
) -> Reference:
    """Measure an amplifier as the field's pipeline does, step by step on whole arrays, with Fourier transforms."""
    one, two = first.astype(np.float64), second.astype(np.float64)
    mean1, mean2 = clipped(one[good])[0], clipped(two[good])[0]
    mean = (mean1 + mean2) / 2
    difference = (mean2 * one - mean1 * two) / mean
    centre, variance, n = clipped(difference[good])
    accepted = good & (np.abs(difference - centre) <= SIGMAS * np.sqrt(variance))
    covariance, _ = fft_covariances(difference, accepted, max_lag)
    return Reference(mean1, mean2, variance / 2, covariance / 2, n)
