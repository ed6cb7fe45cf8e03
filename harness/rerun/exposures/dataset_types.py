"""Which Butler dataset types hold the exposures and DIA sources that the harness looks at."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.rerun.exposures.protocol import ExposureKind

__all__ = ["EXPOSURE_TYPES", "SIDED_SOURCE_TYPES", "SIDE_PREFIXES", "ExposureType"]

SIDE_PREFIXES: Mapping[str, str] = MappingProxyType({"good": "goodSeeingDiff_", "deep": "deepDiff_"})
"""What the names of dataset types begin with that belong to one of two templates, by side."""


@final
@dataclass(frozen=True, slots=True)
class ExposureType:
    """A Butler dataset type of exposures, and the template that it belongs to (`ExposureRef.side`)."""

    name: str
    side: str = ""


def _types(*names: str) -> tuple[ExposureType, ...]:
    return tuple(ExposureType(name) for name in names)


def _of_sides(suffix: str, *unsided: str) -> tuple[ExposureType, ...]:
    return (*(ExposureType(prefix + suffix, side) for side, prefix in SIDE_PREFIXES.items()), *_types(*unsided))


EXPOSURE_TYPES: Mapping[ExposureKind, Sequence[ExposureType]] = MappingProxyType(
    {
        "science": _types("visit_image", "preliminary_visit_image", "initial_pvi", "calexp"),
        "template": _of_sides("templateExp", "template_detector"),
        "difference": _of_sides("differenceExp", "difference_image"),
        "visitBackground": _types("visit_image_background", "preliminary_visit_image_background", "calexpBackground"),
        "coaddBefore": _types("deep_coadd_predetection", "deepCoadd"),
        "coaddAfter": _types("deep_coadd", "deepCoadd_calexp"),
        "coaddBackground": _types("deep_coadd_background", "deepCoadd_calexp_background"),
    }
)
"""Dataset types of each kind of exposure, the present name before older ones; of those of one side the first counts."""

SIDED_SOURCE_TYPES: Mapping[str, Sequence[str]] = MappingProxyType(
    {
        side: tuple(prefix + suffix for suffix in ("assocDiaSrc", "diaSrcTable", "diaSrc"))
        for side, prefix in SIDE_PREFIXES.items()
    }
)
"""Dataset types of the DIA sources that were found with each of two templates; the first one that is there counts."""
