"""Photon transfer curves that somebody else measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from astropy.table import Table
from flat_simulation import Sensor, measured_curve

from harness.errors import BrokenFileError, UsageError
from harness.metrics.ptc.curve import curve_schema, curves_of, curves_table
from harness.rerun.curve_files import read_curves
from harness.rerun.files import FileRerun

if TYPE_CHECKING:
    from pathlib import Path

DETECTORS = {"R22_S11": 94}


def read(*paths: Path) -> pa.Table:
    """Read files of LSSTCam, of which one detector is known."""
    table = read_curves(paths, "LSSTCam", DETECTORS)
    assert table.schema == curve_schema()
    return table


def known(table: pa.Table) -> dict[str, list[Any]]:
    """Return the columns that hold anything."""
    return {name: column.to_pylist() for name, column in zip(table.column_names, table.columns, strict=True)
            if column.null_count < len(column)}  # fmt: skip


def write_eotest(path: Path, **columns: Any) -> Path:
    """Write curves as `PtcTask` of lsst-camera-dh/eotest does."""
    made = [fits.Column(name, "E", array=np.asarray(values)) for name, values in columns.items()]
    table = fits.BinTableHDU.from_columns(made, name="PTC_STATS")
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(path)
    return path


def test_eotest_curves(tmp_path: Path) -> None:
    """Amplifiers are numbered in the order of the segments; each row is a pair."""
    path = write_eotest(
        tmp_path / "R22_S11_ptc.fits",
        EXPOSURE=[1.5, 3.0],
        AMP01_MEAN=[100, 200],
        AMP01_VAR=[70, 140],
        AMP01_DISCARD=[3, 4],
        AMP10_MEAN=[101, 202],
        AMP10_VAR=[71, 142],
        SEQNUM=[1, 2],
    )
    assert known(read(path)) == {
        "instrument": ["LSSTCam"] * 4,
        "detector": [94] * 4,
        "detectorName": ["R22_S11"] * 4,
        "amplifier": ["C10", "C10", "C06", "C06"],
        "exposureTime": [1.5, 3.0, 1.5, 3.0],
        "mean": [100.0, 200.0, 101.0, 202.0],
        "variance": [70.0, 140.0, 71.0, 142.0],
    }


def test_our_own_curves_come_back_as_they_were(tmp_path: Path) -> None:
    """A Parquet file of what the harness measured has all of it, the covariances included."""
    curve = measured_curve(Sensor(), np.geomspace(100, 50000, 12), rng=np.random.default_rng(1))
    stored = curves_table([curve])
    pq.write_table(stored, tmp_path / "curves.parquet")
    read_back = read_curves([tmp_path / "curves.parquet"], "", {})
    assert read_back.drop_columns(["instrument"]).equals(stored.drop_columns(["instrument"]))


@pytest.mark.parametrize("kind", ["csv", "ecsv", "fits"])
def test_tables_with_the_names_of_the_field(tmp_path: Path, kind: str) -> None:
    """Names of lsst/cp_pipe are understood; a detector's number is filled in, and what is not known is null."""
    columns = {
        "detectorName": ["R22_S11", "R22_S12"],
        "ampName": ["C06", "C06"],
        "rawExpTimes": [1.5, 3.0],
        "rawMeans": [100.0, 200.0],
        "rawVars": [70.0, 140.0],
        "photoCharges": [1e-10, 2e-10],
        "noiseList": [3.5, 3.5],
        "exposure1": [3021120600588, 3021120600639],
    }
    path = tmp_path / f"curves.{kind}"
    pl.DataFrame(columns).write_csv(path) if kind == "csv" else Table(columns).write(path)
    assert known(read(path)) == {
        "instrument": ["LSSTCam"] * 2,
        "detector": [94, None],
        "detectorName": ["R22_S11", "R22_S12"],
        "amplifier": ["C06", "C06"],
        "exposure1": [3021120600588, 3021120600639],
        "exposureTime": [1.5, 3.0],
        "photoCharge": [1e-10, 2e-10],
        "mean": [100.0, 200.0],
        "variance": [70.0, 140.0],
        "overscanNoise": [3.5, 3.5],
    }
    assert [curve.name for curve in curves_of(read(path))] == ["R22_S11 C06", "R22_S12 C06"]


def test_each_curve_is_in_one_file(tmp_path: Path) -> None:
    """An old and a new measurement of one amplifier are not mixed into one curve."""
    here = {"EXPOSURE": [1.0], "AMP01_MEAN": [100.0], "AMP01_VAR": [70.0]}
    old, new = (
        write_eotest(tmp_path / name / "R22_S11_ptc.fits", **here) for name in "ab" if not (tmp_path / name).mkdir()
    )
    other = write_eotest(tmp_path / "R22_S12_ptc.fits", **here)
    assert read(old, other)["detectorName"].to_pylist() == ["R22_S11", "R22_S12"]
    with pytest.raises(
        UsageError, match=r"a/R22_S11_ptc\.fits and .*b/R22_S11_ptc\.fits both hold the curve of R22_S11 C10"
    ):
        read(old, other, new)


@pytest.mark.parametrize(
    ("name", "text", "error", "message"),
    [
        ("c.csv", "amp,mean\nC06,100\n", UsageError, r"no column 'variance' \(there are: amp, mean\)"),
        ("c.csv", "mean,variance\n100,70\n", UsageError, "no column 'amplifier'"),
        ("c.csv", "amp,mean,variance\nC06,high,70\n", BrokenFileError, "something else than double in column 'mean'"),
        ("c.txt", "Mean Variance", UsageError, "not a file of curves that is understood"),
        ("R22_S11_ptc.fits", "x", BrokenFileError, "cannot be read as FITS"),
        ("c.parquet", "x", BrokenFileError, "cannot be read as a table"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, name: str, text: str, error: type[Exception], message: str) -> None:
    """One sentence names the file and what is wrong with it."""
    (tmp_path / name).write_text(text)
    with pytest.raises(error, match=message) as caught:
        read(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_eotest_curves_without_a_variance(tmp_path: Path) -> None:
    """The missing column is named, and those that are there."""
    path = write_eotest(tmp_path / "R22_S11_ptc.fits", EXPOSURE=[1.0], AMP01_MEAN=[1.0])
    with pytest.raises(
        BrokenFileError, match=r"PTC_STATS of .* has no column AMP01_VAR \(there are: EXPOSURE, AMP01_MEAN"
    ):
        read(path)


def test_a_folder_of_curves_and_results(tmp_path: Path) -> None:
    """A rerun.toml names both; their files are its inputs."""
    write_eotest(tmp_path / "R22_S11_ptc.fits", EXPOSURE=[1.0], AMP01_MEAN=[100.0], AMP01_VAR=[70.0])
    (tmp_path / "gains.json").write_text('{"R22_S11": {"C10": 1.4}, "T_1": {"C10": 1.5}}')
    (tmp_path / "rerun.toml").write_text(
        'name = "r"\ninstrument = "LSSTCam"\n[curves]\nfiles = ["*_ptc.fits"]\n[amplifiers]\nfiles = ["gains.json"]\n'
        "[detectors]\nT_1 = 300\n"
    )
    rerun = FileRerun(tmp_path, "r")
    assert rerun.flats is None
    curves, amplifiers = rerun.curves, rerun.amplifiers()
    assert curves is not None
    assert amplifiers is not None
    assert (curves["detector"].to_pylist(), curves["instrument"].to_pylist()) == ([94], ["LSSTCam"])
    assert amplifiers["detector"].to_pylist() == [94, 300]
    assert amplifiers["ptcGain"].to_pylist() == [1.4, 1.5]
    assert list(rerun.provenance().inputs) == ["curves R22_S11_ptc.fits", "amplifiers gains.json"]
    (tmp_path / "gains.json").unlink()
    with pytest.raises(UsageError, match=r"no file matches 'gains\.json' of \[amplifiers\]"):
        FileRerun(tmp_path, "r")
