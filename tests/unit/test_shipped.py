"""Finding what travels with the harness, in a checkout and in a wheel."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest

import harness.shipped
from harness.errors import UsageError
from harness.shipped import shipped

ROOT = Path(harness.shipped.__file__).parents[1]


@pytest.mark.parametrize(
    ("name", "place"), [("baselines", "baselines"), ("fixtures", "fixtures"), ("verification", "tests/verification")]
)
def test_checkout_keeps_them_at_its_top_level(
    name: Literal["baselines", "fixtures", "verification"], place: str
) -> None:
    """In a checkout the folders are the project's own."""
    assert shipped(name) == ROOT / place


def test_wheel_keeps_them_beside_the_modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In an installed wheel the folder inside the package wins over anything of that name beside it."""
    inside = tmp_path / "harness" / "_shipped" / "baselines"
    inside.mkdir(parents=True)
    (tmp_path / "baselines").mkdir()
    monkeypatch.setattr(harness.shipped, "__file__", str(tmp_path / "harness" / "shipped.py"))
    assert shipped("baselines") == inside


def test_incomplete_installation_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing folder gives one sentence with both places and the way out."""
    monkeypatch.setattr(harness.shipped, "__file__", str(tmp_path / "harness" / "shipped.py"))
    with pytest.raises(UsageError, match=r"no fixtures \(neither .*_shipped/fixtures nor .*\); install it again"):
        shipped("fixtures")
