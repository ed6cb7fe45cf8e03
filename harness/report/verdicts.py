"""Verdicts as a listing: the counts, one row each, and the whole story of those that do not hold."""

from __future__ import annotations

import math
import sys
from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from harness.model import VerdictState
from harness.report.listing import Column, Listing, number, relative_change

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from harness.model import Interval, Verdict
    from harness.rerun.protocol import RerunRef
    from harness.session import Session

__all__ = ["RANK", "exit_code", "not_judged", "summary", "verdict_listing", "verdict_row"]

_STYLES = {
    VerdictState.PASS: "green",
    VerdictState.ACKNOWLEDGED: "cyan",
    VerdictState.INCONCLUSIVE: "yellow",
    VerdictState.NOT_COMPARABLE: "magenta",
    VerdictState.NOT_MEASURED: "magenta",
    VerdictState.FAIL: "bold red",
}

#: Worst first: the order in which verdicts are told.
RANK = [
    VerdictState.FAIL,
    VerdictState.NOT_COMPARABLE,
    VerdictState.NOT_MEASURED,
    VerdictState.INCONCLUSIVE,
    VerdictState.ACKNOWLEDGED,
    VerdictState.PASS,
]


def exit_code(states: Iterable[VerdictState], *, tolerate_inconclusive: bool = False) -> int:
    """Return 0 when all hold, 1 when something FAILs, 3 when something could not be judged.

    Parameters
    ----------
    states
        States of all verdicts; none at all is "could not be judged".
    tolerate_inconclusive
        Whether INCONCLUSIVE is let through.
    """
    found = set(states)
    unjudged = {VerdictState.NOT_MEASURED, VerdictState.NOT_COMPARABLE}
    if not tolerate_inconclusive:
        unjudged.add(VerdictState.INCONCLUSIVE)
    if VerdictState.FAIL in found:
        return 1
    return 3 if not found or found & unjudged else 0


def not_judged(session: Session, ref: RerunRef) -> str:
    """Return one line that names what was measured and is expected nothing of; empty when there is none."""
    names = session.selection.unexpected(ref)
    if not names:
        return ""
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    of = f" of {ref.name}" if len(session.refs) > 1 else ""
    return f"not judged{of}, as baseline {session.dataset} says nothing of them: {', '.join(names[:5])}{more}"


def summary(verdicts: Sequence[Verdict]) -> str:
    """Return one line that counts the verdicts, worst first."""
    counts = Counter(verdict.state for verdict in verdicts)
    if not counts:
        return "nothing was judged"
    return f"{len(verdicts)} judged: " + ", ".join(f"{counts[state]} {state}" for state in RANK if counts[state])


def verdict_listing(
    verdicts: Sequence[Verdict], title: str, *, notes: Sequence[str] = (), verbose: bool = False
) -> Listing:
    """Return verdicts as a listing, worst first.

    Below it stands the sentence of each that does not hold (when ``verbose`` of each, with its details), then what is
    known of each rerun as a whole, then the notes and the count.
    """
    ordered = sorted(
        verdicts, key=lambda verdict: (RANK.index(verdict.state), verdict.rerun, verdict.metric, verdict.place)
    )
    untold = [verdict for verdict in ordered if verdict.state is not VerdictState.PASS]
    stories = [*_sentences(ordered if verbose else untold, verbose=verbose), *_contexts(untold)]
    columns = [
        Column("state", "verdict", style=lambda state: _STYLES[state]),
        Column("metric", "metric"),
        Column("rerun", "rerun"),
        *([Column("place", "of")] if any(verdict.place for verdict in verdicts) else []),
        Column("value", "value", number, numeric=True),
        Column("reference", "reference", number, numeric=True),
        Column("change", "change", numeric=True),
        Column("allowed", "allowed", numeric=True),
    ]
    rows = [verdict_row(verdict) for verdict in ordered]
    return Listing(title, columns, rows, [*stories, *notes, summary(verdicts)], {"summary": summary(verdicts)})


def _sentences(verdicts: Sequence[Verdict], *, verbose: bool) -> list[str]:
    """Return each story once: metrics with the very same trouble share it."""
    alike: dict[tuple[str, str, str], list[Verdict]] = {}
    for verdict in verdicts:
        told = verdict.sentence.replace(verdict.metric, "…")
        alike.setdefault((verdict.state, verdict.rerun, told), []).append(verdict)
    lines = []
    several = len({verdict.rerun for verdict in verdicts}) > 1
    for (state, rerun, told), group in alike.items():
        who = f"{state} {rerun}:" if several else state
        metrics = dict.fromkeys(verdict.metric for verdict in group)  # two checks may judge the same metric
        names = ", ".join(metrics)
        lines.append(f"{who} {told.replace('…', names, 1) if len(metrics) < 3 else f'{len(metrics)} metrics: {told}'}")
        if len(metrics) >= 3:
            lines.append(f"  metrics    {names}")
        lines += [f"  {line}" for line in group[0].details if verbose]
    return lines


def _contexts(verdicts: Sequence[Verdict]) -> list[str]:
    """Return what is known of each rerun, once."""
    lines = []
    for rerun in dict.fromkeys(verdict.rerun for verdict in verdicts):
        known = dict.fromkeys(line for verdict in verdicts if verdict.rerun == rerun for line in verdict.context)
        if known:
            lines += [f"{rerun} as a whole:", *(f"  {line}" for line in sorted(known, key=_place))]
    return lines


def _place(line: str) -> bool:
    """Put the command to run next at the end."""
    return line.startswith("next")


def verdict_row(verdict: Verdict) -> dict[str, Any]:
    """Return a verdict as a row of a table: its fields, and its change and what is allowed as text."""
    acceptable = verdict.acceptable
    return {
        **asdict(verdict),
        "change": _change(verdict),
        "allowed": "" if acceptable is None else _allowed(acceptable),
    }


def _change(verdict: Verdict) -> str:
    """Return the change against the reference, or what is left of a ratio to another estimate."""
    change = verdict.value - verdict.reference
    if math.isnan(change):
        return ""
    if verdict.expectation.startswith("agrees with"):
        return relative_change(verdict.estimate, 1.0) if math.isfinite(verdict.estimate) else ""
    return relative_change(change, verdict.reference)


def _allowed(acceptable: Interval) -> str:
    """Return an interval as text; a bound beside zero is an open one."""
    if math.isinf(acceptable.low) and 0 < -acceptable.high < sys.float_info.min:
        return "< 0"
    if math.isinf(acceptable.high) and 0 < acceptable.low < sys.float_info.min:
        return "> 0"
    return f"{number(acceptable.low)} … {number(acceptable.high)}"
