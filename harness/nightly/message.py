"""What people are told of a rerun with new failures: plain text, which a chat or a web page cannot take for markup."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Final

from harness.nightly.past import TROUBLES
from harness.report.verdicts import summary

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from harness.model import Verdict

__all__ = ["failure_message", "plain"]

_LONGEST: Final = 400
#: Brackets open tags and mentions (Slack's ``<!channel>``), and an at sign calls people.
_SAFE: Final = str.maketrans({"<": "‹", ">": "›", "@": "＠"})


def plain(text: str) -> str:
    """Return text as one line of a message: without markup, control characters or line ends.

    Parameters
    ----------
    text
        What comes from data, a ticket or a name.
    """
    readable = "".join(" " if unicodedata.category(each) in {"Cc", "Cf", "Cs", "Zl", "Zp"} else each for each in text)
    line = " ".join(readable.split()).translate(_SAFE)
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"


def failure_message(
    rerun: str,
    dataset: str,
    ranked: Sequence[Verdict],
    new: Collection[str],
    *,
    before: str,
    remarks: Sequence[str],
    report: Path,
    limit: int,
) -> str:
    """Return the message on a rerun with new failures.

    Parameters
    ----------
    rerun, dataset
        What was judged.
    ranked
        All verdicts, worst first.
    new
        Metrics whose failures are new.
    before
        The rerun before, in which others failed already; empty without one.
    remarks
        What else there is to know of the rerun, such as that its input is incomplete.
    report
        The page that shows all.
    limit
        How many failures are told.
    """
    failing = [verdict for verdict in ranked if verdict.state in TROUBLES]
    told = [verdict for verdict in failing if verdict.metric in new]
    known = len({verdict.metric for verdict in failing} - set(new))
    lines = [f"{rerun} of {dataset}: {summary(ranked)}; {len(new)} new", *remarks]
    lines += [f"{verdict.state} {verdict.sentence}" for verdict in told[:limit]]
    if len(told) > limit:
        lines.append(f"… and {len(told) - limit} more")
    if known:
        lines.append(f"{known} more as in {before}")
    return "\n".join(map(plain, [*lines, f"report: {report}"])) + "\n"
