"""The compiled part of `harness.metrics.dia_sources`: set bits of many bitmaps, counted per data ID."""

from __future__ import annotations

import numpy as np
from numba import njit

__all__ = ["count_bits"]

_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)
_LAST = np.uint64(63)
_ONES = np.uint64(0x0101010101010101)
_TWOS = np.uint64(0x3333333333333333)
_FOURS = np.uint64(0x0F0F0F0F0F0F0F0F)
_HALVES = np.uint64(0x5555555555555555)


@njit(nogil=True, cache=True, error_model="numpy")
def _popcount(word):  # type: ignore[no-untyped-def]
    """Return the number of set bits; LLVM knows these steps as one instruction."""
    word = word - ((word >> np.uint64(1)) & _HALVES)
    word = (word & _TWOS) + ((word >> np.uint64(2)) & _TWOS)
    word = (word + (word >> np.uint64(4))) & _FOURS
    return np.int64((word * _ONES) >> np.uint64(56))


@njit(nogil=True, cache=True, error_model="numpy")
def count_bits(words, edges, numbers, counts):  # type: ignore[no-untyped-def]
    """Add the set bits of each bitmap within each run of rows to the counts of the run's data ID.

    Parameters
    ----------
    words : uint64 array, shape (bitmaps, words)
        Bitmaps, row 0 in the least significant bit of word 0.
    edges : int64 array, shape (runs + 1,)
        Rows at which runs start, strictly increasing, and the row after the last.
    numbers : int64 array, shape (runs,)
        Which row of ``counts`` each run adds to.
    counts : int64 array, shape (data IDs, bitmaps)
        Changed in place.
    """
    for run in range(len(numbers)):
        start = np.uint64(edges[run])
        end = np.uint64(edges[run + 1] - 1)
        first = edges[run] >> 6
        last = (edges[run + 1] - 1) >> 6
        head = _ALL << (start & _LAST)
        tail = _ALL >> (_LAST - (end & _LAST))
        for bitmap in range(len(words)):
            if first == last:
                count = _popcount(words[bitmap, first] & head & tail)
            else:
                count = _popcount(words[bitmap, first] & head) + _popcount(words[bitmap, last] & tail)
                for word in words[bitmap, first + 1 : last]:
                    count += _popcount(word)
            counts[numbers[run], bitmap] += count
