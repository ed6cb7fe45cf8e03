"""All metrics of one rerun's DIA sources and objects: what each counts, in which unit, by whose definition.

A metric is either stored, as rows that a metric function returns, or formed of two stored ones on the data IDs that
both have (`RATIOS`).
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from harness.metrics.flag_sets import PIXEL_FLAGS
from harness.model import Metric

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from harness.metrics.settings import Settings

__all__ = ["RATIOS", "metric_catalogue"]

#: Metrics that are formed of two stored ones: name to (numerator, denominator).
RATIOS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "dia.ratioGoodToAllSources": ("dia.numGoodSources", "dia.numSources"),
        "dia.fracDiaSourcesToSciSources": ("dia.numSources", "dia.numSciSources"),
        "dia.sourceDensity": ("dia.numSources", "dia.area"),
        "dia.goodSourceDensity": ("dia.numGoodSources", "dia.area"),
        **{f"dia.fracFlagged.{flag}": (f"dia.numFlagged.{flag}", "dia.numSources") for flag in PIXEL_FLAGS},
    }
)


def metric_catalogue(settings: Settings) -> Mapping[str, Metric]:
    """Return the definitions of all metrics of one rerun by name, in the order they are listed in.

    Parameters
    ----------
    settings
        What the definitions depend on.
    """
    metrics = (
        *_counts(settings),
        *_object_counts(settings),
        *_ratios(settings),
        *_flags(settings),
        *_coverage(),
        *_bookkeeping(),
        *_sanity(),
        *_parts(),
    )
    return MappingProxyType({metric.name: metric for metric in metrics})


def _count(name: str, doc: str, group: str = "dia_count", /, **definition: Any) -> Metric:
    return Metric(f"dia.{name}", "ct", doc, group, definition=definition)


def _ratio(name: str, doc: str, /, unit: str = "", group: str = "dia_ratio", **definition: Any) -> Metric:
    return Metric(f"dia.{name}", unit, doc, group, "ratio", definition)


def _census(name: str, doc: str, group: str, /, **definition: Any) -> Metric:
    return Metric(f"dia.{name}", "ct", doc, group, definition=definition, census=True)


def _counts(settings: Settings) -> Iterator[Metric]:
    good = settings.flag_set
    yield _count("numSources", "DIA sources (numAllDiaSources of lsst/analysis_tools).")
    yield _count(
        "numGoodSources",
        f"DIA sources with none of the flags of list {good.name} set ({good.source}).",
        **good.definition,
    )
    yield _count("numDipoles", "DIA sources classified as dipoles (numDipoles of lsst/analysis_tools).")
    yield _count(
        "numSciSources",
        "Direct-image sources: primary ones, else all but sky sources, else all (numSciSources of lsst/ip_diffim).",
    )


def _object_counts(settings: Settings) -> Iterator[Metric]:
    good = settings.flag_set
    yield _count("numObjects", "DIA objects, each in equal shares in the visits and detectors of its sources.")
    yield _count("numSingleSourceObjects", "DIA objects with a single source.")
    yield _count(
        "numGoodObjectsAny",
        "DIA objects with at least one good source (as the plotting module of DM-25125 counts them).",
        **good.definition,
        of="any source",
    )
    yield _count(
        "numGoodObjectsAll",
        "DIA objects all of whose sources are good (as the plotting module of DM-25125 documents them).",
        **good.definition,
        of="all sources",
    )
    yield _count("numNewDiaObjects", "DIA sources that created an object (lsst/ap_association).")
    yield _count(
        "numUpdatedDiaObjects",
        "Objects known before, within the detector and matched by a source (lsst/ap_association).",
    )
    yield _count(
        "numUnassociatedDiaObjects",
        "Objects known before, within the detector and matched by no source (lsst/ap_association).",
    )
    yield _count(
        "totalUnassociatedDiaObjects",
        "Valid objects with a single source, in the whole rerun (lsst/ap_association).",
    )
    yield _count("numUnassociatedSources", "DIA sources that belong to no DIA object.")
    yield _count(
        "numRepeatSources",
        "DIA sources of an object that existed already: sources minus objects.  Extra detections cannot lower it.",
    )


def _ratios(settings: Settings) -> Iterator[Metric]:
    good = settings.flag_set
    yield _ratio(
        "ratioGoodToAllSources",
        "Good DIA sources over all (ratioGoodToAllDiaSources of lsst/analysis_tools).",
        **good.definition,
    )
    yield _ratio(
        "fracDiaSourcesToSciSources",
        "DIA sources over direct-image sources of the same detectors (fracDiaSourcesToSciSources of lsst/ip_diffim).",
    )
    yield _ratio("numSourcesPerObject", "DIA sources per DIA object.")
    yield _ratio("fracSingleSourceObjects", "DIA objects with a single source, as a fraction of all objects.")
    yield _ratio(
        "fracUpdatedDiaObjects",
        "Objects matched by a source, as a fraction of those known before (lsst/ap_association).",
    )
    yield _ratio("sourceDensity", "DIA sources per area.", unit="1 / deg2")
    yield _ratio("goodSourceDensity", "Good DIA sources per area.", unit="1 / deg2", **good.definition)


def _flags(settings: Settings) -> Iterator[Metric]:
    for flag in PIXEL_FLAGS:
        yield _ratio(f"fracFlagged.{flag}", f"Fraction of DIA sources with {flag} set.", group="dia_flags")
    yield _count(
        "numNullFlags",
        "Pixel flags, and others of the flag list, that are neither set nor not set (null); they count as not set.",
        "dia_flags",
        others=sorted(set(settings.flag_set.flags).difference(PIXEL_FLAGS)),
    )


def _coverage() -> Iterator[Metric]:
    """Yield what tells that a visit or detector is missing, which no change paired by visit can."""
    yield _census("numVisits", "Visits that have DIA sources, or a catalogue without any.", "dia_coverage")
    yield _census("numCatalogs", "Visits and detectors that do.", "dia_coverage")


def _bookkeeping() -> Iterator[Metric]:
    group = "dia_bookkeeping"
    yield _census("numOrphanSources", "DIA sources of an object that is not in the object table.", group)
    yield _census("numEmptyObjects", "DIA objects without any source.", group)
    yield _census("numMiscountedObjects", "DIA objects whose nDiaSources is not the number of their sources.", group)


def _sanity() -> Iterator[Metric]:
    group = "dia_sanity"
    yield _census("numDuplicateIds", "DIA source rows that repeat the diaSourceId of another row.", group)
    yield _census("numNonFinitePositions", "DIA sources with a missing or infinite ra or dec.", group)
    yield _census("numNonFiniteFluxes", "DIA sources with a missing or infinite psfFlux.", group)
    yield _census(
        "numNonPositivePsfDeterminants",
        "DIA sources with ixxPSF iyyPSF - ixyPSF² <= 0, which no PSF has.",
        group,
    )
    # Some columns are empty by design: what matters is that no more become so.
    yield _census("numEmptyColumns", "Columns of floating-point numbers without a single number.", "dia_schema")
    yield _census(
        "numEqualColumnPairs",
        "Pairs of floating-point columns that are equal in every row, although they vary.",
        group,
    )


def _parts() -> Iterator[Metric]:
    """Yield what is stored only because a ratio is formed of it."""
    yield Metric("dia.area", "deg2", "Sky area of the detectors.", "dia_parts")
    for flag in PIXEL_FLAGS:
        yield _count(f"numFlagged.{flag}", f"DIA sources with {flag} set.", "dia_parts")
