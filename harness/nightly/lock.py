"""One nightly at a time in a folder; who else comes is told who is at work."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from harness.errors import HarnessError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["only_one"]

#: Long enough to take over the lock of a process that died, and to outlive one that is about to finish.
_PATIENCE: Final = 1.0


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Hold off other processes from a folder, while the context lasts.

    The lock is a file that names its holder, and holds on network file systems, too, where the operating system's
    locks cannot be trusted.  That of a process of this host that is no more is taken over; whether one of another host
    is still at work nobody can tell from here.

    Parameters
    ----------
    folder
        The folder, which need not exist.

    Raises
    ------
    harness.errors.HarnessError
        When another process holds it (which, and since when), or the folder cannot be written.
    """
    from filelock import SoftFileLock, Timeout

    path = folder / "lock"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = SoftFileLock(path, timeout=_PATIENCE)
        lock.acquire(poll_interval=0.05)
    except Timeout:
        raise HarnessError(
            f"another nightly is at work in {folder}: {_holder(path)}; wait for it, or remove {path} when there is no "
            "such process any more"
        ) from None
    except OSError as fault:
        raise HarnessError(f"cannot write the folder {folder} ({fault.strerror}); name another as folder") from None
    try:
        yield
    finally:
        lock.release()


def _holder(path: Path) -> str:
    """Return what a lock file says of its holder: process and host, a line each, and when it was written."""
    try:
        pid, host = path.read_text(encoding="utf-8").splitlines()[:2]
        since = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except (OSError, ValueError):
        return "a process that has not said which"
    return f"process {pid} on {host}, since {since:%Y-%m-%d %H:%M} UTC"
