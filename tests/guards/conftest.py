"""A rerun with a planted defect, judged by the whole chain against the rerun it was made from."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime

import pytest
from embedded_survey import MAY, CommandLine, run, survey_folder, survey_tables, write_rerun

from harness.baseline.files import canonical_bytes, read_baseline
from harness.baseline.model import Acceptance, Entry, Original, Within
from harness.measure.catalogue import all_metrics
from harness.metrics.settings import Settings
from harness.shipped import shipped

__all__ = ["run", "survey_folder"]

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
