"""Raw flats that are damaged, incomplete or odd: what is wrong is said, and everything else is measured."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits
from embedded_survey import cut_short
from flat_files import FULL_SCALE, GAIN, LADDER, LEVEL, SMALL, TOML, flat, write, write_flats

N_PAIRS = 6
N_AMPLIFIERS = len(SMALL.names)


@pytest.fixture(scope="module")
def good_flats(tmp_path_factory):
    """Return a folder of six good pairs of flats."""
    folder = tmp_path_factory.mktemp("good") / "flats"
    write_flats(folder, LADDER[:N_PAIRS])
    return folder


@pytest.fixture
def flats(run, good_flats):
    """Return the command line with flats to be spoiled in a folder ``flats``; its ``paths`` are the files in order."""
    shutil.copytree(good_flats, run.folder / "flats", copy_function=os.link)
    run.paths = sorted((run.folder / "flats").glob("flat_*"))
    return run


def measure(run, code=0):
    """Measure the folder; nothing may be said on the side."""
    answer = run("measure", "--repo", run.folder / "flats", "--format", "json", code=code)
    assert len(answer.complaints) == (code != 0)
    return answer


def rewrite(run, number, change=lambda segments: None, **cards):
    """Write one of the flats anew, changed."""
    electrons = LADDER[number // 2]
    segments = flat(electrons, number)
    change(segments)
    run.paths[number].unlink()  # other links stay whole
    write(run.paths[number], segments, **{"EXPTIME": electrons / 1000, "SEQNUM": number + 1} | cards)


def check(answer, *, lost=0, unpaired=0, unreadable=0):
    """Require that all but so many pairs of amplifiers, flats and amplifiers were measured, and the gain is right."""
    values = {name: row["value"] for name, row in answer.rows.items()}
    counts = {
        "ptc.numPairs": (N_PAIRS - unpaired) * N_AMPLIFIERS - lost,
        "ptc.numRejectedPairs": lost,
        "ptc.numUnpairedFlats": unpaired,
        "ptc.numUnreadableAmplifiers": unreadable,
        "ptc.numAmplifiers": N_AMPLIFIERS,
        "ptc.numUnfitted": 0,
    }
    assert {name: values[name] for name in counts} == counts
    assert values["ptc.gain"] == pytest.approx(GAIN, abs=5 * answer.rows["ptc.gain"]["uncertainty"])


def test_good_flats(flats):
    """Nothing is lost of flats that are as they should be."""
    check(measure(flats))


def test_cut_off_file(flats):
    """The amplifiers before the cut are measured in all pairs; the others lose one, and the file is named."""
    path = flats.paths[4]
    cut_short(path, 80_000 / path.stat().st_size)
    answer = measure(flats)
    check(answer, lost=3, unreadable=3)
    told = answer.rows["ptc.numUnreadableAmplifiers"]["detail"]
    assert f"C11: Segment11 in {path} is cut off: the file ends at byte 80000 and the segment at " in told
    assert f"C00: {path} has no amplifier C00 (there are: C10, C11); it is cut off, or was written without: " in told


def test_cut_off_file_fails_to_verify(flats):
    """What was not measured fails, whatever the baseline."""
    cut_short(flats.paths[4], 0.6)
    judge = ("verify", "--repo", flats.folder / "flats", "--rerun", "flats", "--format", "json")
    answer = flats(*judge, "--", "-k", "every_amplifier", code=1)
    assert answer.states == {"ptc.numUnfitted": "PASS", "ptc.numUnreadableAmplifiers": "FAIL"}


@pytest.mark.parametrize("missing_in", [(0,), (4, 5)])
def test_missing_amplifier(flats, missing_in):
    """An amplifier that is missing in one or both flats of a pair loses that pair."""
    for number in missing_in:
        rewrite(flats, number, lambda segments: segments.pop("C11"))
    answer = measure(flats)
    check(answer, lost=1, unreadable=1)
    assert "no amplifier C11" in answer.rows["ptc.numUnreadableAmplifiers"]["detail"]


def test_flats_of_different_size(flats):
    """Both sizes are told."""
    rewrite(flats, 7, lambda segments: segments.update(C01=segments["C01"][:-10]))
    answer = measure(flats)
    check(answer, lost=1)
    told = answer.rows["ptc.numRejectedPairs"]["detail"]
    assert "the two flats differ in size: 64x100 and 64x90 pixels" in told


def test_saturated_pairs(flats):
    """Pairs at the end of the ladder without a pixel in range are left out; so the turnoff lies below."""
    for number in (10, 11):
        rewrite(flats, number, lambda segments: [pixels.fill(FULL_SCALE) for pixels in segments.values()])
    answer = measure(flats)
    check(answer, lost=N_AMPLIFIERS)
    told = answer.rows["ptc.numRejectedPairs"]["detail"]
    assert "only 0 of 6400 pixels are usable, and 100 are needed (6400 are saturated)" in told


def test_nothing_but_saturated_pairs(flats):
    """There is no gain, and each metric says why; that is not a fault of the command."""
    for number in range(2 * N_PAIRS):
        rewrite(flats, number, lambda segments: [pixels.fill(FULL_SCALE) for pixels in segments.values()])
    answer = measure(flats)
    assert answer.rows["ptc.gain"]["value"] is None
    assert "0 measured pairs" in answer.rows["ptc.gain"]["detail"]
    assert answer.rows["ptc.numRejectedPairs"]["value"] == N_PAIRS * N_AMPLIFIERS
    assert answer.rows["ptc.numUnfitted"]["value"] == N_AMPLIFIERS


def test_one_pair_only(flats):
    """One pair has a mean and a variance but no curve."""
    for path in flats.paths[2:]:
        path.unlink()
    answer = measure(flats)
    assert answer.rows["ptc.gain"]["value"] is None
    assert "the fit needs" in answer.rows["ptc.gain"]["detail"]
    assert answer.rows["ptc.overscanNoise"]["value"] == pytest.approx(4, rel=0.1)


def test_one_flat_only(flats):
    """Not even a pair: one sentence, exit code 3."""
    for path in flats.paths[1:]:
        path.unlink()
    assert measure(flats, code=3).complaint == (
        "no pair of flats of detector 94 can be measured: no partner of 1 s next to it in the sequence: "
        "before it is nothing, after it nothing"
    )


def test_no_light(flats):
    """A pair without a signal is no point of a curve."""
    for number in (0, 1):
        rewrite(flats, number, lambda segments, number=number: segments.update(flat(0, number)))
    answer = measure(flats)
    check(answer, lost=N_AMPLIFIERS)
    assert "no signal in the first flat: its mean is " in answer.rows["ptc.numRejectedPairs"]["detail"]


def test_pixels_that_are_no_numbers(flats):
    """Single NaN pixels cost nothing; a plane of them costs the pair of that amplifier."""

    def spoil(segments):
        for name, pixels in segments.items():
            segments[name] = pixels.astype(np.float32)
        segments["C10"][7, 7] = np.nan
        segments["C01"][:] = np.nan

    rewrite(flats, 6, spoil)
    answer = measure(flats)
    check(answer, lost=1)
    assert "(6400 are not finite)" in answer.rows["ptc.numRejectedPairs"]["detail"]


def test_unequal_exposure_times(flats):
    """The pair is left out, never averaged."""
    rewrite(flats, 7, EXPTIME=4.0)
    answer = measure(flats)
    check(answer, lost=N_AMPLIFIERS)
    assert "exposure times differ: 3.375 s and 4 s" in answer.rows["ptc.numRejectedPairs"]["detail"]


@pytest.mark.parametrize("missing", [0, 5])
def test_missing_flat(flats, missing):
    """Wherever a flat is missing, its partner stays alone and no other pair is shifted."""
    flats.paths[missing].unlink()
    answer = measure(flats)
    check(answer, unpaired=1)
    alone = 2026010100001 + (missing ^ 1)
    assert f"exposure {alone}: no partner of " in answer.rows["ptc.numUnpairedFlats"]["detail"]


@pytest.mark.parametrize("content", [b"", b"SIMPLE?\n"])
def test_file_that_is_not_fits(flats, content):
    """What cannot be listed is named, and how to go on: exit code 4."""
    path = flats.paths[3]
    path.unlink()
    path.write_bytes(content)
    answer = measure(flats, code=4)
    assert answer.complaint.startswith(f"{path} cannot be read as FITS (")
    assert answer.complaint.endswith("; restore it or leave it out")


def test_file_without_amplifiers(flats):
    """A file cut off behind its primary header, which can be listed, costs its pair alone."""
    path = flats.paths[3]
    cut_short(path, 2880 / path.stat().st_size)
    answer = measure(flats)
    check(answer, lost=N_AMPLIFIERS, unreadable=N_AMPLIFIERS)
    assert f"C10: {path} has no amplifier" in answer.rows["ptc.numUnreadableAmplifiers"]["detail"]


def test_damaged_compressed_pixels(flats):
    """Bytes that cannot be decoded cost the amplifier its pair, with no word of the decoder's own."""
    path = flats.paths[3]
    path.unlink()
    write(path, flat(LADDER[1], 3), compression="RICE_1", EXPTIME=LADDER[1] / 1000, SEQNUM=4)
    with fits.open(path, disable_image_compression=True) as hdus:
        start = hdus[2].fileinfo()["datLoc"] + 8 * SMALL.shape[0]  # behind a descriptor for each row
    content = bytearray(path.read_bytes())
    content[start : start + 1000] = b"\xff" * 1000
    path.write_bytes(content)
    answer = measure(flats)
    check(answer, lost=1, unreadable=1)
    told = answer.rows["ptc.numUnreadableAmplifiers"]["detail"]
    assert told.startswith(f"C11: the pixels of Segment11 in {path} cannot be read (")


def with_bias(run, geometry=SMALL, names=SMALL.names):
    """Give the flats a bias."""
    (run.folder / "flats/rerun.toml").unlink()
    (run.folder / "flats/rerun.toml").write_text(TOML + 'bias = ["bias.fits"]\n')
    frame = {name: np.full(geometry.shape, LEVEL, np.int32) for name in names}
    return write(run.folder / "flats/bias.fits", frame, geometry, IMGTYPE="BIAS")


def test_bias_that_fits(flats):
    """A bias of nothing but the level changes nothing."""
    with_bias(flats)
    check(measure(flats))


def test_bias_of_another_size(flats):
    """Both sizes are told, exit code 4: no amplifier is measured without its bias."""
    path = with_bias(flats, replace(SMALL, rows=90))
    assert measure(flats, code=4).complaint == (
        f"no pair of flats of detector 94 can be read: bias {path} has 64x90 pixels for amplifier C10, "
        "and the flats have 64x100; use the bias of this detector (3 more like it)"
    )


def test_bias_that_is_cut_off(flats):
    """A bias that ends early is a broken file."""
    path = with_bias(flats)
    cut_short(path, 0.1)
    assert measure(flats, code=4).complaint.startswith(
        f"no pair of flats of detector 94 can be read: Segment10 in {path} is cut off"
    )


def test_bias_without_an_amplifier(flats):
    """The others are measured."""
    path = with_bias(flats, names=("C10", "C01", "C00"))
    answer = measure(flats)
    assert answer.rows["ptc.numAmplifiers"]["value"] == 3
    assert answer.rows["ptc.numUnreadableAmplifiers"]["value"] == 1
    assert f"C11: bias {path} has no amplifier C11" in answer.rows["ptc.numUnreadableAmplifiers"]["detail"]


@pytest.fixture
def impossible_curve(run):
    """Return the command line with somebody else's curves, one of which has four impossible pairs."""
    (run.folder / "flats").mkdir()
    (run.folder / "flats/rerun.toml").write_text('instrument = "LSSTCam"\n[curves]\nfiles = ["curve.csv"]\n')
    rows = ["detectorName,amplifier,mean,variance,nPixels"]
    generator = np.random.default_rng(7)
    for name in ("C10", "C11"):
        means = np.geomspace(500, 30_000, 12)
        variances = (means / GAIN + 16) * (1 + np.sqrt(2e-6) * generator.standard_normal(12))
        if name == "C11":
            variances[3] *= -1
            variances[5] = 0
            variances[7] = np.nan
            means[9] = 0
        rows += [f"R22_S11,{name},{mean},{variance},1000000" for mean, variance in zip(means, variances, strict=True)]
    (run.folder / "flats/curve.csv").write_text("\n".join(rows) + "\n")
    return run


def test_curve_with_impossible_variances(impossible_curve):
    """Negative, zero and missing variances, and a signal of zero, are no points of a curve."""
    answer = measure(impossible_curve)
    assert answer.rows["ptc.numPairs"]["value"] == 20
    assert answer.rows["ptc.numAmplifiers"]["value"] == 2
    assert answer.rows["ptc.gain"]["value"] == pytest.approx(GAIN, rel=2e-3)


def test_impossible_variances_are_counted(impossible_curve):
    """What is left out is told."""
    assert measure(impossible_curve).rows["ptc.numRejectedPairs"]["value"] == 4


@pytest.mark.slow
def test_damaged_raws_in_a_butler_repository(run, repository, tmp_path):
    """In a Butler repository, which lists raws without opening them, any damage costs no more than its pair."""
    copy = tmp_path / "repository"
    shutil.copytree(repository, copy)
    raws = sorted((copy / "LSST-TS8/raw/5001").rglob("*.fits"))
    raws[0].unlink()
    raws[0].write_text("no such file\n")
    cut_short(raws[2], 0.6)
    raws[4].unlink()
    answer = run("measure", "--repo", copy, "--rerun", "run_5001_v1", "--format", "json")
    assert answer.complaints == []
    assert answer.rows["ptc.numAmplifiers"]["value"] == 16
    assert answer.rows["ptc.numUnreadableAmplifiers"]["value"] == 16
    assert f"C10: {raws[0]} cannot be read as FITS (" in answer.rows["ptc.numUnreadableAmplifiers"]["detail"]
    told = answer.rows["ptc.numRejectedPairs"]["detail"]
    assert f" in {raws[2]} is cut off: " in told
    assert str(raws[4]) in told
    # Of 16 pairs, that of unequal times is of no use to any amplifier, two more are unreadable, and half of a third.
    assert 16 * 3 < answer.rows["ptc.numRejectedPairs"]["value"] < 16 * 4
