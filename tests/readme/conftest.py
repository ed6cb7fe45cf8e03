"""A new user's machine: a copy of the checkout, Python, and nothing of this session's environment."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# What a person at a terminal does not have, and what would lead commands back to this session.
_OURS = ("BUILD_ID", "CI", "COLUMNS", "GITHUB_", "PYTEST_", "PYTHON", "RERUN_HARNESS_", "VIRTUAL_ENV")


@pytest.fixture(scope="session")
def checkout(tmp_path_factory):
    """Copy what is under version control, and no more: a file that was forgotten there must be missed here."""
    copy = tmp_path_factory.mktemp("fresh") / "rerun-harness"
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, copy / name)
    return copy


@pytest.fixture(scope="session")
def user_environment(tmp_path_factory):
    """Return environment variables of a person at a terminal, with the Python of this session and an empty cache."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    return {
        **kept,
        "PATH": f"{Path(sys.base_prefix, 'bin')}{os.pathsep}{kept['PATH']}",
        "RERUN_HARNESS_CACHE": str(tmp_path_factory.mktemp("cache")),
    }
