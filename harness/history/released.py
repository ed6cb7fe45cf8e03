"""Published release reports taken into a history: what is odd about them, and how each compares two releases."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING

import polars as pl

from harness.history.comparison import relative_changes, summary_of_changes
from harness.history.release_reports import read_release_reports
from harness.history.repeats import repeats
from harness.history.store import HistoryStore, frame_of
from harness.report.listing import Column, Listing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["keep_release_reports"]

_SMALL = 0.025
"""Relative changes up to this are counted by themselves."""


def keep_release_reports(path: Path, folder: Path) -> Listing:
    """Append the releases of some reports to a history, and tell what is to be said of them.

    Parameters
    ----------
    path
        The reports (`harness.history.release_reports`).
    folder
        Of the history.

    Returns
    -------
    listing
        A row for each comparison of two releases in one report, and what is odd: what could not be read, and columns
        that hold the values of another release.

    Raises
    ------
    harness.errors.HarnessError
        When the file cannot be read, or the history cannot be written.
    """
    reports = read_release_reports(path)
    store = HistoryStore(folder)
    for entry in reports.releases:
        store.append(entry)
    printed = frame_of([*reports.releases, *reports.repeated], datetime.now(UTC))
    notes = [*(str(each) for each in repeats(printed)), *reports.problems]
    columns = [Column(name, name) for name in ("report", "metrics", "earlier", "later", "changes")]
    title = f"{len(reports.releases)} releases of {path} are in the history {folder}"
    return Listing(title, columns, list(_comparisons(printed)), notes)


def _comparisons(printed: pl.DataFrame) -> Iterator[dict[str, str]]:
    """Yield what each report says of two releases that it prints beside each other, by group of metrics."""
    grouped = printed.with_columns(group=pl.col("metric").str.split(".").list.first())
    for (report, dataset, group), rows in grouped.group_by(["source", "dataset", "group"], maintain_order=True):
        releases = rows["rerun"].unique().sort().to_list()
        for earlier, later in pairwise(releases):
            changes = relative_changes(*(rows.filter(pl.col("rerun") == name) for name in (earlier, later)))
            if not changes.is_empty():
                yield {
                    "report": str(report),
                    "dataset": str(dataset),
                    "metrics": str(group),
                    "earlier": earlier,
                    "later": later,
                    "changes": summary_of_changes(changes, [_SMALL]),
                }
