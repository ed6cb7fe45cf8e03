"""The embedded repositories: synthetic data of known truth, built once and kept in the user's cache folder."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import sys
from functools import cache
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from harness.errors import UsageError
from harness.shipped import shipped

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from types import ModuleType

__all__ = [
    "EMBEDDED_DATASET",
    "EMBEDDED_DATASETS",
    "EMBEDDED_RERUNS",
    "cache_folder",
    "embedded_dataset",
    "embedded_repository",
    "load_images",
    "load_sensor",
    "load_survey",
    "newest_embedded",
]

EMBEDDED_DATASETS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "hits2015": ("w_2020_15", "w_2020_20", "w_2020_24"),
        "rtm007": ("run_5001_v1", "run_5001_v2", "run_5001_v3"),
        "latiss": ("w_2023_49", "w_2023_52", "w_2024_03"),
        "dp02": ("w_2023_37", "w_2023_41"),
        "hsc_sprint": ("convolve_template", "auto", "pre_convolution", "wrong_kernel"),
    }
)
"""Collections of the embedded repositories by the dataset whose baseline they are held against.

Oldest first; those of ``hsc_sprint`` are of one age and differ in their configuration, the last one being wrong.
"""

EMBEDDED_DATASET = "hits2015"
"""The dataset that is meant when none is named."""

EMBEDDED_RERUNS = EMBEDDED_DATASETS[EMBEDDED_DATASET]
"""Its collections, oldest first."""


#: What an embedded repository is made of; those of images are for who asks for them, being the larger ones.
_OF_TABLES, _OF_IMAGES, _OF_FLAVORS = ("survey", "sensor"), ("images",), ("images.flavors",)
_PACKAGES = MappingProxyType({"latiss": _OF_IMAGES, "dp02": _OF_IMAGES, "hsc_sprint": _OF_FLAVORS})


def embedded_repository(
    cache: Path | None = None, progress: Callable[[str], None] | None = None, dataset: str = EMBEDDED_DATASET
) -> Path:
    """Return the embedded Butler repository of a dataset; the first call builds it, which takes some seconds.

    It is built beside its place and renamed into it, under a lock: a process that is killed leaves nothing that looks
    finished, and of two processes one waits for the other.

    Parameters
    ----------
    cache
        Folder to keep it in; `cache_folder` by default.
    progress
        Called with a line of text at each step of the building.
    dataset
        What it has to hold.

    Returns
    -------
    repository : `pathlib.Path`
        Root of the repository.  Its name changes with what is in it and with the version of Butler.

    Raises
    ------
    harness.errors.UsageError
        When the folder cannot be written, or the disk is full.
    """
    folder = cache_folder() if cache is None else cache
    packages = _PACKAGES.get(dataset, _OF_TABLES)
    repository = folder / f"embedded-{_key(packages)}"
    if repository.is_dir():
        return repository

    from filelock import FileLock
    from sqlalchemy.exc import SQLAlchemyError

    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f"{repository.name}.lock"):
            if not repository.is_dir():
                _build(repository, packages, progress)
    except (OSError, SQLAlchemyError) as error:
        reason = getattr(error, "strerror", None) or str(getattr(error, "orig", error))
        raise UsageError(
            f"cannot build the embedded repository in {folder} ({reason}); "
            "set RERUN_HARNESS_CACHE to a folder that can be written and has 100 MB to spare"
        ) from error
    return repository


def newest_embedded(dataset: str | None = None) -> str:
    """Return the newest rerun of an embedded dataset; of the survey when that is none of them."""
    return EMBEDDED_DATASETS.get(dataset or EMBEDDED_DATASET, EMBEDDED_RERUNS)[-1]


def embedded_dataset(reruns: Collection[str]) -> str:
    """Return the dataset of some embedded reruns; the survey's for a name of one's own.

    Raises
    ------
    harness.errors.UsageError
        When they are of several datasets.
    """
    holding = [name for name, own in EMBEDDED_DATASETS.items() if set(reruns) & set(own)]
    if len(holding) > 1:
        raise UsageError(f"the reruns are of several datasets ({', '.join(holding)}); ask for one at a time")
    return holding[0] if holding else EMBEDDED_DATASET


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
    """Return the package that builds the embedded survey and knows the truth about it."""
    return _load("survey")


@cache
def load_sensor() -> ModuleType:
    """Return the package that builds the embedded sensor and knows the truth about it."""
    return _load("sensor")


@cache
def load_images() -> ModuleType:
    """Return the package that builds the embedded images and knows the truth about them."""
    return _load("images")


def _load(name: str) -> ModuleType:
    folder = shipped("fixtures") / name
    module_name = f"rerun_harness_{name}"
    spec = importlib.util.spec_from_file_location(
        module_name, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    if spec is None or spec.loader is None or not (folder / "__init__.py").is_file():
        raise UsageError(f"the embedded {name} is missing in {folder}; install rerun-harness again")
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    spec.loader.exec_module(module)
    return module


def _build(repository: Path, packages: Sequence[str], progress: Callable[[str], None] | None) -> None:
    from lsst.daf.butler import Butler

    partial = repository.with_name(f"partial-{repository.name}")  # Butler takes a suffix for a file format
    shutil.rmtree(partial, ignore_errors=True)  # left behind by a process that was killed
    try:
        tell = progress or (lambda _: None)
        # Loaded once: a second copy of a package would share its submodules with the first.
        loaders: dict[str, Callable[[], ModuleType]] = {
            "survey": load_survey,
            "sensor": load_sensor,
            "images": load_images,
            "images.flavors": lambda: load_images().flavors,
        }
        Butler.makeRepo(str(partial))
        for name in packages:
            loaders[name]().add(partial, tell)
        partial.rename(repository)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _key(packages: Sequence[str]) -> str:
    """Return a digest of everything that decides what a repository holds."""
    digest = hashlib.blake2b(version("lsst-daf-butler").encode(), digest_size=6)
    for name in packages:
        package, _, part = name.partition(".")
        folder = shipped("fixtures") / package
        for source in sorted(folder.glob("**/*.py" if part else "*.py")):  # a part uses what stands beside it
            digest.update(f"{name}/{source.relative_to(folder).as_posix()}".encode())
            digest.update(source.read_bytes())
    return digest.hexdigest()
