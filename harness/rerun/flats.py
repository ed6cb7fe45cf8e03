"""Raw flats in a folder, listed by their primary headers."""

from __future__ import annotations

import hashlib
import math
import re
import warnings
from collections import Counter
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any, final

from harness.errors import BrokenFileError, UsageError
from harness.rerun.protocol import FlatExposure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from harness.rerun.rerun_toml import FileFlats

__all__ = ["FolderFlats", "sequence_of"]

#: Of these, the first one that a header has tells what was exposed.
_KINDS = ("IMGTYPE", "OBSTYPE", "TESTTYPE")
_FLAT = frozenset({"flat", "dome flat"})
_DAY = 100_000  # exposures of a day are numbered up to this, as in the exposure numbers of lsst/obs_lsst


def sequence_of(day: int | None, number: int | None) -> int:
    """Return the place in the order of taking from day (YYYYMMDD) and number within it; -1 when not numbered."""
    return -1 if number is None else (day or 0) * _DAY + number


@final
class FolderFlats:
    """The raw flats of a folder; `harness.rerun.protocol.Flats`.

    Nothing but primary headers is read.  Exposures are told by ``EXPID`` or ``OBSID`` where it is a number, else by
    ``DAYOBS`` and ``SEQNUM``, else by ``DATE-OBS``; detectors by ``DETECTOR``, else by their name: raft and slot
    (``RAFTBAY`` and ``CCDSLOT``, or ``RAFTNAME`` and ``SENSNAME``), else the serial number ``LSST_NUM``.

    Parameters
    ----------
    flats, biases
        Files by their names within the folder.
    keys
        Header keywords that hold pair, sequence and photodiode charge.
    detectors
        Numbers of detectors by full name, where headers give names alone.
    where
        The ``rerun.toml`` that names the files.
    """

    def __init__(
        self,
        flats: dict[str, Path],
        biases: dict[str, Path],
        keys: FileFlats,
        detectors: Mapping[str, int],
        where: Path,
    ) -> None:
        self._flats = flats
        self._biases = biases
        self._keys = keys
        self._detectors = detectors
        self._names = {number: name for name, number in detectors.items()}
        self._where = where

    @cached_property
    def exposures(self) -> Sequence[FlatExposure]:
        """All raw flats, in order of detector and exposure.

        Raises
        ------
        harness.errors.BrokenFileError
            When a file is not FITS, or its header holds nonsense.
        harness.errors.UsageError
            When there is no flat among the files, two are of one exposure and detector, a header does not say of which,
            or no header has a keyword that ``rerun.toml`` names.
        """
        headers = {ref: _read_header(path) for ref, path in self._flats.items()}
        flats = {ref: header for ref, header in headers.items() if header.kind in _FLAT | {""}}
        if not flats:
            kinds = Counter(header.kind for header in headers.values())
            found = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
            raise UsageError(f"{self._where}: there is no flat among the files of [flats] ({found}); name others")
        for name in ("pair_key", "sequence_key", "photodiode_key"):
            key = getattr(self._keys, name)
            if name in self._keys.model_fields_set and not any(header.text(key) for header in flats.values()):
                raise UsageError(
                    f"{self._where}: no flat has the header keyword {key!r} that {name!r} names; correct it"
                )
        return self._unique([self._exposure(ref, header) for ref, header in flats.items()])

    @cached_property
    def biases(self) -> Mapping[int, FlatExposure]:
        """The bias of each detector that has one."""
        biases: dict[int, FlatExposure] = {}
        for ref, path in self._biases.items():
            header = _read_header(path)
            number, name = self._detector(header)
            if number in biases:
                raise UsageError(
                    f"{self._where}: {biases[number].ref} and {ref} are both a bias of detector {number}; "
                    "name one for each, their mean"
                )
            biases[number] = FlatExposure(-1, number, name, 0.0, "", -1, math.nan, ref, header.inputs)
        return biases

    @property
    def flat_files(self) -> dict[str, Path]:
        """The files that are flats, by name."""
        return {exposure.ref: self._flats[exposure.ref] for exposure in self.exposures}

    @property
    def bias_files(self) -> dict[str, Path]:
        """The files of biases, by name."""
        return dict(self._biases)

    def local(self, ref: str) -> AbstractContextManager[Path]:
        """Return the file of an exposure or bias.

        Raises
        ------
        harness.errors.BrokenFileError
            When it is missing.
        """
        path = self._flats.get(ref) or self._biases.get(ref)
        if path is None or not path.is_file():
            raise BrokenFileError(f"{self._where.parent / ref} is not there any more; restore it or leave it out")
        return nullcontext(path)

    def _exposure(self, ref: str, header: _Header) -> FlatExposure:
        number, name = self._detector(header)
        seconds = header.number("EXPTIME")
        if math.isnan(seconds):
            raise BrokenFileError(f"{header.path} does not say how long it was exposed: it has no EXPTIME")
        return FlatExposure(
            exposure=_exposure_number(header),
            detector=number,
            detector_name=name,
            exposure_time=seconds,
            pair=header.text(self._keys.pair_key),
            sequence=sequence_of(header.day, header.whole(self._keys.sequence_key)),
            photo_charge=header.number(self._keys.photodiode_key),
            ref=ref,
            inputs=header.inputs,
        )

    def _detector(self, header: _Header) -> tuple[int, str]:
        """Return number and full name."""
        raft = header.text("RAFTBAY") or header.text("RAFTNAME")
        slot = header.text("CCDSLOT") or header.text("SENSNAME")
        name = f"{raft}_{slot}" if slot and re.fullmatch(r"R\d\d", raft) else header.text("LSST_NUM") or slot
        stated = header.text("DETECTOR")
        number = self._detectors.get(name, int(stated) if stated.isdecimal() else None)
        if number is None:
            raise UsageError(
                f"{header.path} is of detector {name or 'unknown'}, of which no number is known; write for example "
                f'[detectors] "{name or "R22_S11"}" = 94 into {self._where.name}'
            )
        return number, name or self._names.get(number, "")

    def _unique(self, exposures: list[FlatExposure]) -> tuple[FlatExposure, ...]:
        exposures.sort(key=lambda each: (each.detector, each.exposure))
        for one, other in pairwise(exposures):
            if (one.detector, one.exposure) == (other.detector, other.exposure):
                raise UsageError(
                    f"{self._where}: {one.ref} and {other.ref} are both exposure {one.exposure} of detector "
                    f"{one.detector}; leave one out"
                )
        return tuple(exposures)


@final
@dataclass(frozen=True, slots=True)
class _Header:
    """A primary header, and a digest of what tells its file apart: header, size, and time of the last change."""

    path: Path
    cards: Any
    inputs: str

    def text(self, key: str) -> str:
        """Return a value as text; empty when there is none."""
        value = self.cards.get(key) if key else None
        return "" if value is None or not isinstance(value, str | int | float) else str(value).strip()

    def number(self, key: str) -> float:
        """Return a value as a number; NaN when there is none."""
        text = self.text(key)
        try:
            return float(text) if text else math.nan
        except ValueError:
            raise BrokenFileError(f"{self.path} holds {key} = {text!r}, which is no number; correct it") from None

    def whole(self, key: str) -> int | None:
        """Return a value as a whole number; None when there is none."""
        value = self.number(key)
        if math.isnan(value):
            return None
        if value != math.floor(value):
            raise BrokenFileError(f"{self.path} holds {key} = {value}, which is no whole number; correct it")
        return int(value)

    @property
    def kind(self) -> str:
        """What was exposed, in lower case; empty when the header does not say."""
        return next((text.lower() for key in _KINDS if (text := self.text(key))), "")

    @property
    def day(self) -> int | None:
        """Day of observation as YYYYMMDD; None when the header does not say."""
        digits = re.sub(r"\D", "", self.text("DAYOBS"))
        return int(digits) if digits else None


def _exposure_number(header: _Header) -> int:
    for key in ("EXPID", "OBSID"):
        if header.text(key).isdecimal():
            return int(header.text(key))
    number = header.whole("SEQNUM")
    if header.day is not None and number is not None:
        return sequence_of(header.day, number)
    # SEQNUM alone is not unique on test stands; the tenth of a second is (lsst/obs_lsst, LsstTS8Translator).
    begin = re.sub(r"\D", "", header.text("DATE-OBS")[:21])
    if len(begin) < 14:
        raise UsageError(f"{header.path} does not tell its exposure: it has no OBSID, DAYOBS and SEQNUM, or DATE-OBS")
    return int(begin.ljust(15, "0"))


def _read_header(path: Path) -> _Header:
    from astropy.io import fits

    try:
        state = path.stat()
        # What astropy warns of is either harmless or raised in the end.
        with warnings.catch_warnings(action="ignore"), fits.open(path, memmap=False) as file:
            cards = file[0].header
    except (OSError, ValueError, IndexError, fits.VerifyError) as fault:
        reason = re.split(r"\. |\n", str(fault))[0] or type(fault).__name__  # further sentences are for programmers
        raise BrokenFileError(f"{path} cannot be read as FITS ({reason}); restore it or leave it out") from None
    digest = hashlib.blake2b(f"{state.st_size} {state.st_mtime_ns} {cards.tostring()}".encode(), digest_size=16)
    return _Header(path, cards, digest.hexdigest())
