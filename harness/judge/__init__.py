"""One rule: the confidence interval of the estimand against the acceptable interval.

The names that other rooms use; each loads its module on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.judge.accepted import Accepted
    from harness.judge.acknowledge import acknowledged
    from harness.judge.estimate import CONFIDENCE, Estimate, change, change_from, level, ratio, share
    from harness.judge.expectations import (
        Direction,
        above,
        agrees_with,
        below,
        closes,
        unchanged,
        within,
    )
    from harness.judge.quantity import WHOLE_RERUN, Quantity
    from harness.judge.rule import decide, more_units_needed
    from harness.judge.sentence import number, percent, tell_more

_HOMES = {
    "accepted": ["Accepted"],
    "acknowledge": ["acknowledged"],
    "estimate": ["CONFIDENCE", "Estimate", "change", "change_from", "level", "ratio", "share"],
    "expectations": [
        "Direction",
        "above",
        "agrees_with",
        "below",
        "closes",
        "unchanged",
        "within",
    ],
    "quantity": ["WHOLE_RERUN", "Quantity"],
    "rule": ["decide", "more_units_needed"],
    "sentence": ["number", "percent", "tell_more"],
}
_HOME_OF = {name: f"harness.judge.{home}" for home, names in _HOMES.items() for name in names}

__all__ = [
    "CONFIDENCE",
    "WHOLE_RERUN",
    "Accepted",
    "Direction",
    "Estimate",
    "Quantity",
    "above",
    "acknowledged",
    "agrees_with",
    "below",
    "change",
    "change_from",
    "closes",
    "decide",
    "level",
    "more_units_needed",
    "number",
    "percent",
    "ratio",
    "share",
    "tell_more",
    "unchanged",
    "within",
]


def __getattr__(name: str) -> Any:
    if name in _HOME_OF:
        return getattr(import_module(_HOME_OF[name]), name)
    raise AttributeError(f"module 'harness.judge' has no attribute {name!r}")
