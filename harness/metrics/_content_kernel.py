"""The compiled part of `harness.metrics.content`: a 64-bit hash of each row, formed column by column."""

from __future__ import annotations

import numpy as np
from numba import njit

__all__ = ["mix_identifiers", "mix_numbers", "total_and_parity"]

# Odd constants of the 64-bit finalizer of MurmurHash3.
_MULTIPLIER_1 = np.uint64(0xFF51AFD7ED558CCD)
_MULTIPLIER_2 = np.uint64(0xC4CEB9FE1A85EC53)
_SHIFT = np.uint64(32)


@njit(nogil=True, cache=True, error_model="numpy")
def mix_identifiers(states, identifiers):  # type: ignore[no-untyped-def]
    """Mix a column of whole numbers into the rows' hashes.

    Each step is a bijection of state and word alike, so that no single difference is lost.

    Parameters
    ----------
    states : uint64 array, shape (rows,)
        Changed in place.
    identifiers : integer array, shape (rows,)
        The column.
    """
    for row in range(len(states)):
        states[row] = _mixed(states[row], np.uint64(np.int64(identifiers[row])))


@njit(nogil=True, cache=True, error_model="numpy")
def mix_numbers(states, numbers, bits, nan):  # type: ignore[no-untyped-def]
    """Mix a column of floating-point numbers into the rows' hashes.

    Parameters
    ----------
    states : uint64 array, shape (rows,)
        Changed in place.
    numbers : floating-point array, shape (rows,)
        The column.
    bits : unsigned integer array, shape (rows,)
        The same memory as ``numbers``.
    nan : uint64
        What stands for every kind of NaN.  Both zeros are 0.
    """
    for row in range(len(states)):
        number = numbers[row]
        word = np.uint64(bits[row])
        word = nan if np.isnan(number) else word
        word = np.uint64(0) if number == 0 else word
        states[row] = _mixed(states[row], word)


@njit(nogil=True, cache=True, error_model="numpy")
def _mixed(state, word):  # type: ignore[no-untyped-def]
    state = (state ^ word) * _MULTIPLIER_1
    state = (state ^ (state >> _SHIFT)) * _MULTIPLIER_2
    return state ^ (state >> _SHIFT)


@njit(nogil=True, cache=True, error_model="numpy")
def total_and_parity(states):  # type: ignore[no-untyped-def]
    """Return the sum modulo 2⁶⁴ and the exclusive or of the hashes.

    Neither depends on the order of rows; the sum tells repeated rows, which cancel in the exclusive or.
    """
    total = np.uint64(0)
    parity = np.uint64(0)
    for state in states:
        total += state
        parity ^= state
    return total, parity
