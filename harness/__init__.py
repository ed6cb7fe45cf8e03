"""A regression and verification harness for image-processing reruns.

The few names a user imports; each loads its module on first use, so that ``import harness`` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.model import DataId, Interval, Measurement, Metric, Provenance, Verdict, VerdictState
    from harness.request import Request
    from harness.rerun import open_rerun
    from harness.session import Session

__version__ = "0.1.0"

_HOMES = {
    "DataId": "harness.model",
    "Interval": "harness.model",
    "Measurement": "harness.model",
    "Metric": "harness.model",
    "Provenance": "harness.model",
    "Request": "harness.request",
    "Session": "harness.session",
    "Verdict": "harness.model",
    "VerdictState": "harness.model",
    "open_rerun": "harness.rerun",
}

__all__ = [
    "DataId",
    "Interval",
    "Measurement",
    "Metric",
    "Provenance",
    "Request",
    "Session",
    "Verdict",
    "VerdictState",
    "__version__",
    "open_rerun",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'harness' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
