"""What came of one night: a row for each new rerun, the code that the command ends with, and a listing of it all."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Final, final

from harness.report.listing import Column, Listing

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["Night", "Result", "night_listing", "worst"]

#: Exit codes from the best to the worst: what was shown to fail comes before what could not be read, that before what
#: is not there, and that before what could not be judged.
_ORDER: Final = (0, 3, 2, 4, 1)


@final
@dataclass(frozen=True, slots=True)
class Result:
    """What came of one new rerun.

    Attributes
    ----------
    rerun, repo, dataset
        Which one; the dataset is empty where nothing could be found out.
    told
        The counts of its verdicts, or what is the matter with it.
    code
        The exit code that it stands for.
    new
        Number of metrics that fail, and did not in the rerun before.
    report
        Its page; None when there is none.
    notes
        What else is to be said of it.
    """

    rerun: str
    repo: str
    dataset: str
    told: str
    code: int
    new: int = 0
    report: Path | None = None
    notes: tuple[str, ...] = ()


@final
@dataclass(slots=True)
class Night:
    """What came of one night.

    Attributes
    ----------
    results
        The new reruns, in the order in which they entered the history.
    known
        How many reruns were in the history already.
    problems
        What went wrong beside them, and the exit code that it stands for.
    notes
        What is odd about the history.
    dry_run
        Whether nothing was done.
    """

    results: list[Result] = field(default_factory=list)
    known: int = 0
    problems: list[tuple[int, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    dry_run: bool = False

    @property
    def exit_code(self) -> int:
        """The worst of all reruns and problems; 0 when nothing is new."""
        return worst([result.code for result in self.results] + [code for code, _ in self.problems])


def worst(codes: Iterable[int]) -> int:
    """Return the worst of some exit codes; 0 of none."""
    return max(codes, key=_ORDER.index, default=0)


def night_listing(night: Night) -> Listing:
    """Return a night as a listing, for a terminal, as JSON or as Markdown.

    Parameters
    ----------
    night
        What came of it.
    """
    columns = [
        Column("rerun", "rerun"),
        Column("dataset", "dataset"),
        Column("told", "verdicts"),
        Column("new", "new failures", numeric=True),
        Column("report", "report"),
    ]
    rows = [{**asdict(result), "report": str(result.report or "")} for result in night.results]
    several = len(night.results) > 1
    notes = [f"{f'{result.rerun}: ' if several else ''}{note}" for result in night.results for note in result.notes]
    notes += [*(text for _, text in night.problems), *night.notes]
    count = len(night.results)
    would = "would be judged" if night.dry_run else "new"
    title = f"{count} rerun{'' if count == 1 else 's'} {would}, {night.known} in the history"
    return Listing(title, columns, rows, notes, {"exit_code": night.exit_code})
