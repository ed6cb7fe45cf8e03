"""The report as Markdown, for the summary of a CI run: what does not hold first, then everything in a table."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from harness.model import VerdictState
from harness.report.content import labelled
from harness.report.listing import escape_markdown, markdown_listing
from harness.report.page_tables import acknowledged_listing, side_listing, verdict_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from harness.report.content import Content, Finding, Story

__all__ = ["report_markdown"]

#: GitHub refuses a summary of more than 1 MiB as a whole; these many are well below.
_FAILURES, _ROWS = 100, 2000
#: So many failures are told with their numbers.
_IN_FULL = 20

_UNJUDGED = {
    "Not measured": VerdictState.NOT_MEASURED,
    "Not comparable": VerdictState.NOT_COMPARABLE,
    "Inconclusive": VerdictState.INCONCLUSIVE,
}


def report_markdown(content: Content) -> str:
    """Return a report as Markdown.

    Parameters
    ----------
    content
        What the report says; nothing of it is taken for markup.
    """
    return "\n".join(_paragraphs(content)) + "\n"


def _paragraphs(content: Content) -> Iterator[str]:
    yield f"# {escape_markdown(content.title)}\n"
    yield f"{escape_markdown(content.against)}\n"
    yield f"**{escape_markdown(content.summary)}**\n"
    if content.problems:
        yield from _section("Checks that went wrong by themselves", content.problems)
    yield from _failures(content)
    for heading, state in _UNJUDGED.items():
        if stories := content.stories(state):
            yield f"## {heading} ({sum(len(story.findings) for story in stories)})\n"
            yield from map(_told, stories)
            yield ""
    if acknowledged := content.of(VerdictState.ACKNOWLEDGED):
        yield f"## Acknowledged ({len(acknowledged)})\n"
        yield markdown_listing(acknowledged_listing(content))
    for rerun, lines in content.context.items():
        yield f"## {escape_markdown(rerun)} as a whole\n"
        yield from _lines(labelled(lines))
        yield ""
    if content.notes:
        yield from _section("Notes", content.notes)
    yield from _folded("All that was judged", _table(content))
    yield from _folded("Reruns", markdown_listing(side_listing(content)))
    yield f"Judged {content.at:%Y-%m-%d %H:%M} UTC by rerun-harness {content.harness}."


def _failures(content: Content) -> Iterator[str]:
    failed = content.of(VerdictState.FAIL)
    if not failed:
        return
    yield f"## Failed ({len(failed)})\n"
    for rank, finding in enumerate(failed[:_FAILURES]):
        size = f" ({finding.magnitude})" if finding.magnitude else ""
        yield f"- **{escape_markdown(finding.subject)}**{size}: {escape_markdown(finding.verdict.sentence)}"
        if rank < _IN_FULL:
            yield from _lines(finding.lines, "  ")
    if len(failed) > _FAILURES:
        yield f"- and {len(failed) - _FAILURES} more"
    yield ""


def _told(story: Story) -> str:
    sentence = escape_markdown(story.sentence)
    if len(story.findings) == 1:
        return f"- {sentence}"
    return f"- {len(story.findings)} metrics of {escape_markdown(story.rerun)}: {sentence} ({_named(story.findings)})"


def _named(findings: Iterable[Finding]) -> str:
    return escape_markdown(", ".join(finding.subject for finding in findings))


def _lines(pairs: Iterable[tuple[str, str]], indent: str = "") -> Iterator[str]:
    for label, text in pairs:
        yield f"{indent}- {escape_markdown(label)}: {_code(text) if label == 'next' else escape_markdown(text)}"


def _code(text: str) -> str:
    """Return a command as code: within more backticks than it has in a row."""
    line = " ".join(text.splitlines())
    fence = "`" * (max(map(len, "".join(char if char == "`" else " " for char in line).split()), default=0) + 1)
    return f"{fence} {line} {fence}"


def _section(heading: str, lines: Iterable[str]) -> Iterator[str]:
    yield f"## {heading}\n"
    yield from (f"- {escape_markdown(line)}" for line in lines)
    yield ""


def _table(content: Content) -> str:
    table = verdict_table(content)
    left_out = len(table.rows) - _ROWS
    notes = [f"and {left_out} more"] if left_out > 0 else []
    return markdown_listing(replace(table, rows=table.rows[:_ROWS], notes=notes))


def _folded(heading: str, markdown: str) -> Iterator[str]:
    yield f"<details><summary>{heading}</summary>\n"
    yield markdown
    yield "</details>\n"
