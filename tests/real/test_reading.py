"""Reading of real reruns, against what their sources say is in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow.compute as pc
import pytest
from astropy.io import fits

from harness.rerun import list_reruns, open_rerun

if TYPE_CHECKING:
    from pathlib import Path

    from harness.rerun.protocol import Rerun

# Commits of lsst/ap_verify_ci_hits2015: two processing runs, and two schema conversions of the second one.
VINTAGES = {
    "49f3a3f": ("diaSources", "diaObjects", 653, 569),
    "58bd7b4": ("dia_source", "dia_object", 627, 551),
    "528bc63": ("dia_source", "dia_object", 627, 551),
    "7c36eb7": ("dia_source", "dia_object", 627, 551),
}

# Columns of APDB 9.0 that every vintage has, under one name or another.
CANONICAL = """
    diaSourceId visit detector diaObjectId midpointMjdTai ra dec x y psfFlux psfFluxErr scienceFlux ixx iyy ixy ixxPSF
    iyyPSF ixyPSF band timeProcessedMjdTai timeWithdrawnMjdTai ssObjectReassocTimeMjdTai pixelFlags_bad
    pixelFlags_suspect pixelFlags_saturatedCenter
""".split()  # noqa: SIM905 - easier to read


@pytest.fixture
def reruns(real_data: Path, tmp_path: Path) -> dict[str, Rerun]:
    """Describe the four vintages in a rerun.toml each, and open them."""
    for name, (sources, objects, *_) in VINTAGES.items():
        files = real_data.resolve() / "ap_verify_ci_hits2015" / name
        (tmp_path / name).mkdir()
        (tmp_path / name / "rerun.toml").write_text(
            f"""
            instrument = "DECam"
            [tables.diaSource]
            files = ["{files}/preloaded_{sources}_*.parq"]
            unique = "diaSourceId"
            [tables.diaObject]
            files = ["{files}/preloaded_{objects}_*.parq"]
            unique = "diaObjectId"
            """
        )
    return {name: open_rerun(str(tmp_path), name) for name in list_reruns(str(tmp_path))}


@pytest.mark.parametrize("name", VINTAGES)
def test_every_vintage_has_its_known_rows(reruns: dict[str, Rerun], name: str) -> None:
    """Unique sources and objects are those that the data's own description counts."""
    *_, n_sources, n_objects = VINTAGES[name]
    tables = reruns[name].tables
    for table, key, rows in (("diaSource", "diaSourceId", n_sources), ("diaObject", "diaObjectId", n_objects)):
        assert tables[table].read(()).num_rows == rows
        assert pc.count_distinct(tables[table].read([key])[key]).as_py() == rows


@pytest.mark.parametrize("name", VINTAGES)
def test_every_vintage_has_canonical_columns(reruns: dict[str, Rerun], name: str) -> None:
    """The same names and types are read from all four, whatever they were called and typed then."""
    found = reruns[name].tables["diaSource"].read(CANONICAL)
    newest = reruns["7c36eb7"].tables["diaSource"].read(CANONICAL)
    assert found.schema.equals(newest.schema)
    assert not [column for column in reruns[name].tables["diaSource"].columns if column.startswith("__")]


def test_a_conversion_from_utc_to_tai_is_found_to_be_none(reruns: dict[str, Rerun]) -> None:
    """Timestamps of schema 8.0 and MJD of 9.0, which upstream made of them, are the same numbers."""
    for table, names in (
        ("diaSource", ["diaSourceId", "timeProcessedMjdTai"]),
        ("diaObject", ["diaObjectId", "validityStartMjdTai"]),
    ):
        before, after = (reruns[name].tables[table].read(names).sort_by(names[0]) for name in ("528bc63", "7c36eb7"))
        assert before.equals(after)
        assert before[names[1]].null_count == 0


def test_comcam_sources_are_read(real_data: Path, tmp_path: Path) -> None:
    """The ECSV of lsst/analysis_tools has 2994 sources of 169 visits."""
    (tmp_path / "rerun.toml").write_text(
        f"""
        name = "comcam"
        instrument = "LSSTComCam"
        [tables.diaSource]
        files = ["{real_data.resolve()}/analysis_tools_dia/*/assocDiaSrc_test.ecsv"]
        """
    )
    table = open_rerun(str(tmp_path), "comcam").tables["diaSource"]
    found = table.read(["visit", "band", "pixelFlags_streak", "pixelFlags_streakCenter", "timeProcessedMjdTai"])
    assert found.num_rows == table.read(()).num_rows == 2994
    assert pc.count_distinct(found["visit"]).as_py() == 169
    assert set(found["band"].to_pylist()) == set("ugrizy")
    assert pc.sum(found["pixelFlags_streak"]).as_py() == 8
    assert pc.sum(found["pixelFlags_streakCenter"]).as_py() == 7
    assert pc.min(found["timeProcessedMjdTai"]).as_py() > 60744


def test_a_catalogue_of_afw_is_read(real_data: Path, tmp_path: Path) -> None:
    """Flags of a real SourceCatalog are the bits that the file's own header names, positions in degrees."""
    path = real_data.resolve() / "afw_fits" / "sourceCatalog-hsc-v2.fits"
    (tmp_path / "rerun.toml").write_text(f'name = "hsc"\n[tables.source]\nfiles = ["{path}"]')
    found = open_rerun(str(tmp_path), "hsc").tables["source"].read(["sourceId", "ra", "pixelFlags_edge", "x"])
    with fits.open(path) as hdus:
        header, rows = hdus[1].header, hdus[1].data
        bit = next(i for i in range(114) if header[f"TFLAG{i + 1}"] == "base_PixelFlags_flag_edge")
        assert found["pixelFlags_edge"].to_pylist() == rows["flags"][:, bit].tolist()
        assert found["sourceId"].to_pylist() == rows["id"].tolist()
        assert found["x"].to_pylist() == rows["base_SdssCentroid_x"].tolist()
        assert found["ra"].to_pylist() == pytest.approx(np.degrees(rows["coord_ra"]), rel=1e-15)
