"""An acceptance as a person would have made it, for baselines that tests write by hand."""

from __future__ import annotations

from datetime import UTC, datetime

from harness.baseline.model import Acceptance


def acceptance(visits, ticket=""):
    """Return the acceptance of so many visits (or amplifiers) of the rerun ``old``."""
    return Acceptance(
        at=datetime(2026, 11, 21, tzinfo=UTC),
        by="A. Person",
        harness="0.1.0",
        rerun="old",
        versions={},
        inputs="old",
        reason="it was right",
        ticket=ticket,
        visits=visits,
    )
