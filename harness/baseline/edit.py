"""The one way to change a baseline file: by a person, under a lock, as a whole."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from harness.atomic import write_atomic
from harness.baseline.files import canonical_bytes, parse_baseline, read_baseline, read_content
from harness.errors import HarnessError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from harness.baseline.model import Baseline

__all__ = ["edit_baseline", "reformat_baseline"]

#: Set by continuous integration services; there, nobody looks at what is accepted.
_CI_VARIABLES: Final = ("CI", "GITHUB_ACTIONS", "BUILD_ID")

_LOCK_TIMEOUT: Final = 10.0


def edit_baseline(path: Path, edit: Callable[[Baseline | None], Baseline], *, allow_ci: bool = False) -> Baseline:
    """Read a baseline, change it, and write it, with no other writer in between.

    Parameters
    ----------
    path
        The baseline file, which need not exist.
    edit
        Takes what the file holds now (None when there is no file) and returns what it shall hold.
    allow_ci
        Whether to go on under continuous integration.

    Returns
    -------
    baseline : `harness.baseline.model.Baseline`
        What the file holds now.

    Raises
    ------
    harness.errors.UsageError
        Under continuous integration, or when the file is not canonical, so that more would change than was asked for.
    harness.errors.BrokenFileError
        When the file is not a valid baseline.
    harness.errors.HarnessError
        When it cannot be locked or written; nothing has changed then.
    """
    found = next((name for name in _CI_VARIABLES if os.environ.get(name)), None)
    if found and not allow_ci:
        raise UsageError(
            f"baselines are not changed under continuous integration ({found} is set); do it by hand, or say --allow-ci"
        )
    with _locked(path):
        content = read_content(path) if path.exists() else None
        current = None if content is None else parse_baseline(content, path)
        if current is not None and content != canonical_bytes(current):
            raise UsageError(f"baseline {path} is not in canonical form; run rerun-harness check --fix first")
        new = edit(current)
        if new != current:
            write_atomic(path, canonical_bytes(new))
    return new


def reformat_baseline(path: Path) -> None:
    """Rewrite a valid baseline file in canonical form and in the current schema.

    Parameters
    ----------
    path
        The baseline file.

    Raises
    ------
    harness.errors.BrokenFileError
        When the file is not a valid baseline.
    harness.errors.HarnessError
        When it cannot be locked or written; nothing has changed then.
    """
    with _locked(path):
        write_atomic(path, canonical_bytes(read_baseline(path)))


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold off other writers, on network file systems too, where the operating system's locks cannot be trusted."""
    from filelock import SoftFileLock, Timeout

    if not path.parent.is_dir():
        raise UsageError(f"there is no folder {path.parent} for the baseline {path.name}; make it first")
    lock = SoftFileLock(f"{path.resolve()}.lock", timeout=_LOCK_TIMEOUT)
    try:
        lock.acquire()
    except Timeout:
        raise HarnessError(
            f"baseline {path} is being written by another process; try again, or remove {lock.lock_file} "
            "when there is none"
        ) from None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise HarnessError(f"cannot write {path}: {reason}; what was there before is intact") from error
    try:
        yield
    finally:
        lock.release()
