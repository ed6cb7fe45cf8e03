"""One quantity under one rule: refused where there is nothing to judge, else judged and put into words."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

from harness.judge.accepted import Accepted
from harness.judge.quantity import Quantity
from harness.judge.rule import decide
from harness.judge.sentence import doubt, estimate_lines, number, reference_line, subject, with_unit
from harness.model import Verdict, VerdictState

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.judge.estimate import Estimate
    from harness.model import Interval

__all__ = ["Case"]


@final
@dataclass(frozen=True, slots=True)
class Case:
    """One quantity under one rule.

    Attributes
    ----------
    quantity
        What is judged.
    rule
        The rule in words.
    confidence
        Coverage of the interval.
    reference
        What it is held against; None when the rule names fixed limits.
    same_metric
        Whether the reference is the same metric of another rerun, which then has to have the same definition.
    """

    quantity: Quantity
    rule: str
    confidence: float
    reference: Quantity | Accepted | float | None = None
    same_metric: bool = False

    @property
    def against(self) -> str:
        """Where the reference comes from, as the sentence says it."""
        match self.reference:
            case None:
                return ""
            case Accepted(rerun=rerun):
                return f"the baseline of {rerun}" if rerun else "the baseline"
            case Quantity(rerun=rerun, metric=metric):
                if self.same_metric:
                    return rerun
                return metric.name if rerun == self.quantity.rerun else f"{metric.name} of {rerun}"
            case value:
                return with_unit(number(value), self.quantity.metric.unit)

    @property
    def reference_value(self) -> float:
        """The reference's value; NaN when there is none."""
        match self.reference:
            case None:
                return math.nan
            case Accepted(value=value) | Quantity(value=value):
                return value
            case value:
                return value

    def refusal(self) -> Verdict | None:
        """Return the verdict when there is nothing to judge, or nothing to judge it by; None otherwise."""
        if why := self.quantity.why_unmeasured:
            return self.unjudged(VerdictState.NOT_MEASURED, why)
        if self.reference is None:
            return None
        if not math.isfinite(self.reference_value):
            why = self.reference.why_unmeasured if isinstance(self.reference, Quantity) else "it is not a number"
            return self.unjudged(VerdictState.NOT_MEASURED, f"{self.against} has no value: {why}")
        mismatch = self._mismatch()
        return self.unjudged(VerdictState.NOT_COMPARABLE, mismatch) if mismatch else None

    def unjudged(self, state: VerdictState, reason: str) -> Verdict:
        """Return a verdict without an interval, with its reason."""
        name, rerun = subject(self.quantity), self.quantity.rerun
        if state is VerdictState.NOT_COMPARABLE:
            sentence = f"{name} of {rerun} cannot be compared with {self.against}: {reason}"
        elif math.isfinite(self.quantity.value):
            sentence = f"{name} of {rerun} cannot be judged: {reason}"
        else:
            sentence = f"{name} was not measured in {rerun}: {reason}"
        return self._verdict(state, sentence, (f"rule       {self.rule}",))

    def judged(
        self,
        estimate: Estimate,
        acceptable: Interval,
        *,
        write: Callable[[float], str],
        claim: str,
        allowed: str,
        unit: str,
    ) -> Verdict:
        """Apply the one rule, and say it.

        Parameters
        ----------
        estimate, acceptable
            The estimand and what of it is acceptable.
        write
            Writes a value of the estimand for the first line.
        claim
            What the first line says after the value; empty when the value itself is judged.
        allowed
            What is allowed, for the first line.
        unit
            Unit of the estimand.
        """
        state = decide(estimate, acceptable)
        if estimate.only_here or estimate.only_there:
            claim += f" over the {estimate.n_units} {estimate.unit}s in common"
        value = with_unit(number(self.quantity.value), self.quantity.metric.unit)
        first = ", ".join(filter(None, [f"{subject(self.quantity)} = {value}", claim])) + f" (allowed {allowed})"
        if state is VerdictState.INCONCLUSIVE:
            first = "; ".join([first, *doubt(estimate, acceptable, write, self.confidence)])
        details = estimate_lines(self.rule, estimate, acceptable, unit, self.confidence)
        if isinstance(self.reference, (Accepted, Quantity)):
            unit_there = self.quantity.metric.unit
            details.append(reference_line(self.against, self.reference_value, unit_there, self.reference))
        return self._verdict(state, first, tuple(details), estimate, acceptable)

    def _mismatch(self) -> str:
        """Return in what the two sides differ that must be the same; empty when they can be compared."""
        ours = self.quantity.metric
        match self.reference:
            case Accepted(unit=unit, definition=definition):
                pass
            case Quantity(metric=theirs):
                unit, definition = theirs.unit, theirs.definition_digest
            case _:
                return ""
        if unit != ours.unit:
            return f"the unit is {ours.unit!r} here and {unit!r} there"
        if self.same_metric and definition != ours.definition_digest:
            return f"the definition is {ours.definition_digest} here and {definition} there"
        return ""

    def _verdict(
        self,
        state: VerdictState,
        sentence: str,
        details: tuple[str, ...],
        estimate: Estimate | None = None,
        acceptable: Interval | None = None,
    ) -> Verdict:
        return Verdict(
            metric=self.quantity.metric.name,
            rerun=self.quantity.rerun,
            state=state,
            expectation=self.rule,
            value=self.quantity.value,
            unit=self.quantity.metric.unit,
            sentence=sentence,
            reference=self.reference_value,
            against="baseline" if isinstance(self.reference, Accepted) else self.against,
            estimate=math.nan if estimate is None else estimate.value,
            interval=None if estimate is None else estimate.interval,
            acceptable=acceptable,
            n_units=0 if estimate is None else estimate.n_units,
            details=details,
            place=str(self.quantity.data_id),
        )
