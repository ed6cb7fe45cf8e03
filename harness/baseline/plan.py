"""What an acceptance would change, entry by entry, before anything is written."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final, final

from harness.baseline.amplifiers import amplifier_key
from harness.baseline.globs import choose
from harness.baseline.model import Above, AgreesWith, AmplifierValue, Below, Entry, Original, Unchanged, Within
from harness.errors import UsageError
from harness.model import VerdictState

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from harness.baseline.model import Baseline, Direction, Expectation, Settings
    from harness.model import Measurement, Verdict

__all__ = ["Category", "Change", "Plan", "expectation_of", "plan_acceptance"]


class Category(StrEnum):
    """What happens to an entry of a baseline."""

    NEW = "new"
    CHANGED = "changed"
    REMOVED = "removed"
    UNCHANGED = "unchanged"


#: A metric that a rerun lacks is more often a fault of the rerun than a wish to forget it: removal must be asked for.
_DEFAULT_CATEGORIES: Final = (Category.NEW, Category.CHANGED)

_UNTOLD: Final = frozenset({VerdictState.INCONCLUSIVE, VerdictState.NOT_MEASURED})


@final
@dataclass(frozen=True, slots=True)
class Change:
    """What would happen to one entry.

    Attributes
    ----------
    metric
        Name of the metric.
    category
        What happens.
    old
        The entry as it is; None when it is new.
    new
        The measurement to accept; None when the entry is removed.
    expectation, direction
        What the entry would expect; the expectation is None when nobody has said it yet.
    warnings
        What a person should know before accepting.
    refusal
        Why it cannot be accepted; empty when it can.
    """

    metric: str
    category: Category
    old: Entry | None
    new: Measurement | None
    expectation: Expectation | None = None
    direction: Direction = "both"
    warnings: tuple[str, ...] = ()
    refusal: str = ""

    @property
    def difference(self) -> float:
        """New minus old value, in the metric's unit; NaN when there are not both, or of two definitions."""
        if self.old is None or self.new is None or self.is_redefined:
            return math.nan
        return self.new.value - self.old.value

    @property
    def is_redefined(self) -> bool:
        """Whether old and new value mean different things (other definition or unit)."""
        if self.old is None or self.new is None:
            return False
        return (self.old.definition, self.old.unit) != (self.new.definition, self.new.unit)

    def entry(self, accepted: str) -> Entry:
        """Return the entry to write.

        Parameters
        ----------
        accepted
            Key of the acceptance.
        """
        if self.new is None or self.expectation is None:
            raise ValueError(f"{self.metric} has nothing to accept")
        value = float(self.new.value)
        keeps_original = self.old is not None and not self.is_redefined
        return Entry(
            value=value,
            uncertainty=float(self.new.uncertainty),
            unit=self.new.unit,
            definition=self.new.definition,
            expectation=self.expectation,
            direction=self.direction,
            accepted=accepted,
            units=self.new.units,
            amplifiers=_amplifiers(self.new),
            original=self.old.original if self.old and keeps_original else Original(value=value, accepted=accepted),
        )


@final
@dataclass(frozen=True, slots=True)
class Plan:
    """What an acceptance would change.

    Attributes
    ----------
    dataset, settings
        Of the baseline.
    changes
        The entries that would change, sorted by metric; all of them can be accepted.
    left_alone
        The other entries that were looked at, with the refusal where they could not be accepted.
    """

    dataset: str
    settings: Settings
    changes: tuple[Change, ...]
    left_alone: tuple[Change, ...] = field(default=())

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a person should know before accepting."""
        return tuple(warning for change in self.changes for warning in change.warnings)

    def only(self, metrics: Collection[str]) -> Plan:
        """Return a plan for some of the changes alone.

        Parameters
        ----------
        metrics
            Names of the metrics to keep.
        """
        kept = tuple(change for change in self.changes if change.metric in metrics)
        others = tuple(change for change in self.changes if change.metric not in metrics)
        return replace(self, changes=kept, left_alone=(*self.left_alone, *others))


def expectation_of(
    *,
    rtol: float | None = None,
    atol: float | None = None,
    low: float | None = None,
    high: float | None = None,
    agrees_with: str | None = None,
) -> Expectation | None:
    """Return the expectation that a few numbers stand for.

    Parameters
    ----------
    rtol, atol
        Relative and absolute tolerance of an unchanged value.
    low, high
        Ends of the interval in which the value lies; one alone is what it is above, or below.
    agrees_with
        Name of another estimate of the same thing, with which the value agrees within ``rtol``.

    Returns
    -------
    expectation : `harness.baseline.model.Expectation` or `None`
        None when no number was given.

    Raises
    ------
    harness.errors.UsageError
        When the numbers contradict each other.
    """
    tolerances, bounds = (rtol, atol), (low, high)
    numbers = [number for number in (*tolerances, *bounds) if number is not None]
    if agrees_with is not None:
        if rtol is None or len(numbers) > 1 or not (math.isfinite(rtol) and rtol >= 0):
            raise UsageError("--agrees-with goes with --rtol, a finite number of at least 0, and with nothing else")
        return AgreesWith(metric=agrees_with, rtol=rtol)
    if not numbers:
        return None
    if not all(map(math.isfinite, numbers)):
        raise UsageError("--rtol, --atol, --low and --high must be finite numbers")
    if bounds == (None, None):
        if min(numbers) < 0:
            raise UsageError("--rtol and --atol must not be negative")
        return Unchanged(rtol=rtol or 0.0, atol=atol or 0.0)
    if tolerances != (None, None):
        raise UsageError(
            "--rtol and --atol are about a change, --low and --high about the value; give one of the pairs"
        )
    if low is None:
        return Below(value=high)
    if high is None:
        return Above(value=low)
    if low > high:
        raise UsageError("--low must not be above --high")
    return Within(low=low, high=high)


def plan_acceptance(
    baseline: Baseline,
    measurements: Mapping[str, Measurement],
    *,
    verdicts: Mapping[str, Verdict] | None = None,
    globs: Sequence[str] = (),
    categories: Collection[Category | str] = _DEFAULT_CATEGORIES,
    expectation: Expectation | None = None,
    direction: Direction | None = None,
    census: Collection[str] = (),
) -> Plan:
    """Say what accepting a rerun's measurements would change.

    What a pattern names must be acceptable.  Without patterns everything that can be accepted is, and the rest is
    left alone with its reason.

    Parameters
    ----------
    baseline
        What is accepted now; ``Baseline(dataset=...)`` when there is nothing yet.
    measurements
        The rerun's measurements by metric name.
    verdicts
        What was shown about them, by metric name, where they were judged.
    globs
        Patterns of the metrics to look at; none looks at all.
    categories
        What may happen to an entry.
    expectation, direction
        What the entries shall expect from now on; None keeps what they expect, and is not enough for a new entry.
    census
        Counts of defects: a new one of value 0 is expected to stay 0, and a tolerance meant for other metrics does not
        touch them.

    Returns
    -------
    plan : `Plan`
        What would change, and what would not.

    Raises
    ------
    harness.errors.UsageError
        When a pattern matches nothing, or names what cannot be accepted.
    """
    wanted = {Category(category) for category in categories}
    there = sorted({*measurements, *baseline.metrics})
    names = choose(globs, there) if globs else there
    changes, left_alone = [], []
    for name in names:
        change = _change(
            baseline.metrics.get(name),
            measurements.get(name),
            name,
            expectation=expectation,
            direction=direction,
            census=census,
        )
        if change.category is Category.UNCHANGED or change.category not in wanted:
            left_alone.append(change)
            continue
        change = replace(change, refusal=next(_refusals(change, (verdicts or {}).get(name)), ""))
        if change.refusal:
            left_alone.append(change)
        else:
            changes.append(replace(change, warnings=_warnings(change, baseline)))
    refusals = [change.refusal for change in left_alone if change.refusal]
    if globs and refusals:
        more = f" (and {len(refusals) - 1} more like it)" if len(refusals) > 1 else ""
        raise UsageError(f"{refusals[0]}{more}")
    return Plan(baseline.dataset, baseline.settings, tuple(changes), tuple(left_alone))


def _change(
    old: Entry | None,
    new: Measurement | None,
    name: str,
    *,
    expectation: Expectation | None,
    direction: Direction | None,
    census: Collection[str],
) -> Change:
    """Find the category of one entry, and what it would expect."""
    if new is None:
        return Change(name, Category.REMOVED, old, None)
    if name in census and isinstance(expectation, Unchanged):
        expectation = None  # A tolerance for counts is none for defects: nobody meant to allow five duplicate ids.
    if old is None:
        if expectation is None and name in census and new.value == 0:
            expectation = Within(low=0.0, high=0.0)
        return Change(name, Category.NEW, None, new, expectation, direction or "both")
    expectation, direction = expectation or old.expectation, direction or old.direction
    shared = ("value", "uncertainty", "units", "unit", "definition")
    is_same = all(getattr(old, name) == getattr(new, name) for name in shared) and dict(old.amplifiers) == _amplifiers(
        new
    )
    expects_same = (old.expectation, old.direction) == (expectation, direction)
    category = Category.UNCHANGED if is_same and expects_same else Category.CHANGED
    return Change(name, category, old, new, expectation, direction)


def _amplifiers(new: Measurement) -> dict[str, AmplifierValue]:
    """Return what is accepted of each amplifier; one without an uncertainty could not be compared."""
    return {
        amplifier_key(part.data_id): AmplifierValue(
            value=float(part.value), uncertainty=float(part.uncertainty), sample=part.sample
        )
        for part in new.parts
        if part.is_measured and math.isfinite(part.uncertainty)
    }


def _refusals(change: Change, verdict: Verdict | None) -> Iterator[str]:
    """Say why a change cannot be accepted, the most important reason first."""
    new, rule, name = change.new, change.expectation, change.metric
    if new is None:
        return
    if not new.is_measured:
        yield f"{name} was not measured{f' ({new.detail})' if new.detail else ''}; measure it, or leave it out"
    if not (math.isfinite(new.uncertainty) and new.uncertainty >= 0):
        yield f"{name} = {new.value:g} has no uncertainty; measure it on more visits, or leave it out"
    if verdict is not None and verdict.state in _UNTOLD:
        yield f"{name} is {verdict.state}, so nobody knows what would be accepted; add visits, or leave it out"
    if rule is None:
        yield f"{name} is new and needs an expectation; say --rtol, --atol, --low or --high"
    elif isinstance(rule, Unchanged) and rule.rtol > 0 and new.value == rule.atol == 0:
        yield f"{name} is 0, where a relative tolerance allows nothing; say --atol"
    elif not _holds(rule, new.value):
        yield f"{name} = {new.value:g} would fail its own rule ({rule}); say --low or --high, or acknowledge it"


def _holds(rule: Expectation, value: float) -> bool:
    """Whether a value obeys a rule about itself; of what other rules need, nothing is known here."""
    match rule:
        case Within():
            return rule.low <= value <= rule.high
        case Below(value=float(limit)):
            return value < limit
        case Above(value=float(limit)):
            return value > limit
        case _:
            return True


def _warnings(change: Change, baseline: Baseline) -> tuple[str, ...]:
    """Say what a person should know before accepting."""
    old, new, name = change.old, change.new, change.metric
    if old is None or new is None:
        return ()
    warnings = []
    if change.is_redefined:
        warnings.append(
            f"{name} has another definition than the accepted {old.value:g} {old.unit}, so the two cannot be compared; "
            f"its original value becomes {new.value:g} {new.unit}".rstrip()
        )
    elif (drift := _drift(old, new.value)) and isinstance(old.expectation, Unchanged):
        since = baseline.acceptances[old.original.accepted]
        warnings.append(
            f"{name} has drifted by {_signed(drift, old.original.value)} since the original {old.original.value:g} "
            f"(accepted {since.at:%Y-%m-%d} from {since.rerun}), beyond what one change is allowed "
            f"({old.expectation}): small steps add up"
        )
    if change.expectation != old.expectation:
        warnings.append(f"{name} will be expected {change.expectation} (was {old.expectation})")
    if change.direction != old.direction:
        warnings.append(f"{name} will be {change.direction} (was {old.direction})")
    return tuple(warnings)


def _drift(old: Entry, value: float) -> float:
    """Return the change since the original value where earlier acceptances hide that it is too large, else 0."""
    rule, drift = old.expectation, value - old.original.value
    hidden = old.value != old.original.value
    return drift if hidden and isinstance(rule, Unchanged) and abs(drift) > rule.tolerance(old.original.value) else 0.0


def _signed(change: float, of: float) -> str:
    return f"{100 * change / of:+.3g} %" if of else f"{change:+.6g}"
