"""The alias map against the names that the field's schemas had."""

from __future__ import annotations

import pytest

from harness.rerun.aliases import RENAMES, canonical_name, older_names

# APDB schema 10.0.0 (lsst/sdm_schemas apdb.yaml), names that a careless rule could change.
TODAY = """
    diaSourceId visit detector diaObjectId ssObjectId parentDiaSourceId midpointMjdTai ra raErr dec decErr ra_dec_Cov
    x xErr y yErr centroid_flag apFlux apFluxErr apFlux_flag apFlux_flag_apertureTruncated isNegative snr psfFlux
    psfFluxErr psfLnL psfChi2 psfNdata psfFlux_flag psfFlux_flag_edge psfFlux_flag_noGoodPixels trailFlux trailDec
    trailNdata trail_flag_edge trail_flag dipoleMeanFlux dipoleFluxDiff dipoleLength dipoleNdata scienceFlux
    forced_PsfFlux_flag forced_PsfFlux_flag_edge templateFlux ixx iyyPSF shape_flag extendedness reliability band
    isDipole dipoleFitAttempted timeProcessedMjdTai timeWithdrawnMjdTai bboxSize pixelFlags pixelFlags_bad
    pixelFlags_saturatedCenter pixelFlags_injected_templateCenter glint_trail pixelId validityStartMjdTai
    validityEndMjdTai g_psfFluxMean g_scienceFluxMeanErr firstDiaSourceMjdTai nDiaSources
""".split()  # noqa: SIM905 - easier to read

# lsst/ap_association flag-rename-rules, DP0.2 and 2020's APDB.
RENAMED = [
    ("decl", "dec"),
    ("ra_decl_Cov", "ra_dec_Cov"),
    ("midPointTai", "midpointMjdTai"),
    ("filterName", "band"),
    ("psFlux", "psfFlux"),
    ("psFluxErr", "psfFluxErr"),
    ("totFluxErr", "scienceFluxErr"),
    ("dipFluxDiff", "dipoleFluxDiff"),
    ("spuriousness", "reliability"),
    ("is_negative", "isNegative"),
    ("time_processed", "timeProcessedMjdTai"),
    ("base_PixelFlags_flag", "pixelFlags"),
    ("base_PixelFlags_flag_saturatedCenter", "pixelFlags_saturatedCenter"),
    ("ip_diffim_forced_PsfFlux_flag_edge", "forced_PsfFlux_flag_edge"),
    ("slot_Centroid_flag", "centroid_flag"),
    ("slot_Centroid_x", "x"),
    ("slot_PsfFlux_flag_noGoodPixels", "psfFlux_flag_noGoodPixels"),
    ("slot_Shape_flag_no_pixels", "shape_flag_no_pixels"),
    ("ext_trailedSources_Naive_flag_edge", "trail_flag_edge"),
    ("gPSFluxMean", "g_psfFluxMean"),
    ("yTOTFluxMeanErr", "y_scienceFluxMeanErr"),
]


@pytest.mark.parametrize("name", TODAY)
def test_names_of_today_stay(name: str) -> None:
    """A canonical name is its own."""
    assert canonical_name(name, "diaSource") == canonical_name(name, "diaObject") == name


@pytest.mark.parametrize(("older", "canonical"), RENAMED)
def test_older_names_are_known_both_ways(older: str, canonical: str) -> None:
    """An older name leads to the canonical one, and that one's error message lists it."""
    assert canonical_name(older, "diaSource") == canonical
    assert older in older_names(canonical, "diaSource")


def test_instrumental_fluxes_are_not_taken_for_calibrated_ones() -> None:
    """A slot's flux is in counts, and has no canonical name."""
    assert canonical_name("slot_PsfFlux_instFlux", "diaSource") == "slot_PsfFlux_instFlux"


def test_an_id_is_the_tables_own() -> None:
    """What a catalogue calls id depends on the table."""
    found = [canonical_name("id", table) for table in ("diaSource", "diaObject", "source")]
    assert found == ["diaSourceId", "diaObjectId", "sourceId"]


def test_injections_have_names_of_both_generations() -> None:
    """Names of lsst/source_injection and of older fakes are known, and mean nothing elsewhere."""
    names = ("injection_id", "fakeId", "raJ2000", "dec_ssi", "gmagVar", "mag_y", "forced_base_PsfFlux_instFluxErr")
    found = [canonical_name(name, "injection") for name in names]
    assert found == ["injectionId", "injectionId", "ra", "dec", "g_mag", "y_mag", "fluxErr"]
    assert [canonical_name(name, "diaSource") for name in names] == list(names)
    assert older_names("ra", "injection")[:3] == ("ra_ssi", "ra_x", "raJ2000")


def test_no_older_name_is_canonical_elsewhere() -> None:
    """A name that is canonical for one column never leads to another one."""
    canonical = {new for rename in RENAMES for new in rename.older}
    older = {old for rename in RENAMES for old in rename.older.values()}
    assert not canonical & older
