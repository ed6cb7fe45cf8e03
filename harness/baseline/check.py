"""Whether a folder of baselines is sound, without looking at any rerun."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal, final

from harness.atomic import clean_leftovers
from harness.baseline.acknowledge import LONGEST
from harness.baseline.edit import reformat_baseline
from harness.baseline.files import canonical_bytes, list_baselines, parse_baseline, read_content
from harness.errors import BrokenFileError, UsageError
from harness.metrics.flavor.identities import broken_identities

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator, Mapping
    from datetime import date
    from pathlib import Path

    from harness.baseline.model import Baseline, Settings
    from harness.baseline.published import Published
    from harness.model import Metric

__all__ = ["Finding", "check_folder"]


@final
@dataclass(frozen=True, slots=True)
class Finding:
    """Something about a baseline file that somebody should know.

    Attributes
    ----------
    path
        The file.
    severity
        ``broken`` when it cannot be read, ``error`` when a check would fail for it, ``warning`` when it is merely
        doubtful, ``fixed`` when it was put right.
    sentence
        What is the matter, and the way out.
    """

    path: Path
    severity: Literal["broken", "error", "warning", "fixed"]
    sentence: str


def check_folder(
    folder: Path,
    catalogue: Callable[[Settings], Mapping[str, Metric]],
    *,
    fix: bool = False,
    today: date | None = None,
) -> list[Finding]:
    """Check every baseline of a folder.

    Acceptances that no entry refers to any more are history, and fine.

    Parameters
    ----------
    folder
        The folder of baselines.
    catalogue
        Returns the metrics that are measured under given settings, by name; raises `harness.errors.UsageError` for
        settings that cannot be.
    fix
        Whether to rewrite files that are valid but not canonical, and to remove what killed writers left.
    today
        The day on which acknowledgements are judged; None is today (UTC).

    Returns
    -------
    findings : `list` [`Finding`]
        In the order of the files.

    Raises
    ------
    harness.errors.UsageError
        When there is no such folder.
    harness.errors.HarnessError
        When a file cannot be rewritten.
    """
    day = today or datetime.now(UTC).date()
    findings = []
    for path in list_baselines(folder):
        try:
            content = read_content(path)
            baseline = parse_baseline(content, path)
        except BrokenFileError as error:
            findings.append(Finding(path, "broken", str(error)))
            continue
        findings.extend(_form(path, content, baseline, fix=fix))
        findings.extend(Finding(path, "error", text) for text in _entries(baseline, catalogue))
        findings.extend(_acknowledgements(path, baseline, day))
    if fix:
        findings.extend(Finding(path, "fixed", "removed what a killed writer left") for path in clean_leftovers(folder))
    return findings


def _form(path: Path, content: bytes, baseline: Baseline, *, fix: bool) -> Iterator[Finding]:
    """Check name and bytes."""
    if path.stem != baseline.dataset:
        own = path.with_name(f"{baseline.dataset}.json")
        text = f"also holds {baseline.dataset!r}; remove one" if own.exists() else "is its name; rename the file"
        yield Finding(path, "error", f"holds the dataset {baseline.dataset!r}, but {own.name} {text}")
    if content == canonical_bytes(baseline):
        return
    if fix:
        reformat_baseline(path)
        yield Finding(path, "fixed", "reformatted")
    else:
        yield Finding(path, "error", "is not in canonical form; rerun-harness check --fix rewrites it")


def _entries(baseline: Baseline, catalogue: Callable[[Settings], Mapping[str, Metric]]) -> Iterator[str]:
    """Check settings, entries and published figures against what is measured."""
    try:
        metrics = catalogue(baseline.settings)
    except UsageError as error:
        yield f"its settings are not usable: {error}"
        return
    for name, entry in sorted(baseline.metrics.items()):
        if name not in metrics:
            yield f"{name} is not measured by anything; remove it with rerun-harness accept, or measure it"
        elif entry.definition != metrics[name].definition_digest:
            yield f"{name} was accepted under another definition than it is measured by now; accept it anew"
        other = getattr(entry.expectation, "metric", None)
        if other is not None and other not in metrics:
            yield f"{name} is held against {other}, which is not measured by anything"
    if baseline.published is not None:
        yield from _published(baseline.published, metrics, baseline.settings.good_flags)


def _published(published: Published, metrics: Container[str], good_flags: str) -> Iterator[str]:
    """Check published figures by what they must fulfil among themselves."""
    for rerun, numbers in sorted(published.reruns.items()):
        for name in sorted(numbers):
            if name not in metrics:
                yield f"{name}, published for {rerun}, is not measured by anything; correct its name"
        for broken in broken_identities(numbers, good_flags):
            yield f"the figures published for {rerun} contradict each other: {broken}; see {published.source}"


def _acknowledgements(path: Path, baseline: Baseline, today: date) -> Iterator[Finding]:
    """Check known failures."""
    for name, note in sorted(baseline.acknowledgements.items()):
        if note.has_expired(today):
            text = f"the acknowledgement of {name} ({note.ticket}) expired on {note.until}; fix it, or acknowledge anew"
            yield Finding(path, "error", text)
        elif note.until > today + LONGEST:
            text = f"the acknowledgement of {name} ({note.ticket}) runs until {note.until}, more than a year ahead"
            yield Finding(path, "warning", text)
