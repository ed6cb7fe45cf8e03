"""Bundles of measurements of `lsst.analysis_tools`: ``MetricMeasurementBundle``, one JSON object."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from harness.exchange.document import read_json
from harness.exchange.value import Job
from harness.exchange.verify_job import read_measurement

if TYPE_CHECKING:
    from pathlib import Path

    from harness.exchange.document import Node
    from harness.exchange.value import Foreign

__all__ = ["bundle_of", "read_bundle"]


def read_bundle(path: Path) -> Job:
    """Read a bundle.

    Its keys are names of analyses, each with an array of measurements, whose own names need not differ from those of
    another analysis: they become ``analysis.metric``.  Keys such as ``__dataset_identifier`` become metadata.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    harness.errors.UsageError
        When there is no such file.
    harness.errors.BrokenFileError
        When it is not a bundle, or one analysis measured a metric twice.
    """
    return bundle_of(read_json(path))


def bundle_of(top: Node) -> Job:
    """Return the bundle that a JSON document holds; errors are those of `read_bundle`."""
    measurements: dict[str, Foreign] = {}
    meta = {}
    for analysis, node in top.members():
        if analysis.startswith("__"):
            meta[analysis.strip("_")] = node.value
            continue
        for item in node.items():
            measurement = read_measurement(item)
            name = f"{analysis}.{measurement.metric}"
            if name in measurements:
                item.refuse(f"measures {measurement.metric!r} a second time; keep one of them")
            measurements[name] = replace(measurement, metric=name)
    return Job(measurements, meta=meta)
