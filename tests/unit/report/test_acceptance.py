"""Accepting and acknowledging: whose baseline is written."""

from __future__ import annotations

import pytest

from harness.errors import UsageError
from harness.report.acceptance import acknowledge_metric, plan_rerun
from harness.request import Request
from harness.session import Session


@pytest.mark.parametrize("asked", [Request(), Request(dataset="mine")], ids=["embedded", "dataset"])
def test_baselines_of_the_installation_are_not_written(tmp_path, monkeypatch, asked):
    """In a folder without baselines the embedded survey is judged by the installation's, which no command changes."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=r"baselines belongs to the installation; name a folder of your own with"):
        plan_rerun(Session(asked), ["dia.*"], {"rtol": 0.1})
    with pytest.raises(UsageError, match="belongs to the installation"):
        acknowledge_metric(
            Session(asked), "*", until=None, ticket=None, reason=None, by=None, remove=True, allow_ci=False
        )
