"""What fails as annotations of a GitHub workflow: one line each, whose title and first words tell the story.

See "Workflow commands for GitHub Actions", https://docs.github.com/actions/reference/workflow-commands-for-github-actions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.model import VerdictState

if TYPE_CHECKING:
    from harness.report.content import Content, Finding, Story

__all__ = ["github_annotations"]

#: GitHub shows ten errors and ten warnings of a step, and drops the rest without a word.
_SHOWN = 10

_UNJUDGED = (VerdictState.NOT_COMPARABLE, VerdictState.NOT_MEASURED, VerdictState.INCONCLUSIVE)


def github_annotations(content: Content) -> list[str]:
    """Return the lines to print in a step of a workflow, the worst first; none when all holds.

    Errors are what makes the run fail: checks that went wrong, FAIL, and what could not be judged.  What is tolerated
    is a warning.  Where there are more than GitHub shows, the last one counts the rest.

    Parameters
    ----------
    content
        What the report says.
    """
    errors = [("a check went wrong by itself", line) for line in content.problems]
    errors += [_failure(finding) for finding in content.of(VerdictState.FAIL)]
    stories = content.stories(*_UNJUDGED)
    errors += [_unjudged(story) for story in stories if story.state not in content.tolerated]
    warnings = [_unjudged(story) for story in stories if story.state in content.tolerated]
    return [
        _command(level, title, message)
        for level, told in (("error", errors), ("warning", warnings))
        for title, message in _shown(told)
    ]


def _failure(finding: Finding) -> tuple[str, str]:
    verdict = finding.verdict
    size = f", {finding.magnitude}" if finding.magnitude else ""
    lines = (f"{label} {text}" for label, text in finding.lines)
    return f"{verdict.state} {finding.subject} in {verdict.rerun}{size}", "\n".join([verdict.sentence, *lines])


def _unjudged(story: Story) -> tuple[str, str]:
    first, *others = story.findings
    title = f"{story.state} {first.subject} in {story.rerun}{f' and {len(others)} more' if others else ''}"
    lines = [f"{label} {text}" for label, text in first.lines]
    names = [f"metrics {', '.join(finding.subject for finding in story.findings)}"] if others else []
    return title, "\n".join([story.sentence, *names, *lines])


def _shown(told: list[tuple[str, str]]) -> list[tuple[str, str]]:
    if len(told) <= _SHOWN:
        return told
    rest = told[_SHOWN - 1 :]
    return [*told[: _SHOWN - 1], (f"and {len(rest)} more", "\n".join(title for title, _ in rest))]


def _command(level: str, title: str, message: str) -> str:
    title = " ".join(title.splitlines())
    return f"::{level} title={_data(title).replace(':', '%3A').replace(',', '%2C')}::{_data(message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
