"""Acceptance: a plan becomes part of a baseline file, with its story."""

from __future__ import annotations

import getpass
import re
import shutil
import subprocess
from datetime import UTC, datetime
from itertools import count
from typing import TYPE_CHECKING

from harness import __version__
from harness.baseline.edit import edit_baseline
from harness.baseline.explain import refuse_invalid
from harness.baseline.model import Acceptance, Baseline
from harness.baseline.plan import Category
from harness.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Container
    from pathlib import Path

    from harness.baseline.plan import Plan
    from harness.model import Provenance

__all__ = ["apply", "who"]


def apply(
    plan: Plan,
    path: Path,
    *,
    provenance: Provenance,
    reason: str,
    ticket: str = "",
    by: str | None = None,
    at: datetime | None = None,
    allow_ci: bool = False,
) -> str:
    """Accept what a plan says, and nothing else: every other entry keeps its bytes.

    Parameters
    ----------
    plan
        What to change.
    path
        The baseline file; a first acceptance makes it.
    provenance
        What the accepted values were measured on.
    reason, ticket
        Why, in words; and a ticket.
    by
        Who accepts; None is `who`.
    at
        When; None is now.
    allow_ci
        Whether to go on under continuous integration.

    Returns
    -------
    key : `str`
        Key of the acceptance in the file.

    Raises
    ------
    harness.errors.UsageError
        When there is no reason or nothing to accept, under continuous integration, or when an entry of the plan was
        changed by somebody else since the plan was made.
    harness.errors.BrokenFileError
        When the file is not a valid baseline.
    harness.errors.HarnessError
        When the file cannot be written; nothing has changed then.
    """
    if not reason.strip():
        raise UsageError("an acceptance needs a reason; say --reason TEXT")
    if path.stem != plan.dataset:
        raise UsageError(f"baseline {path} cannot hold the dataset {plan.dataset!r}; its file is {plan.dataset}.json")
    if not plan.changes:
        refusal = next((f"; {change.refusal}" for change in plan.left_alone if change.refusal), "")
        raise UsageError(f"there is nothing to accept for {plan.dataset}{refusal}")
    moment = (at or datetime.now(UTC)).astimezone(UTC).replace(microsecond=0)
    with refuse_invalid("the acceptance"):
        acceptance = Acceptance(
            at=moment,
            by=who(by),
            harness=__version__,
            rerun=provenance.rerun,
            versions=dict(provenance.versions),
            inputs=provenance.inputs_digest,
            reason=reason.strip(),
            ticket=ticket.strip(),
            visits=max((change.new.n_units for change in plan.changes if change.new is not None), default=0),
        )
    key = ""

    def edit(current: Baseline | None) -> Baseline:
        nonlocal key
        baseline = current or Baseline(dataset=plan.dataset, settings=plan.settings)
        _refuse_outdated(plan, baseline, path)
        key = _free_key(acceptance, baseline.acceptances)
        metrics = dict(baseline.metrics)
        for change in plan.changes:
            if change.category is Category.REMOVED:
                del metrics[change.metric]
            else:
                metrics[change.metric] = change.entry(key)
        return baseline.replaced(acceptances={**baseline.acceptances, key: acceptance}, metrics=metrics)

    edit_baseline(path, edit, allow_ci=allow_ci)
    return key


def who(by: str | None = None) -> str:
    """Return who is at work: the given name, else git's user name, else the login name.

    Parameters
    ----------
    by
        A name, when one was given.

    Raises
    ------
    harness.errors.UsageError
        When nothing says who it is.
    """
    if by is not None and by.strip():
        return by.strip()
    if git := shutil.which("git"):
        answer = subprocess.run([git, "config", "user.name"], capture_output=True, text=True, check=False)  # noqa: S603 - a fixed command
        if name := answer.stdout.strip():
            return name
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        raise UsageError("nothing says who you are; say --by NAME") from None


def _refuse_outdated(plan: Plan, baseline: Baseline, path: Path) -> None:
    """Refuse a plan that was made from other content than the file has now."""
    if baseline.settings != plan.settings:
        raise UsageError(f"the settings in {path} were changed since the plan was made; look at it again")
    for change in plan.changes:
        if baseline.metrics.get(change.metric) != change.old:
            raise UsageError(
                f"{change.metric} in {path} was changed by somebody else since the plan was made; look at it again"
            )


def _free_key(acceptance: Acceptance, taken: Container[str]) -> str:
    """Return a readable key of its own, such as ``2026-11-21-w_2020_20``."""
    rerun = re.sub(r"[^A-Za-z0-9_.]+", "-", acceptance.rerun).strip("-")
    key = f"{acceptance.at:%Y-%m-%d}-{rerun}".rstrip("-")
    if key not in taken:
        return key
    return next(longer for number in count(2) if (longer := f"{key}-{number}") not in taken)
