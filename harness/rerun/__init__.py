"""Reading reruns: Butler collections, APDBs and folders of files, all as tables with canonical column names."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from harness.errors import UsageError

if TYPE_CHECKING:
    from harness.rerun.protocol import Rerun, RerunRef

__all__ = ["list_reruns", "open_ref", "open_rerun"]

#: Two reruns of the same visits, taken as one.
_SIDES = re.compile(r"good:(?P<good>.+),deep:(?P<deep>.+)")

_DATABASES = ("sqlite:", "sqlite+", "postgresql:", "postgresql+")


def open_rerun(repo: str, name: str) -> Rerun:
    """Open a rerun.

    Parameters
    ----------
    repo
        Butler repository (a folder, a ``butler.yaml``, or a URI that Butler takes), APDB URL (``sqlite:///…``,
        ``postgresql://…``), or folder with a ``rerun.toml`` (or of such folders).
    name
        Collection, APDB namespace, or name in the ``rerun.toml``; ``good:A,deep:B`` for two with different templates.

    Returns
    -------
    rerun : `harness.rerun.protocol.Rerun`
        Tables are read when they are asked for.

    Raises
    ------
    harness.errors.UsageError
        When there is no such repository or rerun; the message says what there is.
    """
    kind = _kind(repo)
    if (sides := _SIDES.fullmatch(name)) is not None:
        from harness.rerun.combined import CombinedRerun
        from harness.rerun.protocol import RerunRef

        reruns = {side: open_rerun(repo, each) for side, each in sides.groupdict().items()}
        return CombinedRerun(RerunRef(repo, name), reruns)
    if kind == "apdb":
        from harness.rerun.apdb import ApdbRerun

        return ApdbRerun(repo, name)
    if kind == "butler":
        from harness.rerun.butler import ButlerRerun

        return ButlerRerun(repo, name)
    from harness.rerun.files import FileRerun

    return FileRerun(Path(repo), name)


def open_ref(ref: RerunRef) -> Rerun:
    """Open a rerun by reference; see `open_rerun`."""
    return open_rerun(ref.repo, ref.name)


def list_reruns(repo: str) -> list[str]:
    """Return the names of the reruns in a repository, by name, numbers in names by value.

    Raises
    ------
    harness.errors.UsageError
        When there is no such repository.
    """
    kind = _kind(repo)
    if kind == "apdb":
        from harness.rerun.apdb import list_apdb_reruns

        names = list_apdb_reruns(repo)
    elif kind == "butler":
        from harness.rerun.butler import list_butler_reruns

        names = list_butler_reruns(repo)
    else:
        from harness.rerun.files import list_file_reruns

        names = list_file_reruns(Path(repo))
    return sorted(names, key=_by_number)


def _by_number(name: str) -> list[tuple[int, int, str]]:
    """Return a sort key by which ``w_9`` comes before ``w_10``."""
    pieces = re.split(r"(\d+)", name)
    return [(1, 0, piece) if i % 2 == 0 else (0, int(piece), "") for i, piece in enumerate(pieces) if piece]


def _kind(repo: str) -> Literal["apdb", "butler", "files"]:
    """Return what kind of repository this is."""
    if repo.startswith(_DATABASES):
        return "apdb"
    if "://" in repo:
        return "butler"
    path = Path(repo)
    if path.suffix in {".yaml", ".yml"} or (path / "butler.yaml").is_file():
        return "butler"
    if not path.is_dir():
        raise UsageError(
            f"there is no folder {path}; name a Butler repository, an APDB URL or a folder with a rerun.toml"
        )
    if (path / "rerun.toml").is_file() or any(path.glob("*/rerun.toml")):
        return "files"
    raise UsageError(
        f"{path} holds neither a butler.yaml nor a rerun.toml; name a Butler repository, or describe the files in a "
        "rerun.toml"
    )
