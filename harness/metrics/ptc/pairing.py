"""Which two flats belong together."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise
from math import inf, isnan
from typing import TYPE_CHECKING, final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from harness.rerun.protocol import FlatExposure

    _Single = tuple[FlatExposure, str]

__all__ = ["FlatPair", "pair_flats"]

#: Largest difference of exposure times, s, as in lsst/cp_pipe; differences of binary fractions are not exact.
_SAME_TIME = 0.005 + 1e-9


@final
@dataclass(frozen=True, slots=True)
class FlatPair:
    """Two flats that belong together.

    Attributes
    ----------
    first, second
        The flats, in the order of taking.
    status
        Why the pair is left out; empty when it is good.
    """

    first: FlatExposure
    second: FlatExposure
    status: str = ""


def pair_flats(exposures: Sequence[FlatExposure]) -> tuple[list[FlatPair], list[tuple[FlatExposure, str]]]:
    """Pair the flats of one detector.

    Flats of a recorded pair belong together.  Others do when they were exposed equally long, within 5 ms, one after the
    other: flats of one exposure time that follow each other are paired two by two, and afresh after a gap in the
    sequence, so that a missing flat costs its partner and shifts no other pair.  Flats without a place in the sequence
    are paired only when there are exactly two of their exposure time.

    Every flat is in the result once, whatever the order they are given in.  Where exposure times stay the same while
    the lamp changes, and no gap lies between the pairs, only recorded pairs are safe.

    Parameters
    ----------
    exposures
        Flats of one detector.

    Returns
    -------
    pairs : list of FlatPair
        In the order of taking; those whose exposure times differ say so in their status.
    surplus : list of (FlatExposure, str)
        Flats that are in no pair, each with the reason.
    """
    detectors = sorted({flat.detector for flat in exposures})
    if len(detectors) > 1:
        raise ValueError(f"flats of one detector are paired at a time (got those of {detectors})")
    flats, singles = _without_duplicates(exposures)
    groups = defaultdict(list)
    for flat in sorted(flats, key=_order):
        groups[flat.pair].append(flat)
    pairs: list[FlatPair] = []
    for key, group in groups.items():
        found, alone = _recorded(key, group) if key else _unrecorded(group)
        pairs += found
        singles += alone
    pairs.sort(key=lambda pair: _order(pair.first))
    singles.sort(key=lambda single: _order(single[0]))
    return pairs, singles


def _order(flat: FlatExposure) -> tuple[int, int, str]:
    # Text compares where times are NaN, too.
    return flat.sequence, flat.exposure, repr(flat)


def _without_duplicates(exposures: Iterable[FlatExposure]) -> tuple[list[FlatExposure], list[_Single]]:
    """Keep one of what is listed twice, and none where the two are not the same: nobody knows which one is right."""
    flats: list[FlatExposure] = []
    singles: list[_Single] = []
    by_exposure = sorted(exposures, key=lambda flat: (flat.exposure, *_order(flat)))
    for same in _split(by_exposure, lambda one, other: one.exposure == other.exposure):
        if len({flat.inputs for flat in same}) == 1:
            flats.append(same[0])
            singles += [(flat, f"exposure {flat.exposure} is listed {len(same)} times") for flat in same[1:]]
        else:
            refs = " and ".join(sorted({flat.ref for flat in same}))
            reason = f"exposure {same[0].exposure} is there {len(same)} times, not the same ({refs}); leave out one"
            singles += [(flat, reason) for flat in same]
    return flats, singles


def _recorded(key: str, flats: list[FlatExposure]) -> tuple[list[FlatPair], list[_Single]]:
    """Pair the flats of one recorded pair."""
    if len(flats) == 1:
        return [], [(flats[0], f"the other flat of pair {key!r} is missing")]
    if len(flats) == 2:
        return [_pair(*flats)], []
    pairs, singles = _unrecorded(flats)
    listed = ", ".join(str(flat.exposure) for flat in flats)
    return pairs, [(flat, f"pair {key!r} has {len(flats)} flats ({listed}): {reason}") for flat, reason in singles]


def _unrecorded(flats: list[FlatExposure]) -> tuple[list[FlatPair], list[_Single]]:
    """Pair flats, given in the order of taking, by exposure time and neighbourhood."""
    timed = [flat for flat in flats if not isnan(flat.exposure_time)]
    singles: list[_Single] = [(flat, "its exposure time is unknown") for flat in flats if isnan(flat.exposure_time)]
    pairs: list[FlatPair] = []
    for method, part in (
        (_in_sequence, [flat for flat in timed if flat.sequence >= 0]),
        (_by_time_alone, [flat for flat in timed if flat.sequence < 0]),
    ):
        found, alone = method(part)
        pairs += found
        singles += alone
    return pairs, singles


def _in_sequence(flats: list[FlatExposure]) -> tuple[list[FlatPair], list[_Single]]:
    """Pair flats of one exposure time two by two, afresh after each gap."""
    pairs = []
    for run in _split(flats, _same_time):
        for block in _without_gaps(run):
            pairs += [_pair(one, other) for one, other in zip(block[::2], block[1::2], strict=False)]
    paired = {flat.exposure for pair in pairs for flat in (pair.first, pair.second)}
    longest = max((_step(pair.first, pair.second) for pair in pairs), default=inf)
    singles: list[_Single] = []
    for alone in _split(flats, lambda one, other: (one.exposure in paired) == (other.exposure in paired)):
        if alone[0].exposure in paired:
            continue
        # Just two of them, no farther apart than the flats of a pair, were meant to be one.
        if len(alone) == 2 and _step(*alone) <= longest and not _same_time(*alone):
            pairs.append(_pair(*alone))
        else:
            singles += [(flat, _loneliness(flat, flats)) for flat in alone]
    return pairs, singles


def _without_gaps(run: list[FlatExposure]) -> list[list[FlatExposure]]:
    """Split flats of one exposure time where they lie farther apart than the closest of them."""
    smallest = min((_step(one, other) for one, other in pairwise(run)), default=0)
    return _split(run, lambda one, other: _step(one, other) <= smallest)


def _by_time_alone(flats: list[FlatExposure]) -> tuple[list[FlatPair], list[_Single]]:
    """Pair flats without a place in the sequence, where there are no more than two of an exposure time."""
    pairs = []
    singles: list[_Single] = []
    for same in _split(sorted(flats, key=lambda flat: (flat.exposure_time, *_order(flat))), _same_time):
        seconds = _seconds(same[0])
        if len(same) == 2:
            pairs.append(_pair(*sorted(same, key=_order)))
        elif len(same) == 1:
            singles.append((same[0], f"there is no other flat of {seconds} without a place in the sequence"))
        else:
            reason = f"there are {len(same)} flats of {seconds}, and neither pair nor sequence tells which go together"
            singles += [(flat, reason) for flat in same]
    return pairs, singles


def _pair(first: FlatExposure, second: FlatExposure) -> FlatPair:
    """Return a pair; its status says when the exposure times do not agree."""
    if isnan(first.exposure_time) or isnan(second.exposure_time):
        status = f"exposure times cannot be compared: {_seconds(first)} and {_seconds(second)}"
    elif _same_time(first, second):
        status = ""
    else:
        status = f"exposure times differ: {_seconds(first)} and {_seconds(second)}"
    return FlatPair(first, second, status)


def _loneliness(flat: FlatExposure, flats: list[FlatExposure]) -> str:
    """Say what stands next to a flat that has no partner."""
    at = flats.index(flat)
    before, after = (
        f"exposure {neighbour[0].exposure} of {_seconds(neighbour[0])}" if neighbour else "nothing"
        for neighbour in (flats[max(at - 1, 0) : at], flats[at + 1 : at + 2])
    )
    return f"no partner of {_seconds(flat)} next to it in the sequence: before it is {before}, after it {after}"


def _same_time(one: FlatExposure, other: FlatExposure) -> bool:
    return abs(one.exposure_time - other.exposure_time) <= _SAME_TIME


def _step(one: FlatExposure, other: FlatExposure) -> int:
    return abs(other.sequence - one.sequence)


def _seconds(flat: FlatExposure) -> str:
    return "unknown" if isnan(flat.exposure_time) else f"{round(flat.exposure_time, 3):.10g} s"


def _split(
    flats: list[FlatExposure], together: Callable[[FlatExposure, FlatExposure], bool]
) -> list[list[FlatExposure]]:
    """Split a list between neighbours that do not belong together."""
    parts: list[list[FlatExposure]] = []
    for flat in flats:
        if parts and together(parts[-1][-1], flat):
            parts[-1].append(flat)
        else:
            parts.append([flat])
    return parts
