"""Exposures in a folder, told by their file names."""

from __future__ import annotations

import hashlib
import re
from contextlib import nullcontext
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, final

from harness.errors import BrokenFileError, UsageError
from harness.rerun.exposures.dataset_types import EXPOSURE_TYPES
from harness.rerun.exposures.protocol import ExposureRef

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractContextManager

    from harness.rerun.exposures.protocol import ExposureKind
    from harness.rerun.rerun_toml import FileExposures

__all__ = ["FolderExposures"]

#: What stands for a part of the data ID in a file name, and what it may be.
_DIMENSIONS = {"visit": r"\d+", "detector": r"\d+", "tract": r"\d+", "patch": r"\d+", "band": r"[A-Za-z0-9-]+"}
_PLACEHOLDER = re.compile(r"\{(\w*)\}")
_KINDS = tuple(EXPOSURE_TYPES)


@final
class FolderExposures:
    """The exposures that a ``rerun.toml`` names; `harness.rerun.exposures.protocol.Exposures`.

    File names tell the data ID: ``calexp_{visit}_{detector}_{band}.fits``.

    Parameters
    ----------
    folder
        What globs are relative to.
    entries
        The ``[[exposures]]`` of the ``rerun.toml``.
    instrument
        Short name of the instrument.
    where
        The ``rerun.toml``, for messages.

    Raises
    ------
    harness.errors.UsageError
        When a pattern matches no file, has a placeholder that means nothing, or lacks one that tells files apart.
    """

    def __init__(self, folder: Path, entries: Sequence[FileExposures], instrument: str, where: Path) -> None:
        self._folder = folder
        self._instrument = instrument
        self._where = where
        self._found = [
            (entry, path, values)
            for entry in entries
            for glob in entry.files
            for path, values in self._matches(glob, entry.kind)
        ]

    @cached_property
    def files(self) -> Mapping[str, Path]:
        """All files by their names within the folder."""
        return {self._name(path): path for _, path, _ in self._found}

    @cached_property
    def listed(self) -> Sequence[ExposureRef]:
        """All exposures, in order of kind, side and data ID; what several files hold is listed several times."""
        refs = [
            ExposureRef(
                kind=entry.kind,
                side=entry.side,
                instrument=self._instrument,
                visit=int(values.get("visit", -1)),
                detector=int(values.get("detector", -1)),
                band=values.get("band", ""),
                tract=int(values.get("tract", -1)),
                patch=int(values.get("patch", -1)),
                ref=self._name(path),
                inputs=_state(path),
            )
            for entry, path, values in self._found
        ]
        return tuple(sorted(refs, key=_order))

    def local(self, ref: str) -> AbstractContextManager[Path]:
        """Return the file of an exposure.

        Raises
        ------
        harness.errors.BrokenFileError
            When it is missing.
        """
        path = self.files.get(ref)
        if path is None or not path.is_file():
            raise BrokenFileError(f"{self._folder / ref} is gone; restore it or measure again")
        return nullcontext(path)

    def _matches(self, pattern: str, kind: ExposureKind) -> list[tuple[Path, dict[str, str]]]:
        there = _PLACEHOLDER.findall(pattern)
        unknown = [name for name in there if name not in _DIMENSIONS]
        if unknown:
            known = ", ".join(f"{{{name}}}" for name in _DIMENSIONS)
            raise UsageError(f"{self._where}: {pattern!r} has {{{unknown[0]}}}, which means nothing; write {known}")
        tells = "patch" if kind.startswith("coadd") else "visit"
        if tells not in there:
            raise UsageError(
                f"{self._where}: {pattern!r} of kind {kind!r} does not say its {tells}; write {{{tells}}} for it"
            )
        expression = re.compile(_expression(pattern))
        glob = Path(_PLACEHOLDER.sub("*", pattern))
        root = Path(glob.anchor) if glob.is_absolute() else self._folder
        candidates = sorted(root.glob(str(glob.relative_to(glob.anchor))))
        found = [
            (path, match.groupdict())
            for path in candidates
            if path.is_file() and (match := expression.fullmatch(str(path if glob.anchor else path.relative_to(root))))
        ]
        if not found:
            raise UsageError(f"{self._where}: no file matches {pattern!r} of [[exposures]]")
        return found

    def _name(self, path: Path) -> str:
        return str(path.relative_to(self._folder) if path.is_relative_to(self._folder) else path)


def _expression(pattern: str) -> str:
    """Turn a glob with placeholders into a regular expression; the same placeholder twice has to match the same."""
    parts: list[str] = []
    seen: set[str] = set()
    for number, piece in enumerate(_PLACEHOLDER.split(pattern)):
        if number % 2 == 0:
            parts.append(re.escape(piece).replace(r"\*\*/", "(?:.*/)?").replace(r"\*", "[^/]*").replace(r"\?", "[^/]"))
        elif piece in seen:
            parts.append(f"(?P={piece})")
        else:
            seen.add(piece)
            parts.append(f"(?P<{piece}>{_DIMENSIONS[piece]})")
    return "".join(parts)


def _state(path: Path) -> str:
    """Digest what tells a file apart from what it was before: images are too large to be read for that."""
    try:
        state = path.stat()
    except OSError as fault:
        raise BrokenFileError(f"{path} cannot be read ({fault.strerror})") from None
    text = f"{path.name} {state.st_size} {state.st_mtime_ns}"
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _order(ref: ExposureRef) -> tuple[int, str, int, int, int, int, str, str]:
    return (
        *(_KINDS.index(ref.kind), ref.side, ref.visit, ref.detector),
        *(ref.tract, ref.patch, ref.band, ref.ref),
    )
