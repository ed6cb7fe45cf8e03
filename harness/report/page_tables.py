"""The tables of the page: reruns, their software, what is acknowledged, and all verdicts."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from harness.model import VerdictState
from harness.report.listing import Column, Listing, number
from harness.report.verdicts import verdict_row

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.report.content import Content, Finding, Side

__all__ = ["acknowledged_listing", "side_listing", "software_listing", "verdict_table"]


def side_listing(content: Content) -> Listing:
    """Return the reruns and the reference: source, inputs, and whose measurement it is.

    Parameters
    ----------
    content
        What the report says.
    """
    columns = [
        Column("rerun", "rerun"),
        Column("source", "read from"),
        Column("inputs", "inputs"),
        Column("schema", "schema"),
        Column("harness", "measured by"),
    ]
    told = [
        f"Software of {side.name} against the reference's: {side.software}" for side in content.sides if side.software
    ]
    return Listing("Reruns", columns, [_row(side) for side in content.sides], told)


def software_listing(content: Content) -> Listing:
    """Return the package versions that the reruns recorded, those that differ first.

    Parameters
    ----------
    content
        What the report says.
    """
    sides = {f"of {side.name}": side for side in content.sides}
    versions = {key: {} if side.manifest is None else side.manifest.versions for key, side in sides.items()}
    packages = sorted({package for each in versions.values() for package in each})
    rows = [{"package": name, **{key: each.get(name, "") for key, each in versions.items()}} for name in packages]
    rows.sort(key=lambda row: len({row[key] for key in sides}) == 1)
    columns = [Column("package", "package"), *(Column(key, side.name) for key, side in sides.items())]
    return Listing("Package versions, those that differ first", columns, rows)


def verdict_table(content: Content) -> Listing:
    """Return all verdicts as a table, in the order in which they are told.

    Parameters
    ----------
    content
        What the report says.
    """
    findings = content.findings
    columns = [
        Column("state", "verdict"),
        Column("metric", "metric"),
        *([Column("rerun", "rerun")] if len({finding.verdict.rerun for finding in findings}) > 1 else []),
        *([Column("place", "of")] if any(finding.verdict.place for finding in findings) else []),
        Column("size", "tolerances", _in_tolerances, numeric=True),
        Column("value", "value", number, numeric=True),
        Column("unit", "unit"),
        Column("reference", "reference", number, numeric=True),
        Column("change", "change", numeric=True),
        Column("allowed", "allowed", numeric=True),
    ]
    rows = [_verdict(finding) for finding in findings]
    return Listing("Verdicts, the worst first", columns, rows)


def acknowledged_listing(content: Content) -> Listing:
    """Return what is acknowledged, what expires first at the top.

    Parameters
    ----------
    content
        What the report says.
    """
    rows: list[dict[str, Any]] = []
    for finding in content.of(VerdictState.ACKNOWLEDGED):
        note = content.known.get(finding.verdict.metric)
        story: Mapping[str, str] = (
            {"until": "", "ticket": "", "reason": "", "by": ""}
            if note is None
            else {"until": note.until.isoformat(), "ticket": note.ticket, "reason": note.reason, "by": note.by}
        )
        rows.append({"metric": finding.subject, "sentence": finding.verdict.sentence, **story})
    rows.sort(key=lambda row: (row["until"], row["metric"]))
    columns = [
        Column("until", "until"),
        Column("metric", "metric"),
        Column("ticket", "ticket"),
        Column("reason", "reason"),
        Column("by", "by"),
        Column("sentence", "found"),
    ]
    return Listing("Known failures, and until when they are excused", columns, rows)


def _row(side: Side) -> dict[str, Any]:
    name = f"{side.name} (reference)" if side.is_reference else side.name
    manifest = side.manifest
    if manifest is None:
        return {"rerun": name, "source": "not measured", "inputs": "", "schema": "", "harness": ""}
    count = len(manifest.datasets)
    return {
        "rerun": name,
        "source": manifest.source,
        "inputs": f"{manifest.inputs} ({count} dataset{'' if count == 1 else 's'})",
        "schema": manifest.schema,
        "harness": f"rerun-harness {manifest.harness}",
    }


def _verdict(finding: Finding) -> dict[str, Any]:
    row, acceptable = verdict_row(finding.verdict), finding.verdict.acceptable
    if acceptable is not None and math.isfinite(acceptable.high) and 0 < acceptable.high == -acceptable.low:
        row["allowed"] = f"±{number(acceptable.high)}"
    return {**row, "size": finding.size}


def _in_tolerances(size: float) -> str:
    return number(float(f"{size:.2g}"))
