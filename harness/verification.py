"""Where a rerun's measurements, a reference, a baseline and a diagnosis meet: one verdict per expectation."""

from __future__ import annotations

from datetime import UTC, date, datetime
from functools import cached_property
from typing import TYPE_CHECKING, assert_never, final

import numpy as np

from harness.baseline.model import Above, AgreesWith, Below, Closes, Unchanged, Within, amplifier_key
from harness.judge import expectations
from harness.judge.accepted import Accepted
from harness.judge.acknowledge import acknowledged
from harness.judge.sentence import number, tell_more, with_unit
from harness.measure.catalogue import DEFECT_GROUPS, PAIR_GROUPS
from harness.model import Verdict, VerdictState

if TYPE_CHECKING:
    from harness.baseline.model import Acceptance, Baseline, Entry
    from harness.diagnose.story import Story
    from harness.judge.quantity import Quantity
    from harness.measure.measurements import Measurements

__all__ = ["Verification"]


@final
class Verification:
    """Judges what is expected of one rerun.

    Parameters
    ----------
    rerun
        The measurements to judge.
    reference
        Measurements to pair them with, visit by visit; None leaves the baseline's numbers alone.
    baseline
        What was accepted, and with which tolerance; None when there is no baseline yet.
    dataset
        Name of the baseline, for sentences.
    story
        Tells where a change comes from; None tells nothing.
    command
        The command that shows more, for a failure's last line.
    today
        The day on which acknowledgements are judged; None is today (UTC).
    """

    def __init__(
        self,
        rerun: Measurements,
        reference: Measurements | None,
        baseline: Baseline | None,
        dataset: str,
        *,
        story: Story | None = None,
        command: str = "",
        today: date | None = None,
    ) -> None:
        self.story = story
        self._rerun = rerun
        self._reference = reference
        self._baseline = baseline
        self._dataset = dataset
        self._command = command
        self._today = today or datetime.now(UTC).date()

    @property
    def expected(self) -> frozenset[str]:
        """Names of the metrics that the baseline expects something of."""
        return frozenset(() if self._baseline is None else self._baseline.metrics)

    def other_side(self, quantity: Quantity) -> Quantity | Accepted | None:
        """Return what a quantity is compared with: the reference's, else the baseline's value; None without either."""
        if self._reference is not None:
            name = quantity.metric.name
            return self._reference[name, quantity.data_id] if quantity.data_id else self._reference[name]
        entry = self._entry(quantity)
        return None if entry is None else self._accepted(entry, quantity)

    def unchanged(self, quantity: Quantity, *, rtol: float | None = None, atol: float | None = None) -> Verdict:
        """Judge the change against the reference, else the baseline, by the baseline's tolerance or the one given."""
        return self._finish(quantity, self._unchanged(quantity, rtol, atol))

    def below(self, quantity: Quantity, other: Quantity | float, *, for_at_least: float | None = None) -> Verdict:
        """Judge whether a quantity is less than another, or than a number."""
        return self._finish(quantity, expectations.below(quantity, other, for_at_least=for_at_least))

    def above(self, quantity: Quantity, other: Quantity | float, *, for_at_least: float | None = None) -> Verdict:
        """Judge whether a quantity is greater than another, or than a number."""
        return self._finish(quantity, expectations.above(quantity, other, for_at_least=for_at_least))

    def agrees_with(self, quantity: Quantity, other: Quantity, *, rtol: float, predicted: float = 0.0) -> Verdict:
        """Judge whether the ratio of two estimates is ``1 + predicted``, within ``rtol``.

        Offsets that the metrics themselves predict (`harness.model.Metric.offset`) are removed first.
        """
        return self._finish(quantity, self._agrees_with(quantity, other, rtol, predicted))

    def within(self, quantity: Quantity, low: float, high: float) -> Verdict:
        """Judge whether the value itself lies in a closed interval."""
        return self._finish(quantity, expectations.within(quantity, low, high))

    def closes(self, quantity: Quantity, n_ulp: float) -> Verdict:
        """Judge whether a largest residual is at most so many units in the last place."""
        return self._finish(quantity, expectations.closes(quantity, n_ulp))

    def sound(self, quantity: Quantity) -> Verdict:
        """Judge a count of defects: none at all, unless the baseline accepts some."""
        if self._entry(quantity) is None:
            return self.within(quantity, 0, 0)
        return self.as_baselined(quantity)

    def as_baselined(self, quantity: Quantity) -> Verdict:
        """Judge by whatever the baseline's entry for the metric expects."""
        return self._finish(quantity, self._by_entry(quantity))

    def _by_entry(self, quantity: Quantity) -> Verdict:  # noqa: PLR0911 - one return for each kind of expectation
        entry = self._entry(quantity)
        if entry is None:
            return self._not_comparable(quantity, self._no_entry(quantity))
        if (redefined := self._redefined(quantity, entry)) is not None:
            return redefined
        if quantity.metric.group in PAIR_GROUPS and not self._share_a_visit:
            return self._not_comparable(quantity, "the two reruns have no visit in common")
        match entry.expectation:
            case Unchanged():
                return self._unchanged(quantity, None, None)
            case Within() as rule:
                return expectations.within(quantity, rule.low, rule.high)
            case Below() as rule:
                return expectations.below(quantity, self._other(quantity, rule), for_at_least=rule.for_at_least)
            case Above() as rule:
                return expectations.above(quantity, self._other(quantity, rule), for_at_least=rule.for_at_least)
            case AgreesWith() as rule:
                return self._agrees_with(quantity, self._beside(quantity, rule.metric), rule.rtol)
            case Closes() as rule:
                return expectations.closes(quantity, rule.ulp)
            case unknown:
                assert_never(unknown)

    def _unchanged(self, quantity: Quantity, rtol: float | None, atol: float | None) -> Verdict:
        entry = self._entry(quantity)
        direction: expectations.Direction = "both" if entry is None else entry.direction
        if rtol is None and atol is None:
            if entry is None:
                return self._not_comparable(quantity, self._no_entry(quantity))
            if not isinstance(entry.expectation, Unchanged):
                return self._not_comparable(
                    quantity, f"baseline {self._dataset} expects it {entry.expectation}, which states no tolerance"
                )
            rtol, atol = entry.expectation.rtol, entry.expectation.atol
        if entry is not None and (redefined := self._redefined(quantity, entry)) is not None:
            return redefined
        reference = self.other_side(quantity)
        if reference is None:
            where = f" that has {quantity.data_id}" if quantity.data_id else ""
            return self._not_comparable(quantity, f"there is no reference rerun{where}; name one with --reference")
        return expectations.unchanged(quantity, reference, rtol=rtol or 0.0, atol=atol or 0.0, direction=direction)

    def _entry(self, quantity: Quantity) -> Entry | None:
        return None if self._baseline is None else self._baseline.metrics.get(quantity.metric.name)

    @cached_property
    def _share_a_visit(self) -> bool:
        """Whether there is anything to match: of other visits, every source would be lost and gained."""
        if self._reference is None:
            return True
        ours, theirs = (side["dia.numSources"].units for side in (self._rerun, self._reference))
        return bool(np.isin(ours, theirs).any()) or not (ours.size and theirs.size)

    def _acceptance(self, entry: Entry) -> Acceptance:
        if self._baseline is None:
            raise AssertionError("an entry without its baseline")
        return self._baseline.acceptances[entry.accepted]

    def _no_entry(self, quantity: Quantity) -> str:
        name = quantity.metric.name
        named = f"baseline {self._dataset}" if self._dataset else "baseline"
        where = f"there is no {named}" if self._baseline is None else f"{named} has no entry for it"
        return f"{where}; accept one with rerun-harness accept {self._rerun.rerun} {name} --rtol … --reason …"

    def _accepted(self, entry: Entry, quantity: Quantity) -> Accepted | None:
        story = self._acceptance(entry)
        part = entry.amplifiers.get(amplifier_key(quantity.data_id)) if quantity.data_id else entry
        if part is None:
            return None
        return Accepted(
            part.value,
            part.uncertainty,
            entry.unit,
            entry.definition,
            n_units=1 if quantity.data_id else story.visits,
            rerun=story.rerun,
            story=_told(entry, story),
            units_digest="" if quantity.data_id else entry.units,
        )

    def _other(self, quantity: Quantity, rule: Below | Above) -> Quantity | float:
        return self._beside(quantity, rule.metric) if rule.metric is not None else float(rule.value or 0)

    def _beside(self, quantity: Quantity, name: str) -> Quantity:
        """Return another metric of the rerun for the same data ID."""
        return self._rerun[name, quantity.data_id] if quantity.data_id else self._rerun[name]

    def _agrees_with(self, quantity: Quantity, other: Quantity, rtol: float, predicted: float = 0.0) -> Verdict:
        ours, theirs = (
            None if not side.metric.offset else self._beside(side, side.metric.offset) for side in (quantity, other)
        )
        return expectations.agrees_with(quantity, other, rtol=rtol, predicted=predicted, offsets=(ours, theirs))

    def _redefined(self, quantity: Quantity, entry: Entry) -> Verdict | None:
        """Refuse a number that means something else than the accepted one."""
        if quantity.metric.definition_digest == entry.definition and quantity.metric.unit == entry.unit:
            return None
        return self._not_comparable(
            quantity,
            f"its definition is {quantity.metric.definition_digest} ({dict(quantity.metric.definition)}), in baseline "
            f"{self._dataset} it is {entry.definition}; measure with the baseline's settings, or accept it anew",
        )

    def _not_comparable(self, quantity: Quantity, reason: str) -> Verdict:
        metric = quantity.metric
        sentence = f"{metric.name} of {quantity.rerun} cannot be judged: {reason}"
        state = VerdictState.NOT_COMPARABLE
        return Verdict(
            *(metric.name, quantity.rerun, state, "unchanged", quantity.value, metric.unit, sentence),
            place=str(quantity.data_id),
        )

    def _finish(self, quantity: Quantity, verdict: Verdict) -> Verdict:
        """Excuse what is acknowledged, and tell the rest of the story of what does not hold."""
        name = quantity.metric.name
        note = None if self._baseline is None else self._baseline.acknowledgements.get(name)
        if note is not None:
            verdict = acknowledged(verdict, until=note.until, ticket=note.ticket, reason=note.reason, today=self._today)
        if verdict.state in (VerdictState.PASS, VerdictState.ACKNOWLEDGED):
            return verdict
        clauses: tuple[str, ...] = ()
        details: list[str] = []
        context: list[str] = []
        entry = self._entry(quantity)
        if entry is not None:
            details.append(f"baseline   {_told(entry, self._acceptance(entry))}")
        if quantity.detail and verdict.state is not VerdictState.NOT_MEASURED:
            clauses = (_shortened(quantity.detail),)
        if verdict.state is VerdictState.FAIL and quantity.metric.group in DEFECT_GROUPS:
            clauses += tuple(filter(None, [self._place(quantity)]))
        if self.story is not None and verdict.state in (VerdictState.FAIL, VerdictState.INCONCLUSIVE):
            told = self.story.clauses(quantity.metric, self._silently)
            clauses += told if verdict.state is VerdictState.FAIL else ()
            context += self.story.lines(quantity.metric)
        if self._command:
            context.append(f"next       {self._command}")
        return tell_more(verdict, *clauses, details=details, context=context)

    def _place(self, quantity: Quantity) -> str:
        """Say where most of the defects are; empty when they belong to no visit."""
        if quantity.is_whole or quantity.data_id:
            return ""
        parts = [part for part in self._rerun.by(quantity.metric.name, "visit", "detector") if part.value > 0]
        if not parts:
            return ""
        worst = max(parts, key=lambda part: part.value)
        return f"in {len(parts)} visit-detectors, most in {worst.data_id} ({worst.value:.0f})"

    def _silently(self, name: str) -> Verdict:
        """Judge another metric by the baseline for the story's sake, without a story of its own."""
        return self._by_entry(self._rerun[name])


def _shortened(names: str, limit: int = 5) -> str:
    """Return the first few of a list of names, and how many more there are."""
    parts = names.split(", ")
    return names if len(parts) <= limit else f"{', '.join(parts[:limit])} and {len(parts) - limit} more"


def _told(entry: Entry, acceptance: Acceptance) -> str:
    ticket = f"{acceptance.ticket} " if acceptance.ticket else ""
    who = f"accepted {acceptance.at:%Y-%m-%d} by {acceptance.by} from {acceptance.rerun}"
    value = with_unit(number(entry.value, entry.uncertainty), entry.unit)
    return f'{value}, {who}: {ticket}"{acceptance.reason}"'
