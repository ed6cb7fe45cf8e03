"""Files that other tools exchange measurements by, whichever of their forms they have, in and out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from harness.errors import UsageError
from harness.exchange.value import Job

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from harness.measure.measurements import Measurements
    from harness.model import Verdict

__all__ = ["Form", "exported", "read_job"]

Form = Literal["verify", "influx"]
"""What measurements are written as: a job of `lsst.verify`, or InfluxDB line protocol."""


def read_job(path: Path) -> Job:
    """Read a job of `lsst.verify`, a bundle of `lsst.analysis_tools`, or a single measurement in YAML.

    Parameters
    ----------
    path
        The file; JSON with ``measurements`` is a job, other JSON a bundle.

    Raises
    ------
    harness.errors.UsageError
        When there is no such file, or its name says that it is something else.
    harness.errors.BrokenFileError
        When it is not what it should be.
    """
    from harness.exchange.bundle import bundle_of
    from harness.exchange.document import read_json
    from harness.exchange.metric_value import read_metric_value
    from harness.exchange.verify_job import verify_job_of

    match path.suffix.lower():
        case ".json":
            top = read_json(path)
            is_job = isinstance(top.value, dict) and "measurements" in top.value
            return verify_job_of(top) if is_job else bundle_of(top)
        case ".yaml" | ".yml":
            measurement = read_metric_value(path)
            return Job({measurement.metric: measurement})
        case _:
            raise UsageError(f"{path} is neither .json (a job or a bundle) nor .yaml (one measurement)")


def exported(measurements: Measurements, verdicts: Sequence[Verdict], dataset: str, form: Form, at: datetime) -> bytes:
    """Return what was measured of a whole rerun, and judged, in a form that other tools read.

    Parameters
    ----------
    measurements
        Of the rerun.
    verdicts
        What was judged of it.
    dataset
        Its dataset; empty when nothing says so.
    form
        What to write.
    at
        When it was measured, with a time zone.
    """
    from harness.exchange.influx import influx_lines
    from harness.exchange.own import job_of
    from harness.exchange.verify_job import write_verify_job

    numbers = [measurements[name].measurement() for name in measurements]
    if form == "influx":
        return influx_lines(numbers, dataset=dataset, at=at, verdicts=verdicts).encode()
    meta = {"dataset": dataset} if dataset else {}
    return write_verify_job(job_of(numbers, measurements.catalogue, verdicts, meta=meta))
