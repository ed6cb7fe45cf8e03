"""Canonical column names, and every older name they had: one map, with a version.

Canonical names are those of the APDB schema of today (10.0.0).  Release dates are later than the commits named here, so
names are told by the columns that are there, never by a date.  `ALIAS_VERSION` is raised with every change, because a
column that was not found before may be found now; it is part of a rerun's provenance.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["ALIAS_VERSION", "RENAMES", "Rename", "canonical_name", "older_names"]

ALIAS_VERSION = 3
"""Version of everything in this module and in `harness.rerun.flags`."""

_BANDS = "ugrizy"
_BEFORE_APDB = "catalogues before the APDB (lsst/afw, lsst/ap_association)"
_OLDER_FAKES = (
    "fakes before lsst/source_injection (lsst/pipe_tasks insertFakes, lsst/ap_pipe createApFakes), until 2024"
)


@final
@dataclass(frozen=True, slots=True)
class Rename:
    """One renaming in the history of the field's tables.

    Attributes
    ----------
    since
        Where and when the names changed.
    older
        Canonical name to the name before.
    table
        Canonical table it is about; empty for all of them.
    """

    since: str
    older: Mapping[str, str]
    table: str = ""


def _with_errors(**older: str) -> dict[str, str]:
    """Return the names given, and the same with ``Err`` behind them."""
    return older | {f"{new}Err": f"{old}Err" for new, old in older.items()}


def _magnitudes(pattern: str) -> dict[str, str]:
    """Return the names of the magnitude in each band, given how they were formed."""
    return {f"{band}_mag": pattern.format(band) for band in _BANDS}


RENAMES: tuple[Rename, ...] = (
    Rename(
        "lsst/sdm_schemas, APDB 9.0, 2025-08: naive UTC timestamps became TAI MJD",
        {
            "timeProcessedMjdTai": "time_processed",
            "timeWithdrawnMjdTai": "time_withdrawn",
            "ssObjectReassocTimeMjdTai": "ssObjectReassocTime",
            "validityStartMjdTai": "validityStart",
            "validityEndMjdTai": "validityEnd",
        },
    ),
    Rename("lsst/ap_association 9a14f48, 2025-07-30", {"isNegative": "is_negative"}),
    Rename("lsst/ap_association e9a0798, 2023-06-01", {"reliability": "spuriousness"}),
    Rename(
        "lsst/ap_association 1a37210, 2023-05-31",
        _with_errors(
            dec="decl",
            trailDec="trailDecl",
            psfDec="psDecl",
            psfRa="psRa",
            psfFlux="psFlux",
            scienceFlux="totFlux",
            dipoleMeanFlux="dipMeanFlux",
            dipoleFluxDiff="dipFluxDiff",
            dipoleRa="dipRa",
            dipoleDec="dipDecl",
            dipoleLength="dipLength",
            dipoleAngle="dipAngle",
        )
        | {
            "ra_dec_Cov": "ra_decl_Cov",
            "midpointMjdTai": "midPointTai",
            "band": "filterName",
            "radecMjdTai": "radecTai",
            "psfLnL": "psLnL",
            "psfChi2": "psChi2",
            "psfNdata": "psNdata",
            "dipoleLnL": "dipLnL",
            "dipoleChi2": "dipChi2",
            "dipoleNdata": "dipNdata",
        },
    ),
    # Differences are in nJy since there are forced fluxes of injections, whatever these are called.
    Rename(
        "lsst/source_injection, and forced photometry where it injected (lsst/ap_pipe matchSourceInjected)",
        {"injectionId": "injection_id", "fluxErr": "forced_base_PsfFlux_instFluxErr"},
        "injection",
    ),
    Rename("lsst/source_injection, consolidated catalogues", {"injectionId": "injected_id"}, "injection"),
    Rename(
        "injections joined with the DIA sources that they match (lsst/ap_pipe matchSourceInjected)",
        {name: f"{name}_ssi" for name in ("ra", "dec", "x", "y", "visit", "detector")},
        "injection",
    ),
    Rename(
        "injections joined with the DIA sources that they match (lsst/pipe_tasks matchFakes)",
        {name: f"{name}_x" for name in ("ra", "dec", "x", "y")},
        "injection",
    ),
    Rename(_OLDER_FAKES, {"injectionId": "fakeId", "ra": "raJ2000", "dec": "decJ2000"}, "injection"),
    *(
        Rename(_OLDER_FAKES, _magnitudes(pattern), table)
        for table in ("injection", "star")
        for pattern in ("{}magVar", "mag_{}")
    ),
    Rename(
        "ephemerides of Sorcha (lsst/pipe_tasks generateEphemerides), 2025", {"ra": "RA_deg", "dec": "Dec_deg"}, "known"
    ),
    Rename(_BEFORE_APDB, {"diaSourceId": "id", "parentDiaSourceId": "parent"}, "diaSource"),
    Rename(_BEFORE_APDB, {"diaObjectId": "id"}, "diaObject"),
    Rename("catalogues of direct images (lsst/afw, lsst/pipe_tasks)", {"sourceId": "id"}, "source"),
    Rename(
        _BEFORE_APDB,
        {
            "ra": "coord_ra",
            "dec": "coord_dec",
            "raErr": "coord_raErr",
            "decErr": "coord_decErr",
            **{f"{axis}{end}": f"slot_Centroid_{axis}{end}" for axis in "xy" for end in ("", "Err")},
        },
    ),
    Rename(
        "visit tables (lsst/pipe_tasks)",
        {"visit": "visitId", "detector": "detectorId", "width": "xSize", "height": "ySize"},
    ),
    Rename("camera descriptions (lsst/obs_lsst)", {"amplifier": "amp"}, "amplifiers"),
    Rename("photon transfer (lsst/cp_pipe)", {"amplifier": "ampName", "turnoff": "ptcTurnoff"}, "amplifiers"),
    Rename("photon transfer curves", {"amplifier": "amp", "exposureTime": "expTime"}, "curves"),
    Rename(
        "photon transfer curves (lsst/cp_pipe)",
        {
            "amplifier": "ampName",
            "exposureTime": "rawExpTimes",
            "photoCharge": "photoCharges",
            "mean": "rawMeans",
            "delta": "rawDeltas",
            "variance": "rawVars",
            "overscanNoise": "noiseList",
            "nPixels": "nPixelCovariances",
        },
        "curves",
    ),
)
"""Renamings, the latest first."""

#: Beginnings of names that changed, all else staying: canonical and older (lsst/ap_association flag-rename-rules).
_PREFIXES = (
    ("pixelFlags", "base_PixelFlags_flag"),
    ("forced_PsfFlux_flag", "ip_diffim_forced_PsfFlux_flag"),
    ("apFlux_flag", "slot_ApFlux_flag"),
    ("centroid_flag", "slot_Centroid_flag"),
    ("psfFlux_flag", "slot_PsfFlux_flag"),
    ("shape_flag", "slot_Shape_flag"),
    ("trail_flag", "ext_trailedSources_Naive_flag"),
)

#: Object columns per band: ``g_psfFluxMean`` was ``gPSFluxMean`` (DP0.2; lsst/ap_association 1a37210).
_PER_BAND = tuple(
    (f"{band}_{new}", f"{band}{old}")
    for band in _BANDS
    for new, old in (("psfFlux", "PSFlux"), ("scienceFlux", "TOTFlux"))
)


@cache
def _renames(table: str) -> tuple[Mapping[str, str], Mapping[str, tuple[str, ...]]]:
    """Return older name to canonical, and canonical to older names, for one table."""
    canonical: dict[str, str] = {}
    older: dict[str, tuple[str, ...]] = {}
    for rename in RENAMES:
        if rename.table in ("", table):
            for new, old in rename.older.items():
                canonical.setdefault(old, new)
                older[new] = (*older.get(new, ()), old)
    return MappingProxyType(canonical), MappingProxyType(older)


def canonical_name(stored: str, table: str) -> str:
    """Return the name that a stored column has today.

    Parameters
    ----------
    stored
        Name of the column as stored.
    table
        Canonical name of the table.

    Returns
    -------
    name : `str`
        The canonical name; the stored one when nothing says otherwise.
    """
    known = _renames(table)[0].get(stored)
    if known is not None:
        return known
    for new, old in (*_PREFIXES, *_PER_BAND):
        if stored.startswith(old):
            return new + stored.removeprefix(old)
    return stored


def older_names(canonical: str, table: str) -> tuple[str, ...]:
    """Return every older name of a column, the latest first."""
    return tuple(_older_names(canonical, table))


def _older_names(canonical: str, table: str) -> Iterator[str]:
    yield from _renames(table)[1].get(canonical, ())
    for new, old in (*_PREFIXES, *_PER_BAND):
        if canonical.startswith(new):
            yield old + canonical.removeprefix(new)
