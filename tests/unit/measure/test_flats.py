"""Photon transfer curves from raw files: the right numbers, a reason for every missing one, and little memory."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from astropy.io import fits
from flat_files import (
    DETECTOR,
    FULL_SCALE,
    GAIN,
    LADDER,
    LEVEL,
    NOISE,
    SMALL,
    TOML,
    flat,
    write,
    write_flats,
)

from harness.errors import BrokenFileError, NotMeasuredError
from harness.measure.flats import extract_curves
from harness.metrics.ptc.curve import curves_table
from harness.rerun.files import FileRerun
from harness.rerun.raw_fits import RawFile

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from harness.measure.flats import Extracted
    from harness.metrics.ptc.curve import Curve
    from harness.rerun.protocol import FlatExposure

PAIR = (30_000.0,)
SHORT = (10_000.0, 20_000.0, 30_000.0)


class Listing:
    """Flats of a folder, listed otherwise."""

    def __init__(self, folder: Path, change: Callable[[list[FlatExposure]], list[FlatExposure]]) -> None:
        flats = FileRerun(folder, "flats").flats
        assert flats is not None
        self.exposures = change(list(flats.exposures))
        self.biases = flats.biases
        self.local = flats.local


def extract(folder: Path, change: Callable[[list[FlatExposure]], list[FlatExposure]] = list) -> Extracted:
    """Measure the flats of a folder."""
    return extract_curves(Listing(folder, change), DETECTOR, "LSSTCam")


def by_name(extracted: Extracted) -> dict[str, Curve]:
    """Return curves by amplifier."""
    return {curve.amplifier: curve for curve in extracted.curves}


def structure() -> dict[str, NDArray[Any]]:
    """Return a bias that a flip or a shift would leave in the flats, up to 120 adu."""
    rows, columns = np.mgrid[: SMALL.rows, : SMALL.columns]
    hot = (rows * 7 + columns * 3) % 50 == 0
    return {name: (columns + 40.0 * hot + 5 * number).astype(np.float32) for number, name in enumerate(SMALL.names)}


@pytest.mark.parametrize("compression", [None, "RICE_1"])
def test_curves_are_those_of_the_light(tmp_path: Path, compression: str | None) -> None:
    """Mean, variance, RHL, noise, time and charge are the simulated ones, within what so many pixels tell."""
    write_flats(tmp_path, compression=compression)
    extracted = extract(tmp_path)
    assert (extracted.surplus, extracted.problems) == ([], [])
    assert [curve.name for curve in extracted.curves] == [f"R22_S11 {name}" for name in SMALL.names]
    electrons = np.array(LADDER)
    n = SMALL.rows * SMALL.columns
    for curve in extracted.curves:
        assert (curve.instrument, curve.detector, len(curve)) == ("LSSTCam", DETECTOR, len(LADDER))
        assert curve.measured.all()
        np.testing.assert_array_equal(curve.exposures % 1000, [(2 * i + 1, 2 * i + 2) for i in range(len(LADDER))])
        np.testing.assert_allclose(curve.exposure_time, electrons / 1000)
        np.testing.assert_allclose(curve.photo_charge, electrons * 1e-12)
        np.testing.assert_allclose(curve.mean, electrons / GAIN, atol=5 * np.sqrt(electrons.max() / 2 / n) / GAIN)
        variance = (electrons + NOISE**2 * (1 + 1 / 13)) / GAIN**2
        assert np.all(np.abs(curve.variance / variance - 1) < 5 * np.sqrt(2 / n))
        np.testing.assert_allclose(curve.rhl, curve.variance / curve.mean, rtol=3e-3)
        np.testing.assert_allclose(curve.overscan_noise, NOISE / GAIN, rtol=0.1)
        np.testing.assert_array_equal(curve.n_pixels, n)


def test_numbers_are_those_of_plain_numpy(tmp_path: Path) -> None:
    """With nothing to clip, mean and variance are what one line of numpy gives for the pixels in the files."""
    paths = write_flats(tmp_path, PAIR)
    fits.setval(paths[1], "EXPTIME", value=30.004)
    curves = by_name(extract(tmp_path))
    for number, name in enumerate(SMALL.names, start=1):
        planes = []
        for path in paths:
            segment = fits.getdata(path, number).astype(float)
            overscan = segment[: SMALL.rows, SMALL.prescan + SMALL.columns :][:, 5:-2]
            planes.append(segment[SMALL.imaging] - overscan.mean(axis=1, keepdims=True))
        one, other = planes
        mean = (one.mean() + other.mean()) / 2
        difference = (other.mean() * one - one.mean() * other) / mean
        assert curves[name].exposure_time[0] == pytest.approx(30.002)
        assert curves[name].mean[0] == pytest.approx(mean, rel=1e-6)
        assert curves[name].delta[0] == pytest.approx(other.mean() - one.mean(), abs=1e-6 * mean)
        assert curves[name].variance[0] == pytest.approx(difference.var(ddof=1) / 2, rel=1e-4)


@pytest.mark.parametrize("assembled", [False, True])
def test_bias_is_subtracted(tmp_path: Path, assembled: bool) -> None:
    """Flats with structure in their bias give the curves of flats without, once it is subtracted."""
    write_flats(tmp_path / "plain", PAIR)
    write_flats(tmp_path / "biased", PAIR, bias=structure())
    without = by_name(extract(tmp_path / "biased"))
    (tmp_path / "biased/rerun.toml").write_text(TOML + 'bias = ["bias.fits"]\n')
    if assembled:
        header = fits.Header({"RAFTBAY": "R22", "CCDSLOT": "S11"})
        image = fits.ImageHDU(SMALL.assembled(structure()))
        fits.HDUList([fits.PrimaryHDU(header=header), image]).writeto(tmp_path / "biased/bias.fits")
    else:
        frame = {name: np.full(SMALL.shape, LEVEL, np.float32) for name in SMALL.names}
        for name, plane in structure().items():
            frame[name][SMALL.imaging] += plane
        write(tmp_path / "biased/bias.fits", frame)
    found, expected = by_name(extract(tmp_path / "biased")), by_name(extract(tmp_path / "plain"))
    for name, curve in expected.items():
        np.testing.assert_allclose(found[name].mean, curve.mean, rtol=1e-6)
        np.testing.assert_allclose(found[name].variance, curve.variance, rtol=1e-6)
        np.testing.assert_allclose(found[name].rhl, curve.rhl, rtol=1e-6)
        assert without[name].mean[0] > curve.mean[0] + 20


def test_bias_without_an_amplifier_leaves_it_out(tmp_path: Path) -> None:
    """No amplifier is measured without the bias that the others have; its curve says why."""
    write_flats(tmp_path, SHORT)
    (tmp_path / "rerun.toml").write_text(TOML + 'bias = ["bias.fits"]\n')
    frame = {name: np.full(SMALL.shape, LEVEL, np.int32) for name in SMALL.names if name != "C11"}
    write(tmp_path / "bias.fits", frame)
    extracted = extract(tmp_path)
    curves = by_name(extracted)
    assert [name for name, curve in curves.items() if curve.measured.all()] == ["C10", "C01", "C00"]
    ((detector, name, reason),) = extracted.problems
    assert (detector, name) == (DETECTOR, "C11")
    assert reason == curves["C11"].status[0]
    assert reason.startswith(f"bias {tmp_path}/bias.fits has no amplifier C11 (there are: C10, C01, C00)")


def test_broken_bias_is_told_at_once(tmp_path: Path) -> None:
    """A bias that cannot be read is a broken file, not the fault of every pair."""
    write_flats(tmp_path, PAIR)
    (tmp_path / "rerun.toml").write_text(TOML + 'bias = ["bias.fits"]\n')
    bias = write(tmp_path / "bias.fits", {})
    with pytest.raises(BrokenFileError, match=f"{bias} has no amplifier: no extension is named Segment10"):
        extract(tmp_path)


@pytest.mark.parametrize(("dtype", "full_scale"), [("int32", FULL_SCALE), ("uint16", 65535), ("float32", FULL_SCALE)])
def test_saturated_pixels_do_not_count(tmp_path: Path, dtype: str, full_scale: int) -> None:
    """What stands at the end of the converter's range is left out of all numbers, be it most of the pixels."""
    paths = write_flats(tmp_path, PAIR)
    expected = by_name(extract(tmp_path))
    for number, path in enumerate(paths):
        segments = {name: pixels.astype(dtype) for name, pixels in flat(PAIR[0], number).items()}
        segments["C11"][10 : 70 + number, SMALL.prescan :][:, : SMALL.columns] = full_scale
        write(path, segments, EXPTIME=30.0, SEQNUM=number + 1)
    found = by_name(extract(tmp_path))
    np.testing.assert_array_equal(found["C10"].variance, expected["C10"].variance)
    assert found["C11"].n_pixels[0] == (SMALL.rows - 61) * SMALL.columns
    assert found["C11"].mean[0] == pytest.approx(expected["C11"].mean[0], rel=2e-3)
    assert found["C11"].variance[0] == pytest.approx(expected["C11"].variance[0], rel=0.1)


def test_pixels_that_are_no_numbers_do_not_count(tmp_path: Path) -> None:
    """NaN, among the imaging pixels or in the overscan, costs pixels or rows and no more."""
    paths = write_flats(tmp_path, PAIR)
    segments = {name: pixels.astype(np.float32) for name, pixels in flat(PAIR[0], 0).items()}
    segments["C10"][5, SMALL.prescan + 7] = np.nan
    segments["C11"][5, SMALL.prescan + SMALL.columns :] = np.nan
    write(paths[0], segments, EXPTIME=30.0, SEQNUM=1)
    found = by_name(extract(tmp_path))
    pixels = SMALL.rows * SMALL.columns
    counts = {name: curve.n_pixels[0] for name, curve in found.items()}
    assert counts == {"C10": pixels - 1, "C11": pixels - SMALL.columns, "C01": pixels, "C00": pixels}
    assert all(curve.measured.all() for curve in found.values())
    segments["C01"][:] = np.nan
    write(paths[0], segments, EXPTIME=30.0, SEQNUM=1)
    assert by_name(extract(tmp_path))["C01"].status[0] == (
        "only 0 of 6400 pixels are usable, and 100 are needed (6400 are not finite)"
    )


def test_saturated_pair_says_so(tmp_path: Path) -> None:
    """A pair without a pixel in range has a status and no numbers; the others are measured."""
    paths = write_flats(tmp_path, SHORT)
    saturated = {name: np.full(SMALL.shape, FULL_SCALE, np.int32) for name in SMALL.names}
    for number, path in enumerate(paths[-2:]):
        write(path, saturated, EXPTIME=30.0, SEQNUM=5 + number)
    for curve in extract(tmp_path).curves:
        assert sorted(curve.status) == [
            "",
            "",
            "only 0 of 6400 pixels are usable, and 100 are needed (6400 are saturated)",
        ]
        assert np.isnan([curve.mean[2], curve.variance[2], curve.n_pixels[2]]).all()
        assert np.isfinite(curve.mean[:2]).all()


def test_charge_that_the_listing_does_not_know(tmp_path: Path) -> None:
    """A registry knows no charge; the header of the file does."""
    write_flats(tmp_path, PAIR)
    unknown = extract(tmp_path, lambda flats: [replace(each, photo_charge=np.nan) for each in flats])
    np.testing.assert_allclose(unknown.curves[0].photo_charge, 3e-8)


def test_order_of_listing_changes_nothing(tmp_path: Path) -> None:
    """Whatever order files are listed in, all results are the same to the last bit."""
    paths = write_flats(tmp_path, SHORT)
    with fits.open(paths[2], mode="update") as hdus:
        del hdus[2]
    paths[4].write_bytes(paths[4].read_bytes()[:60_000])
    expected = extract(tmp_path)
    for seed in range(3):
        found = extract(tmp_path, lambda flats, seed=seed: list(np.random.default_rng(seed).permutation(flats)))
        # Texts, because NaN equals nothing; they hold every bit.
        assert str(curves_table(found.curves).to_pylist()) == str(curves_table(expected.curves).to_pylist())
        assert (found.surplus, found.problems) == (expected.surplus, expected.problems)


def test_names_of_files_change_nothing(tmp_path: Path) -> None:
    """Nor does what the files are called, which is the order they are found in."""
    paths = write_flats(tmp_path, SHORT)
    expected = str(curves_table(extract(tmp_path).curves).to_pylist())
    for path in paths:
        path.rename(path.with_name(f"flat_{int(path.stem[5:]) * 5 % 7}.fits"))
    assert str(curves_table(extract(tmp_path).curves).to_pylist()) == expected


def test_each_segment_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading is most of the work."""
    write_flats(tmp_path, SHORT)
    read = []
    whole = RawFile.segment
    monkeypatch.setattr(RawFile, "segment", lambda self, name: read.append((self.path, name)) or whole(self, name))
    extract(tmp_path)
    assert len(read) == len(set(read)) == 2 * len(SHORT) * len(SMALL.names)


@pytest.mark.parametrize(
    ("missing_in", "said"),
    [
        (
            (0,),
            "flat_001.fits has no amplifier C11 (there are: C10, C01, C00); it is cut off, or was written without: ",
        ),
        (
            (3,),
            "flat_004.fits has no amplifier C11 (there are: C10, C01, C00); it is cut off, or was written without: ",
        ),
        ((2, 3), "exposures 2026010100003 and 2026010100004 have no amplifier C11; leave them out"),
        ((0, 2, 3), "fetch it again or leave it out (1 more like it)"),
    ],
)
def test_missing_amplifier_costs_its_pairs(tmp_path: Path, missing_in: tuple[int, ...], said: str) -> None:
    """Pairs where either flat lacks an amplifier say so, first or last; the other pairs and amplifiers are measured."""
    paths = write_flats(tmp_path, SHORT)
    for number in missing_in:
        with fits.open(paths[number], mode="update") as hdus:
            del hdus[2]
    extracted = extract(tmp_path)
    curves = by_name(extracted)
    assert sorted(curves) == sorted(SMALL.names)
    assert all(curve.measured.all() for name, curve in curves.items() if name != "C11")
    assert curves["C11"].measured.sum() == len(SHORT) - len({number // 2 for number in missing_in})
    ((_, name, reason),) = extracted.problems
    assert name == "C11"
    assert said in reason


def test_other_detectors_are_others(tmp_path: Path) -> None:
    """Flats of another detector are neither paired with these nor read."""
    write_flats(tmp_path, PAIR)
    expected = extract(tmp_path)
    found = extract(tmp_path, lambda flats: [*flats, *(replace(each, detector=95, ref="nowhere") for each in flats)])
    assert str(curves_table(found.curves).to_pylist()) == str(curves_table(expected.curves).to_pylist())
    assert found.surplus == []


def test_cut_off_file_gives_what_it_has(tmp_path: Path) -> None:
    """The segments before the end are measured; the others cost the pair and name the file."""
    paths = write_flats(tmp_path, SHORT)
    paths[1].write_bytes(paths[1].read_bytes()[:80_000])
    extracted = extract(tmp_path)
    curves = by_name(extracted)
    assert {name: int(curve.measured.sum()) for name, curve in curves.items()} == {
        "C10": 3,
        "C11": 2,
        "C01": 2,
        "C00": 2,
    }
    assert [name for _, name, _ in extracted.problems] == ["C11", "C01", "C00"]
    assert f"Segment11 in {paths[1]} is cut off" in extracted.problems[0][2]
    assert f"{paths[1]} has no amplifier C00 (there are: C10, C11); it is cut off" in extracted.problems[2][2]


def test_file_that_is_gone_costs_its_pair(tmp_path: Path) -> None:
    """A file that vanishes after it was listed is a problem of every amplifier, in that pair alone."""
    paths = write_flats(tmp_path, SHORT)
    listing = Listing(tmp_path, list)
    paths[3].unlink()
    extracted = extract_curves(listing, DETECTOR, "LSSTCam")
    assert [int(curve.measured.sum()) for curve in extracted.curves] == [2, 2, 2, 2]
    assert [name for _, name, _ in extracted.problems] == list(SMALL.names)
    assert {reason for _, _, reason in extracted.problems} == {
        f"{paths[3]} is not there any more; restore it or leave it out"
    }


def test_flats_of_different_size(tmp_path: Path) -> None:
    """Both sizes are told, and the other amplifiers are measured."""
    paths = write_flats(tmp_path, PAIR)
    segments = flat(PAIR[0], 1)
    segments["C01"] = segments["C01"][:-10]
    write(paths[1], segments, EXPTIME=30.0, SEQNUM=2)
    curves = by_name(extract(tmp_path))
    assert curves["C01"].status[0] == "the two flats differ in size: 64x100 and 64x90 pixels"
    assert [name for name, curve in curves.items() if curve.measured.all()] == ["C10", "C11", "C00"]


def test_amplifiers_of_no_size(tmp_path: Path) -> None:
    """A header that makes an amplifier a few pixels wide costs that amplifier."""
    for path in write_flats(tmp_path, PAIR):
        fits.setval(path, "DATASEC", value="[4:11,1:100]", ext=2)
    curves = by_name(extract(tmp_path))
    assert curves["C11"].status[0] == "an amplifier of 8x100 pixels is too small for covariances to lag 8"
    assert curves["C10"].measured.all()


def test_segment_without_overscan(tmp_path: Path) -> None:
    """The file is named."""
    paths = write_flats(tmp_path, PAIR)
    for path in paths:
        fits.setval(path, "DATASEC", value="[4:87,1:100]", ext=2)
    ((_, name, reason),) = extract(tmp_path).problems
    assert name == "C11"
    assert reason.startswith(f"{paths[0]}: amplifier C11 has no overscan")


def test_pair_of_unequal_times_is_left_out(tmp_path: Path) -> None:
    """It keeps its place in the curve, without numbers; a flat without a partner is told."""
    paths = write_flats(tmp_path, (*SHORT, 40_000.0))
    fits.setval(paths[3], "EXPTIME", value=21.0)
    paths[7].unlink()
    extracted = extract(tmp_path)
    assert extracted.problems == []
    assert [exposure for exposure, _ in extracted.surplus] == ["exposure 2026010100007"]
    for curve in extracted.curves:
        assert sorted(curve.status) == ["", "", "exposure times differ: 20 s and 21 s"]
        assert list(curve.measured) == [True, True, False]


@pytest.mark.parametrize(
    ("keep", "said"),
    [
        ((), "there are no flats of it"),
        ((0,), "no partner of 10 s next to it in the sequence"),
        ((0, 2), "exposure times differ: 10 s and 20 s"),
    ],
)
def test_nothing_to_measure(tmp_path: Path, keep: tuple[int, ...], said: str) -> None:
    """Without any pair there is no curve but one sentence that says why."""
    write_flats(tmp_path, SHORT)
    with pytest.raises(NotMeasuredError, match=f"^no pair of flats of detector 94 can be measured: {said}"):
        extract(tmp_path, lambda flats: [replace(flats[number], sequence=number // 2) for number in keep])


def test_no_pair_can_be_read(tmp_path: Path) -> None:
    """The first of the reasons is told, with how many more there are."""
    for path in write_flats(tmp_path, SHORT):
        path.write_bytes(path.read_bytes()[:2880])
    with pytest.raises(BrokenFileError, match=r"can be read: .*flat_001.fits has no amplifier: .* \(2 more like it\)$"):
        extract(tmp_path)


PEAK = """
import json, resource, sys
from pathlib import Path
from flat_files import DETECTOR
from harness.measure.flats import extract_curves
from harness.rerun.files import FileRerun
curves = extract_curves(FileRerun(Path(sys.argv[1]), "flats").flats, DETECTOR, "").curves
assert all(curve.measured.all() for curve in curves)
print(json.dumps([len(curves[0]), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_pairs(tmp_path: Path) -> None:
    """Ten times the pairs, 24 MB each, take no more memory."""
    geometry = replace(SMALL, rows=1000, columns=768)
    for name, n_pairs in (("few", 1), ("many", 10)):
        write_flats(tmp_path / name, [20_000.0 + n for n in range(1)], geometry)
        flats = sorted((tmp_path / name).glob("flat_*"))
        for number in range(2, 2 * n_pairs):
            path = tmp_path / name / f"flat_{number + 1:03}.fits"
            path.write_bytes(flats[number % 2].read_bytes())
            fits.setval(path, "SEQNUM", value=number + 1)
    peaks = {}
    for name in ("few", "many"):
        done = subprocess.run(
            [sys.executable, "-c", PEAK, str(tmp_path / name)],
            env={"PYTHONPATH": str(Path(__file__).parents[2] / "support"), "PATH": ""},
            check=True,
            capture_output=True,
            text=True,
            timeout=120,
        )
        n_pairs, peaks[name] = json.loads(done.stdout)
        assert n_pairs == (1 if name == "few" else 10)
    assert peaks["many"] < peaks["few"] + 12, peaks
