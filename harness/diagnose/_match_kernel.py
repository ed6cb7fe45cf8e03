"""The compiled part of `harness.diagnose.match`: one sweep over two lists of sources sorted by cell."""

from __future__ import annotations

import numpy as np
from numba import njit

__all__ = ["mutual_nearest_sorted"]


@njit(nogil=True, cache=True, error_model="numpy")
def _occurrences(segments, side):  # type: ignore[no-untyped-def]
    """Return each source's number among the sources of its segment at the same position, in list order, from 0.

    Sources at one position lie in one cell, so only a cell's own sources are compared.
    """
    key, xyz, place = side
    number = np.zeros(len(key), np.int64)
    for s in range(len(segments)):
        first, stop = segments[s]
        while first < stop:
            last = first + 1
            while last < stop and key[last] == key[first]:
                last += 1
            for i in range(first, last):
                for j in range(first, last):
                    if (
                        place[j] < place[i]
                        and xyz[j, 0] == xyz[i, 0]
                        and xyz[j, 1] == xyz[i, 1]
                        and xyz[j, 2] == xyz[i, 2]
                    ):
                        number[i] += 1
            first = last
    return number


@njit(nogil=True, cache=True, error_model="numpy")
def _is_preferred(candidate, best, own_number, number, place):  # type: ignore[no-untyped-def]
    """Return whether, of two equally near sources, the candidate is preferred to the best so far."""
    difference = abs(number[candidate] - own_number)
    difference_of_best = abs(number[best] - own_number)
    if difference != difference_of_best:
        return difference < difference_of_best
    return place[candidate] < place[best]


@njit(nogil=True, cache=True, error_model="numpy")
def mutual_nearest_sorted(segments, side1, side2, within, size):  # type: ignore[no-untyped-def]
    """Find the mutual nearest neighbours of each segment.

    Parameters
    ----------
    segments : int64 array, shape (n, 4)
        Start and stop in the first list, start and stop in the second: what is matched with what.
    side1, side2 : tuple of arrays
        Cell keys (int64, ascending within a segment), unit vectors (float64, shape (n, 3)), and the sources' places
        in the caller's lists (int64).
    within : tuple
        Largest squared chord, and `harness.metrics.sphere.NEIGHBOURS` for cells at least as wide as that chord.
    size : int
        Length of the caller's first list.

    Returns
    -------
    partner, squared : int64 and float64 arrays, shape (size,)
        By place in the first list, the matched place in the second (-1 without) and the squared chord.
    """
    limit, neighbours = within
    key1, xyz1, place1 = side1
    key2, xyz2, place2 = side2
    number1 = _occurrences(segments[:, :2], side1)
    number2 = _occurrences(segments[:, 2:], side2)
    best1 = np.full(len(key1), -1, np.int64)
    best2 = np.full(len(key2), -1, np.int64)
    near1 = np.full(len(key1), np.inf)
    near2 = np.full(len(key2), np.inf)
    partner = np.full(size, -1, np.int64)
    squared = np.full(size, np.nan)
    # Each run of cells around a source is followed by a cursor that only moves forward, because the keys of the
    # neighbours ascend with the source's own.
    cursor = np.empty(len(neighbours), np.int64)
    for s in range(len(segments)):
        start1, stop1, start2, stop2 = segments[s]
        cursor[:] = start2
        for i in range(start1, stop1):
            x, y, z = xyz1[i]
            for k in range(len(neighbours)):
                low = key1[i] + neighbours[k]
                j = cursor[k]
                while j < stop2 and key2[j] < low:
                    j += 1
                cursor[k] = j
                while j < stop2 and key2[j] <= low + 2:
                    dx = x - xyz2[j, 0]
                    dy = y - xyz2[j, 1]
                    dz = z - xyz2[j, 2]
                    d = dx * dx + dy * dy + dz * dz
                    if d <= limit:
                        if d < near1[i] or (d == near1[i] and _is_preferred(j, best1[i], number1[i], number2, place2)):
                            near1[i] = d
                            best1[i] = j
                        if d < near2[j] or (d == near2[j] and _is_preferred(i, best2[j], number2[j], number1, place1)):
                            near2[j] = d
                            best2[j] = i
                    j += 1
        for i in range(start1, stop1):
            j = best1[i]
            if j >= 0 and best2[j] == i:
                partner[place1[i]] = place2[j]
                squared[place1[i]] = near1[i]
    return partner, squared
