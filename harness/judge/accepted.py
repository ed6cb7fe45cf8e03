"""The plain reference that a baseline entry gives to the judge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

__all__ = ["Accepted"]


@final
@dataclass(frozen=True, slots=True)
class Accepted:
    """An accepted value: what is left of a rerun whose visits are no longer there to be paired with.

    Attributes
    ----------
    value, uncertainty
        The accepted value and its standard uncertainty, in ``unit``; NaN when nobody stated one.
    unit
        Unit as an `astropy.units` string.
    definition
        Digest of the metric's definition.
    n_units
        How many visits it rests on.
    rerun
        The rerun it was measured on.
    story
        Who accepted it, when and why, in one line; empty when unknown.
    units_digest
        Digest of the set of visits (`harness.judge.quantity.Quantity.units_digest`); empty when unknown.
    """

    value: float
    uncertainty: float
    unit: str
    definition: str
    n_units: int = 0
    rerun: str = ""
    story: str = ""
    units_digest: str = ""
