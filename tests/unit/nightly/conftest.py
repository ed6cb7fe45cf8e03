"""A place where nights are spent."""

from __future__ import annotations

import pytest
from nightly_place import Place


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Return a place with two reruns that are alike, and somewhere else to be."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    place = Place(tmp_path / "place")
    place.appear("w_1")
    place.appear("w_2")
    return place
