"""The workflow to copy: valid, safe against what is typed in, and it keeps evidence of failures alone."""

from __future__ import annotations

import re

import pytest
import yaml

from harness.workflow import WORKFLOW, WORKFLOW_PATH


@pytest.fixture
def steps():
    """Return the steps of the only job."""
    (job,) = yaml.safe_load(WORKFLOW)["jobs"].values()
    return job["steps"]


def test_it_stands_where_it_is_found():
    """GitHub reads workflows from one folder."""
    assert re.fullmatch(r"\.github/workflows/[a-z]+\.yml", WORKFLOW_PATH)


def test_nothing_typed_in_is_part_of_a_command(steps):
    """Expressions in a command would be run as its text; they are variables, and quoted."""
    commands = [step["run"] for step in steps if "run" in step]
    assert len(commands) == 4
    for command in commands:
        assert "${{" not in command
        assert not re.search(r"(?<!\")\$\w+", command)


def test_it_may_read_and_no_more():
    """A workflow that judges needs no right to write."""
    assert yaml.safe_load(WORKFLOW)["permissions"] == {"contents": "read"}


def test_evidence_is_kept_of_failures_alone(steps):
    """What to rerun, measurements and plots are uploaded when a step failed, and only then."""
    (upload,) = (step for step in steps if "upload-artifact" in step.get("uses", ""))
    assert upload is steps[-1]
    assert upload["if"] == "${{ failure() }}"
    kept = upload["with"]["path"].split()
    written = " ".join(step.get("run", "") for step in steps)
    assert kept == ["report.html", "report.json", "junit.xml", "measurements/"]
    assert all(name.rstrip("/") in written for name in kept)
