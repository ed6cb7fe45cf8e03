"""What it costs to start: ``import harness`` beside ``import numpy``, our help beside that of a bare command."""

from __future__ import annotations

import subprocess
import sys

import pytest

BARE = """
import click

@click.group()
def main():
    "Do nothing."

main(["--help"])
"""

IMPORTS = {"numpy": "import numpy", "harness": "import harness"}
HELPS = {"bare click": BARE, "rerun-harness": "from harness.cli import main; main(['--help'])"}


@pytest.mark.benchmark(group="import")
@pytest.mark.parametrize("name", IMPORTS)
def test_import(benchmark, name):
    """Goal: harness under 1.5 times numpy."""
    benchmark(subprocess.run, [sys.executable, "-c", IMPORTS[name]], check=True)


@pytest.mark.benchmark(group="--help")
@pytest.mark.parametrize("name", HELPS)
def test_help(benchmark, name):
    """Goal: ours under 3 times a bare click command."""
    benchmark(subprocess.run, [sys.executable, "-c", HELPS[name]], check=True, capture_output=True)


def test_import_loads_nothing_heavy():
    """``import harness`` and the plugin bring in nothing that a user did not ask for."""
    code = (
        "import sys, harness, harness.model, harness.errors;"
        "heavy = {'numpy', 'pytest', 'matplotlib', 'lsst', 'dask', 'pandas', 'pyarrow', 'polars', 'numba', 'pydantic'};"
        "found = heavy & set(sys.modules); assert not found, found"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
