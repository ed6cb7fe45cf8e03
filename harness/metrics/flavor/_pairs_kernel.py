"""The compiled part of `harness.metrics.flavor.placement_rows`: pairs on a line, and a little aside of it."""

from __future__ import annotations

from numba import njit

__all__ = ["count_pairs"]


@njit(nogil=True, cache=True, error_model="numpy")
def count_pairs(group, across, along, reach, pairs):  # type: ignore[no-untyped-def]
    """Count the pairs of each group that are on a line, and those a little aside of it.

    Parameters
    ----------
    group : shape (n,)
        Group of each source, ascending from 0.
    across, along : shape (n,)
        Its position across lines, ascending within the group, and along them.
    reach : tuple of 4 float
        A pair counts when it differs by more than the first along the line.  It is on the line when it differs by at
        most the second across, and aside of it by more than the third and at most the fourth.
    pairs : shape (groups, 2)
        Here the pairs on a line and those aside of it are added.
    """
    apart, aligned, near, far = reach
    for i in range(len(group)):
        for j in range(i + 1, len(group)):
            off = across[j] - across[i]
            if group[j] != group[i] or off > far:
                break
            if abs(along[j] - along[i]) > apart:
                if off <= aligned:
                    pairs[group[i], 0] += 1
                elif off > near:
                    pairs[group[i], 1] += 1
