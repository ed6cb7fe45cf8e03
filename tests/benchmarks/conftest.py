"""Benchmarks: ``pytest tests/benchmarks --benchmark-enable`` times them at full size, any other test run is small."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="session")
def full_size(pytestconfig: pytest.Config) -> bool:
    """Return whether something is timed, so that inputs must be as large as the goals are stated for."""
    is_disabled = pytestconfig.getoption("benchmark_disable") and not pytestconfig.getoption("benchmark_enable")
    return not is_disabled
