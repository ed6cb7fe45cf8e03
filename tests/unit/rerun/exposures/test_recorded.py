"""PSF sizes that were recorded beside exposures."""

from __future__ import annotations

import json
import math
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits

from harness.errors import BrokenFileError, UsageError
from harness.rerun.exposures.recorded import recorded_sizes, sizes_of_file, sizes_schema

if TYPE_CHECKING:
    from pathlib import Path

FWHM = 2 * math.sqrt(2 * math.log(2))


def sizes(kind: str, path: Path, **data_id: Any) -> dict[tuple[str, int, int, str], tuple[float, str]]:
    """Return FWHM and source by kind of exposure, visit, detector and kind of size."""
    table = recorded_sizes([(kind, data_id, nullcontext(path))])
    assert table is not None
    assert table.schema == sizes_schema()
    return {
        (row["kind"], row["visit"], row["detector"], row["size"]): (row["fwhm"], row["source"])
        for row in table.to_pylist()
    }


SUMMARY = {"psfSigma": [2.0, np.nan, 0.0], "psfIxx": [5.0, 4.0, 0.0], "psfIyy": [3.0, 4.0, 0.0]}
SUMMARY |= {"psfArea": [50.0, np.nan, 0.0]}


def check_summary(found: dict[tuple[str, int, int, str], tuple[float, str]], source: str) -> None:
    """Check what the summary above says: three kinds of one exposure, one of the second, none of the third."""
    assert {place: fwhm for place, (fwhm, _) in found.items()} == {
        ("science", 700, 10, "determinant"): pytest.approx(2 * FWHM),
        ("science", 700, 10, "trace"): pytest.approx(2 * FWHM),
        ("science", 700, 10, "nea"): pytest.approx(FWHM * math.sqrt(50 / (4 * math.pi))),
        ("science", 700, 11, "trace"): pytest.approx(2 * FWHM),
    }
    assert {told for _, told in found.values()} == {source}


@pytest.mark.parametrize(
    ("kind", "visit", "detector"),
    [
        ("ccdVisitTable", "visitId", "detector"),
        ("visit_detector_table", "visitId", "detectorId"),
        ("ccdVisitTable", "visit", "detector"),
    ],
)
def test_visit_tables_are_read(tmp_path: Path, kind: str, visit: str, detector: str) -> None:
    """Whatever their columns are called; columns of text are passed over."""
    path = tmp_path / "table.parq"
    columns = {visit: [700, 700, 701], detector: pa.array([10, 11, 10], pa.int16()), "band": ["g", "g", "r"]}
    pq.write_table(pa.table(columns | SUMMARY), path)
    check_summary(sizes(kind, path), kind)


def test_rows_without_a_data_id_are_passed_over(tmp_path: Path) -> None:
    """They are of no exposure; a size that is null is none."""
    path = tmp_path / "table.parq"
    columns = {"visit": pa.array([700, None, 702]), "detector": pa.array([1, 2, None]), "psfSigma": [2.0, 2.0, 2.0]}
    pq.write_table(pa.table(columns), path)
    assert list(sizes("ccdVisitTable", path)) == [("science", 700, 1, "determinant")]
    pq.write_table(pa.table(columns | {"psfSigma": pa.array([None, 1.0, 1.0])}), path)
    assert recorded_sizes([("ccdVisitTable", {}, nullcontext(path))]) is None


def test_exposure_catalogues_of_afw_are_read(tmp_path: Path) -> None:
    """Detectors are their ids; columns of arrays and of text are passed over."""
    path = tmp_path / "visitSummary.fits"
    columns = [
        fits.Column("id", "K", array=np.array([10, 11, 10])),
        fits.Column("visit", "K", array=np.array([700, 700, 701])),
        fits.Column("band", "4A", array=np.array(["g", "g", "r"])),
        fits.Column("raCorners", "4D", array=np.zeros((3, 4))),
        *(fits.Column(name, "E", array=np.array(values, np.float32)) for name, values in SUMMARY.items()),
    ]
    table = fits.BinTableHDU.from_columns(columns)
    table.header["AFW_TYPE"] = "EXPOSURE"
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(path)
    check_summary(sizes("visitSummary", path, visit=700), "visitSummary")


def test_task_metadata_are_read(tmp_path: Path) -> None:
    """Trace sizes of science image and template, wherever they stand in the tree."""
    path = tmp_path / "metadata.json"
    metadata = {"sciencePsfSize": 4.5, "templatePsfSize": 3.5, "scaleScienceVarianceFactor": 1.1, "mode": "auto"}
    tree = {
        "subtractImages": {"scalars": metadata, "arrays": {"x": [1, 2]}, "metadata": {}},
        "quantum": {"scalars": {}},
    }
    path.write_text(json.dumps(tree))
    found = sizes("subtractImages_metadata", path, instrument="LATISS", visit=7, detector=0)
    assert found == {
        ("science", 7, 0, "trace"): (4.5, "task metadata"),
        ("template", 7, 0, "trace"): (3.5, "task metadata"),
    }
    path.write_text(json.dumps({"subtractImages:sciencePsfSize": True, "old.templatePsfSize": 3.5}))
    assert list(sizes("subtractImages_metadata", path, visit=7, detector=0)) == [("template", 7, 0, "trace")]


def test_what_records_nothing_gives_no_table(tmp_path: Path) -> None:
    """Task metadata from before sizes were recorded."""
    path = tmp_path / "metadata.json"
    path.write_text("{}")
    assert recorded_sizes([("subtractImages_metadata", {"visit": 7, "detector": 0}, nullcontext(path))]) is None
    assert recorded_sizes([]) is None


@pytest.mark.parametrize(
    ("kind", "name", "content", "words"),
    [
        ("subtractImages_metadata", "m.json", b"{", r"m\.json cannot be read as JSON"),
        ("subtractImages_metadata", "m.json", b"\xff\xfe", r"m\.json cannot be read as JSON"),
        ("visitSummary", "v.fits", b"nonsense", r"v\.fits cannot be read as an exposure catalogue"),
        ("ccdVisitTable", "t.parq", b"nonsense", r"t\.parq"),
    ],
)
def test_a_broken_file_is_named(tmp_path: Path, kind: str, name: str, content: bytes, words: str) -> None:
    """It is said what it should be."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BrokenFileError, match=words):
        sizes(kind, tmp_path / name, visit=7, detector=0)


def test_a_file_that_is_something_else_is_named(tmp_path: Path) -> None:
    """A table without visits or sizes, a catalogue without rows, a file that is not there."""
    pq.write_table(pa.table({"visit": [1], "detector": [2]}), tmp_path / "t.parq")
    with pytest.raises(BrokenFileError, match=r"t\.parq is no ccdVisitTable: it lacks visit, detector or psfSigma"):
        sizes("ccdVisitTable", tmp_path / "t.parq")
    fits.PrimaryHDU().writeto(tmp_path / "v.fits")
    with pytest.raises(BrokenFileError, match=r"v\.fits cannot be read as an exposure catalogue"):
        sizes("visitSummary", tmp_path / "v.fits")
    with pytest.raises(BrokenFileError, match=r"none\.json cannot be read"):
        sizes("subtractImages_metadata", tmp_path / "none.json", visit=7, detector=0)


def test_a_table_of_ones_own_names_planes_sizes_and_sides(tmp_path: Path) -> None:
    """A column for each; an area becomes the FWHM of a Gaussian of that area; other columns are passed over."""
    path = tmp_path / "sizes.csv"
    path.write_text(
        "instrument,band,visit,detector,science_psf_determinant,template_psf_trace_deep,difference_psf_nea,x_psf_nea\n"
        f"HSC,g,11690,49,5.0,6.0,{4 * math.pi},1\n"
    )
    rows = sizes_of_file(path).to_pylist()
    assert {(row["kind"], row["size"], row["side"]): row["fwhm"] for row in rows} == {
        ("science", "determinant", ""): 5.0,
        ("template", "trace", "deep"): 6.0,
        ("difference", "nea", ""): pytest.approx(FWHM),
    }
    assert {(row["visit"], row["detector"], row["band"], row["source"]) for row in rows} == {
        (11690, 49, "g", "sizes.csv")
    }


def test_the_table_of_dmtn_256_has_its_own_names(tmp_path: Path) -> None:
    """Calexp, Templ and Diff; an area that is missing is no size."""
    path = tmp_path / "psf_sizes_table.csv"
    path.write_text("visit,detector,Templ_psf_nea,Calexp_psf_nea,Diff_psf_nea\n11690,49,60.0,,-1.0\n")
    found = {row["kind"]: row["fwhm"] for row in sizes_of_file(path).to_pylist()}
    assert found["template"] == pytest.approx(FWHM * math.sqrt(60 / (4 * math.pi)))
    assert math.isnan(found["science"])
    assert math.isnan(found["difference"])


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("detector,science_psf_trace", r"sizes\.csv has no column 'visit'; it has detector, science_psf_trace"),
        ("visit,science_psf_trace", "has no column 'detector'"),
        (
            "visit,detector,seeing",
            "has no column of PSF sizes such as science_psf_determinant; it has visit, detector, seeing",
        ),
    ],
)
def test_a_table_that_lacks_a_column_says_which(tmp_path: Path, header: str, words: str) -> None:
    """And what it has instead."""
    path = tmp_path / "sizes.csv"
    path.write_text(f"{header}\n" + ",".join("1" for _ in header.split(",")) + "\n")
    with pytest.raises(UsageError, match=words):
        sizes_of_file(path)
