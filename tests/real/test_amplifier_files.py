"""Files about the amplifiers of LSSTCam, and a real photon transfer curve, as they lie."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pytest

from harness.errors import UsageError
from harness.metrics.ptc.curve import curves_of
from harness.rerun.files import FileRerun

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

#: Versions of all 3024 amplifiers of science sensors in the history of lsst/obs_lsst.
VERSIONS = ("5b3f2dd7", "a69fc844", "2842bc39", "cca58ecb", "3b07fb09")


def described(folder: Path, what: str, *files: Path) -> FileRerun:
    """Describe files of LSSTCam in a rerun.toml, and open it."""
    names = ", ".join(f'"{file}"' for file in files)
    (folder / "rerun.toml").write_text(f'name = "r"\ninstrument = "LSSTCam"\n[{what}]\nfiles = [{names}]\n')
    return FileRerun(folder, "r")


def amplifiers(folder: Path, *files: Path) -> pa.Table:
    """Read what files say of amplifiers."""
    table = described(folder, "amplifiers", *files).amplifiers()
    assert table is not None
    return table


@pytest.fixture
def here(real_data: Path) -> Path:
    """Return the folder of the real files."""
    return real_data.resolve() / "ptc_lsstcam_run13144"


@pytest.mark.parametrize(
    ("name", "count", "gain"),
    [
        ("curated_amp_gains_2020-08-03", 3280, None),  # eight amplifiers of each wavefront sensor too many
        ("curated_amp_gains_2020-09-16", 3280, None),
        ("curated_ptc_gains_run_13144_2022-02-10", 3216, 1.4070),
    ],
)
def test_curated_gains(here: Path, tmp_path: Path, name: str, count: int, gain: float | None) -> None:
    """Every amplifier of all 205 sensors has a gain and a number of its detector; R22_S11 C06 the published one."""
    table = amplifiers(tmp_path, here / f"{name}.json")
    assert table.num_rows == count
    assert set(table["detector"].to_pylist()) == set(range(205))
    assert table["ptcGain"].null_count == 0
    (row,) = (row for row in table.to_pylist() if (row["detectorName"], row["amplifier"]) == ("R22_S11", "C06"))
    assert row["detector"] == 94
    if gain is not None:
        assert row["ptcGain"] == pytest.approx(gain, abs=1e-4)


def test_each_version_of_the_camera_description(here: Path, tmp_path: Path) -> None:
    """The dated versions are read one by one, placeholders as they stand; together they are refused."""
    history = pl.read_csv(here / "lsstcam_amp_history.csv", infer_schema_length=None)
    for version in VERSIONS:
        path = tmp_path / f"{version}.csv"
        part = history.filter(pl.col("commit") == version)
        part.write_csv(path)
        table = amplifiers(tmp_path, path)
        assert table.num_rows == 3024
        assert set(table["detector"].to_pylist()) == set(range(189))
        assert table["ptcGain"].to_pylist() == part["gain"].to_list()
        assert table["saturation"].to_pylist() == part["saturation"].to_list()
        assert table["gain"].null_count == 3024
    with pytest.raises(UsageError, match=r"lsstcam_amp_history\.csv describes .*; keep one row per amplifier"):
        amplifiers(tmp_path, here / "lsstcam_amp_history.csv")


def test_a_real_curve(here: Path, tmp_path: Path) -> None:
    """The 338 pairs of R22_S11 C06, as a table, are one curve in order of the mean."""
    text = (here / "PTC_R22_S11_C06.txt").read_text().translate(str.maketrans("", "", "[],"))
    names = ["exposure1", "exposure2", "mean", "variance", "expTime", "photoCharge"]
    rows = [dict(zip(names, line.split(), strict=True)) for line in text.splitlines()[2:] if line.strip()]
    frame = pl.DataFrame(rows).with_columns(detectorName=pl.lit("R22_S11"), amp=pl.lit("C06"))
    frame.write_csv(tmp_path / "curve.csv")
    table = described(tmp_path, "curves", tmp_path / "curve.csv").curves
    assert table is not None
    (curve,) = curves_of(table)
    assert (curve.name, curve.detector, len(curve)) == ("R22_S11 C06", 94, 338)
    assert curve.measured.all()
    assert (curve.mean[1:] >= curve.mean[:-1]).all()
    assert curve.exposures[0].tolist() == [3021120600588, 3021120600589]
