"""The canonical tables, and what each is called where reruns are stored."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "BIAS_TYPE",
    "DATASET_TYPES",
    "EOTEST_TYPE",
    "GEOMETRY_TYPES",
    "RAW_TYPE",
    "SQL_TABLES",
    "TABLES",
    "DatasetTypeName",
]


@final
@dataclass(frozen=True, slots=True)
class DatasetTypeName:
    """A Butler dataset type that holds a canonical table.

    Attributes
    ----------
    name
        Name of the dataset type.
    repeats
        Canonical column of which datasets repeat values: each visit's dataset holds what was known at that time.
    """

    name: str
    repeats: str = ""


def _named(*names: str, repeats: str = "") -> tuple[DatasetTypeName, ...]:
    return tuple(DatasetTypeName(name, repeats) for name in names)


DATASET_TYPES: Mapping[str, Sequence[DatasetTypeName]] = MappingProxyType(
    {
        "diaSource": (
            *_named("diaSource", "dia_source_apdb", "goodSeeingDiff_assocDiaSrc", "deepDiff_assocDiaSrc"),
            *_named("dia_source_visit", "dia_source_detector", "diaSourceTable", "diaSourceTable_tract", "dia_source"),
            *_named("goodSeeingDiff_diaSrcTable", "deepDiff_diaSrcTable"),
            *_named("goodSeeingDiff_diaSrc", "deepDiff_diaSrc"),
            # Prompt processing: the APDB's content before each visit.
            *_named("preloaded_dia_source", "preloaded_diaSources", repeats="diaSourceId"),
        ),
        "diaObject": (
            *_named("diaObject", "diaObjectTable_tract", "dia_object"),
            *_named("goodSeeingDiff_diaObjTable", "deepDiff_diaObjTable"),
            *_named("dia_object_apdb", "goodSeeingDiff_diaObject", "deepDiff_diaObject", repeats="diaObjectId"),
            *_named("preloaded_dia_object", "preloaded_diaObjects", repeats="diaObjectId"),
        ),
        "source": _named(
            *("source", "sourceTable_visit", "sourceTable", "preSourceTable_visit", "preSourceTable"),
            *("initial_stars_detector", "initial_stars_footprints_detector", "src"),
        ),
    }
)
"""Butler dataset types of each canonical table; of several in one collection, the first one counts.

Associated sources come before those that were not associated yet, standardised tables before the catalogues that they
were made of.
"""

TABLES = tuple(DATASET_TYPES)
"""Names of the canonical tables."""

SQL_TABLES: Mapping[str, str] = MappingProxyType({"diaSource": "DiaSource", "diaObject": "DiaObject"})
"""What the APDB calls its tables."""

GEOMETRY_TYPES = ("visit_detector_table", "ccdVisitTable")
"""Butler dataset types that hold the geometry of detectors, the present name first."""

RAW_TYPE, BIAS_TYPE, EOTEST_TYPE = "raw", "bias", "eotest_results"
"""Butler dataset types of raw exposures, of their bias, and of the EO test's results as the file it wrote."""
