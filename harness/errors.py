"""Errors that a user can cause, each with the exit code the command line gives it.

Every message names the thing, the place and the way out.  The command line prints it as one line and never as a
traceback; anything that is not a `HarnessError` is a bug.
"""

from __future__ import annotations

import re
from typing import ClassVar, final

__all__ = [
    "BrokenFileError",
    "HarnessError",
    "NotMeasuredError",
    "SelfComparisonError",
    "UsageError",
    "first_line",
    "without_folders",
]


class HarnessError(Exception):
    """Base of every error with a message meant for the user."""

    exit_code: ClassVar[int] = 2


@final
class UsageError(HarnessError):
    """What was asked for does not exist or contradicts itself (a repository, a rerun, an option)."""

    exit_code = 2


@final
class SelfComparisonError(HarnessError):
    """Two sides of a comparison are one and the same thing."""

    exit_code = 2


@final
class NotMeasuredError(HarnessError):
    """The data a metric needs are absent or unreadable."""

    exit_code = 3


@final
class BrokenFileError(HarnessError):
    """A baseline, measurement or table file is damaged, or written by a newer version."""

    exit_code = 4


def first_line(fault: BaseException) -> str:
    """Return what another library's error says, short enough for one of ours: its first line, else its kind."""
    return (str(fault).splitlines() or [type(fault).__name__])[0]


def without_folders(fault: HarnessError) -> str:
    """Return an error's message with files by their bare names: a verdict names the data ID, and is one line."""
    return re.sub(r"(?<![\w.:/])/(?:[^/\s]+/)+", "", str(fault))
