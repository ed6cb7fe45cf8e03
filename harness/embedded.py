"""The embedded repository: a synthetic survey with three reruns, built once and kept in the user's cache folder."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import sys
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import UsageError
from harness.shipped import shipped

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

__all__ = ["EMBEDDED_DATASET", "EMBEDDED_RERUNS", "cache_folder", "embedded_repository", "load_survey"]

EMBEDDED_DATASET = "hits2015"
"""Name of the dataset, and so of the baseline file, that the embedded repository belongs to."""

EMBEDDED_RERUNS = ("w_2020_15", "w_2020_20", "w_2020_24")
"""Run collections of the embedded repository, oldest first."""

_MODULE = "rerun_harness_survey"


def embedded_repository(cache: Path | None = None, progress: Callable[[str], None] | None = None) -> Path:
    """Return the embedded Butler repository; the first call builds it, which takes some seconds.

    It is built beside its place and renamed into it, under a lock: a process that is killed leaves nothing that looks
    finished, and of two processes one waits for the other.

    Parameters
    ----------
    cache
        Folder to keep it in; `cache_folder` by default.
    progress
        Called with a line of text at each step of the building.

    Returns
    -------
    repository : `pathlib.Path`
        Root of the repository.  Its name changes with the survey and with the version of Butler.

    Raises
    ------
    harness.errors.UsageError
        When the folder cannot be written, or the disk is full.
    """
    folder = cache_folder() if cache is None else cache
    repository = folder / f"embedded-{_key()}"
    if repository.is_dir():
        return repository

    from filelock import FileLock
    from sqlalchemy.exc import SQLAlchemyError

    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f"{repository.name}.lock"):
            if not repository.is_dir():
                _build(repository, progress)
    except (OSError, SQLAlchemyError) as error:
        reason = getattr(error, "strerror", None) or str(getattr(error, "orig", error))
        raise UsageError(
            f"cannot build the embedded repository in {folder} ({reason}); "
            "set RERUN_HARNESS_CACHE to a folder that can be written and has 50 MB to spare"
        ) from error
    return repository


def cache_folder() -> Path:
    """Return the folder for what the harness can build again.

    ``$RERUN_HARNESS_CACHE``, else ``rerun-harness`` in ``$XDG_CACHE_HOME`` or the platform's own place for caches.
    """
    if own := os.environ.get("RERUN_HARNESS_CACHE"):
        return Path(own)
    if shared := os.environ.get("XDG_CACHE_HOME"):
        return Path(shared, "rerun-harness")
    return Path.home().joinpath("Library/Caches" if sys.platform == "darwin" else ".cache", "rerun-harness")


@cache
def load_survey() -> ModuleType:
    """Return the package that builds the embedded repository and knows the truth about it."""
    folder = shipped("fixtures") / "survey"
    spec = importlib.util.spec_from_file_location(
        _MODULE, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    if spec is None or spec.loader is None or not (folder / "__init__.py").is_file():
        raise UsageError(f"the embedded survey is missing in {folder}; install rerun-harness again")
    module = importlib.util.module_from_spec(spec)
    sys.modules[_MODULE] = module
    spec.loader.exec_module(module)
    return module


def _build(repository: Path, progress: Callable[[str], None] | None) -> None:
    partial = repository.with_name(f"partial-{repository.name}")  # Butler takes a suffix for a file format
    shutil.rmtree(partial, ignore_errors=True)  # left behind by a process that was killed
    try:
        load_survey().build(partial, progress or (lambda _: None))
        partial.rename(repository)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _key() -> str:
    """Return a digest of everything that decides what the repository holds."""
    digest = hashlib.blake2b(version("lsst-daf-butler").encode(), digest_size=6)
    for source in sorted((shipped("fixtures") / "survey").glob("*.py")):
        digest.update(source.name.encode())
        digest.update(source.read_bytes())
    return digest.hexdigest()
