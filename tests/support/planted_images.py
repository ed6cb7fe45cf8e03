"""A rerun of small exposures, to plant a defect in, beside the reference that it is a copy of."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Any

from embedded_images import afw, name_of
from embedded_survey import CommandLine

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

_REFERENCE, _PLANTED, _SOUND = "reference", "planted", "sound"


class Planted:
    """The rerun ``planted``, so far without a defect.

    Calling it judges it against the reference, by the baseline that was accepted from that.

    Parameters
    ----------
    run
        The command line.
    home
        What `prepare` has filled.
    """

    def __init__(self, run: CommandLine, home: Path) -> None:
        self._run = run
        self._home = home
        self.folder = home / _PLANTED
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(home / _SOUND, self.folder)
        shutil.copytree(home / "measurements", run.store, copy_function=os.link)

    def __call__(self, *options: Any, code: int = 1) -> Any:
        """Judge it, and require an exit code."""
        where = ("--repo", self._home / _REFERENCE, "--baselines", self._home / "baselines")
        reruns = ("--rerun", f"{_PLANTED}={self.folder}", "--reference", _REFERENCE, "--dataset", self._home.name)
        return self._run("verify", *where, *reruns, "--format", "json", *options, code=code)

    def measure(self, *options: Any) -> Any:
        """Measure it alone."""
        return self._run("measure", "--repo", self.folder, "--format", "json", *options)

    def path(self, part: str, visit: int) -> Path:
        """Return the path of an exposure."""
        return self.folder / name_of(part, visit)

    def write(self, part: str, visit: int, content: Any) -> None:
        """Write an exposure anew."""
        afw().write_exposure(self.path(part, visit), content)

    def exchange(self, one: Path, other: Path) -> None:
        """Let two files bear each other's names."""
        aside = one.rename(one.with_suffix(".aside"))
        other.rename(one)
        aside.rename(other)


def prepare(
    home: Path,
    write: Callable[[Path, str], None],
    accepted: Mapping[str, Sequence[str]],
    changes: Mapping[str, Sequence[str]] | None = None,
) -> Path:
    """Write the reference and a rerun like it, measure both, and accept the reference.

    Parameters
    ----------
    home
        A folder that does not exist yet; its name is that of the dataset.
    write
        Writes a rerun into a new folder, under a name.
    accepted
        Metrics (globs) by the options that say what is expected of them.
    changes
        The same of metrics of two reruns side by side.
    """
    home.mkdir(parents=True)
    write(home / _REFERENCE, _REFERENCE)
    write(home / _SOUND, _PLANTED)
    run = CommandLine(home)
    where = ("--repo", home / _REFERENCE, "--baselines", run.baselines, "--dataset", home.name)
    why = ("--allow-ci", "--reason", "as it should be", "--by", "A. Person")
    for options, globs in accepted.items():
        run("accept", _REFERENCE, *globs, *where, *why, *options.split())
    for options, globs in (changes or {}).items():
        pair = (f"{_PLANTED}={home / _SOUND}", *globs, "--reference", _REFERENCE)
        run("accept", *pair, *where, *why, *options.split())
    once = CommandLine(home / "once")
    Planted(once, home)(code=0)
    shutil.rmtree(run.store)
    once.store.rename(run.store)
    return home


def failed(answer: Any, state: str = "FAIL") -> dict[str, str]:
    """Return the sentences of all verdicts of one kind by metric."""
    return {row["metric"]: row["sentence"] for row in answer.json["rows"] if row["state"] == state}
