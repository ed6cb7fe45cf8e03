"""Measurements of reruns as a listing."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from harness.errors import UsageError
from harness.judge.quantity import WHOLE_RERUN
from harness.report.listing import Column, Listing, number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.measure.measurements import Measurements
    from harness.model import Measurement

__all__ = ["measurement_listing"]

_NUMBERED = ("visit", "detector")


def measurement_listing(reruns: Sequence[Measurements], dimensions: Sequence[str], globs: Sequence[str]) -> Listing:
    """Return what was measured of some reruns.

    Parameters
    ----------
    reruns
        Measurements of each, complete.
    dimensions
        Dimensions to split by, such as ``visit`` and ``detector``; none gives one row per metric.
    globs
        Metrics to list; none lists all.

    Raises
    ------
    harness.errors.UsageError
        When a glob matches no metric, or a dimension is unknown.
    """
    rows: list[dict[str, Any]] = []
    inputs, sources = {}, []
    for measurements in reruns:
        manifest = measurements.manifest
        if manifest is None:
            raise UsageError(f"{measurements.rerun} has not been measured; run rerun-harness measure")
        inputs[manifest.rerun] = manifest.inputs
        sources.append(f"{manifest.rerun} in {manifest.source}")
        for name in _chosen(measurements, globs):
            parts = measurements.by(name, *dimensions) if dimensions else [measurements[name]]
            rows += [_row(part.measurement(), dimensions) for part in parts]
    columns = [
        Column("metric", "metric"),
        *([Column("rerun", "rerun")] if len(reruns) > 1 else []),
        *(Column(dimension, dimension, _known, numeric=dimension in _NUMBERED) for dimension in dimensions),
        Column("value", "value", number, numeric=True),
        Column("uncertainty", "±", number, numeric=True),
        Column("unit", "unit"),
        Column("n_units", "units", numeric=True),
        Column("detail", "detail"),
    ]
    return Listing("; ".join(sources), columns, rows, extra={"inputs": inputs})


def _chosen(measurements: Measurements, globs: Sequence[str]) -> list[str]:
    for glob in globs:
        if not any(fnmatchcase(name, glob) for name in measurements):
            raise UsageError(f"{glob!r} matches no metric of {measurements.rerun}; have {', '.join(measurements)}")
    return [name for name in measurements if not globs or any(fnmatchcase(name, glob) for glob in globs)]


def _row(measurement: Measurement, dimensions: Sequence[str]) -> dict[str, Any]:
    values = {name: measurement.data_id[name] for name in dimensions}
    return {
        "metric": measurement.metric,
        "rerun": measurement.rerun,
        **{name: None if value in (WHOLE_RERUN, "") else value for name, value in values.items()},
        "value": measurement.value,
        "uncertainty": measurement.uncertainty,
        "unit": measurement.unit,
        "n_units": measurement.n_units,
        "definition": measurement.definition,
        "detail": measurement.detail,
    }


def _known(value: int | str | None) -> str:
    return "–" if value is None else str(value)
