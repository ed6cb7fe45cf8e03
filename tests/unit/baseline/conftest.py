"""Baselines and measurements to start from."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from harness.baseline.files import canonical_bytes
from harness.baseline.model import Acceptance, Baseline, Entry, Original, Unchanged
from harness.model import Measurement, Provenance


@pytest.fixture(autouse=True)
def by_hand(monkeypatch):
    """Accept by hand, even where the tests themselves run under continuous integration."""
    for name in ("CI", "GITHUB_ACTIONS", "BUILD_ID"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def provenance():
    """Describe the rerun that values come from."""
    return Provenance("w_2020_24", "repo", {"diaSource": "b2"}, {"ip_diffim": "20.0"})


@pytest.fixture
def measured():
    """Return a function that makes a measurement."""

    def make(metric, value, uncertainty=1.0, **more):
        fields = {"rerun": "w_2020_24", "unit": "ct", "n_units": 28, "definition": "d1", "inputs": "b2"}
        return Measurement(metric=metric, value=value, uncertainty=uncertainty, **{**fields, **more})

    return make


@pytest.fixture
def entry():
    """Return a function that makes an entry accepted in ``first``."""

    def make(value=100.0, rule=None, **more):
        fields = {"uncertainty": 1.0, "unit": "ct", "definition": "d1", "direction": "both", "accepted": "first"}
        return Entry(
            value=value,
            expectation=rule or Unchanged(rtol=0.02, atol=0.0),
            **{**fields, "original": Original(value=value, accepted="first"), **more},
        )

    return make


@pytest.fixture
def acceptance():
    """Tell the story of the acceptance ``first``."""
    return Acceptance(
        at=datetime(2020, 6, 1, 9, 30, tzinfo=UTC),
        by="Ana Núñez",
        harness="0.1.0",
        rerun="w_2020_20",
        versions={"ip_diffim": "19.0"},
        inputs="a1",
        reason="first baseline",
        ticket="DM-25125",
        visits=28,
    )


@pytest.fixture
def baseline(entry, acceptance):
    """Return a baseline of three metrics."""
    metrics = {name: entry(value) for name, value in (("dia.a", 100.0), ("dia.b", 200.0), ("sci.c", 5.0))}
    return Baseline(dataset="hits", acceptances={"first": acceptance}, metrics=metrics)


@pytest.fixture
def path(tmp_path, baseline):
    """Write that baseline to a file."""
    file = tmp_path / "hits.json"
    file.write_bytes(canonical_bytes(baseline))
    return file
