"""A rerun with a planted defect, judged by the whole chain against the rerun it was made from."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property

import pytest
from embedded_sensor import FIRST, rewrite_record, write_sensor
from embedded_survey import MAY, CommandLine, repository, run, survey_folder, survey_tables, write_rerun

import harness.measure.flats
from harness.baseline.files import canonical_bytes, read_baseline
from harness.baseline.model import Acceptance, Entry, Original, Within
from harness.measure.catalogue import all_metrics
from harness.metrics.settings import Settings
from harness.shipped import shipped

__all__ = ["repository", "run", "survey_folder"]

#: What two reruns of the same pixels by the same software have between them, beside the harness's own baseline.
_IDENTICAL = {
    "churn.medianFluxRatio": (0.9, 1.1),
    "churn.medianOffset": (0.0, 1.0),
    "columns.numChanged": (0.0, 0.0),
}


@pytest.fixture(scope="session")
def reference_folder(survey_folder):
    """Return a folder with the reference: May as files, beside a baseline that allows no change."""
    folder = survey_folder / "guards"
    write_rerun(folder, MAY, survey_tables(MAY))
    baseline = read_baseline(shipped("baselines") / "hits2015.json")
    story = Acceptance(
        at=datetime(2026, 11, 21, tzinfo=UTC),
        by="A. Person",
        harness="0.1.0",
        rerun=MAY,
        versions={},
        inputs="none",
        reason="the same pixels",
        ticket="",
        visits=24,
    )
    entries = {name: _entry(name, *limits) for name, limits in _IDENTICAL.items()}
    baseline = baseline.replaced(
        acceptances={**baseline.acceptances, "guards": story}, metrics={**baseline.metrics, **entries}
    )
    (folder / "baselines").mkdir()
    (folder / "baselines" / "hits2015.json").write_bytes(canonical_bytes(baseline))
    return folder


def _entry(name, low, high):
    metric = all_metrics(Settings())[name]
    return Entry(
        value=low,
        uncertainty=0.0,
        unit=metric.unit,
        definition=metric.definition_digest,
        expectation=Within(low=low, high=high),
        direction="both",
        accepted="guards",
        original=Original(value=low, accepted="guards"),
    )


@pytest.fixture(scope="session")
def measured_reference(reference_folder):
    """Return the measurement store that holds the reference."""
    once = CommandLine(reference_folder)
    once("measure", "--repo", reference_folder, "--rerun", MAY)
    return once.store


@pytest.fixture
def judge(run, reference_folder, measured_reference):
    """Return the function that judges tables as the rerun ``planted`` against May, with the exit code it must have."""
    shutil.copytree(measured_reference, run.store)

    def verify(tables, *options, code=1):
        shutil.rmtree(run.folder / "planted", ignore_errors=True)
        write_rerun(run.folder, "planted", tables)
        where = ("--repo", reference_folder, "--baselines", reference_folder / "baselines")
        planted = ("--rerun", f"planted={run.folder}", "--reference", MAY)
        return run("verify", *where, *planted, "--format", "json", *options, code=code)

    return verify


@pytest.fixture
def tables():
    """Return May's tables, to plant a defect in."""
    return dict(survey_tables(MAY))


class Sensor:
    """The flats and the EO-test record of the embedded sensor as the rerun ``planted``, to plant a defect in.

    Calling it judges the rerun against the first one, whose flats are the same, and requires an exit code.
    """

    def __init__(self, run, folder, repository):
        self._run = run
        self.folder = folder / "planted"
        self._verify = (
            *("verify", "--repo", repository, "--baselines", shipped("baselines"), "--format", "json"),
            *("--rerun", f"planted={folder}", "--reference", FIRST),
        )
        shutil.rmtree(self.folder, ignore_errors=True)
        self.flats = write_sensor(self.folder, repository)

    def __call__(self, *options, code=1):
        return self._run(*self._verify, *options, code=code)

    def record(self, change):
        """Write the EO-test record anew, where ``change`` has altered its columns."""
        rewrite_record(self.folder, change)

    def forget(self):
        """Remove what was measured of the rerun: the harness itself is about to be changed."""
        shutil.rmtree(next(self._run.store.glob("planted-*")), ignore_errors=True)


@pytest.fixture(scope="session")
def sensor_folder(survey_folder, repository):
    """Return the folder of the rerun ``planted``, beside a store that holds it and the reference, measured."""
    folder = survey_folder / "planted_sensor"
    folder.mkdir()
    Sensor(CommandLine(folder), folder, repository)(code=0)
    return folder


@pytest.fixture
def sensor(run, sensor_folder, repository):
    """Return the embedded sensor, to plant a defect in."""
    shutil.copytree(sensor_folder / "measurements", run.store, copy_function=os.link)
    return Sensor(run, sensor_folder, repository)


class _Curves:
    """What is extracted from the flats, once for all defects that are planted behind it."""

    def __init__(self):
        self._extract = harness.measure.flats.extract_curves

    def __call__(self, *arguments):
        self._arguments = arguments
        return self._extracted

    @cached_property
    def _extracted(self):
        return self._extract(*self._arguments)


@pytest.fixture(scope="session")
def _curves():
    return _Curves()


@pytest.fixture
def replant(sensor, _curves, monkeypatch):
    """Return the function that measures the sensor anew with every curve altered, and judges it."""

    def judge(change=lambda curve: curve, code=1):
        def extract(*arguments):
            extracted = _curves(*arguments)
            return replace(extracted, curves=[change(curve) for curve in extracted.curves])

        monkeypatch.setattr(harness.measure.flats, "extract_curves", extract)
        sensor.forget()
        return sensor(code=code)

    return judge
