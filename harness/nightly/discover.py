"""Which reruns there are: those of each source whose names are asked for, in the order of names."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, final

from harness.errors import HarnessError, UsageError
from harness.rerun import list_reruns
from harness.rerun.missing import what_is_there
from harness.rerun.shown import shown_repo

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from harness.nightly.config import Source

__all__ = ["Candidate", "find_reruns"]


@final
@dataclass(frozen=True, slots=True)
class Candidate:
    """A rerun that may be new.

    Attributes
    ----------
    source
        Where it was found.
    name
        Its name there.
    """

    source: Source
    name: str

    def __str__(self) -> str:
        return f"{self.name} of {shown_repo(self.source.repo)}"


def find_reruns(sources: Iterable[Source], since: str = "") -> tuple[list[Candidate], list[HarnessError]]:
    """Return the reruns of several sources, and what is wrong with sources that cannot be listed.

    Parameters
    ----------
    sources
        Where reruns appear.
    since
        Only what comes after this rerun, in the sources that hold it; empty leaves each to its own ``since``.

    Raises
    ------
    harness.errors.UsageError
        When no source holds ``since``.
    """
    listed: list[tuple[Source, list[str]]] = []
    faults: list[HarnessError] = []
    for source in sources:
        try:
            listed.append((source, _names(source)))
        except HarnessError as fault:
            faults.append(fault)
    if since and not any(since in names for _, names in listed):
        names = [name for _, found in listed for name in found]
        raise UsageError(f"no source holds the rerun {since!r} (--since); {what_is_there(since, names, 'rerun')}")
    found: dict[tuple[str, str], Candidate] = {}
    for source, names in listed:
        try:
            for name in _chosen(source, names, since if since in names else source.since):
                found.setdefault((source.repo, name), Candidate(source, name))
        except HarnessError as fault:
            faults.append(fault)
    return list(found.values()), faults


def _names(source: Source) -> list[str]:
    if source.repo:
        return list_reruns(source.repo)
    from harness.embedded import EMBEDDED_DATASET, EMBEDDED_DATASETS

    dataset = source.dataset or EMBEDDED_DATASET
    if dataset not in EMBEDDED_DATASETS:
        there = what_is_there(dataset, list(EMBEDDED_DATASETS), "dataset")
        raise UsageError(f"the embedded repository has no dataset {dataset!r}; {there}")
    return list(EMBEDDED_DATASETS[dataset])


def _chosen(source: Source, names: Sequence[str], since: str) -> list[str]:
    """Return the names asked for, after one of them; a name without wildcards is taken at its word."""
    where = shown_repo(source.repo)
    if since and since not in names:
        raise UsageError(f"{where} holds no rerun {since!r} (since); {what_is_there(since, names, 'rerun')}")
    later = names[names.index(since) + 1 :] if since else names
    chosen: dict[str, None] = {}
    for pattern in source.names:
        if not any(sign in pattern for sign in "*?["):
            if pattern in later or pattern not in names:
                chosen[pattern] = None
        elif any(_matches(name, pattern) for name in names):
            chosen |= dict.fromkeys(name for name in later if _matches(name, pattern))
        else:
            raise UsageError(f"no rerun of {where} matches {pattern!r}; {what_is_there(pattern, names, 'rerun')}")
    order = {name: place for place, name in enumerate(names)}
    return sorted(chosen, key=lambda name: order.get(name, len(order)))


def _matches(name: str, pattern: str) -> bool:
    """Match by path segments, so that the runs inside a chain are not taken for further reruns; ``*`` alone is all."""
    parts, patterns = name.split("/"), pattern.split("/")
    return pattern == "*" or (len(parts) == len(patterns) and all(map(fnmatchcase, parts, patterns)))
