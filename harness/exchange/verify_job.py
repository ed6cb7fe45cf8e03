"""Job files of `lsst.verify`: measurements, metrics, specifications, blobs and metadata in one JSON object.

The reader of `lsst.verify` refuses what its own writer does not write, and so decides what is written here: names of
two and three parts, a description and a unit for every metric that is measured, and NaN (which only Python's JSON
has) where there is no number, because it cannot read null.
"""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from harness.baseline.strictjson import json_path
from harness.exchange.document import read_json
from harness.exchange.value import OPERATORS, Foreign, Job, MetricDescription, Specification

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from harness.exchange.document import Node

__all__ = ["read_measurement", "read_verify_job", "verify_job_of", "write_verify_job"]

_KEYS = ("measurements", "blobs", "metrics", "specs", "meta")

T = TypeVar("T")


def read_verify_job(path: Path) -> Job:
    """Read a job file.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    harness.errors.UsageError
        When there is no such file.
    harness.errors.BrokenFileError
        When it is not a job, or two measurements, metrics, specifications or blobs have the same name.
    """
    return verify_job_of(read_json(path))


def verify_job_of(top: Node) -> Job:
    """Return the job that a JSON document holds; errors are those of `read_verify_job`."""
    for key in top.mapping():
        if key not in _KEYS:
            top.refuse(f"has the unknown key {key!r}; a job has {', '.join(_KEYS)}")
    metrics = _by_name(top.get("metrics", []), "name", _metric)
    measurements = _by_name(top["measurements"], "metric", read_measurement)
    for name, measurement in measurements.items():
        if not measurement.unit and not measurement.is_measured and name in metrics:
            measurements[name] = replace(measurement, unit=metrics[name].unit)  # null, and so was its unit
    return Job(
        measurements=measurements,
        specifications=tuple(_by_name(top.get("specs", []), "name", _specification).values()),
        metrics=metrics,
        meta=top.get("meta", {}).mapping(),
        blobs=_by_name(top.get("blobs", []), "identifier", _blob),
    )


def read_measurement(node: Node) -> Foreign:
    """Return one measurement, as job files, bundles and files of a single one have it.

    Parameters
    ----------
    node
        An object with ``metric``, ``value`` and ``unit``.

    Raises
    ------
    harness.errors.BrokenFileError
        When one of them is missing, or is not what it should be.
    """
    value = node["value"].number()
    written = "null" if node["value"].value is None else f"{value}"
    return Foreign(
        metric=node["metric"].name(),
        value=value,
        unit=node["unit"].unit(),
        identifier=node.get("identifier", "").text(),
        detail="" if math.isfinite(value) else f"its value is {written}",
        blobs=node.get("blob_refs", []).texts(),
        notes=node.get("notes", {}).mapping(),
    )


def write_verify_job(job: Job) -> bytes:
    """Return a job file: the same bytes for the same job, and nothing lost of one that was read.

    Parameters
    ----------
    job
        What to write.
    """
    document = {
        "measurements": [_measurement_document(measurement) for measurement in job.measurements.values()],
        "blobs": list(job.blobs.values()),
        "metrics": [
            {
                "name": name,
                "description": metric.description,
                "unit": metric.unit,
                "tags": list(metric.tags),
                "reference": dict(metric.reference),
            }
            for name, metric in job.metrics.items()
        ],
        "specs": [_specification_document(specification) for specification in job.specifications],
        "meta": dict(job.meta),
    }
    return f"{json.dumps(document)}\n".encode()


def _by_name(nodes: Node, key: str, read: Callable[[Node], T]) -> dict[str, T]:
    """Read an array of objects that have different names."""
    found: dict[str, T] = {}
    first: dict[str, Node] = {}
    for node in nodes.items():
        name = node[key].text()
        if name in found:
            node.refuse(f"has the same {key} {name!r} as {json_path(first[name].keys)}; keep one of them")
        found[name], first[name] = read(node), node
    return found


def _metric(node: Node) -> MetricDescription:
    node["name"].name()
    return MetricDescription(
        description=node["description"].text(),
        unit=node["unit"].unit(),
        tags=tuple(sorted(node.get("tags", []).texts())),
        reference=node.get("reference", {}).mapping(),
    )


def _specification(node: Node) -> Specification:
    if (kind := node["type"].text()) != "threshold":
        node["type"].refuse(f"must be 'threshold', the only one there is (got {kind!r})")
    bound = node["threshold"]
    operator, threshold = bound["operator"], bound["value"].number()
    if operator.text() not in OPERATORS:
        operator.refuse(f"must be one of {', '.join(OPERATORS)} (got {operator.text()!r})")
    if not math.isfinite(threshold):
        bound["value"].refuse("must be a finite number, or nothing can be judged by it")
    return Specification(
        name=node["name"].name(least=3),
        operator=operator.text(),
        threshold=threshold,
        unit=bound["unit"].unit(),
        query=node.get("metadata_query", {}).mapping(),
        tags=frozenset(node.get("tags", []).texts()),
    )


def _blob(node: Node) -> dict[str, Any]:
    node["name"].text()
    node["data"].mapping()
    return node.mapping()


def _measurement_document(measurement: Foreign) -> dict[str, Any]:
    document: dict[str, Any] = {
        "metric": measurement.metric,
        "identifier": measurement.identifier,
        "value": measurement.value,
        "unit": measurement.unit,
        "blob_refs": list(measurement.blobs),
    }
    return {**document, "notes": dict(measurement.notes)} if measurement.notes else document


def _specification_document(specification: Specification) -> dict[str, Any]:
    return {
        "name": specification.name,
        "type": "threshold",
        "threshold": {
            "value": specification.threshold,
            "unit": specification.unit,
            "operator": specification.operator,
        },
        "metadata_query": dict(specification.query),
        "tags": sorted(specification.tags),
    }
