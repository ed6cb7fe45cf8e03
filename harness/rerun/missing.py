"""What to say when something is not there."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from harness.errors import NotMeasuredError
from harness.rerun.aliases import older_names

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

__all__ = ["missing_column", "what_is_there"]

#: Names listed before a message says how many more there are.
_LISTED = 8


def missing_column(name: str, table: str, where: str, present: Collection[str]) -> NotMeasuredError:
    """Return the error for a column that a table does not have under any of its names."""
    tried = ", ".join((name, *older_names(name, table)))
    hint = ""
    if name in ("visit", "detector") and "ccdVisitId" in present:
        hint = "; ccdVisitId is unpacked when the instrument is known to be DECam or HSC"
    return NotMeasuredError(
        f"table {table} of {where} has no column {name!r} (tried: {tried}; there are: {', '.join(present)}){hint}"
    )


def what_is_there(name: str, names: Sequence[str], kind: str) -> str:
    """Return the end of a message about an unknown name: close matches, or else what there is."""
    close = get_close_matches(name, names, n=3)
    if close:
        return f"did you mean {' or '.join(close)}?"
    if not names:
        return f"there is no {kind}"
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"there are: {', '.join(names[:_LISTED])}{more}"
