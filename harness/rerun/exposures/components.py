"""Components of an exposure in its archive: filter, photometric calibration, inputs of a coadd, summary statistics."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from harness.rerun.exposures.archived import ArchivedObject
from harness.rerun.exposures.protocol import CoaddInput

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.rerun.exposures.archive import Archive

__all__ = ["calibration_mean", "coadd_inputs", "filter_name", "summary_statistics"]


def filter_name(archive: Archive, object_id: int) -> str:
    """Return the band of a ``FilterLabel``, else its physical filter; empty when it has neither.

    Raises
    ------
    harness.errors.BrokenFileError
        When it is not stored as it should be.
    """
    label = ArchivedObject(archive, object_id)
    return label.text("band") or label.text("physical")


def calibration_mean(archive: Archive, object_id: int) -> float:
    """Return the mean calibration of a ``PhotoCalib``, nJy for one pixel unit.

    NaN before version 1, which counted in maggies and which afw itself does not read any more.

    Raises
    ------
    harness.errors.BrokenFileError
        When it is not stored as it should be.
    """
    calibration = ArchivedObject(archive, object_id)
    mean = calibration.number("calibrationMean")
    return mean if calibration.has("version") else math.nan


def coadd_inputs(archive: Archive, object_id: int) -> tuple[CoaddInput, ...]:
    """Return the ``CoaddInputs``: visits by detector, or whole visits where only they were kept.

    Raises
    ------
    harness.errors.BrokenFileError
        When they are not stored as they should be.
    """
    inputs = ArchivedObject(archive, object_id, n_tables=2)
    visits, detectors, weights = (inputs.column(name, table=1).tolist() for name in ("visit", "ccd", "weight"))
    if not visits:
        visits, weights = (inputs.column(name, table=0).tolist() for name in ("id", "weight"))
        detectors = [-1] * len(visits)
    return tuple(map(CoaddInput, visits, detectors, weights))


def summary_statistics(archive: Archive, object_id: int) -> Mapping[str, float]:
    """Return the finite numbers among ``ExposureSummaryStats``, by name.

    Raises
    ------
    harness.errors.BrokenFileError
        When they are not stored as they should be.
    """
    import yaml

    stored = ArchivedObject(archive, object_id)
    try:
        recorded = yaml.safe_load(stored.blob("bytes"))
    except (yaml.YAMLError, UnicodeDecodeError):
        recorded = None
    if not isinstance(recorded, dict):
        raise stored.broken("is not a YAML mapping")
    return {
        name: float(value)
        for name, value in recorded.items()
        if name != "version" and isinstance(value, (int, float)) and math.isfinite(value)
    }
