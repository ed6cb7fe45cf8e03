"""What a user may choose about the definitions of metrics."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

from harness.errors import UsageError
from harness.metrics.flag_sets import FLAG_SETS, FlagSet

__all__ = ["Settings"]


@final
@dataclass(frozen=True, slots=True)
class Settings:
    """What the definitions of metrics depend on.

    Attributes
    ----------
    good_flags
        Name of the flag list in `harness.metrics.flag_sets.FLAG_SETS` that "good source" means.
    match_radius
        Largest separation of two detections of the same source, in arcsec.
    edge_width
        How near to the border of a detector counts as its edge, in pixels.

    Raises
    ------
    harness.errors.UsageError
        When a value makes no sense.
    """

    good_flags: str = "S3"
    match_radius: float = 0.5
    edge_width: float = 40.0

    def __post_init__(self) -> None:
        if self.good_flags not in FLAG_SETS:
            raise UsageError(f"'good_flags' must be one of {list(FLAG_SETS)} (got {self.good_flags!r})")
        for name, is_right, wanted in (
            ("match_radius", self.match_radius > 0, "greater than 0"),
            ("edge_width", self.edge_width >= 0, "0 or greater"),
        ):
            value = float(getattr(self, name))
            if not (is_right and math.isfinite(value)):
                raise UsageError(f"{name!r} must be a number {wanted} (got {value!r})")
            object.__setattr__(self, name, value)  # 40 and 40.0 are one setting, with one digest

    @property
    def flag_set(self) -> FlagSet:
        """The flag list that "good source" means."""
        return FLAG_SETS[self.good_flags]
