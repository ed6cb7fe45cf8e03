"""What all models of a baseline file are made of: nothing is converted, guessed or ignored."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Self, TypeAlias

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict

from harness.baseline.strictjson import is_unicode

__all__ = ["Moment", "Note", "Strict", "Text"]


def _in_whole_utc_seconds(moment: datetime) -> datetime:
    """Refuse moments that have several spellings."""
    if moment.utcoffset() != UTC.utcoffset(None) or moment.microsecond:
        raise ValueError("must be in UTC and whole seconds, such as 2026-11-21T09:30:00Z")
    return moment


def _unicode(text: str) -> str:
    if not is_unicode(text):
        raise ValueError(f"must be made of characters (got {text!r})")
    return text


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be blank")
    return text


Note: TypeAlias = Annotated[str, AfterValidator(_unicode)]
"""Any text."""

Text: TypeAlias = Annotated[Note, AfterValidator(_not_blank)]
"""Text that says something."""

Moment: TypeAlias = Annotated[AwareDatetime, AfterValidator(_in_whole_utc_seconds)]
"""A time that has one spelling."""


class Strict(BaseModel):
    """Nothing is converted, guessed or ignored."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", allow_inf_nan=False)

    def replaced(self, **fields: object) -> Self:
        """Return a copy with other values for some fields, validated (which `model_copy` is not)."""
        return type(self)(**{**dict(self), **fields})
