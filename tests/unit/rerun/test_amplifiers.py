"""What is on record of amplifiers: EO-test results, gain files and tables."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
from astropy.io import fits
from astropy.table import Table

from harness.errors import BrokenFileError, UsageError
from harness.rerun.amplifiers import amplifiers_schema, read_amplifiers
from harness.rerun.detectors import known_detectors

if TYPE_CHECKING:
    from pathlib import Path

LSSTCAM = known_detectors("LSSTCam")

# Segments in the order of the HDUs of LSST camera files, which is that of the EO test's amplifiers 1 to 16.
SEGMENTS = "10 11 12 13 14 15 16 17 07 06 05 04 03 02 01 00".split()  # noqa: SIM905 - easier to read


def write_eotest(path: Path, amplifiers: int = 16, **columns: Any) -> Path:
    """Write results as `EOTestResults` of lsst-camera-dh/eotest does: an empty primary HDU and a table of floats."""
    numbers = np.arange(1, amplifiers + 1)
    made = [fits.Column("AMP", "I", array=numbers)]
    made += [fits.Column(name, "E", array=np.broadcast_to(values, amplifiers)) for name, values in columns.items()]
    table = fits.BinTableHDU.from_columns(made, name="AMPLIFIER_RESULTS")
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(path)
    return path


def rows_of(*paths: Path) -> list[dict[str, Any]]:
    """Read files as rows, without what is not known."""
    table = read_amplifiers(paths, LSSTCAM)
    assert table.schema == amplifiers_schema()
    return [{name: value for name, value in row.items() if value is not None} for row in table.to_pylist()]


def test_eotest_results_are_in_the_order_of_the_segments(tmp_path: Path) -> None:
    """Row i is amplifier i + 1, which is the i-th image extension of the raw file and not the i-th name."""
    path = write_eotest(tmp_path / "R22_S11_eotest_results.fits", PTC_GAIN=np.arange(16) / 16)
    rows = rows_of(path)
    assert [row["amplifier"] for row in rows] == [f"C{segment}" for segment in SEGMENTS]
    assert [row["ptcGain"] for row in rows] == [i / 16 for i in range(16)]
    assert {(row["detector"], row["detectorName"]) for row in rows} == {(94, "R22_S11")}


def test_eotest_rows_are_told_by_their_number(tmp_path: Path) -> None:
    """Rows in another order are the amplifiers that they say they are."""
    path = tmp_path / "R22_S11_eotest_results.fits"
    Table({"AMP": [10, 1], "PTC_GAIN": [1.407, 1.5]}).write(path)
    with fits.open(path, mode="update") as file:
        file[1].name = "AMPLIFIER_RESULTS"
    assert [(row["amplifier"], row["ptcGain"]) for row in rows_of(path)] == [("C06", 1.407), ("C10", 1.5)]


def test_eotest_columns_have_the_names_and_signs_of_the_harness(tmp_path: Path) -> None:
    """All that is asked for is taken over; a00 is negative here, and positive there."""
    path = write_eotest(
        tmp_path / "R22_S11_eotest_results.fits",
        PTC_GAIN=0.75,
        GAIN=0.8125,
        READ_NOISE=5.5,
        FULL_WELL=131072.0,
        PTC_A00=2.0**-18,
        PTC_TURNOFF=148175.0,
        PTC_NOISE=5.25,
    )
    row = rows_of(path)[0]
    assert row == {
        "detector": 94,
        "detectorName": "R22_S11",
        "amplifier": "C10",
        "ptcGain": 0.75,
        "gain": 0.8125,
        "readNoise": 5.5,
        "fullWell": 131072.0,
        "a00": -(2.0**-18),
        "turnoff": 148175.0,
    }


def test_sentinels_are_passed_on(tmp_path: Path) -> None:
    """What is written in place of a number is judged elsewhere; a column that is not there is null."""
    path = write_eotest(tmp_path / "R22_S11_eotest_results.fits", PTC_GAIN=0, READ_NOISE=-1, PTC_A00=0, GAIN=1.0)
    row = rows_of(path)[3]
    assert (row["ptcGain"], row["readNoise"], row["a00"], row["gain"]) == (0, -1, 0, 1)
    assert math.copysign(1, row["a00"]) == 1
    assert not row.keys() & {"turnoff", "fullWell", "saturation"}


def test_a_wavefront_sensor_has_the_first_eight(tmp_path: Path) -> None:
    """Its amplifiers are those of `C1`, as in the curated gains of lsst-camera-dh/EO-analysis-jobs."""
    rows = rows_of(write_eotest(tmp_path / "R00_SW1_eotest_results.fits", 8, PTC_GAIN=1.5))
    assert [row["amplifier"] for row in rows] == [f"C1{i}" for i in range(8)]
    assert rows[0]["detector"] == 192


def test_a_sensor_is_named_by_file_or_header(tmp_path: Path) -> None:
    """A sensor that no camera has a number for keeps its serial number; one that is not named is refused."""
    (row, *_) = rows_of(write_eotest(tmp_path / "E2V-CCD250-266-Dev_eotest_results.fits", PTC_GAIN=0.77))
    assert row["detectorName"] == "E2V-CCD250-266-Dev"
    assert "detector" not in row
    path = write_eotest(tmp_path / "results.fits", PTC_GAIN=0.77)
    with pytest.raises(UsageError, match=r"results\.fits does not say which sensor .* <sensor>_eotest_results\.fits"):
        rows_of(path)
    fits.setval(path, "LSST_NUM", value="ITL-3800C-083")
    assert rows_of(path)[0]["detectorName"] == "ITL-3800C-083"


@pytest.mark.parametrize("nested", [{"R22_S11": {"C06": 1.407, "C05": 1}}, {"R22": {"S11": {"C06": 1.407, "C05": 1}}}])
@pytest.mark.parametrize("kind", ["json", "yaml", "yml"])
def test_gains_by_detector_and_amplifier(tmp_path: Path, nested: dict[str, Any], kind: str) -> None:
    """JSON and YAML, raft and sensor together or apart, hold the gain that a photon transfer curve gave."""
    path = tmp_path / f"gains.{kind}"
    path.write_text(json.dumps(nested))  # which is YAML too
    here = {"detector": 94, "detectorName": "R22_S11"}
    assert rows_of(path) == [here | {"amplifier": "C06", "ptcGain": 1.407}, here | {"amplifier": "C05", "ptcGain": 1.0}]


def test_a_camera_description(tmp_path: Path) -> None:
    """A raft of lsst/obs_lsst keeps amplifiers among other things."""
    path = tmp_path / "R31.yaml"
    path.write_text(
        """
R31 :
  detectorType : E2V
  ccdSerials :
    S00 : E2V-CCD250-260
  geometryWithinRaft :
    S00 : { offset : [0.0, 0.0], yaw : 0.0 }
  amplifiers :
    S00 :
      C10 : { gain : 1.48544, readNoise : 5.386, saturation : 150947 }
    S01 :
      C10 : { gain : .nan, readNoise : null }
"""
    )
    first, second = rows_of(path)
    assert first == {
        "detector": 126,
        "detectorName": "R31_S00",
        "amplifier": "C10",
        "ptcGain": 1.48544,
        "readNoise": 5.386,
        "saturation": 150947.0,
    }
    assert math.isnan(second.pop("ptcGain"))
    assert second == {"detector": 127, "detectorName": "R31_S01", "amplifier": "C10"}


COLUMNS = {"raft": ["R22", "R22"], "slot": ["S11", "S11"], "amp": ["C06", "C05"], "gain": [1.407, 1.5]}


@pytest.mark.parametrize("kind", ["csv", "ecsv", "parquet", "fits"])
def test_tables_of_a_camera(tmp_path: Path, kind: str) -> None:
    """Raft and slot are the detector, and the gain in use is the one of a photon transfer curve."""
    path = tmp_path / f"amplifiers.{kind}"
    columns = COLUMNS | {"readNoise": [5.5, -1], "saturation": [0, 150000], "vendor": ["E2V", "E2V"]}
    if kind == "csv":
        pl.DataFrame(columns, strict=False).write_csv(path)
    elif kind == "parquet":
        pl.DataFrame(columns, strict=False).write_parquet(path)
    else:
        Table(columns).write(path)
    here = {"detector": 94, "detectorName": "R22_S11"}
    assert rows_of(path) == [
        here | {"amplifier": "C06", "ptcGain": 1.407, "readNoise": 5.5, "saturation": 0.0},
        here | {"amplifier": "C05", "ptcGain": 1.5, "readNoise": -1.0, "saturation": 150000.0},
    ]


def test_a_table_of_our_own_columns(tmp_path: Path) -> None:
    """Beside a gain of a photon transfer curve, a gain is that of another method; segments have short names."""
    path = tmp_path / "amplifiers.csv"
    path.write_text("detector,amplifier,gain,ptcGain,a00\n94,Segment06,1.5,1.407,-3e-6\n95,C06,,1.6,\n")
    assert rows_of(path) == [
        {"detector": 94, "detectorName": "R22_S11", "amplifier": "C06", "ptcGain": 1.407, "gain": 1.5, "a00": -3e-6},
        {"detector": 95, "detectorName": "R22_S12", "amplifier": "C06", "ptcGain": 1.6},
    ]


def test_several_files_are_one_table(tmp_path: Path) -> None:
    """Sensors of different files follow each other; one that is there twice is refused, whatever it is called."""
    (tmp_path / "a.json").write_text('{"R22_S11": {"C06": 1.4}}')
    (tmp_path / "b.csv").write_text("detectorName,amplifier,ptcGain\nR22_S12,C06,1.5\n")
    (tmp_path / "c.csv").write_text("detector,amplifier,ptcGain\n94,C06,1.5\n")
    a, b, c = (tmp_path / name for name in ("a.json", "b.csv", "c.csv"))
    assert [row["detector"] for row in rows_of(a, b)] == [94, 95]
    with pytest.raises(UsageError, match=r"a\.json and .*c\.csv both describe R22_S11 C06; keep one row per amplifier"):
        rows_of(a, b, c)


def test_detectors_may_have_numbers_alone(tmp_path: Path) -> None:
    """Without names, amplifiers of the same name are told apart by the number of their detector."""
    path = tmp_path / "amplifiers.csv"
    path.write_text("detector,amplifier,ptcGain\n901,A,4.0\n902,A,4.1\n")
    assert [(row["detector"], row["amplifier"], row["ptcGain"]) for row in rows_of(path)] == [
        (901, "A", 4.0),
        (902, "A", 4.1),
    ]


def test_a_history_has_to_be_cut_into_its_versions(tmp_path: Path) -> None:
    """A table with several rows of an amplifier is refused, not averaged."""
    path = tmp_path / "history.csv"
    pl.DataFrame(COLUMNS | {"amp": ["C06", "C06"]}).write_csv(path)
    with pytest.raises(UsageError, match=r"history\.csv describes R22_S11 C06; keep one row") as caught:
        rows_of(path)
    assert " and " not in str(caught.value)


def csv(**columns: list[Any]) -> str:
    """Return a table as text."""
    return pl.DataFrame(columns).write_csv()


@pytest.mark.parametrize(
    ("name", "text", "error", "message"),
    [
        ("g.json", "{", BrokenFileError, "cannot be read as JSON"),
        ("g.json", "[1]", BrokenFileError, "holds no gains"),
        ("g.json", "{}", BrokenFileError, "holds no gains"),
        ("g.json", '{"C06": 1.4}', BrokenFileError, "nested otherwise than by detector and amplifier, at C06"),
        ("g.json", '{"a": {"b": {"c": {"C06": 1.4}}}}', BrokenFileError, "nested otherwise .* at a b c C06"),
        (
            "g.json",
            '{"R22_S11": {"C06": "1.4"}}',
            BrokenFileError,
            "gives R22_S11 C06 the gain '1.4', which is no number",
        ),
        ("g.json", '{"R22_S11": {"C06": true}}', BrokenFileError, "the gain True, which is no number"),
        ("g.yaml", "R22_S11: {C06: 1.4", BrokenFileError, "cannot be read as YAML"),
        ("g.yaml", "R22_S11: {C06: {gain: high}}", BrokenFileError, "gives R22_S11 C06 the gain 'high'"),
        ("g.yaml", "", BrokenFileError, "holds no gains"),
        ("t.csv", "", BrokenFileError, "cannot be read as a table"),
        ("t.csv", csv(raft=["R22"], slot=["S11"], gain=[1.4]), UsageError, "names no amplifier: its columns are raft"),
        ("t.csv", csv(amp=["C06"], gain=[1.4]), UsageError, "names no detector: its columns are amp, gain"),
        ("t.csv", csv(amp=["C06"], raft=["R22"], gain=[1.4]), UsageError, "names no detector"),
        ("t.csv", csv(amp=["C06"], detectorName=["R22_S11"]), UsageError, "says nothing of amplifiers"),
        (
            "t.csv",
            csv(**COLUMNS | {"gain": ["a", "b"]}),
            BrokenFileError,
            "something else than double in column 'gain'",
        ),
        ("t.csv", csv(**COLUMNS | {"amp": ["C06", None]}), BrokenFileError, "leaves open .* row 2"),
        ("t.csv", csv(**COLUMNS | {"slot": [None, "S11"]}), BrokenFileError, "leaves open .* row 1"),
        ("t.csv", csv(amp=["C06"], detector=["S11"], gain=[1.4]), BrokenFileError, "than int32 in column 'detector'"),
        ("t.txt", "", UsageError, r"not a file about amplifiers that is understood \(known: .*\.csv, \.json, \.yaml"),
        ("R22_S11_eotest_results.fits", "x", BrokenFileError, "cannot be read as FITS"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, name: str, text: str, error: type[Exception], message: str) -> None:
    """One sentence names the file and what is wrong with it."""
    (tmp_path / name).write_text(text)
    with pytest.raises(error, match=message) as caught:
        rows_of(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["g.json", "g.yaml", "t.csv", "t.parquet", "x_eotest_results.fits"])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    """A file that is gone is told like a damaged one."""
    with pytest.raises(BrokenFileError, match=name):
        rows_of(tmp_path / name)


def test_a_seventeenth_amplifier_is_refused(tmp_path: Path) -> None:
    """Numbers have names from 1 to 16."""
    path = write_eotest(tmp_path / "R22_S11_eotest_results.fits", 17, PTC_GAIN=1.0)
    with pytest.raises(BrokenFileError, match="numbers an amplifier 17; the EO test counts from 1 to 16"):
        rows_of(path)


def test_detectors_of_lsstcam() -> None:
    """The numbering of lsst/obs_lsst at its corners; other cameras have what they are given."""
    assert len(LSSTCAM) == len(set(LSSTCAM.values())) == 205
    places = {"R01_S00": 0, "R01_S01": 1, "R01_S10": 3, "R02_S00": 9, "R10_S00": 27, "R22_S11": 94, "R43_S22": 188}
    places |= {"R00_SG0": 189, "R00_SG1": 190, "R00_SW0": 191, "R04_SG0": 193, "R40_SG0": 197, "R44_SW1": 204}
    assert {name: LSSTCAM[name] for name in places} == places
    assert known_detectors("DECam", {"N1": 60}) == {"N1": 60}
    assert known_detectors("LSSTCam", {"R22_S11": 4})["R22_S11"] == 4
