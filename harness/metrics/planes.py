"""Statistics of a plane: what `np.isnan`, `np.nanmin`, `np.nanmax`, `np.nanmean`, `np.nanmedian` and `np.nanstd` tell.

All are found in one walk.  A median needs no sorting when a sample says between which two values it lies: the pixels
between them are few, and it is the one that has as many pixels below it as it must (Floyd & Rivest 1975).  Whether it
does lie there is counted; where it does not, a second walk finds it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np

from harness.metrics._row_blocks import BLOCK, common_type, row_blocks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import ArrayLike, NDArray

__all__ = ["Histogram", "PlaneStatistics", "plane_statistics"]

#: Half width of the bracket around the median of a sample, in standard deviations of that median's rank.
_BRACKET = 3.0

_NONE = math.nan, math.nan


@final
@dataclass(frozen=True, slots=True, eq=False)
class Histogram:
    """How many finite unmasked pixels lie in bins, each of which has its lower edge and not its upper one.

    Attributes
    ----------
    edges : (k + 1,) float64
        Edges of bins.
    counts : (k,) int64
        Pixels in each bin.
    below, above
        Pixels below the first edge, and at or above the last one.
    """

    edges: NDArray[np.float64]
    counts: NDArray[np.int64]
    below: int
    above: int


@final
@dataclass(frozen=True, slots=True, eq=False)
class PlaneStatistics:
    """Statistics of a plane in its own unit, those from ``n`` on of unmasked finite pixels; NaN where there are none.

    Attributes
    ----------
    n_pixels
        All pixels: ``n_masked + n_nan + n_inf + n``.
    n_masked
        Pixels with any bit that excludes them, whatever their value.
    n_nan, n_inf
        Unmasked NaN and infinities.
    n
        Pixels used.
    minimum, maximum
        Exact.
    mean, std
        Formed in float64; the standard deviation is that of a population.
    median
        Exact: the middle pixel, or the mean, in float64, of the two middle ones.
    n_nonpositive
        Pixels used that are not above zero.
    histogram
        When edges were given.
    """

    n_pixels: int
    n_masked: int
    n_nan: int
    n_inf: int
    n: int
    minimum: float
    maximum: float
    mean: float
    median: float
    std: float
    n_nonpositive: int
    histogram: Histogram | None = None


def plane_statistics(
    plane: NDArray[Any], valid: tuple[NDArray[Any], int] | None = None, *, edges: ArrayLike | None = None
) -> PlaneStatistics:
    """Return the statistics of a plane.

    Parameters
    ----------
    plane : (ny, nx)
        Pixels of any byte order and strides, best float32 or float64.
    valid
        Mask of the same shape, and the bits any of which makes a pixel invalid.
    edges : (k + 1,)
        Edges of the bins of a histogram, strictly increasing.

    Raises
    ------
    ValueError
        When plane and mask are not 2-D of one shape, or edges do not increase.
    """
    if plane.ndim != 2:
        raise ValueError(f"a plane has two dimensions, not {plane.ndim}")
    if valid is not None and valid[0].shape != plane.shape:
        raise ValueError(f"plane and mask have different shapes ({plane.shape} and {valid[0].shape})")
    if valid is not None:
        valid = valid[0], np.int64(valid[1]).astype(valid[0].dtype)
    bins = None if edges is None else _Bins.of(edges)
    walk = _Walk.over(plane, valid, _bracket(plane, valid), bins)
    median = walk.median()
    if median is None and walk.counts[0]:
        walk = _Walk.over(plane, valid, (*walk.extremes, walk.extremes[0]), None)
        median = walk.median()
    n, n_inf, n_nonpositive = (int(count) for count in walk.counts[:3])
    mean, std = walk.mean_std()
    return PlaneStatistics(
        n_pixels=plane.size,
        n_masked=walk.n_masked,
        n_nan=plane.size - walk.n_masked - n_inf - n,
        n_inf=n_inf,
        n=n,
        minimum=walk.extremes[0],
        maximum=walk.extremes[1],
        mean=mean,
        median=math.nan if median is None else median,
        std=std,
        n_nonpositive=n_nonpositive,
        histogram=None if bins is None else bins.histogram(),
    )


@final
@dataclass(frozen=True, slots=True, eq=False)
class _Bins:
    """Edges of bins, and counts below, in and above them."""

    edges: NDArray[np.float64]
    counts: NDArray[np.int64]

    @classmethod
    def of(cls, edges: ArrayLike) -> _Bins:
        edges = np.array(edges, np.float64)
        if edges.ndim != 1 or len(edges) < 2 or not (np.isfinite(edges).all() and (edges[1:] > edges[:-1]).all()):
            raise ValueError("the edges of a histogram must be two or more finite numbers, each greater than the last")
        return cls(edges, np.zeros(len(edges) + 1, np.int64))

    def histogram(self) -> Histogram:
        return Histogram(self.edges, self.counts[1:-1], int(self.counts[0]), int(self.counts[-1]))


@final
@dataclass(slots=True, eq=False)
class _Walk:
    """What one walk over a plane found (`harness.metrics._planes_kernel.walk`)."""

    bracket: tuple[float, float, float]
    n_masked: int
    counts: NDArray[np.int64]
    sums: NDArray[np.float64]
    extremes: tuple[float, float]
    inside: NDArray[np.floating[Any]]

    @classmethod
    def over(
        cls,
        plane: NDArray[Any],
        valid: tuple[NDArray[Any], int] | None,
        bracket: tuple[float, float, float],
        bins: _Bins | None,
    ) -> _Walk:
        from harness.metrics._planes_kernel import COUNTS, count_bins, walk

        dtype = common_type(plane)
        integer = np.dtype(f"i{dtype.itemsize}").type
        largest = np.iinfo(integer).max
        infinity = integer(np.array(np.inf, dtype).view(integer)), integer(largest)
        within = dtype.type(bracket[0]), dtype.type(bracket[1]), bracket[2]
        counts, sums = np.zeros(len(COUNTS), np.int64), np.zeros(2)
        extremes = np.array([largest, ~largest], integer)
        found = counts, sums, extremes
        # Memory that is never written to costs nothing, and few pixels are inside.
        collected, held, n_masked = np.empty(plane.size, dtype), 0, 0
        for block, masked in _blocks(plane, valid, dtype):
            n_masked += masked
            held = walk((block, block.view(integer)), infinity, within, found, (collected, held))
            if bins is not None:
                count_bins(block, bins.edges, bins.counts)
        least, greatest = (
            np.where(extremes < 0, extremes ^ integer(largest), extremes).view(dtype) if counts[0] else _NONE
        )
        return cls(bracket, n_masked, counts, sums, (float(least), float(greatest)), collected[:held])

    def mean_std(self) -> tuple[float, float]:
        n = int(self.counts[0])
        if n == 0:
            return _NONE
        mean, square = (float(total) / n for total in self.sums)
        return self.bracket[2] + mean, math.sqrt(max(0.0, square - mean * mean))

    def median(self) -> float | None:
        """Return the median, or None when it is not within the bracket."""
        n, _, _, n_below, n_to_low, n_to_high = (int(count) for count in self.counts)
        ranks = (n - 1) // 2, n // 2
        if not n_below <= ranks[0] <= ranks[1] < n_to_high:
            return None
        low, high, _ = self.bracket
        inner = [rank - n_to_low for rank in ranks if n_to_low <= rank < n_to_low + len(self.inside)]
        if inner:
            self.inside.partition(inner)

        def pixel(rank: int) -> float:
            if rank < n_to_low:
                return low
            return float(self.inside[rank - n_to_low]) if rank - n_to_low in inner else high

        return (pixel(ranks[0]) + pixel(ranks[1])) / 2


def _blocks(
    plane: NDArray[Any], valid: tuple[NDArray[Any], int] | None, dtype: np.dtype[Any]
) -> Iterator[tuple[NDArray[np.floating[Any]], int]]:
    """Yield blocks of pixels, those masked replaced by NaN, and how many these are."""
    from harness.metrics._planes_kernel import without_masked

    if valid is None:
        yield from ((block, 0) for (block,) in row_blocks([plane], [dtype]))
        return
    mask, bits = valid
    integer = mask.dtype.newbyteorder("=")
    space = np.empty(max(BLOCK, plane.shape[1]), dtype)
    for block, masks in row_blocks([plane, mask], [dtype, integer]):
        n_masked = without_masked(block, masks, integer.type(bits), space)
        kept = space[: block.size]
        kept.flags.writeable = False
        yield kept, n_masked


def _bracket(plane: NDArray[Any], valid: tuple[NDArray[Any], int] | None) -> tuple[float, float, float]:
    """Return two pixels of a plane that its median almost certainly lies between, and one that is close to it.

    No pixel is farther from the mean than sqrt(n) standard deviations (Samuelson 1968): sums less any of them are safe.
    """
    # The number of pixels to sort is least, in the sample and in the bracket together, at about this size.
    size = math.ceil(plane.size ** (2 / 3))
    places = np.unravel_index(np.random.default_rng(0).integers(0, max(1, plane.size), size), plane.shape)
    sample = plane[places]
    used = np.isfinite(sample)
    if valid is not None:
        used &= (valid[0][places] & valid[1]) == 0
    sample = sample[used].astype(common_type(plane), copy=False)
    if sample.size == 0:
        return 0.0, 0.0, 0.0
    middle, half = sample.size / 2, _BRACKET * math.sqrt(sample.size) / 2
    ranks = [int(min(max(0, rank), sample.size - 1)) for rank in (middle - half, middle + half, middle)]
    low, high, typical = np.partition(sample, ranks)[ranks].tolist()
    return low, high, typical
