"""A report in the form that a file's name asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.atomic import write_atomic
from harness.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from harness.history.trend import Trend
    from harness.report.content import Content
    from harness.session import Session
    from harness.verify import Outcome

__all__ = ["check_report_paths", "write_reports"]

_FORMS = (".html", ".md", ".json")


def check_report_paths(paths: Sequence[Path]) -> None:
    """Make sure that reports can have these names, before anything is measured.

    Raises
    ------
    harness.errors.UsageError
        When a name asks for no known form, or its folder is not there.
    """
    for path in paths:
        if path.suffix.lower() not in _FORMS:
            raise UsageError(f"cannot write {path}: a report is {', '.join(_FORMS[:-1])} or {_FORMS[-1]}")
        if not path.parent.is_dir():
            raise UsageError(f"cannot write {path}: there is no folder {path.parent}")


def write_reports(
    paths: Sequence[Path],
    session: Session,
    outcome: Outcome,
    notes: Sequence[str] = (),
    *,
    trends: Mapping[str, Trend] | None = None,
) -> Content:
    """Write one report in several forms: a page, Markdown or JSON, by the end of each file's name.

    Parameters
    ----------
    paths
        The files; each is replaced as a whole, or left as it was.
    session
        What was judged against what.
    outcome
        The verdicts, and the checks that went wrong by themselves.
    notes
        Further lines, such as what was not judged.
    trends
        Metrics through time, by name, for the page; None where no history is kept.

    Returns
    -------
    content : `harness.report.content.Content`
        What they say.

    Raises
    ------
    harness.errors.HarnessError
        When a file cannot be written.
    """
    from harness.report.content import report_content
    from harness.report.page import report_page
    from harness.report.summary_json import report_json
    from harness.report.summary_markdown import report_markdown

    check_report_paths(paths)
    content = report_content(session, outcome, notes)
    for path in paths:
        match path.suffix.lower():
            case ".md":
                text = report_markdown(content)
            case ".json":
                text = report_json(content)
            case _:
                text = report_page(session, outcome, notes, trends=trends, at=content.at)
        write_atomic(path, text)
    return content
