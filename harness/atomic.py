"""Files that are either the old ones or the new ones, never half of each."""

from __future__ import annotations

import os
import secrets
import time
from contextlib import suppress
from pathlib import Path

from harness.errors import HarnessError

__all__ = ["clean_leftovers", "write_atomic"]

_TOKEN_BYTES = 8
_LEFTOVERS = f".*.{'[0-9a-f]' * 2 * _TOKEN_BYTES}.tmp"


def write_atomic(path: str | os.PathLike[str], data: bytes | str) -> None:
    """Replace a file's content as a whole, or leave it as it was.

    The data go to a temporary file in the same folder, are forced to the disk, and take the file's place by one
    rename; a kill at any moment leaves the old content or the new.  A symbolic link is followed, and the mode of a
    file that exists is kept.

    Parameters
    ----------
    path
        The file, which need not exist; its folder must.
    data
        The content; text is written as UTF-8.

    Raises
    ------
    harness.errors.HarnessError
        When the file cannot be written (full disk, read-only or missing folder); nothing has changed then.
    """
    target = Path(path).resolve()  # a rename would replace a symbolic link, not what it points to
    content = data.encode() if isinstance(data, str) else data
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(_TOKEN_BYTES)}.tmp")
    try:
        try:
            _write_through(temporary, content, like=target)
            temporary.replace(target)
        except BaseException:
            with suppress(OSError):
                temporary.unlink()
            raise
        _sync_folder(target.parent)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise HarnessError(f"cannot write {path}: {reason}; what was there before is intact") from error


def clean_leftovers(folder: str | os.PathLike[str], *, older_than: float = 3600.0) -> list[Path]:
    """Remove the temporary files of writers that were killed.

    Parameters
    ----------
    folder
        Where `write_atomic` wrote; subfolders are left alone.
    older_than
        Least age in seconds, so that a writer at work (perhaps on another host) keeps its file.

    Returns
    -------
    removed : `list` [`pathlib.Path`]
        The files removed, sorted.
    """
    removed = []
    for leftover in sorted(Path(folder).glob(_LEFTOVERS)):
        with suppress(OSError):  # another process may clean at the same time, or own the file
            if time.time() - leftover.stat().st_mtime >= older_than:
                leftover.unlink()
                removed.append(leftover)
    return removed


def _write_through(path: Path, content: bytes, *, like: Path) -> None:
    """Write a new file through to the disk, with the mode of `like` where that exists."""
    # Not `tempfile`: it makes files that only their owner may read, and these are shared.
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    with os.fdopen(descriptor, "wb") as stream:
        with suppress(FileNotFoundError):
            os.fchmod(descriptor, like.stat().st_mode & 0o777)
        stream.write(content)
        stream.flush()
        os.fsync(descriptor)


def _sync_folder(folder: Path) -> None:
    """Force a rename to the disk; the content is in place even where a file system refuses this."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
