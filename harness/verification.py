"""Where a rerun's measurements, a reference, a baseline and a diagnosis meet: one verdict per expectation."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import cached_property, partial
from typing import TYPE_CHECKING, assert_never, final

import numpy as np

from harness.baseline.amplifiers import amplifier_of
from harness.baseline.model import Above, AgreesWith, Below, Closes, Unchanged, Within
from harness.judge import expectations
from harness.judge.accepted import Accepted
from harness.judge.acknowledge import acknowledged
from harness.judge.quantity import WHOLE_RERUN, Quantity, amplifier_units
from harness.judge.sentence import number, tell_more, with_unit
from harness.measure.catalogue import DEFECT_GROUPS, PAIR_GROUPS
from harness.metrics.ptc.amplifier_rows import BETWEEN
from harness.metrics.ptc.places import detector_of
from harness.model import Verdict, VerdictState

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.baseline.model import Acceptance, Baseline, Entry
    from harness.diagnose.story import Story
    from harness.measure.measurements import Measurements
    from harness.metrics.ptc.amplifier_order import Order
    from harness.model import Metric

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

    def in_order(self, quantity: Quantity) -> Verdict:
        """Judge whether the amplifiers of each detector stand in the order of the reference, else of the baseline.

        What the baseline expects to agree with another metric is held against that.
        """
        from harness.judge.order import in_order

        entry = self._entry(quantity)
        if entry is not None and isinstance(entry.expectation, AgreesWith):
            against, other = entry.expectation.metric, partial(self._beside, name=entry.expectation.metric)
            return self._finish(quantity, in_order(quantity, against, self._orders(quantity.metric.name, other)))
        if self._reference is None and entry is None:
            return self._finish(quantity, self._not_comparable(quantity, self._no_entry(quantity)))
        against = self._reference.rerun if self._reference is not None else f"baseline {self._dataset}"
        return self._finish(quantity, in_order(quantity, against, self._orders(quantity.metric.name, self.other_side)))

    def as_baselined(self, quantity: Quantity) -> Verdict:
        """Judge by whatever the baseline's entry for the metric expects."""
        return self._finish(quantity, self._by_entry(quantity))

    def _orders(self, name: str, other_side: Callable[[Quantity], Quantity | Accepted | None]) -> dict[str, Order]:
        """Judge the order of each detector's amplifiers, of those that both sides have a value of."""
        from harness.metrics.ptc.amplifier_order import Order, judge_order

        detectors: dict[str, dict[str, tuple[float, float, float]]] = {}
        for place in self._rerun.amplifiers:
            ours = self._rerun[name, place]
            theirs = other_side(ours)
            if theirs is None or not ours.value * theirs.value > 0:  # NaN is not greater
                continue
            error = theirs.uncertainty if isinstance(theirs, Accepted) else theirs.standard_error
            spread = math.hypot(ours.standard_error / ours.value, error / theirs.value)
            detector, amplifier = detector_of(place)
            detectors.setdefault(detector, {})[amplifier] = (theirs.value, ours.value, spread)
        orders = {}
        for detector, amplifiers in detectors.items():
            old, new, spreads = np.array(list(amplifiers.values())).T
            error = float(np.median(spreads))
            orders[detector] = (
                judge_order(old, new, list(amplifiers), error=error if math.isfinite(error) else None)
                if len(amplifiers) > 1
                else Order({}, known=True, evidence=-math.inf)
            )
        return orders

    def _by_entry(self, quantity: Quantity) -> Verdict:  # noqa: PLR0911 - one return for each kind of expectation
        entry = self._entry(quantity)
        if entry is None:
            return self._not_comparable(quantity, self._no_entry(quantity))
        if (redefined := self._redefined(quantity, entry)) is not None:
            return redefined
        if quantity.metric.group in PAIR_GROUPS and quantity.metric.per == "visit" and not self._share_a_visit:
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

    def _accepted(self, entry: Entry, quantity: Quantity) -> Accepted | Quantity | None:
        """Return what was accepted: by amplifier where the entry keeps them, so that it can be paired."""
        story = self._acceptance(entry)
        if entry.amplifiers:
            return self._accepted_amplifiers(entry, quantity, story.rerun)
        if quantity.data_id:
            return None
        return Accepted(
            entry.value,
            entry.uncertainty,
            entry.unit,
            entry.definition,
            n_units=story.visits,
            rerun=story.rerun,
            story=_told(entry, story),
            units_digest=entry.units,
        )

    @staticmethod
    def _accepted_amplifiers(entry: Entry, quantity: Quantity, rerun: str) -> Quantity | None:
        places = [amplifier_of(key) for key in entry.amplifiers]
        detectors = np.array([WHOLE_RERUN if detector is None else detector for detector, _ in places], np.int64)
        units = amplifier_units(detectors, np.array([name for _, name in places], object))
        kept = list(entry.amplifiers.values())
        order = np.argsort(units)
        accepted = Quantity(
            quantity.metric,
            rerun,
            units[order],
            np.array([kept[at].value for at in order]),
            np.ones(len(kept)),
            uncertainty=np.array([kept[at].uncertainty for at in order]),
            samples=np.array([kept[at].sample for at in order], object),
        )
        if not quantity.data_id:
            return accepted
        mine = np.intersect1d(units, quantity.units)
        return replace(accepted.over(mine), data_id=quantity.data_id) if mine.size else None

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
            clauses = (_shortened(quantity.detail, *_separated(quantity.metric)),)
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
        if quantity.is_whole or quantity.data_id or quantity.metric.per != "visit":
            return ""
        parts = [part for part in self._rerun.by(quantity.metric.name, "visit", "detector") if part.value > 0]
        if not parts:
            return ""
        worst = max(parts, key=lambda part: part.value)
        return f"in {len(parts)} visit-detectors, most in {worst.data_id} ({worst.value:.0f})"

    def _silently(self, name: str) -> Verdict:
        """Judge another metric by the baseline for the story's sake, without a story of its own."""
        return self._by_entry(self._rerun[name])


def _separated(metric: Metric) -> tuple[str, int]:
    """Return what stands between the details of a metric, and how many of them are told."""
    if metric.per == "amplifier":
        return BETWEEN, 3
    # Details of tables are lists of columns; those of images are places, which have commas of their own.
    return (", ", 5) if metric.name.startswith(("dia.", "columns.", "churn.")) else ("; ", 3)


def _shortened(names: str, between: str, limit: int) -> str:
    """Return the first few of a list of names, and how many more there are."""
    parts = names.split(between)
    return names if len(parts) <= limit else f"{between.join(parts[:limit])} and {len(parts) - limit} more"


def _told(entry: Entry, acceptance: Acceptance) -> str:
    ticket = f"{acceptance.ticket} " if acceptance.ticket else ""
    who = f"accepted {acceptance.at:%Y-%m-%d} by {acceptance.by} from {acceptance.rerun}"
    value = with_unit(number(entry.value, entry.uncertainty), entry.unit)
    return f'{value}, {who}: {ticket}"{acceptance.reason}"'
