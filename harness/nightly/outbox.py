"""Announcements that are to be made, and those that were: each arrives at least once.

An announcement is written down before the rerun enters the history, and crossed out once it was taken.  Killed in
between, the next night delivers it: whoever is called may be called twice for it, and never not at all, as an alarm
that is lost costs more than one that is repeated.  What was delivered is kept, so that the same work done again does
not announce it again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from harness.atomic import clean_leftovers, write_atomic
from harness.errors import HarnessError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["Outbox"]


@final
class Outbox:
    """A folder of announcements.

    Parameters
    ----------
    folder
        The folder, which need not exist.
    send
        Hands a message over, or raises `harness.errors.HarnessError`.
    """

    def __init__(self, folder: Path, send: Callable[[str], None]) -> None:
        self._pending = folder / "pending"
        self._sent = folder / "sent"
        self._send = send

    def put(self, key: str, message: str) -> None:
        """Write an announcement down, unless it was made before.

        Parameters
        ----------
        key
            What tells it from others, as a file name; also its last line, by which a second delivery is recognised.
        message
            Plain text.

        Raises
        ------
        harness.errors.HarnessError
            When it cannot be written.
        """
        if (self._sent / f"{key}.txt").exists():
            return
        for folder in (self._pending, self._sent):
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as fault:
                raise HarnessError(f"cannot make the folder {folder} ({fault.strerror})") from None
        write_atomic(self._pending / f"{key}.txt", f"{message}announcement {key}\n")
        clean_leftovers(self._pending)

    def deliver(self, key: str = "*") -> list[str]:
        """Deliver what is waiting; what is not taken waits for the next night.

        Parameters
        ----------
        key
            Of one announcement; all by default.

        Returns
        -------
        problems : `list` [`str`]
            Why some were not delivered.
        """
        problems: list[str] = []
        for path in sorted(self._pending.glob(f"{key}.txt")):
            try:
                self._send(path.read_text(encoding="utf-8"))
                path.rename(self._sent / path.name)
            except HarnessError as fault:
                problems.append(f"{fault}; {path} waits for the next night")
            except OSError as fault:
                problems.append(f"cannot cross out {path} ({fault.strerror}): it will be announced again")
        return problems
