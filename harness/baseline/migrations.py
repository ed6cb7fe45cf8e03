"""Forward migration of older baseline files, one major schema version at a time.

A schema version is semantic: the major number grows when an older reader cannot understand any file of it.  A change
of the major number comes with one function here that rewrites the JSON object of the version before.  The minor number
grows with a section that a file may have: files without it are read by an older reader too; of one with it that reader
says which section it does not know, and which versions they have.  A file keeps its minor number until it is given such
a section.

=====  ====================================
1.0.0  the first
1.1.0  may have the section ``published``
=====  ====================================
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from harness.baseline.model import MIN_READ_VERSION, SCHEMA_VERSION
from harness.errors import BrokenFileError

__all__ = ["MIGRATIONS", "Migration", "is_newer", "migrate"]

Migration: TypeAlias = Callable[[Mapping[str, Any]], Mapping[str, Any]]

#: From a major version to the next: ``MIGRATIONS[1]`` takes the JSON object of version 1 and returns that of version 2.
MIGRATIONS: dict[int, Migration] = {}


def migrate(content: Mapping[str, Any], source: str) -> Mapping[str, Any]:
    """Bring a file's JSON object to the current major schema version.

    Parameters
    ----------
    content
        The object as it was read; it is not changed.
    source
        What to call the file in a message.

    Returns
    -------
    content : `Mapping`
        The object itself when it is current, else a migrated one with the current version numbers.

    Raises
    ------
    harness.errors.BrokenFileError
        When the version is missing, newer than this harness, or older than any migration.
    """
    current = _major(SCHEMA_VERSION)
    version = content.get("schema_version")
    least_reader = content.get("min_read_version")
    if not isinstance(version, str) or not version.partition(".")[0].isdecimal():
        raise BrokenFileError(f"{source}: schema_version must be a version such as {SCHEMA_VERSION} (got {version!r})")
    if isinstance(least_reader, int) and least_reader > current:
        raise BrokenFileError(
            f"{source} was written by a newer rerun-harness (schema {version}, this one reads up to {current}); "
            "update rerun-harness"
        )
    if _major(version) >= current:
        return content
    for major in range(_major(version), current):
        if major not in MIGRATIONS:
            raise BrokenFileError(
                f"{source} has the old schema {version}, which this rerun-harness no longer reads; "
                "rewrite it with an older rerun-harness (check --fix) first"
            )
        content = MIGRATIONS[major](content)
    return {**content, "schema_version": SCHEMA_VERSION, "min_read_version": MIN_READ_VERSION}


def is_newer(version: str) -> bool:
    """Return whether a schema version is newer than the one that this harness writes."""
    theirs, ours = ([int(number) for number in re.findall("[0-9]+", text)] for text in (version, SCHEMA_VERSION))
    return theirs > ours


def _major(version: str) -> int:
    return int(version.partition(".")[0])
