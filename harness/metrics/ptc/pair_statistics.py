"""Statistics of a pair of flats, per amplifier: means, variance, RHL estimator and noise covariances.

The difference of a pair is scaled so that a lamp mismatch drops out: ``D = (mu2 I1 - mu1 I2) / mu`` with mu the mean
of mu1 and mu2.  That is ``(I1 - I2) - (I1 + I2) (mu1 - mu2) / (mu1 + mu2)``, which single precision holds to the
last bit of what the pixels hold.  The variance of one image is half that of D.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np

from harness.metrics.ptc._pair_kernel import SUMS, difference_sums, select
from harness.metrics.ptc.covariances import PaddedImage, lag_covariances
from harness.metrics.ptc.curve import MAX_LAG

if TYPE_CHECKING:
    from numpy.typing import NDArray

    # The two flats of an amplifier, and which pixels are not to be used.
    _Flats = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]

__all__ = [
    "CLIP_ITERATIONS",
    "CLIP_SIGMAS",
    "MIN_PIXELS",
    "FastStatistics",
    "PairStatistics",
    "clip_correction",
    "fast_statistics",
    "pair_statistics",
]

CLIP_SIGMAS = 5.5
"""Pixels further than this many standard deviations from the mean are rejected."""

CLIP_ITERATIONS = 3
"""Times that pixels are rejected, each time around the mean of those that were left before."""

MIN_PIXELS = 100
"""With fewer usable pixels an amplifier is not measured.  The errors say what more are worth."""

_SAMPLE = 4096
_MIN_SAMPLE = 256
# Interquartile range of a normal distribution to its standard deviation.
_IQR_TO_SIGMA = 0.741301
# Single precision holds a sum of two pixels to this fraction: what varies less does not vary.
_ROUNDING = 4 * float(np.finfo(np.float32).eps)

_CLIPPED = ("first", "second", "difference")
_NUMBERS = ("mean1", "mean2", "mean", "delta", "variance", "variance_error", "rhl", "row_mean_variance")


@final
@dataclass(frozen=True, slots=True, eq=False)
class FastStatistics:
    """Statistics of all pixels of a pair of flats, neither masked nor clipped; arrays over amplifiers.

    Attributes
    ----------
    mean1, mean2 : (n_amp,) float64
        Mean of each flat, adu.
    variance : (n_amp,) float64
        Half the variance of D, adu².  That of ``I1 - I2 mean1 / mean2`` is larger by ``(mean / mean2)²``.
    rhl : (n_amp,) float64
        Mean of (I1 - I2)² / (I1 + I2) over the pixels with a positive sum, adu.
    n_not_positive : (n_amp,) int64
        Pixels without a positive sum.
    """

    mean1: NDArray[np.float64]
    mean2: NDArray[np.float64]
    variance: NDArray[np.float64]
    rhl: NDArray[np.float64]
    n_not_positive: NDArray[np.int64]


@final
@dataclass(frozen=True, slots=True, eq=False)
class PairStatistics:
    """Statistics of the accepted pixels of a pair of flats; arrays over amplifiers, NaN where there is a status.

    Attributes
    ----------
    mean1, mean2, mean : (n_amp,) float64
        Mean of each flat, and the mean of the two, adu.
    delta : (n_amp,) float64
        ``mean2 - mean1`` (lamp mismatch), adu.
    variance, variance_error : (n_amp,) float64
        Half the variance of D, corrected for the clip, and its standard error ``V sqrt(2 / n_pixels)``, adu².
    rhl : (n_amp,) float64
        Mean of (I1 - I2)² / (I1 + I2) over the accepted pixels with a positive sum, adu.
    n_pixels : (n_amp,) int64
        Accepted pixels.
    n_not_positive : (n_amp,) int64
        Accepted pixels without a positive sum, which ``rhl`` leaves out.
    row_mean_variance : (n_amp,) float64
        Clipped variance of the means of the rows of D, last row left out, adu²; that of white noise is
        ``2 V / columns``.
    covariance, covariance_error : (n_amp, max_lag + 1, max_lag + 1) float64
        Half the covariance of D by lag in x (serial) and y (parallel), corrected for the clip, and the standard error
        for white noise, adu².
    status : list of str
        Why an amplifier is not measured; empty where it is.
    """

    mean1: NDArray[np.float64]
    mean2: NDArray[np.float64]
    mean: NDArray[np.float64]
    delta: NDArray[np.float64]
    variance: NDArray[np.float64]
    variance_error: NDArray[np.float64]
    rhl: NDArray[np.float64]
    n_pixels: NDArray[np.int64]
    n_not_positive: NDArray[np.int64]
    row_mean_variance: NDArray[np.float64]
    covariance: NDArray[np.float64]
    covariance_error: NDArray[np.float64]
    status: list[str]


def fast_statistics(first: NDArray[np.float32], second: NDArray[np.float32]) -> FastStatistics:
    """Measure a pair of flats in one walk over their pixels, as time allows on every pair of a night.

    Parameters
    ----------
    first, second : (n_amp, ny, nx) float32
        Imaging pixels of each amplifier, overscan subtracted, adu.  Contiguous arrays are not copied.

    Raises
    ------
    ValueError
        If the shapes differ, or are not those of stacks of images.
    """
    first, second = _stacks(first, second)
    means, variances, rhls, counts = [], [], [], []
    with np.errstate(all="ignore"):
        for flat1, flat2 in zip(first, second, strict=True):
            middle = len(flat1) // 2
            row1, row2 = (flat[middle].astype(np.float64) for flat in (flat1, flat2))
            typical = np.float32(np.mean(row1 - row2)), np.float32(np.mean(row1 + row2))
            d, s, dd, ds, ss, rhl, n_rhl = difference_sums(flat1, flat2, typical)
            n = flat1.size
            difference, total = typical[0] + d / n, typical[1] + s / n
            slope = difference / total
            # The variance of d - slope s.
            variance = (dd - d * d / n) - 2 * slope * (ds - d * s / n) + slope**2 * (ss - s * s / n)
            means.append(((total + difference) / 2, (total - difference) / 2))
            variances.append(variance / (2 * (n - 1)))
            rhls.append(rhl / n_rhl)
            counts.append(n - int(n_rhl))
    mean1, mean2 = np.array(means, np.float64).reshape(-1, 2).T
    return FastStatistics(mean1, mean2, np.array(variances), np.array(rhls), np.array(counts, np.int64))


def pair_statistics(
    first: NDArray[np.float32],
    second: NDArray[np.float32],
    mask: NDArray[np.bool_] | None = None,
    *,
    max_lag: int = MAX_LAG,
) -> PairStatistics:
    """Measure a pair of flats: clipped means, variance, RHL estimator and noise covariances of each amplifier.

    A pixel is accepted when it is not masked and finite, and neither flat's value nor D is an outlier, by
    `CLIP_SIGMAS` and `CLIP_ITERATIONS`; the first time around median and interquartile range of a sample.  All
    results rest on the same accepted pixels.  An amplifier that cannot be measured gets a status and no numbers.

    Parameters
    ----------
    first, second : (n_amp, ny, nx) float32
        Imaging pixels of each amplifier, overscan subtracted, adu.  Contiguous arrays are not copied.
    mask : (n_amp, ny, nx) bool, optional
        Pixels of either flat not to be used: bad, saturated, without data.
    max_lag
        Largest lag of the covariances.

    Raises
    ------
    ValueError
        If the shapes differ, are not those of stacks of images, or an amplifier has no pixels ``max_lag`` apart.
    """
    first, second = _stacks(first, second)
    n_amp, ny, nx = first.shape
    if mask is not None and mask.shape != first.shape:
        raise ValueError(f"the mask has shape {mask.shape} and the flats {first.shape}")
    if min(ny, nx) <= max_lag:
        raise ValueError(f"amplifiers of {ny} × {nx} pixels have no pixels {max_lag} rows and columns apart")
    nothing = np.zeros((ny, nx), np.bool_)
    image = PaddedImage((ny, nx), max_lag)
    sums = np.empty((ny, len(SUMS)))
    # Drawn, because whatever is evenly spaced may fall into one column.
    sample = np.sort(np.random.default_rng(0).integers(ny * nx, size=_SAMPLE))
    side = max_lag + 1
    result = PairStatistics(
        **{name: np.full(n_amp, np.nan) for name in _NUMBERS},
        n_pixels=np.zeros(n_amp, np.int64),
        n_not_positive=np.zeros(n_amp, np.int64),
        covariance=np.full((n_amp, side, side), np.nan),
        covariance_error=np.full((n_amp, side, side), np.nan),
        status=[""] * n_amp,
    )
    with np.errstate(all="ignore"):
        for i in range(n_amp):
            excluded = nothing if mask is None else np.ascontiguousarray(mask[i], np.bool_)
            clip = _clip((first[i], second[i], excluded), sample, image, sums)
            result.n_pixels[i] = clip.n
            result.status[i] = clip.fault(ny * nx)
            if not result.status[i]:
                _measure(clip, image, sums, result, i)
    return result


def clip_correction(sigmas: float) -> float:
    """Return s² for a clip: by how much larger a normal distribution's variance is than what the clip leaves."""
    density = math.exp(-(sigmas**2) / 2) / math.sqrt(2 * math.pi)
    return 1 / (1 - 2 * sigmas * density / math.erf(sigmas / math.sqrt(2)))


@final
@dataclass(frozen=True, slots=True)
class _Clip:
    """What a clip leaves: number of pixels, mean and standard deviation of the first flat, the second, and D."""

    n: int
    mean: NDArray[np.float64]
    sigma: NDArray[np.float64]

    @property
    def slope(self) -> np.float32:
        """Half the relative difference of the flats' means, which D is formed with; 0 where there is no light."""
        total = self.mean[0] + self.mean[1]
        return np.float32((self.mean[0] - self.mean[1]) / total if total > 0 else 0)

    @property
    def limits(self) -> NDArray[np.float32]:
        """Lowest and highest value of the first flat, the second and D that are not outliers, shape (3, 2)."""
        width = np.maximum(CLIP_SIGMAS * self.sigma, _ROUNDING * np.abs(self.mean[:2]).max())
        return np.stack([self.mean - width, self.mean + width], axis=1).astype(np.float32)

    def fault(self, size: int) -> str:
        """Return why an amplifier of this many pixels cannot be measured, if so."""
        if self.n < MIN_PIXELS:
            return f"only {self.n} of {size} pixels are usable, and {MIN_PIXELS} are needed"
        for number, mean, sigma in zip(("first", "second"), self.mean, self.sigma, strict=False):
            error = sigma / math.sqrt(self.n)
            if not mean > CLIP_SIGMAS * error:
                return f"no signal in the {number} flat: its mean is {mean:.3g} ± {error:.2g} adu"
        if not self.sigma[2] > _ROUNDING * self.mean[0]:
            return "the two flats do not differ: saturated, constant or one and the same"
        return ""


def _clip(flats: _Flats, sample: NDArray[np.int64], image: PaddedImage, sums: NDArray[np.float64]) -> _Clip:
    """Reject outliers of the flats and of D; leave D in the image and the sums of its rows in ``sums``."""
    clip = _sampled(flats, sample)
    for _ in range(CLIP_ITERATIONS):
        if clip.n < MIN_PIXELS:
            break
        limits = clip.limits
        select(flats, limits, clip.slope, image.padded, sums)
        total = dict(zip(SUMS, sums.sum(axis=0), strict=True))
        n = total["n"]
        middle = np.array([*(limits[:2, 0] + limits[:2, 1]) / 2, 0], np.float64)
        offset = np.array([total[name] for name in _CLIPPED]) / n
        squares = np.array([total[f"{name}²"] for name in _CLIPPED])
        sigma = np.sqrt((squares - n * offset**2) / (n - 1))
        mean = middle + offset
        # Formed anew with these means, D has mean 0.
        mean[2] = 0
        clip = _Clip(int(n), mean, sigma)
    return clip


def _sampled(flats: _Flats, sample: NDArray[np.int64]) -> _Clip:
    """Return medians, and standard deviations by the interquartile range, of some pixels."""

    def usable(places: NDArray[np.int64] | slice) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        pixels1, pixels2 = (flat.reshape(-1)[places] for flat in flats[:2])
        good = ~flats[2].reshape(-1)[places] & np.isfinite(pixels1) & np.isfinite(pixels2)
        return pixels1[good], pixels2[good]

    pixels1, pixels2 = usable(sample)
    if len(pixels1) < _MIN_SAMPLE:
        pixels1, pixels2 = usable(slice(None))
    n = len(pixels1)
    if n < MIN_PIXELS:
        return _Clip(n, np.full(3, np.nan), np.full(3, np.nan))
    centre, sigma = np.array([_robust(pixels1), _robust(pixels2), (0, 0)]).T
    slope = _Clip(n, centre, sigma).slope
    centre[2], sigma[2] = _robust((pixels1 - pixels2) - slope * (pixels1 + pixels2))
    return _Clip(n, centre, sigma)


def _robust(values: NDArray[np.floating]) -> tuple[float, float]:
    """Return the median, and the standard deviation by the interquartile range; the plain one where that is 0."""
    low, median, high = np.percentile(values.astype(np.float64), [25, 50, 75])
    return median, _IQR_TO_SIGMA * (high - low) or float(np.std(values, dtype=np.float64))


def _measure(clip: _Clip, image: PaddedImage, sums: NDArray[np.float64], result: PairStatistics, i: int) -> None:
    """Fill in the numbers of an amplifier."""
    total = dict(zip(SUMS, sums.sum(axis=0), strict=True))
    correction = clip_correction(CLIP_SIGMAS)
    result.mean1[i], result.mean2[i] = clip.mean[:2]
    result.mean[i] = clip.mean[:2].mean()
    result.delta[i] = clip.mean[1] - clip.mean[0]
    result.variance[i] = correction * clip.sigma[2] ** 2 / 2
    result.variance_error[i] = result.variance[i] * math.sqrt(2 / clip.n)
    result.rhl[i] = total["rhl"] / total["n_rhl"]
    result.n_not_positive[i] = int(total["n"] - total["n_rhl"])
    row_sums, row_counts = (sums[:, SUMS.index(name)] for name in ("difference", "n"))
    result.row_mean_variance[i] = _clipped_variance((row_sums / row_counts)[:-1])
    covariance, pairs = lag_covariances(image, row_sums, row_counts)
    covariance /= 2
    error = covariance[0, 0] / np.sqrt(pairs)
    error[0, 0] *= math.sqrt(2)
    # Both of two different pixels are clipped, a pixel with itself once.
    covariance *= correction**2
    covariance[0, 0] /= correction
    result.covariance[i], result.covariance_error[i] = covariance, error


def _clipped_variance(values: NDArray[np.float64]) -> float:
    """Return the variance of what is finite, outliers rejected; NaN with fewer than two values."""
    values = values[np.isfinite(values)]
    if len(values) < 2:
        return math.nan
    centre, sigma = _robust(values)
    for _ in range(CLIP_ITERATIONS):
        kept = values[np.abs(values - centre) <= CLIP_SIGMAS * sigma]
        centre, sigma = float(kept.mean()), float(kept.std(ddof=1))
    return sigma**2


def _stacks(first: NDArray[np.float32], second: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    if first.shape != second.shape or first.ndim != 3:
        raise ValueError(
            f"flats must be two stacks (amplifiers, rows, columns) of one shape (got {first.shape} and {second.shape})"
        )
    return np.ascontiguousarray(first, np.float32), np.ascontiguousarray(second, np.float32)
