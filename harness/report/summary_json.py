"""The report as JSON, for scripts."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from harness.report.listing import strict_json

if TYPE_CHECKING:
    from harness.report.content import Content, Side

__all__ = ["REPORT_FORMAT", "report_json"]

#: Raised when a key goes or changes its meaning.
REPORT_FORMAT = 1


def report_json(content: Content) -> str:
    """Return a report as JSON: the same as the page says, in the same order.

    What is not a finite number is null: an open end of an interval, a value that was not measured, a size where
    nothing is tolerated.

    Parameters
    ----------
    content
        What the report says.
    """
    document = {
        "format": REPORT_FORMAT,
        "title": content.title,
        "against": content.against,
        "at": content.at.isoformat(),
        "harness": content.harness,
        "summary": content.summary,
        "counts": content.counts,
        "reruns": [_side(side) for side in content.sides],
        "verdicts": [
            {
                **asdict(finding.verdict),
                "size": finding.size,
                "magnitude": finding.magnitude,
                "tolerated": finding.verdict.state in content.tolerated,
            }
            for finding in content.findings
        ],
        "acknowledged": {metric: note.model_dump(mode="json") for metric, note in content.known.items()},
        "context": content.context,
        "problems": content.problems,
        "notes": content.notes,
    }
    return json.dumps(strict_json(document), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _side(side: Side) -> dict[str, Any]:
    known: dict[str, Any] = {"name": side.name, "is_reference": side.is_reference, "software": side.software}
    manifest = side.manifest
    if manifest is not None:
        known |= {name: getattr(manifest, name) for name in ("source", "inputs", "schema", "harness", "versions")}
        known["datasets"] = len(manifest.datasets)
    return {"is_measured": manifest is not None, **known}
