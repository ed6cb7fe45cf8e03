"""Measurements of one rerun as a listing."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from harness.errors import UsageError
from harness.report.listing import Column, Listing, number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.measure.measurements import Measurements
    from harness.model import Measurement

__all__ = ["measurement_listing"]


def measurement_listing(measurements: Measurements, dimensions: Sequence[str], globs: Sequence[str]) -> Listing:
    """Return what was measured of a rerun.

    Parameters
    ----------
    measurements
        Of one rerun.
    dimensions
        Dimensions to split by, such as ``visit`` and ``detector``; none gives one row per metric.
    globs
        Metrics to list; none lists all.

    Raises
    ------
    harness.errors.UsageError
        When a glob matches no metric, or a dimension is unknown.
    """
    for glob in globs:
        if not any(fnmatchcase(name, glob) for name in measurements):
            raise UsageError(f"{glob!r} matches no metric of {measurements.rerun}; have {', '.join(measurements)}")
    names = [name for name in measurements if not globs or any(fnmatchcase(name, glob) for glob in globs)]
    rows = []
    for name in names:
        parts = measurements.by(name, *dimensions) if dimensions else [measurements[name]]
        rows += [_row(part.measurement(), dimensions) for part in parts]
    columns = [
        Column("metric", "metric"),
        *(Column(dimension, dimension, numeric=dimension in ("visit", "detector")) for dimension in dimensions),
        Column("value", "value", number, numeric=True),
        Column("uncertainty", "±", number, numeric=True),
        Column("unit", "unit"),
        Column("n_units", "visits", numeric=True),
        Column("detail", "detail"),
    ]
    manifest = measurements.manifest
    if manifest is None:
        raise UsageError(f"{measurements.rerun} has not been measured; run rerun-harness measure")
    return Listing(f"{manifest.rerun} in {manifest.source}", columns, rows, extra={"inputs": manifest.inputs})


def _row(measurement: Measurement, dimensions: Sequence[str]) -> dict[str, Any]:
    return {
        "metric": measurement.metric,
        **{dimension: measurement.data_id[dimension] for dimension in dimensions},
        "value": measurement.value,
        "uncertainty": measurement.uncertainty,
        "unit": measurement.unit,
        "n_units": measurement.n_units,
        "definition": measurement.definition,
        "detail": measurement.detail,
    }
