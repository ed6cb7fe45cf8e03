"""Accepting, reviewing and acknowledging: what is about to change, shown before it is written."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError, SelfComparisonError, UsageError
from harness.report.listing import Column, Listing, number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from harness.baseline.model import Direction
    from harness.baseline.plan import Change, Plan
    from harness.measure.measurements import Measurements
    from harness.model import Measurement, Metric
    from harness.session import Session

__all__ = ["accept_plan", "acknowledge_metric", "plan_rerun", "review_rerun"]

_DIRECTIONS: Mapping[str | None, Direction | None] = {
    None: None,
    "lower": "lower_is_better",
    "higher": "higher_is_better",
}

_COLUMNS = [
    Column("category", "entry"),
    Column("metric", "metric"),
    Column("old", "old", number, numeric=True),
    Column("new", "new", number, numeric=True),
    Column("change", "change", numeric=True),
    Column("unit", "unit"),
    Column("expectation", "expected"),
]


def accept_plan(session: Session, plan: Plan, story: Mapping[str, Any] | None) -> Listing:
    """Write a plan into the baseline.

    Parameters
    ----------
    session
        With one rerun, measured.
    plan
        What changes (`plan_rerun`).
    story
        Reason, ticket, who and whether CI may do it (`harness.baseline.accept.apply`); None only shows the plan.

    Returns
    -------
    listing : `Listing`
        What changed, or would change.

    Raises
    ------
    harness.errors.HarnessError
        As `harness.baseline.accept.apply`.
    """
    if story is None:
        return _listing(plan, f"would change in {session.baseline_path} (dry run)")
    key = _apply(session, plan, story)
    return _listing(plan, f"changed in {session.baseline_path}, acceptance {key}")


def review_rerun(session: Session, story: Mapping[str, Any]) -> Listing:
    """Show each change in turn, ask what becomes of it, and accept what was accepted.

    Parameters
    ----------
    session
        With one rerun, measured.
    story
        As of `accept_plan`; a missing reason is asked for at the end.
    """
    import click

    from harness.baseline.review import Decision, Review

    review = Review(plan_rerun(session))
    total = len(review.plan.changes)
    words = ", ".join(f"[{decision.value}] {decision.name.lower().replace('_', ' ')}" for decision in Decision)
    choices = click.Choice([decision.value for decision in Decision])
    while (change := review.current) is not None:
        row = _row(change)
        click.echo(f"\n{len(review.decisions) + 1} of {total}: {row['metric']} ({row['category']})")
        click.echo(f"  {number(row['old'])} -> {number(row['new'])} {row['unit']}  {row['change']}".rstrip())
        click.echo(f"  expected: {row['expectation']}")
        for warning in change.warnings:
            click.echo(f"  warning: {warning}")
        answer = click.prompt(words, type=choices, show_choices=False, default=Decision.SKIP.value)
        review = review.decide(Decision(answer))
    if not review.accepted.changes:
        return Listing(f"nothing changed in {session.baseline_path}", _COLUMNS, [])
    key = _apply(session, review.accepted, {**story, "reason": story["reason"] or click.prompt("reason")})
    return _listing(review.accepted, f"changed in {session.baseline_path}, acceptance {key}")


def acknowledge_metric(
    session: Session,
    metric: str,
    *,
    until: datetime | None,
    ticket: str | None,
    reason: str | None,
    by: str | None,
    remove: bool,
    allow_ci: bool,
) -> Listing:
    """Acknowledge a known failure, or take that back.

    Parameters
    ----------
    session
        Whose baseline is meant.
    metric
        Glob of the metrics.
    until
        The last day on which they are excused.
    ticket, reason
        Where it is worked on, and why it may fail.
    by
        Who decides this.
    remove
        Whether to take the acknowledgement back.
    allow_ci
        Whether to go on although this is a CI machine.
    """
    from harness.baseline.acknowledge import acknowledge, withdraw
    from harness.measure.catalogue import all_metrics

    path = _own_path(session)
    if remove:
        names = withdraw(path, [metric], allow_ci=allow_ci)
        return _names(names, f"no longer acknowledged in {path}")
    if until is None or not ticket or not reason:
        raise UsageError("an acknowledgement needs --until DATE, --ticket and --reason (or --remove takes one back)")
    known = all_metrics(session.settings)
    names = acknowledge(
        path,
        [metric],
        until=until.date(),
        ticket=ticket,
        reason=reason,
        by=by,
        known=known,
        allow_ci=allow_ci,
    )
    return _names(names, f"acknowledged until {until.date()} in {path}")


def _own_path(session: Session) -> Path:
    """Return the baseline file, unless it belongs to the installation: that is nobody's to change."""
    from harness.shipped import shipped

    if session.request.baselines is None and session.baseline_folder == shipped("baselines"):
        raise UsageError(
            f"{session.baseline_folder} belongs to the installation; name a folder of your own with --baselines"
        )
    return session.baseline_path


def plan_rerun(
    session: Session,
    globs: Sequence[str] = (),
    numbers: Mapping[str, Any] | None = None,
    *,
    better: str | None = None,
    remove: bool = False,
) -> Plan:
    """Say what it would change to make what a rerun gave the baseline.

    Parameters
    ----------
    session
        With one rerun, measured.
    globs
        Metrics; none means all that can be accepted.
    numbers
        What is expected of them from now on (`harness.baseline.plan.expectation_of`).
    better
        ``lower`` or ``higher``: a change in this direction is no failure from now on.
    remove
        Whether entries that the rerun has nothing for are removed, and nothing else.

    Raises
    ------
    harness.errors.HarnessError
        As `harness.baseline.plan.plan_acceptance`.
    """
    from harness.baseline.files import new_baseline
    from harness.baseline.globs import choose
    from harness.baseline.model import Settings
    from harness.baseline.plan import Category, expectation_of, plan_acceptance
    from harness.measure.catalogue import DEFECT_GROUPS

    path = _own_path(session)
    if len(session.refs) != 1:
        raise UsageError("a baseline is accepted from one rerun")
    settings = Settings(**asdict(session.settings))
    baseline = session.baseline or new_baseline(session.dataset or path.stem, settings)
    measured = session.measurements(session.refs[0])
    catalogue = measured.catalogue
    if (other := (numbers or {}).get("agrees_with")) is not None:
        _refuse_to_agree(other, choose(globs, list(measured)) if globs else list(measured), catalogue)
    judged = {}
    # A rerun that gave some of the baseline may give more of it: then there is nothing to judge it by.
    with suppress(SelfComparisonError):
        verification = session.verification(session.refs[0].name)
        judged = {name: verification.as_baselined(measured[name]) for name in baseline.metrics if name in catalogue}
    return plan_acceptance(
        baseline,
        {name: _with_amplifiers(measured, name) for name in measured},
        verdicts=judged,
        globs=globs,
        categories=[Category.REMOVED] if remove else [Category.NEW, Category.CHANGED],
        expectation=expectation_of(**(numbers or {})),
        direction=_DIRECTIONS[better],
        census=[name for name, metric in catalogue.items() if metric.group in DEFECT_GROUPS],
    )


def _refuse_to_agree(other: str, names: Sequence[str], catalogue: Mapping[str, Metric]) -> None:
    """Refuse what cannot agree, or could do nothing else."""
    if other not in catalogue:
        raise UsageError(f"there is no metric {other!r} to agree with")
    for name in names:
        if name == other:
            raise UsageError(f"{name} always agrees with itself; name another estimate of the same thing")
        ours, theirs = catalogue[name].unit, catalogue[other].unit
        if ours != theirs:
            raise UsageError(f"{name} has the unit {ours!r} and {other} {theirs!r}: they cannot agree")


def _with_amplifiers(measured: Measurements, name: str) -> Measurement:
    """Return a metric's measurement, with that of each amplifier where each has its own."""
    whole = measured[name].measurement()
    metric = measured.catalogue[name]
    if metric.per != "amplifier" or metric.census:
        return whole
    return replace(whole, parts=tuple(measured[name, place].measurement() for place in measured.amplifiers))


def _apply(session: Session, plan: Plan, story: Mapping[str, Any]) -> str:
    from harness.baseline.accept import apply

    provenance = session.open(session.refs[0]).provenance()
    path = session.baseline_path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as fault:
        raise HarnessError(f"cannot make the folder of baselines {path.parent}: {fault.strerror}") from None
    return apply(plan, path, provenance=provenance, **story)


def _listing(plan: Plan, what: str) -> Listing:
    refused = [f"left alone: {change.refusal}" for change in plan.left_alone if change.refusal]
    warnings = [f"warning: {warning}" for warning in plan.warnings]
    count = len(plan.changes)
    title = f"{count} {'entry' if count == 1 else 'entries'} {what}"
    return Listing(title, _COLUMNS, [_row(change) for change in plan.changes], [*warnings, *refused])


def _row(change: Change) -> dict[str, Any]:
    nan = float("nan")
    old, new = change.old, change.new
    shown = ""
    if old is not None and new is not None and not change.is_redefined:
        shown = f"{100 * change.difference / abs(old.value):+.2f} %" if old.value else f"{change.difference:+.6g}"
    return {
        "category": str(change.category),
        "metric": change.metric,
        "old": nan if old is None else old.value,
        "new": nan if new is None else new.value,
        "change": shown,
        "unit": (new or old).unit,  # type: ignore[union-attr]
        "expectation": str(change.expectation or ""),
    }


def _names(names: Sequence[str], what: str) -> Listing:
    count = len(names)
    title = f"{count} metric{'' if count == 1 else 's'} {what}"
    return Listing(title, [Column("metric", "metric")], [{"metric": name} for name in names])
