"""Whether a failure is one: all of the input is there, and everything is the same when it is measured once more."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from harness.measure.catalogue import PAIR_GROUPS
from harness.model import VerdictState
from harness.nightly.past import TROUBLES
from harness.report.listing import number
from harness.verify import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.measure.measurements import Measurements
    from harness.model import Verdict

__all__ = ["agreed", "missing_visits"]


def agreed(first: Outcome, again: Outcome) -> Outcome:
    """Return what was shown both times.

    Parameters
    ----------
    first, again
        What came of the same checks on two measurements of the same rerun.

    Returns
    -------
    outcome : `harness.verify.Outcome`
        ``first`` where both fail alike; else ``again``, in which every verdict that fails once and not twice is
        NOT_MEASURED: a number that is another one the second time has not been measured.
    """
    before, after = _by_subject(first.verdicts), _by_subject(again.verdicts)
    doubtful = {
        key
        for key in before.keys() | after.keys()
        if (states := {_state(before.get(key)), _state(after.get(key))}) & TROUBLES and len(states) > 1
    }
    if not doubtful:
        return first
    verdicts = [
        _unrepeated(verdict, before.get(key), verdict) if (key := _subject(verdict)) in doubtful else verdict
        for verdict in again.verdicts
    ]
    verdicts += [
        _unrepeated(verdict, verdict, None) for key, verdict in before.items() if key in doubtful - after.keys()
    ]
    return Outcome(verdicts, list(again.problems))


def missing_visits(rerun: Measurements, reference: Measurements | None) -> str:
    """Return which visits of the reference were not found in a rerun, as a sentence; empty when all were.

    Parameters
    ----------
    rerun, reference
        What was measured of either; None when there is nothing to compare with.
    """
    if reference is None:
        return ""
    theirs = _visits(reference)
    missing = sorted(theirs - _visits(rerun))
    if not missing:
        return ""
    more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
    named = ", ".join(map(str, missing[:5]))
    return f"incomplete: {len(missing)} of {len(theirs)} visits of {reference.rerun} are missing ({named}{more})"


def _visits(measured: Measurements) -> set[int]:
    """Return the visits that a rerun has rows of by itself: those against the reference name its visits as well."""
    import pyarrow as pa
    import pyarrow.compute as pc

    own = [name for name, metric in measured.catalogue.items() if metric.group not in PAIR_GROUPS]
    rows = measured.rows.filter(pc.is_in(measured.rows["metric"], pa.array(own)))
    return set(rows["visit"].drop_null().unique().to_pylist())


def _by_subject(verdicts: Iterable[Verdict]) -> dict[tuple[str, str, str], Verdict]:
    """Return the worst verdict on each expectation: two checks may judge the same."""
    found: dict[tuple[str, str, str], Verdict] = {}
    for verdict in verdicts:
        known = found.setdefault(_subject(verdict), verdict)
        if list(VerdictState).index(verdict.state) > list(VerdictState).index(known.state):
            found[_subject(verdict)] = verdict
    return found


def _subject(verdict: Verdict) -> tuple[str, str, str]:
    return verdict.metric, verdict.place, verdict.expectation


def _state(verdict: Verdict | None) -> VerdictState | None:
    return None if verdict is None else verdict.state


def _unrepeated(verdict: Verdict, first: Verdict | None, again: Verdict | None) -> Verdict:
    of = f" of {verdict.place}" if verdict.place else ""
    said = ("not judged" if each is None else f"{number(each.value)} ({each.state})" for each in (first, again))
    sentence = f"{verdict.metric}{of} is not the same when measured again: {' and then '.join(said)}"
    return replace(verdict, state=VerdictState.NOT_MEASURED, sentence=sentence)
