"""What a user may choose about the definitions of metrics."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

from harness.errors import UsageError
from harness.metrics.flag_sets import FLAG_SETS, FlagSet

if TYPE_CHECKING:
    from harness.rerun.exposures.protocol import PsfSizeKind

__all__ = ["PSF_SIZES", "Settings"]

PSF_SIZES: tuple[PsfSizeKind, ...] = ("determinant", "trace", "nea")
"""Kinds of PSF size (`harness.rerun.exposures.protocol.PsfSizeKind`)."""


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
    psf_size
        Which size of a PSF is meant: one of `PSF_SIZES`.
    sample_visits
        Of how many visits images are read; 0 reads those of all.
    sample_seed
        Which sample of visits that is: the same seed draws the same visits, whatever their order.

    Raises
    ------
    harness.errors.UsageError
        When a value makes no sense.
    """

    good_flags: str = "S3"
    match_radius: float = 0.5
    edge_width: float = 40.0
    psf_size: PsfSizeKind = "determinant"
    sample_visits: int = 0
    sample_seed: int = 0

    def __post_init__(self) -> None:
        if self.good_flags not in FLAG_SETS:
            raise UsageError(f"'good_flags' must be one of {list(FLAG_SETS)} (got {self.good_flags!r})")
        if self.psf_size not in PSF_SIZES:
            raise UsageError(f"'psf_size' must be one of {list(PSF_SIZES)} (got {self.psf_size!r})")
        for name in ("sample_visits", "sample_seed"):
            if getattr(self, name) < 0:
                raise UsageError(f"{name!r} must be 0 or greater (got {getattr(self, name)!r})")
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
