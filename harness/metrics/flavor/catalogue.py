"""All metrics of a flavor: what each is, in which unit, by whose definition."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from harness.metrics.flag_sets import FLAG_SETS
from harness.metrics.flavor.frames import MIN_SNR
from harness.metrics.flavor.reach import ALIGNED, APART, ASIDE, AT_REST, NEAR_INJECTION, NEAR_STAR, STAR_MAGNITUDE
from harness.metrics.flavor.stages import STAGES, of_stage
from harness.model import Metric

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from harness.metrics.settings import Settings

__all__ = ["BANDS", "FLAVOR_CHANGE_GROUPS", "FLAVOR_GROUPS", "MAG_BINS", "SNR_BINS", "flavor_catalogue"]

FLAVOR_CHANGE_GROUPS = frozenset({"flavor_change"})
FLAVOR_GROUPS = frozenset(
    {
        "flavor_placement",
        "flavor_purity",
        "flavor_source",
        "injected_astrometry",
        "injected_count",
        "injected_efficiency",
        "injected_ladder",
        "injected_object",
        "injected_photometry",
        "injected_sanity",
    }
)
"""Groups of these metrics, of two reruns side by side and of one alone."""

BANDS = ("u", "g", "r", "i", "z", "y")

SNR_BINS: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "0to3": (0, 3),
        "3to6": (3, 6),
        "6to8": (6, 8),
        "8to10": (8, 10),
        "10to20": (10, 20),
        "6toInf": (6, float("inf")),
    }
)
"""Ranges of signal-to-noise, as of ``fractionFoundFakesDia`` of lsst/ap_pipe: the lower end belongs to them."""

MAG_BINS: Mapping[str, tuple[float, float]] = MappingProxyType(
    {"20to22": (20, 22), "22to24": (22, 24), "24to26": (24, 26)}
)
"""Ranges of magnitude, likewise."""


def flavor_catalogue(settings: Settings) -> Mapping[str, Metric]:
    """Return the definitions of all metrics of a flavor by name, in the order they are listed in.

    Parameters
    ----------
    settings
        Match radius, and width of the edge.
    """
    match = {"match": "mutual nearest neighbour per visit and detector", "radius_arcsec": settings.match_radius}
    metrics = (
        *_counts(match),
        *_efficiencies(match, settings.edge_width),
        *_photometry(match),
        *_astrometry(match),
        *_objects(match),
        *_purity(match),
        *_placement(match, settings.edge_width),
        *_sources(),
        *_ladder(),
        *_sanity(),
        *_changes(match),
    )
    return MappingProxyType({metric.name: metric for metric in metrics})


def _at_stages(
    name: str, unit: str, doc: str, group: str, /, *, paired: bool = False, census: bool = False, **definition: Any
) -> Iterator[Metric]:
    """Define a count (unit ct) or a ratio of all sources, and of those that each list of flags leaves."""
    reduce: Literal["sum", "ratio"] = "sum" if unit == "ct" else "ratio"
    for stage in STAGES:
        words = f", of sources that {stage} leaves" if stage else ""
        own = {**definition, **FLAG_SETS[stage].definition} if stage else definition
        yield Metric(of_stage(name, stage), unit, f"{doc}{words}.", group, reduce, own, paired=paired, census=census)


def _counts(match: Mapping[str, Any]) -> Iterator[Metric]:
    group = "injected_count"
    yield Metric("injected.numInjections", "ct", "Injections on the detectors, found or not.", group)
    yield from _at_stages("injected.numMatched", "ct", "Injections that were found", group, **match)


def _efficiencies(match: Mapping[str, Any], edge: float) -> Iterator[Metric]:
    group = "injected_efficiency"
    yield from _at_stages("injected.efficiency", "", "Share of the injections that were found", group, **match)
    for stage in STAGES[1:]:
        doc = f"Share of the injections that were found whose source {stage} leaves."
        definition = {**match, **FLAG_SETS[stage].definition}
        yield Metric(f"injected.survival.{stage}", "", doc, group, "ratio", definition)
    for name, (low, high) in SNR_BINS.items():
        doc = f"Share of the injections of signal-to-noise {low:g} to {high:g} that were found."
        yield Metric(f"injected.efficiencySnr.{name}", "", doc, group, "ratio", {**match, "snr": [low, str(high)]})
    for name, (low, high) in MAG_BINS.items():
        doc = f"Share of the injections of magnitude {low:g} to {high:g} that were found."
        yield Metric(f"injected.efficiencyMag.{name}", "", doc, group, "ratio", {**match, "mag": [low, high]})
    doc = f"Share of the injections within {edge:g} pixels of the detector's edge that were found."
    yield Metric("injected.efficiencyAtEdge", "", doc, group, "ratio", {**match, "edge_pixels": edge})
    doc = f"Share of the injections within {NEAR_STAR:g} arcsec of a bright star that were found."
    star = {"arcsec": NEAR_STAR, "mag": STAR_MAGNITUDE}
    yield Metric("injected.efficiencyNearStars", "", doc, group, "ratio", {**match, **star})
    curve = {**match, "curve": "ceiling / (1 + exp(-slope (x - x50)))", "at": "half of the ceiling"}
    doc = "Signal-to-noise at which half as many injections are found as of bright ones"
    yield from _at_stages("injected.snr50", "", doc, group, **curve, x="snr")
    doc = "Share of bright injections that are found, by the fitted curve"
    yield from _at_stages("injected.snrCeiling", "", doc, group, **curve, x="snr")
    for band in BANDS:
        doc = f"Magnitude in {band} at which half as many injections are found as of bright ones"
        yield from _at_stages(f"injected.mag50.{band}", "mag", doc, group, **curve, x="mag")


def _photometry(match: Mapping[str, Any]) -> Iterator[Metric]:
    group = "injected_photometry"
    bright = {**match, "min_snr": MIN_SNR}
    of = f"of injections of signal-to-noise {MIN_SNR:g} or more"
    pull = "(measured less true flux over its error)"
    doc = f"Sources {of} without a finite flux and a finite error above 0, which are in none of the means"
    yield from _at_stages("injected.numUnmeasured", "ct", doc, group, **bright, census=True)
    yield from _at_stages("injected.fluxPullMean", "", f"Mean pull {pull} {of}", group, **bright)
    width = {**bright, "width": "sqrt(pi/2) mean(|pull|), 1 for a unit normal"}
    yield from _at_stages("injected.fluxPullWidth", "", f"Width of the pulls {pull} {of}", group, **width)
    tails = {**bright, "beyond": 3}
    yield from _at_stages("injected.fracFluxPullTails", "", f"Share of pulls beyond 3 {of}", group, **tails)
    yield from _at_stages(
        "injected.magOffset", "mag", f"Mean of measured less true magnitude {of} and the right sign", group, **bright
    )
    width = {**bright, "width": "sqrt(pi/2) mean(|measured less true|)"}
    yield from _at_stages(
        "injected.magScatter",
        "mag",
        f"Scatter of measured about true magnitude {of} and the right sign",
        group,
        **width,
    )
    outliers = {**match, "beyond_mag": 0.1, "min_snr": 0.5}
    doc = "Injections that were found more than 0.1 mag off, of signal-to-noise above 0.5 (DMTN-256)"
    yield from _at_stages("injected.numMagOutliers", "ct", doc, group, **outliers)


def _astrometry(match: Mapping[str, Any]) -> Iterator[Metric]:
    group = "injected_astrometry"
    bright = {**match, "min_snr": MIN_SNR}
    of = f"of injections of signal-to-noise {MIN_SNR:g} or more"
    for name, doc in (
        ("offsetRa", "Mean of measured less true right ascension times cos(dec)"),
        ("offsetDec", "Mean of measured less true declination"),
        ("separation", "Mean distance of measured and true position"),
    ):
        yield from _at_stages(f"injected.{name}", "mas", f"{doc} {of}", group, **bright)


def _objects(match: Mapping[str, Any]) -> Iterator[Metric]:
    group = "injected_object"
    match = {**match, "at_rest_arcsec": AT_REST}
    doc = "DIA sources per DIA object of injections that were found"
    yield from _at_stages("injected.sourcesPerObject", "", doc, group, **match)
    doc = "DIA objects that the sources of one injection belong to, mean over injections that were found"
    yield from _at_stages("injected.objectsPerInjection", "", doc, group, **match)
    doc = "Distance of an injection's sources from the mean position of their object, per coordinate, mean over sources"
    scatter = {**match, "scatter": "sqrt(2/pi) mean(distance) sqrt(n/(n - 1)), objects of n > 1 sources"}
    yield from _at_stages("injected.objectScatter", "mas", doc, group, **scatter)


def _purity(match: Mapping[str, Any]) -> Iterator[Metric]:
    group = "flavor_purity"
    doc = "DIA sources less injections that were found, everything real included (DMTN-256)"
    yield from _at_stages("injected.contamination", "ct", doc, group, **match)
    known = {**match, "taken_out": ["known", "solarSystem"], "beyond_arcsec": NEAR_INJECTION}
    doc = (
        "DIA sources that are neither injected nor near an injection, nor known variables, transients or "
        "solar-system objects"
    )
    yield from _at_stages("flavor.numFalsePositives", "ct", doc, group, **known)
    yield from _at_stages("flavor.falsePositiveDensity", "1 / deg2", f"{doc}, per area", group, **known)
    doc = "Share of the DIA sources that are injected or known"
    yield from _at_stages("flavor.purity", "", doc, group, **match, true=["injected", "known", "solarSystem"])


def _placement(match: Mapping[str, Any], edge: float) -> Iterator[Metric]:
    group = "flavor_placement"
    of = "DIA sources that are neither injected nor near an injection, nor known"
    match = {**match, "beyond_arcsec": NEAR_INJECTION}
    doc = f"{of} within {edge:g} pixels of the detector's edge, over the number expected if they were anywhere"
    yield from _at_stages("flavor.edgeExcess", "", doc, group, **match, edge_pixels=edge)
    star = {**match, "arcsec": NEAR_STAR, "mag": STAR_MAGNITUDE}
    doc = f"{of} within {NEAR_STAR:g} arcsec of a bright star, over the number expected if they were anywhere"
    yield from _at_stages("flavor.starExcess", "", doc, group, **star)
    for name, along, across in (("rowAlignment", "rows", "columns"), ("columnAlignment", "columns", "rows")):
        doc = (
            f"Pairs of {of} on the same {along}, over the number expected by chance; away from the edge, and far apart "
            f"in {across}"
        )
        definition = {
            **match,
            "within_pixels": ALIGNED,
            "aside_pixels": ASIDE,
            "apart_pixels": APART,
            "edge_pixels": edge,
        }
        yield from _at_stages(f"flavor.{name}", "", doc, group, **definition)


def _sources() -> Iterator[Metric]:
    group = "flavor_source"
    yield from _at_stages("flavor.fracNegative", "", "Share of the DIA sources with negative flux", group)
    for name, unit, doc in (
        ("medianSnr", "", "Median signal-to-noise of the DIA sources, without sign"),
        ("medianFlux", "nJy", "Median flux of the DIA sources, without sign"),
        ("medianFluxErr", "nJy", "Median flux error of the DIA sources"),
    ):
        yield from _at_stages(f"flavor.{name}", unit, f"{doc}, mean over detectors", group)


def _ladder() -> Iterator[Metric]:
    group = "injected_ladder"
    for name, doc in (
        ("numDetectors", "Visits and detectors with injections."),
        ("numOutside", "Injections outside all detectors; they count nowhere else."),
        ("numWithoutFlux", "Injections of unknown flux and magnitude; they count where neither is needed."),
        ("numWithoutSnr", "Injections of unknown signal-to-noise; they count where it is not needed."),
    ):
        yield Metric(f"injected.{name}", "ct", doc, group, census=True)


def _sanity() -> Iterator[Metric]:
    group = "injected_sanity"
    for name, doc in (
        ("numDuplicates", "Rows of the catalogue that repeat an injection of the same visit and detector."),
        ("numCoincident", "Injections within the match radius of another one, so that only one of them can be found."),
        ("numNonFinitePositions", "Injections without a position; they count nowhere else."),
    ):
        yield Metric(f"injected.{name}", "ct", doc, group, census=True)


def _changes(match: Mapping[str, Any]) -> Iterator[Metric]:
    group = "flavor_change"
    both = {**match, "of": "injections that both reruns have"}
    yield Metric("flavor.numCommon", "ct", "Injections that both reruns have.", group, definition=both, census=True)
    for name, doc in (
        ("numGained", "Injections that only the rerun found"),
        ("numLost", "Injections that only the reference found"),
    ):
        yield from _at_stages(f"flavor.{name}", "ct", doc, group, **both)
    doc = "Gained less lost injections, as a share of those that both reruns have (McNemar)"
    yield from _at_stages("flavor.efficiencyChange", "", doc, group, **both, paired=True)
    bright = {**both, "min_snr": MIN_SNR, "found": "by both"}
    for name, unit, doc in (
        ("pullChange", "", "Mean change of the pull of an injection"),
        ("absolutePullChange", "", "Mean change of the amount of the pull of an injection, times sqrt(pi/2)"),
        ("magChange", "mag", "Mean change of the measured magnitude of an injection"),
        ("separationChange", "mas", "Mean change of the distance of measured and true position of an injection"),
    ):
        yield from _at_stages(f"flavor.{name}", unit, doc, group, **bright)
    curve = {**both, "curve": "ceiling / (1 + exp(-slope (x - x50)))", "at": "half of the ceiling"}
    doc = "Change of injected.snr50"
    yield from _at_stages("flavor.snr50Change", "", doc, group, **curve, x="snr of the reference")
    for band in BANDS:
        yield from _at_stages(f"flavor.mag50Change.{band}", "mag", f"Change of injected.mag50.{band}", group, **curve)
    doc = "Settings of the configuration in which the two reruns differ."
    yield Metric("flavor.numConfigDifferences", "ct", doc, group, census=True)
