"""Where the history is kept: one immutable Parquet file a rerun, so that a shared disk needs no server.

A file is written beside its place and renamed into it, under a name that holds the digest of what it is the history
of.  A file that is there is therefore finished, and whoever adds the same rerun once more finds it done.  Two
processes that add different reruns at once do not meet.  The pages of a file bear checksums: what a disk has spoilt
is named, and not taken for a measurement.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, final

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from harness.atomic import clean_leftovers, write_atomic
from harness.errors import BrokenFileError, HarnessError, UsageError, first_line
from harness.history.entry import HISTORY_SCHEMA
from harness.history.oddities import oddities

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.history.entry import Entry

__all__ = ["HISTORY_FORMAT", "HistoryStore", "extended", "frame_of"]

#: Raised when what a history file holds changes its meaning.
HISTORY_FORMAT = 1

_NOTE = "rerun_harness_history"
_DAMAGE = (OSError, ValueError, pa.ArrowException)


@final
class HistoryStore:
    """A folder with the history, one subfolder per dataset and one file per rerun.

    Parameters
    ----------
    folder
        The folder; made when the first entry is written.
    """

    __slots__ = ("_sequences", "folder")

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._sequences: dict[Path, int] = {}  # of files, which never change

    def append(self, entry: Entry, *, at: datetime | None = None) -> Path:
        """Add a rerun to the history; one that is there already stays as it is.

        Parameters
        ----------
        entry
            The rerun.
        at
            When that is, in UTC; None is now.

        Returns
        -------
        path : `pathlib.Path`
            Its file.

        Raises
        ------
        harness.errors.UsageError
            When the dataset's name cannot name a folder.
        harness.errors.BrokenFileError
            When a newer version of the harness has written this entry.
        harness.errors.HarnessError
            When the disk is full or the folder cannot be written; nothing half-written is left.
        """
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", entry.dataset):
            raise UsageError(
                f"the history cannot keep a dataset named {entry.dataset!r}: its name must be made of letters, digits, "
                "'_', '.' and '-', and begin with a letter or digit"
            )
        folder = self.folder / entry.dataset
        path = folder / f"{entry.key}.parquet"
        if _is_there(path):
            return path
        try:
            folder.mkdir(parents=True, exist_ok=True)
            sequence = self._next_sequence(folder)
        except OSError as fault:
            raise HarnessError(
                f"cannot use the history folder {folder} ({fault.strerror}); choose another with --history"
            ) from None
        content = _file_content(entry, sequence, at or datetime.now(UTC))
        try:
            write_atomic(path, content)
        except HarnessError as fault:
            raise HarnessError(f"{fault}; make room there, or choose another folder with --history") from None
        clean_leftovers(folder)
        return path

    def read(self, *, dataset: str = "", metric: str = "", rerun: str = "") -> tuple[pl.DataFrame, list[str]]:
        """Read the history, in the order in which it was written.

        Parameters
        ----------
        dataset, metric, rerun
            Of which; empty is of all.

        Returns
        -------
        frame : `polars.DataFrame`
            The columns of `harness.history.entry.HISTORY_SCHEMA`, a row for each metric of each rerun.
        problems : `list` [`str`]
            Files that were left out, and what else is odd (`harness.history.oddities`); the rest is there.

        Raises
        ------
        harness.errors.UsageError
            When the folder is none, or cannot be read at all.
        """
        tables: list[pa.Table] = []
        problems: list[str] = []
        for path in self._paths(dataset, problems):
            try:
                tables.append(_read_file(path))
            except BrokenFileError as fault:
                problems.append(str(fault))
        frame = _ordered(tables)
        problems += oddities(frame)
        chosen = {"metric": metric, "rerun": rerun}
        return frame.filter(*(pl.col(name) == value for name, value in chosen.items() if value)), problems

    def _paths(self, dataset: str, problems: list[str]) -> list[Path]:
        """Return the files of one or all datasets; what cannot be looked into is put among the problems."""
        try:
            folders = [self.folder / dataset] if dataset else sorted(filter(Path.is_dir, self.folder.iterdir()))
        except FileNotFoundError:
            return []
        except OSError as fault:
            raise UsageError(
                f"the history {self.folder} cannot be read ({fault.strerror}); name a folder with --history"
            ) from None
        paths = []
        for folder in folders:
            try:
                paths += sorted(path for path in folder.iterdir() if _is_entry(path))
            except FileNotFoundError:
                continue
            except OSError as fault:
                problems.append(f"history folder {folder} cannot be read ({fault.strerror}); it is left out")
        return paths

    def _next_sequence(self, folder: Path) -> int:
        paths = [path for path in folder.iterdir() if _is_entry(path)]
        for path in paths:
            if path not in self._sequences:
                with suppress(*_DAMAGE, BrokenFileError):  # `read` names it
                    self._sequences[path] = _note_of(path, pq.read_schema(path))["sequence"]
        return 1 + max((self._sequences.get(path, 0) for path in paths), default=0)


def frame_of(entries: Iterable[Entry], at: datetime) -> pl.DataFrame:
    """Return entries that are in no store as a history, each dataset in their order.

    Parameters
    ----------
    entries
        The entries.
    at
        When they are said to have entered the history, in UTC.
    """
    counts: dict[str, int] = {}
    tables = []
    for entry in entries:
        counts[entry.dataset] = counts.get(entry.dataset, 0) + 1
        tables.append(entry.table(counts[entry.dataset], at))
    return _ordered(tables)


def extended(frame: pl.DataFrame, entry: Entry, at: datetime) -> pl.DataFrame:
    """Return a history with one more entry at the end of its dataset, which no store has yet.

    Parameters
    ----------
    frame
        The history (`HistoryStore.read`).
    entry
        The entry.
    at
        When it is said to have entered the history, in UTC.
    """
    held = frame.filter(pl.col("dataset") == entry.dataset)["sequence"].max()
    sequence = 1 if held is None else int(held) + 1  # type: ignore[arg-type]
    return pl.concat([frame, _ordered([entry.table(sequence, at)])])


def _file_content(entry: Entry, sequence: int, at: datetime) -> bytes:
    note = {
        "format": HISTORY_FORMAT,
        "dataset": entry.dataset,
        "key": entry.key,
        "sequence": sequence,
        "settings": dict(entry.settings),
        "versions": dict(entry.versions),
    }
    table = entry.table(sequence, at)
    written = json.dumps(note, sort_keys=True, allow_nan=False)
    buffer = pa.BufferOutputStream()
    pq.write_table(
        table.replace_schema_metadata({_NOTE: written}), buffer, compression="zstd", write_page_checksum=True
    )
    return cast("bytes", buffer.getvalue().to_pybytes())


def _read_file(path: Path) -> pa.Table:
    """Read one entry; raise `harness.errors.BrokenFileError` for anything but a whole and genuine one."""
    try:
        return _load(path)
    except _DAMAGE as fault:
        raise BrokenFileError(
            f"history file {path} cannot be read ({first_line(fault)}); it is left out: restore it, or delete it and "
            "add its rerun again"
        ) from None


def _is_there(path: Path) -> bool:
    """Return whether an entry has been written; what only bears its name is an error, and damage is no entry."""
    try:
        _load(path)
    except _DAMAGE:
        return False
    return True


def _load(path: Path) -> pa.Table:
    """Return the rows of an entry, when the file is what its place says."""
    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        table = file.read(use_threads=False)
    _note_of(path, table.schema)
    table = table.replace_schema_metadata(None)
    if table.schema != HISTORY_SCHEMA:
        raise BrokenFileError(f"history file {path} has other columns than a history has; it is left out")
    return table


def _note_of(path: Path, schema: pa.Schema) -> dict[str, Any]:
    """Return what a file says of itself, when that is what its place says."""
    written = (schema.metadata or {}).get(_NOTE.encode())
    note = json.loads(written) if written else None
    if not isinstance(note, dict) or not all(isinstance(note.get(name), int) for name in ("format", "sequence")):
        raise BrokenFileError(f"{path} is not a history file; it is left out, keep it elsewhere")
    if note["format"] > HISTORY_FORMAT:
        raise BrokenFileError(
            f"history file {path} was written by a newer rerun-harness (format {note['format']}); it is left out, "
            "update rerun-harness"
        )
    named = f"{note.get('dataset')}/{note.get('key')}.parquet"
    if path.parts[-2:] != tuple(named.split("/")):
        raise BrokenFileError(
            f"history file {path} is a copy of {named}; it is left out, delete it or give it back its name"
        )
    return note


def _is_entry(path: Path) -> bool:
    return path.suffix == ".parquet"


def _ordered(tables: list[pa.Table]) -> pl.DataFrame:
    """Put entries in order.  Those written at once may have the same sequence: which is first is then no matter."""
    frame = pl.DataFrame(pl.from_arrow(pa.concat_tables([HISTORY_SCHEMA.empty_table(), *tables])))
    return frame.sort("dataset", "sequence", "at", "key", maintain_order=True)
