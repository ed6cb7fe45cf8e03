"""Known failures: excused for a while, each with a ticket, a reason and a date."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from harness.baseline.accept import who
from harness.baseline.edit import edit_baseline
from harness.baseline.explain import refuse_invalid
from harness.baseline.globs import choose
from harness.baseline.model import Acknowledgement
from harness.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date
    from pathlib import Path

    from harness.baseline.model import Baseline

__all__ = ["LONGEST", "acknowledge", "withdraw"]

#: A failure that is excused for longer has become the expectation.
LONGEST: Final = timedelta(days=366)


def acknowledge(
    path: Path,
    globs: Sequence[str],
    *,
    until: date,
    ticket: str,
    reason: str,
    by: str | None = None,
    known: Iterable[str] = (),
    at: datetime | None = None,
    allow_ci: bool = False,
) -> list[str]:
    """Acknowledge known failures until a date; an earlier acknowledgement of the same metric is replaced.

    Parameters
    ----------
    path
        The baseline file.
    globs
        Patterns of the metrics.
    until
        The last day on which they are excused.
    ticket, reason
        Where it is being worked on, and why it is known.
    by
        Who acknowledges; None is `harness.baseline.accept.who`.
    known
        Metrics that may be acknowledged beside those in the file.
    at
        When; None is now.
    allow_ci
        Whether to go on under continuous integration.

    Returns
    -------
    metrics : `list` [`str`]
        The metrics acknowledged, sorted.

    Raises
    ------
    harness.errors.UsageError
        When the date is past or more than a year ahead, ticket or reason is missing, a pattern matches nothing, there
        is no such file, or under continuous integration.
    """
    moment = (at or datetime.now(UTC)).astimezone(UTC).replace(microsecond=0)
    if until < moment.date():
        raise UsageError(f"an acknowledgement until {until} would have expired already; say a later --until")
    if until > moment.date() + LONGEST:
        raise UsageError(f"an acknowledgement until {until} is more than a year ahead; say an earlier --until")
    if not (ticket.strip() and reason.strip()):
        raise UsageError("an acknowledgement needs a ticket and a reason; say --ticket and --reason")
    with refuse_invalid("the acknowledgement"):
        note = Acknowledgement(until=until, ticket=ticket.strip(), reason=reason.strip(), by=who(by), at=moment)
    metrics: list[str] = []

    def edit(current: Baseline | None) -> Baseline:
        baseline = _there(current, path)
        metrics.extend(choose(globs, {*baseline.metrics, *known}))
        return baseline.replaced(acknowledgements={**baseline.acknowledgements, **dict.fromkeys(metrics, note)})

    edit_baseline(path, edit, allow_ci=allow_ci)
    return metrics


def withdraw(path: Path, globs: Sequence[str], *, allow_ci: bool = False) -> list[str]:
    """Take acknowledgements back.

    Parameters
    ----------
    path
        The baseline file.
    globs
        Patterns of the acknowledged metrics.
    allow_ci
        Whether to go on under continuous integration.

    Returns
    -------
    metrics : `list` [`str`]
        The metrics no longer acknowledged, sorted.

    Raises
    ------
    harness.errors.UsageError
        When a pattern matches no acknowledgement, there is no such file, or under continuous integration.
    """
    metrics: list[str] = []

    def edit(current: Baseline | None) -> Baseline:
        baseline = _there(current, path)
        metrics.extend(choose(globs, baseline.acknowledgements))
        kept = {name: note for name, note in baseline.acknowledgements.items() if name not in metrics}
        return baseline.replaced(acknowledgements=kept)

    edit_baseline(path, edit, allow_ci=allow_ci)
    return metrics


def _there(baseline: Baseline | None, path: Path) -> Baseline:
    if baseline is None:
        raise UsageError(f"there is no baseline {path}; rerun-harness accept writes one")
    return baseline
