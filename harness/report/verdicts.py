"""Verdicts as a listing: the counts, one row each, and the whole story of those that do not hold."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from itertools import groupby
from typing import TYPE_CHECKING, Any

from harness.model import VerdictState
from harness.report.listing import Column, Listing, number

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from harness.model import Verdict
    from harness.rerun.protocol import RerunRef
    from harness.session import Session

__all__ = ["exit_code", "not_judged", "summary", "verdict_listing"]

_STYLES = {
    VerdictState.PASS: "green",
    VerdictState.ACKNOWLEDGED: "cyan",
    VerdictState.INCONCLUSIVE: "yellow",
    VerdictState.NOT_COMPARABLE: "magenta",
    VerdictState.NOT_MEASURED: "magenta",
    VerdictState.FAIL: "bold red",
}

#: Worst first: the order in which verdicts are told.
_RANK = [
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
    names = session.unexpected(ref)
    if not names:
        return ""
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return f"not judged, as baseline {session.dataset} says nothing of them: {', '.join(names[:5])}{more}"


def summary(verdicts: Sequence[Verdict]) -> str:
    """Return one line that counts the verdicts, worst first."""
    counts = Counter(verdict.state for verdict in verdicts)
    if not counts:
        return "nothing was judged"
    return f"{len(verdicts)} judged: " + ", ".join(f"{counts[state]} {state}" for state in _RANK if counts[state])


def verdict_listing(verdicts: Sequence[Verdict], title: str, *, notes: Sequence[str] = ()) -> Listing:
    """Return verdicts as a listing, worst first; below it, the sentence and details of each that does not hold."""
    ordered = sorted(verdicts, key=lambda verdict: (_RANK.index(verdict.state), verdict.rerun, verdict.metric))
    stories = _stories([verdict for verdict in ordered if verdict.state is not VerdictState.PASS])
    columns = [
        Column("state", "verdict", style=lambda state: _STYLES[state]),
        Column("metric", "metric"),
        Column("rerun", "rerun"),
        Column("value", "value", number, numeric=True),
        Column("reference", "reference", number, numeric=True),
        Column("change", "change", numeric=True),
        Column("allowed", "allowed", numeric=True),
    ]
    rows = [_row(verdict) for verdict in ordered]
    return Listing(title, columns, rows, [*stories, *notes, summary(verdicts)], {"summary": summary(verdicts)})


def _stories(verdicts: Sequence[Verdict]) -> list[str]:
    """Tell each story once: metrics with the very same trouble share it, and what is true of all stands last."""
    alike: dict[tuple[str, str, str], list[Verdict]] = {}
    for verdict in verdicts:
        told = verdict.sentence.replace(verdict.metric, "…")
        alike.setdefault((verdict.state, verdict.rerun, told), []).append(verdict)
    lines: list[str] = []
    for (state, rerun), keys in groupby(alike, key=lambda key: key[:2]):
        groups = {sentence: alike[state, rerun, sentence] for *_, sentence in keys}
        details = [group[0].details for group in groups.values()]
        shared = [line for line in details[0] if len(details) > 1 and all(line in others for others in details)]
        for sentence, group in groups.items():
            if len(group) == 1:
                lines.append(f"{state} {group[0].sentence}")
            else:
                names = ", ".join(verdict.metric for verdict in group)
                lines += [f"{state} {len(group)} metrics: {sentence}", f"  metrics    {names}"]
            lines += [f"  {line}" for line in group[0].details if line not in shared]
        if shared:
            lines += [f"{state} in {rerun}, all of the above:", *(f"  {line}" for line in shared)]
    return lines


def _row(verdict: Verdict) -> dict[str, Any]:
    acceptable, reference = verdict.acceptable, verdict.reference
    change = verdict.value - reference
    return {
        **asdict(verdict),
        "change": _signed(change, reference),
        "allowed": "" if acceptable is None else f"{number(acceptable.low)} … {number(acceptable.high)}",
    }


def _signed(change: float, reference: float) -> str:
    if change != change:  # no reference, no change  # noqa: PLR0124
        return ""
    if change == 0:
        return "0"
    return f"{100 * change / abs(reference):+.2f} %" if reference else f"{change:+.6g}"
