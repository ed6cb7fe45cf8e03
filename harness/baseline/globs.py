"""Metric names chosen by shell patterns, of which each must choose something."""

from __future__ import annotations

from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from harness.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["choose"]


def choose(globs: Sequence[str], names: Iterable[str]) -> list[str]:
    """Return the names that any of the patterns matches, sorted.

    Parameters
    ----------
    globs
        Patterns such as ``dia.num*``.
    names
        What there is to choose from.

    Raises
    ------
    harness.errors.UsageError
        When a pattern matches nothing: a typo must not be silent.
    """
    there = sorted(set(names))
    chosen = set()
    for glob in globs:
        matches = {name for name in there if fnmatchcase(name, glob)}
        if not matches:
            near = get_close_matches(glob, there, n=3, cutoff=0.5)
            hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(there[:5]) or 'none'} …"
            raise UsageError(f"no metric matches {glob!r}; {hint}")
        chosen |= matches
    return sorted(chosen)
