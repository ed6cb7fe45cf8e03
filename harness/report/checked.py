"""What ``rerun-harness check`` found, as a listing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.report.listing import Column, Listing

if TYPE_CHECKING:
    from pathlib import Path

    from harness.baseline.model import Settings as BaselineSettings
    from harness.metrics.settings import Settings
    from harness.model import Metric

__all__ = ["check_baselines", "measured_with"]

_CODES = {"broken": 4, "error": 1, "warning": 0, "fixed": 0}


def measured_with(settings: BaselineSettings) -> Settings:
    """Return the settings of a baseline as those that metrics are measured with."""
    from harness.metrics.settings import Settings

    return Settings(**settings.model_dump())


def check_baselines(folder: Path, *, fix: bool) -> tuple[Listing, int]:
    """Check all baseline files of a folder.

    Parameters
    ----------
    folder
        Where the baselines are.
    fix
        Whether to rewrite what is only badly formatted.

    Returns
    -------
    listing : `Listing`
        What was found.
    code : `int`
        Exit code: 4 when a file is broken, 1 when a check would fail for what was found, else 0.
    """
    from harness.baseline.check import check_folder
    from harness.baseline.files import list_baselines
    from harness.measure.catalogue import all_metrics

    def catalogue(settings: BaselineSettings) -> dict[str, Metric]:
        return dict(all_metrics(measured_with(settings)))

    count = len(list_baselines(folder))
    findings = check_folder(folder, catalogue, fix=fix)
    columns = [Column("severity", "severity"), Column("file", "file"), Column("sentence", "finding")]
    rows = [
        {"severity": finding.severity, "file": str(finding.path), "sentence": finding.sentence} for finding in findings
    ]
    files = f"{count} baseline file{'' if count == 1 else 's'} in {folder}"
    title = (
        f"{files}: {len(findings)} finding{'' if len(findings) == 1 else 's'}" if findings else f"{files}: all sound"
    )
    return Listing(title, columns, rows), max((_CODES[finding.severity] for finding in findings), default=0)
