"""Baseline files: found, read strictly, and written as the same bytes for the same content."""

from __future__ import annotations

import json
from difflib import get_close_matches
from typing import TYPE_CHECKING

from pydantic import ValidationError

from harness.baseline.explain import explain, refuse_invalid
from harness.baseline.migrations import is_newer, migrate
from harness.baseline.model import SCHEMA_VERSION, Baseline, Settings
from harness.baseline.strictjson import parse_json
from harness.errors import BrokenFileError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "canonical_bytes",
    "find_baseline",
    "list_baselines",
    "new_baseline",
    "parse_baseline",
    "read_baseline",
    "read_content",
]


def canonical_bytes(baseline: Baseline) -> bytes:
    """Return the one way to write a baseline: sorted keys, two spaces, UTF-8, a final newline.

    Parameters
    ----------
    baseline
        What to write.
    """
    content = baseline.model_dump(mode="json")
    return f"{json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)}\n".encode()


def new_baseline(dataset: str, settings: Settings) -> Baseline:
    """Return the empty baseline of a dataset that has no file yet.

    Parameters
    ----------
    dataset
        Its name, which will name the file.
    settings
        Settings of the definitions that it is measured with.

    Raises
    ------
    harness.errors.UsageError
        When the name cannot name a file.
    """
    with refuse_invalid(f"the new baseline {dataset!r}"):
        return Baseline(dataset=dataset, settings=settings)


def read_baseline(path: Path) -> Baseline:
    """Read a baseline file; one of an older schema is migrated in memory.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    harness.errors.UsageError
        When there is no such file.
    harness.errors.BrokenFileError
        When it is not a valid baseline, or a newer harness wrote it.
    """
    return parse_baseline(read_content(path), path)


def read_content(path: Path) -> bytes:
    """Return the bytes of a baseline file.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    harness.errors.UsageError
        When there is no such file.
    harness.errors.BrokenFileError
        When it cannot be read.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise UsageError(f"there is no baseline {path}; rerun-harness accept writes one") from None
    except IsADirectoryError:
        raise BrokenFileError(f"baseline {path} is a folder, where a JSON file is expected") from None
    except OSError as error:
        raise BrokenFileError(f"cannot read baseline {path}: {(error.strerror or str(error)).lower()}") from None


def parse_baseline(content: bytes, path: Path) -> Baseline:
    """Turn the bytes of a file into a baseline; one of an older schema is migrated.

    Parameters
    ----------
    content
        The bytes.
    path
        Where they are from, for the messages.

    Raises
    ------
    harness.errors.BrokenFileError
        When they are not a valid baseline, or a newer harness wrote them.
    """
    source = f"baseline {path}"
    members = migrate(parse_json(content, source), source)
    try:
        # By way of JSON, because only there a string may stand for a date in strict mode.
        return Baseline.model_validate_json(json.dumps(members))
    except ValidationError as error:
        version = members["schema_version"]
        newer = f"; it has schema {version}, this rerun-harness {SCHEMA_VERSION}" if is_newer(version) else ""
        raise BrokenFileError(f"{source}: {explain(error)}{newer}") from None


def list_baselines(folder: Path) -> list[Path]:
    """Return the baseline files of a folder, sorted.

    Parameters
    ----------
    folder
        The folder of baselines.

    Raises
    ------
    harness.errors.UsageError
        When there is no such folder.
    """
    if not folder.is_dir():
        raise UsageError(f"there is no folder of baselines {folder}; name it with --baselines")
    return sorted(folder.glob("*.json"))


def find_baseline(folder: Path, dataset: str) -> Path:
    """Return the file of a dataset.

    Parameters
    ----------
    folder
        The folder of baselines.
    dataset
        Name of the dataset.

    Raises
    ------
    harness.errors.UsageError
        When there is none; the message says which there are.
    """
    names = [path.stem for path in list_baselines(folder)]
    if dataset not in names:
        near = get_close_matches(dataset, names, n=1)
        there = f"did you mean {near[0]}?" if near else f"there are: {', '.join(names) or 'none'}"
        raise UsageError(
            f"there is no baseline of dataset {dataset!r} in {folder}; {there} (rerun-harness accept writes a new one)"
        )
    return folder / f"{dataset}.json"
