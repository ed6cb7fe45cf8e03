"""Reruns for a history, made of numbers alone."""

from __future__ import annotations

import pytest

from harness.history.entry import Entry, Row
from harness.history.store import HistoryStore


@pytest.fixture
def make_entry():
    """Return a function that makes the entry of one rerun with one metric, or with these rows."""

    def make(rerun, value=100.0, *, rows=None, dataset="hits", inputs=None, settings=None, **row):
        fields = {"metric": "dia.numSources", "unit": "ct", "definition": "d1", "uncertainty": 2.0, "n_units": 28}
        return Entry(
            dataset=dataset,
            rerun=rerun,
            source=f"repo:{rerun}",
            inputs=inputs or f"inputs of {rerun}",
            rows=rows or (Row(value=value, **fields | row),),
            harness="0.1.0",
            settings=settings or {"good_flags": "S3"},
            versions={"ip_diffim": "20.0"},
        )

    return make


@pytest.fixture
def store(tmp_path):
    """Return an empty history."""
    return HistoryStore(tmp_path / "history")


@pytest.fixture
def fill(store, make_entry):
    """Return a function that appends a series of values of one metric and returns the whole history."""

    def append(values, *, state="PASS", **row):
        states = [state] * len(values) if isinstance(state, str) else state
        for index, (value, judged) in enumerate(zip(values, states, strict=True)):
            store.append(make_entry(f"w_{index:03d}", float(value), state=judged, **row))
        return store.read()[0]

    return append
