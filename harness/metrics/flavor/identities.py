"""What the numbers of one flavor must fulfil among themselves, wherever they come from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.metrics.flavor.stages import STAGES, of_stage

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["broken_identities"]

#: What is a part of what, at any stage.
_PARTS = (
    ("dia.numGoodSources", "dia.numSources"),
    ("dia.numGoodObjectsAny", "dia.numObjects"),
    ("dia.numGoodObjectsAll", "dia.numGoodObjectsAny"),
    ("injected.numMatched", "injected.numInjections"),
    *((of_stage("injected.numMatched", stage), "injected.numMatched") for stage in STAGES if stage),
)


def broken_identities(numbers: Mapping[str, float], good_flags: str) -> Iterator[str]:
    """Say which numbers of one rerun contradict each other.

    What is a part is at most the whole, and contamination is the number of sources less that of matched injections
    (DMTN-256).  Numbers that are not given are not missed.

    Parameters
    ----------
    numbers
        Values by metric name.
    good_flags
        Name of the list of flags that ``dia.numGoodSources`` is counted by.
    """
    for part, whole in _PARTS:
        if part in numbers and whole in numbers and numbers[part] > numbers[whole]:
            yield f"{part} = {numbers[part]:.15g} is more than {whole} = {numbers[whole]:.15g}, of which it is a part"
    for sources, stage in (("dia.numSources", ""), ("dia.numGoodSources", good_flags)):
        contamination, matched = (of_stage(name, stage) for name in ("injected.contamination", "injected.numMatched"))
        if not {sources, contamination, matched} <= numbers.keys():
            continue
        rest = numbers[sources] - numbers[matched]
        if numbers[contamination] != rest:
            yield (
                f"{contamination} = {numbers[contamination]:.15g}, but {sources} less {matched} is "
                f"{numbers[sources]:.15g} - {numbers[matched]:.15g} = {rest:.15g}"
            )
