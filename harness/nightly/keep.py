"""What is left behind of a rerun that was judged: its report, an announcement, and its place in the history."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, final

from harness.atomic import clean_leftovers, write_atomic
from harness.errors import HarnessError
from harness.history.entry import entry_of
from harness.history.store import HistoryStore, extended
from harness.history.trend import trends, warnings_about
from harness.model import digest_of
from harness.nightly.announce import announce
from harness.nightly.message import failure_message, plain
from harness.nightly.outbox import Outbox
from harness.nightly.past import Past
from harness.report.content import report_content
from harness.report.page import report_page

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from harness.nightly.config import NightlyToml
    from harness.nightly.judged import Judged

__all__ = ["Keeper", "Kept"]


@final
@dataclass(frozen=True, slots=True)
class Kept:
    """Where a rerun was kept.

    Attributes
    ----------
    report
        Its page.
    problems
        What could not be written or announced.
    warnings
        Metrics that are far from what they were in accepted reruns, whatever is expected of them.
    """

    report: Path
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@final
class Keeper:
    """Writes what is to be kept, and tells people.

    Parameters
    ----------
    config
        Where, and whom.
    """

    def __init__(self, config: NightlyToml) -> None:
        self._config = config
        self._history = HistoryStore(config.history)
        self._frame, self.oddities = self._history.read()  # nobody else adds to it tonight
        self.past = Past(self._frame)
        self._outbox: Outbox | None = None
        if config.announce is not None:
            self._outbox = Outbox(config.folder / "announcements", partial(announce, how=config.announce))

    def keep(self, judged: Judged, new: Collection[str]) -> Kept:
        """Write report and announcement, append to the history, and tell people, in this order.

        Killed before the rerun is in the history, the next night does all of it again; killed after that, it finds the
        announcement waiting.

        Parameters
        ----------
        judged
            What came of a rerun.
        new
            Metrics whose failures are new.
        """
        entry = entry_of(judged.session, judged.ref, judged.outcome)
        report = self._config.folder / "reports" / _slug(entry.dataset) / f"{_slug(entry.rerun)}-{entry.key}.html"
        problems: list[str] = []
        longer = extended(self._frame, entry, datetime.now(UTC))
        frame = longer.filter(longer["dataset"] == entry.dataset)
        baseline = judged.session.baseline
        through_time = {each.metric: each for each in trends(frame, baseline=baseline) if each.is_current}
        warnings = warnings_about(frame, entry.rerun, baseline=baseline)
        try:
            notes = [*judged.notes, *warnings]
            _write(report, report_page(judged.session, judged.outcome, notes, trends=through_time))
            if new and self._outbox is not None:
                self._outbox.put(entry.key, self._message(judged, entry.dataset, new, report))
            self._history.append(entry)
            self._frame = longer
            self.past.add(entry)
        except HarnessError as fault:
            problems.append(str(fault))
        return Kept(report, (*problems, *self.deliver(entry.key)), tuple(warnings))

    def tell(self, subject: str, told: str) -> list[str]:
        """Announce something else than failures, once; return why that was not possible.

        Parameters
        ----------
        subject
            What it is about: the same subject is announced once.
        told
            What there is to say.
        """
        if self._outbox is None:
            return []
        key = digest_of(subject)
        try:
            self._outbox.put(key, f"{plain(told)}\n")
        except HarnessError as fault:
            return [str(fault)]
        return self.deliver(key)

    def deliver(self, key: str = "*") -> list[str]:
        """Deliver an announcement that waits, or all; return why some could not be."""
        return [] if self._outbox is None else self._outbox.deliver(key)

    def _message(self, judged: Judged, dataset: str, new: Collection[str], report: Path) -> str:
        ranked = [finding.verdict for finding in report_content(judged.session, judged.outcome).findings]
        limit = 0 if self._config.announce is None else self._config.announce.failures
        return failure_message(
            *(judged.ref.name, dataset, ranked, new),
            before=self.past.before(dataset, judged.ref.name),
            remarks=judged.remarks,
            report=report,
            limit=limit,
        )


def _slug(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip("-.") or "rerun"


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as fault:
        raise HarnessError(f"cannot make the folder {path.parent} ({fault.strerror})") from None
    write_atomic(path, text)
    clean_leftovers(path.parent)
