"""From raw flats to photon transfer curves, one amplifier of one pair in memory at a time."""

from __future__ import annotations

import math
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, final

import numpy as np

from harness.errors import BrokenFileError, HarnessError, NotMeasuredError
from harness.metrics.ptc.curve import MAX_LAG, Curve
from harness.metrics.ptc.overscan import subtract_overscan
from harness.metrics.ptc.pair_statistics import pair_statistics
from harness.metrics.ptc.pairing import pair_flats
from harness.rerun.bias import read_bias
from harness.rerun.raw_fits import RawFile

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from harness.metrics.ptc.pairing import FlatPair
    from harness.rerun.bias import Bias
    from harness.rerun.protocol import FlatExposure, Flats

__all__ = ["Extracted", "extract_curves"]

_NUMBERS = ("mean", "delta", "variance", "rhl", "n_pixels", "overscan_noise", "photo_charge")
_STATISTICS = ("mean", "delta", "variance", "rhl", "n_pixels", "covariance", "covariance_error")
#: Largest number of the converters of the LSST camera, adu.
_FULL_SCALE = 2**18 - 1


@final
@dataclass(frozen=True, slots=True)
class Extracted:
    """What a detector's flats gave.

    Attributes
    ----------
    curves
        One per amplifier that any flat has.
    surplus
        Flats that belong to no pair: exposure in words, and why.
    problems
        Amplifiers that could not be read in some pair: detector, amplifier and reason, once for each amplifier.
    """

    curves: list[Curve]
    surplus: list[tuple[str, str]]
    problems: list[tuple[int, str, str]]


def extract_curves(flats: Flats, detector: int, instrument: str) -> Extracted:
    """Measure the pairs of flats of one detector.

    Memory holds the bias and two segments, however many pairs there are.  What cannot be read costs the amplifier that
    pair, and stands in the status of its curve; the order in which flats are listed changes nothing.

    Parameters
    ----------
    flats
        Of the rerun.
    detector
        Which detector.
    instrument
        Name to put into the curves.

    Raises
    ------
    harness.errors.BrokenFileError
        When the bias cannot be read, or no amplifier in both flats of any pair.
    harness.errors.NotMeasuredError
        When there is no pair.
    """
    pairs, unpaired = pair_flats([exposure for exposure in flats.exposures if exposure.detector == detector])
    bias = _bias_of(flats, detector)
    ladders: defaultdict[str, _Ladder] = defaultdict(_Ladder)
    unreadable: dict[int, str] = {}
    for number, pair in enumerate(pairs):
        if pair.status:
            continue
        try:
            with _opened(flats, pair.first, bias) as first, _opened(flats, pair.second, bias) as second:
                for name in dict.fromkeys([*first.names, *second.names]):
                    ladders[name].measure(number, first, second, name)
        except HarnessError as fault:
            unreadable[number] = str(fault)
    for name, ladder in ladders.items():
        for number, pair in enumerate(pairs):
            if not pair.status and number not in ladder.measured:
                ladder.lost.setdefault(number, unreadable.get(number) or _absence(pair, name))
    if not any(ladder.measured for ladder in ladders.values()):
        lost = (reason for ladder in ladders.values() for reason in ladder.lost.values())
        unused = (*(pair.status for pair in pairs), *(reason for _, reason in unpaired), "there are no flats of it")
        if told := _first([*lost, *unreadable.values()]):
            raise BrokenFileError(f"no pair of flats of detector {detector} can be read: {told}")
        raise NotMeasuredError(f"no pair of flats of detector {detector} can be measured: {next(filter(None, unused))}")
    place = instrument, detector, pairs[0].first.detector_name
    return Extracted(
        [ladder.curve((*place, name), pairs) for name, ladder in ladders.items()],
        [(f"exposure {exposure.exposure}", reason) for exposure, reason in unpaired],
        [(detector, name, _first([*ladder.lost.values()])) for name, ladder in ladders.items() if ladder.lost],
    )


def _bias_of(flats: Flats, detector: int) -> Bias | None:
    source = flats.biases.get(detector)
    if source is None:
        return None
    with flats.local(source.ref) as path:
        return read_bias(path)


def _absence(pair: FlatPair, name: str) -> str:
    return f"exposures {pair.first.exposure} and {pair.second.exposure} have no amplifier {name}; leave them out"


def _first(reasons: Sequence[str]) -> str:
    """Return the first of several reasons, and how many more there are; empty when there is none."""
    told = list(dict.fromkeys(reasons))
    more = f" ({len(told) - 1} more like it)" if len(told) > 1 else ""
    return f"{told[0]}{more}" if told else ""


@final
@dataclass(frozen=True, slots=True)
class _Flat:
    """A flat that is open."""

    exposure: FlatExposure
    raw: RawFile
    bias: Bias | None

    @property
    def names(self) -> list[str]:
        """Amplifiers that the file has, readable or not."""
        return [*dict.fromkeys([*self.raw.amplifiers, *self.raw.problems])]

    @property
    def photo_charge(self) -> float:
        """The photodiode's charge; a listing that opens no file does not know it, the header may."""
        if math.isfinite(self.exposure.photo_charge):
            return self.exposure.photo_charge
        value = self.raw.header.get("MONDIODE")
        return float(value) if isinstance(value, int | float) else math.nan

    def plane(self, name: str) -> tuple[NDArray[np.float32], float, int]:
        """Return imaging pixels without overscan and bias, NaN where saturated; read noise; saturated pixels.

        Raises
        ------
        harness.errors.HarnessError
            When the amplifier cannot be read, or its overscan or bias not be subtracted.
        """
        if name not in self.names:
            there = ", ".join(self.names)
            raise BrokenFileError(
                f"{self.raw.path} has no amplifier {name} (there are: {there}); it is cut off, or was written without: "
                "fetch it again or leave it out"
            )
        segment = self.raw.segment(name)
        amplifier = self.raw.amplifiers[name]
        try:
            plane, noise = subtract_overscan(segment, amplifier)
        except HarnessError as fault:
            raise NotMeasuredError(f"{self.raw.path}: {fault}") from None
        if self.bias is not None:
            plane -= self.bias.plane(amplifier)
        saturated = segment[amplifier.data] >= _full_scale(segment.dtype)
        if n_saturated := int(np.count_nonzero(saturated)):
            plane[saturated] = np.nan
        return plane, noise, n_saturated


@contextmanager
def _opened(flats: Flats, exposure: FlatExposure, bias: Bias | None) -> Iterator[_Flat]:
    with flats.local(exposure.ref) as path, RawFile(path) as raw:
        yield _Flat(exposure, raw, bias)


def _full_scale(dtype: np.dtype[Any]) -> int:
    """Return the largest number of the converter: 18 bits in the LSST camera, fewer where pixels have no more."""
    return min(_FULL_SCALE, int(np.iinfo(dtype).max)) if dtype.kind in "iu" else _FULL_SCALE


@final
@dataclass(frozen=True, slots=True)
class _Ladder:
    """What the pairs of flats gave for one amplifier, by number of the pair."""

    measured: dict[int, Mapping[str, Any]] = field(default_factory=dict)
    lost: dict[int, str] = field(default_factory=dict)

    def measure(self, number: int, first: _Flat, second: _Flat, name: str) -> None:
        """Measure a pair, or note why it cannot be read."""
        try:
            (one, noise1, saturated1), (other, noise2, saturated2) = first.plane(name), second.plane(name)
        except HarnessError as fault:
            self.lost[number] = str(fault)
            return
        values: dict[str, Any] = {
            "overscan_noise": math.sqrt((noise1**2 + noise2**2) / 2),
            "photo_charge": (first.photo_charge + second.photo_charge) / 2,
        }
        if one.shape != other.shape:
            values["status"] = f"the two flats differ in size: {_size(one)} and {_size(other)} pixels"
        elif min(one.shape) <= MAX_LAG:
            values["status"] = f"an amplifier of {_size(one)} pixels is too small for covariances to lag {MAX_LAG}"
        else:
            statistics = pair_statistics(one[np.newaxis], other[np.newaxis])
            values["status"] = statistics.status[0]
            if not values["status"]:
                values |= {name: getattr(statistics, name)[0] for name in _STATISTICS}
            elif saturated := max(saturated1, saturated2):
                values["status"] += f" ({saturated} are saturated)"
            elif missing := max(np.count_nonzero(np.isnan(plane)) for plane in (one, other)):
                values["status"] += f" ({missing} are not finite)"
        self.measured[number] = values

    def curve(self, place: tuple[str, int, str, str], pairs: Sequence[FlatPair]) -> Curve:
        """Put the pairs together; those without a measurement keep the reason why."""
        n, side = len(pairs), MAX_LAG + 1

        def column(name: str, *shape: int) -> NDArray[np.float64]:
            values = np.full((n, *shape), np.nan)
            for number, row in self.measured.items():
                values[number] = row.get(name, np.nan)
            return values

        status = [
            self.measured[number]["status"] if number in self.measured else pair.status or self.lost[number]
            for number, pair in enumerate(pairs)
        ]
        instrument, detector, detector_name, amplifier = place
        return Curve(
            instrument,
            detector,
            detector_name,
            amplifier,
            np.array([(pair.first.exposure, pair.second.exposure) for pair in pairs], np.int64),
            exposure_time=np.array([(pair.first.exposure_time + pair.second.exposure_time) / 2 for pair in pairs]),
            **{name: column(name) for name in _NUMBERS},
            status=np.array(status, object),
            covariance=column("covariance", side, side),
            covariance_error=column("covariance_error", side, side),
        )


def _size(plane: NDArray[Any]) -> str:
    return "x".join(map(str, reversed(plane.shape)))
