"""The canonical tables, and what each is called where reruns are stored."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "BIAS_TYPE",
    "CATALOGUES",
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


def _fakes(*suffixes: str) -> tuple[str, ...]:
    """Return dataset types of fakes by either template, and by neither."""
    return tuple(
        f"{prefix}{template}{suffix}"
        for suffix in suffixes
        for template in ("goodSeeingDiff_", "deepDiff_")
        for prefix in ("fakes_", "")
    )


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
        "injection": _named(
            # What was put into a visit's images: into the template too (lsst/ap_pipe), then into one image each.
            "VisitDetectorFakeSourceCat",
            *(
                f"{prefix}{image}_catalog"
                for image in ("preliminary_visit_image", "visit_image", "initial_pvi", "calexp")
                for prefix in ("injected_", "fakes_")
            ),
            *("injected_post_isr_image_catalog", "injected_postISRCCD_catalog"),
            # The same, matched; without those near the edge of a detector.
            *_fakes("matchDiaSrc", "matchAssocDiaSrc", "matchDiaSourceTable", "matchAssocDiaSourceTable"),
            # What was put into coadds, and what was there to be put anywhere.
            *("injected_deep_coadd_predetection_catalog", "injected_deepCoadd_catalog"),
            *("fakes_fakeSourceCat", "fakeSourceCat", "deepCoadd_fakeSourceCat", "injection_catalog"),
        ),
        "known": _named(
            "known_sources",
            *("preloaded_ss_object_visit", "visitSsObjects"),
            *("preloaded_ss_object", "preloaded_SsObjects", "preloaded_ssObjects", "preloaded_DRP_SsObjects"),
        ),
        "star": _named("bright_stars"),
    }
)
"""Butler dataset types of each canonical table; of several in one collection, the first one counts.

Associated sources come before those that were not associated yet, standardised tables before the catalogues that they
were made of, injections of a visit and detector before those of a tract.  ``known_sources`` and ``bright_stars`` are
names for users to store under: the pipelines write no such catalogue but ephemerides of solar-system objects.
"""

CATALOGUES = frozenset({"injection", "known", "star"})
"""Tables of what is in the sky, or was put there: a rerun is given them, and nothing in them was measured."""

TABLES = tuple(DATASET_TYPES)
"""Names of the canonical tables."""

SQL_TABLES: Mapping[str, str] = MappingProxyType({"diaSource": "DiaSource", "diaObject": "DiaObject"})
"""What the APDB calls its tables."""

GEOMETRY_TYPES = ("visit_detector_table", "ccdVisitTable")
"""Butler dataset types that hold the geometry of detectors, the present name first."""

RAW_TYPE, BIAS_TYPE, EOTEST_TYPE = "raw", "bias", "eotest_results"
"""Butler dataset types of raw exposures, of their bias, and of the EO test's results as the file it wrote."""
