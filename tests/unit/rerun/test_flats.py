"""Raw flats in folders, listed by their headers."""

from __future__ import annotations

import gzip
import math
import os
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from astropy.io import fits

from harness.errors import BrokenFileError, UsageError
from harness.rerun import open_ref
from harness.rerun.files import FileRerun

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from harness.rerun.protocol import FlatExposure

    Open = Callable[..., FileRerun]

HEADER = {
    "IMGTYPE": "FLAT",
    "EXPTIME": 12.5,
    "DAYOBS": "20211206",
    "SEQNUM": 588,
    "RAFTBAY": "R22",
    "CCDSLOT": "S11",
    "MONDIODE": 6.8e-11,
}


def write(path: Path, **cards: Any) -> Path:
    """Write a raw file with one small segment; a card that is None is left out."""
    primary = fits.PrimaryHDU()
    for key, value in (HEADER | cards).items():
        if value is not None:
            primary.header[key] = value
    segment = fits.ImageHDU(np.arange(12, dtype=np.int32).reshape(3, 4), name="Segment10")
    fits.HDUList([primary, segment]).writeto(path)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder for raw files."""
    (tmp_path / "r").mkdir()
    return tmp_path / "r"


@pytest.fixture
def opened(folder: Path) -> Open:
    """Return a function that describes the folder and opens it."""

    def opens(toml: str = "", instrument: str = "LSSTCam") -> FileRerun:
        text = f'instrument = "{instrument}"\n[flats]\nfiles = ["flat_*.fits*"]\n{toml}'
        (folder / "rerun.toml").write_text(text)
        return FileRerun(folder, "r")

    return opens


def listed(rerun: FileRerun) -> list[FlatExposure]:
    """Return the flats of a rerun that has some."""
    assert rerun.flats is not None
    return list(rerun.flats.exposures)


def test_a_header_says_all_about_its_exposure(folder: Path, opened: Open) -> None:
    """Exposure, detector, time, order and photodiode are those of the primary header; no pair is recorded."""
    write(folder / "flat_1.fits")
    (flat,) = listed(opened())
    assert (flat.exposure, flat.detector, flat.detector_name) == (2021120600588, 94, "R22_S11")
    assert (flat.exposure_time, flat.sequence, flat.photo_charge) == (12.5, 2021120600588, 6.8e-11)
    assert (flat.pair, flat.ref) == ("", "flat_1.fits")


def test_flats_are_in_order_of_detector_and_exposure_whatever_their_names(folder: Path, opened: Open) -> None:
    """File names order nothing."""
    for number, (slot, seq) in enumerate([("S11", 9), ("S00", 2), ("S11", 8), ("S00", 1)]):
        write(folder / f"flat_{number}.fits", CCDSLOT=slot, SEQNUM=seq)
    assert [(each.detector, each.exposure % 100) for each in listed(opened())] == [(90, 1), (90, 2), (94, 8), (94, 9)]


@pytest.mark.parametrize(
    ("cards", "exposure"),
    [
        ({"OBSID": "1234"}, 1234),
        ({"OBSID": 1234}, 1234),
        ({"EXPID": 77, "OBSID": "78"}, 77),
        ({"OBSID": "MC_C_20211206_000588"}, 2021120600588),
        ({"DAYOBS": "2021-12-06"}, 2021120600588),
        # Numbers of `LsstTS8Translator.to_exposure_id` in lsst/obs_lsst, where SEQNUM repeats within a day.
        ({"DAYOBS": None, "DATE-OBS": "2018-10-05T07:21:33.456"}, 201810050721334),
        ({"DAYOBS": None, "DATE-OBS": "2018-10-05T07:21:33"}, 201810050721330),
    ],
)
def test_exposures_have_the_number_that_is_recorded(
    folder: Path, opened: Open, cards: dict[str, Any], exposure: int
) -> None:
    """A number counts first, then day and sequence, then the time it began."""
    write(folder / "flat_1.fits", **cards)
    assert listed(opened())[0].exposure == exposure


@pytest.mark.parametrize(
    ("cards", "number", "name"),
    [
        ({"RAFTBAY": None, "CCDSLOT": None, "RAFTNAME": "R01", "SENSNAME": "S00"}, 0, "R01_S00"),
        ({"RAFTBAY": "R44", "CCDSLOT": "SW1"}, 204, "R44_SW1"),
        ({"DETECTOR": 7}, 94, "R22_S11"),  # the name is in the numbering of the instrument
        ({"RAFTBAY": None, "CCDSLOT": None, "DETECTOR": 7}, 7, "R01_S21"),
        ({"RAFTBAY": None, "CCDSLOT": None, "DETECTOR": 999}, 999, ""),
        ({"RAFTBAY": "R99", "DETECTOR": "300"}, 300, "R99_S11"),
        (
            {"RAFTBAY": "", "CCDSLOT": "", "RAFTNAME": "LCA-11021_RTM-010", "LSST_NUM": "E2V-CCD250-266"},
            3,
            "E2V-CCD250-266",
        ),
    ],
)
def test_detectors_are_told_by_name_or_number(
    folder: Path, opened: Open, cards: dict[str, Any], number: int, name: str
) -> None:
    """Names have the numbers of the instrument or of the rerun.toml; a number alone has its name there."""
    write(folder / "flat_1.fits", **cards)
    (flat,) = listed(opened('[detectors]\n"E2V-CCD250-266" = 3'))
    assert (flat.detector, flat.detector_name) == (number, name)


def test_a_detector_without_number_asks_for_one(folder: Path, opened: Open) -> None:
    """Of a camera that is not known, the message names the detector and what to write."""
    write(folder / "flat_1.fits")
    rerun = opened(instrument="TestCam")
    with pytest.raises(
        UsageError, match=r'flat_1\.fits is of detector R22_S11.*\[detectors\] "R22_S11" = 94'
    ) as caught:
        listed(rerun)
    assert "\n" not in str(caught.value)


def test_only_flats_are_taken(folder: Path, opened: Open) -> None:
    """Of a folder of everything the flats count, in either case; a header that does not say is trusted."""
    for number, kind in enumerate(("FLAT", "flat", "Dome Flat", "BIAS", "dark", None)):
        write(folder / f"flat_{number}.fits", IMGTYPE=kind, SEQNUM=number)
    write(folder / "flat_8.fits", IMGTYPE=None, OBSTYPE="bias", SEQNUM=8)
    write(folder / "flat_9.fits", IMGTYPE=None, TESTTYPE="FLAT", SEQNUM=9)
    rerun = opened()
    assert [each.sequence % 10 for each in listed(rerun)] == [0, 1, 2, 5, 9]
    assert len(rerun.provenance().inputs) == 5


def test_files_of_which_none_is_a_flat_say_what_they_are(folder: Path, opened: Open) -> None:
    """The message counts the kinds that were found."""
    for number, kind in enumerate(("BIAS", "BIAS", "DARK")):
        write(folder / f"flat_{number}.fits", IMGTYPE=kind)
    with pytest.raises(UsageError, match=r"rerun\.toml: there is no flat among .* \(2 bias, 1 dark\)"):
        listed(opened())


def test_keywords_of_the_users_own(folder: Path, opened: Open) -> None:
    """Pair, sequence and photodiode are read under the keywords that the rerun.toml names."""
    write(folder / "flat_1.fits", PAIRID=17, DAYOBS=None, OBSID=1, COUNT=4, CCOBFLUX="2.5e-9")
    write(folder / "flat_2.fits", PAIRID=None, DAYOBS=None, OBSID=2, COUNT=None, CCOBFLUX=None)
    keys = 'pair_key = "PAIRID"\nsequence_key = "COUNT"\nphotodiode_key = "CCOBFLUX"'
    one, other = listed(opened(keys))
    assert (one.pair, one.sequence, one.photo_charge) == ("17", 4, 2.5e-9)
    assert (other.pair, other.sequence) == ("", -1)
    assert math.isnan(other.photo_charge)


@pytest.mark.parametrize("option", ["pair_key", "sequence_key", "photodiode_key"])
def test_a_keyword_that_no_header_has_is_an_error(folder: Path, opened: Open, option: str) -> None:
    """A misspelt keyword does not quietly leave everything unknown."""
    write(folder / "flat_1.fits")
    with pytest.raises(UsageError, match=f"no flat has the header keyword 'MSPELT' that '{option}' names"):
        listed(opened(f'{option} = "MSPELT"'))


@pytest.mark.parametrize(
    ("cards", "error", "message"),
    [
        ({"EXPTIME": None}, BrokenFileError, "does not say how long it was exposed"),
        ({"EXPTIME": "long"}, BrokenFileError, "EXPTIME = 'long', which is no number"),
        ({"SEQNUM": 1.5}, BrokenFileError, r"SEQNUM = 1\.5, which is no whole number"),
        ({"SEQNUM": "first"}, BrokenFileError, "SEQNUM = 'first', which is no number"),
        ({"MONDIODE": "none"}, BrokenFileError, "MONDIODE = 'none', which is no number"),
        ({"DAYOBS": None}, UsageError, "does not tell its exposure"),
        ({"CCDSLOT": None, "RAFTBAY": None}, UsageError, "is of detector unknown"),
    ],
)
def test_a_header_that_does_not_do_is_named(
    folder: Path, opened: Open, cards: dict[str, Any], error: type[Exception], message: str
) -> None:
    """One sentence names the file and the keyword."""
    write(folder / "flat_1.fits", **cards)
    with pytest.raises(error, match=rf"flat_1\.fits .*{message}") as caught:
        listed(opened())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"no FITS at all", b"SIMPLE  =                    T"])
def test_a_file_that_is_not_fits_is_named(folder: Path, opened: Open, content: bytes) -> None:
    """Damage is told in one line, with the file."""
    write(folder / "flat_1.fits")
    (folder / "flat_2.fits").write_bytes(content)
    with pytest.raises(BrokenFileError, match=r"flat_2\.fits cannot be read as FITS") as caught:
        listed(opened())
    assert "\n" not in str(caught.value)


def test_pixels_are_not_read(folder: Path, opened: Open) -> None:
    """A file that ends within its pixels is listed as any other: who reads them finds out."""
    path = write(folder / "flat_1.fits")
    path.write_bytes(path.read_bytes()[: 2880 + 2880 + 10])
    assert len(listed(opened())) == 1


def test_compressed_files_are_listed(folder: Path, opened: Open, tmp_path: Path) -> None:
    """A gzipped file is read as the plain one is."""
    plain = write(tmp_path / "plain.fits")
    (folder / "flat_1.fits.gz").write_bytes(gzip.compress(plain.read_bytes()))
    assert listed(opened())[0].exposure == 2021120600588


def test_two_files_of_one_exposure_are_refused(folder: Path, opened: Open) -> None:
    """A copy would be paired with its original."""
    for name in ("flat_1.fits", "flat_copy.fits"):
        write(folder / name)
    with pytest.raises(
        UsageError, match=r"flat_1\.fits and flat_copy\.fits are both exposure 2021120600588 of detector 94"
    ):
        listed(opened())


def test_each_detector_has_its_bias(folder: Path, opened: Open) -> None:
    """Biases are known by detector, and found by their names; one too many is refused."""
    for slot in ("S11", "S12"):
        write(folder / f"flat_{slot}.fits", CCDSLOT=slot)
        write(folder / f"bias_{slot}.fits", CCDSLOT=slot, IMGTYPE="BIAS", EXPTIME=None, DAYOBS=None)
    rerun = opened('bias = ["bias_*.fits"]')
    flats = rerun.flats
    assert flats is not None
    assert {detector: (bias.ref, bias.detector_name) for detector, bias in flats.biases.items()} == {
        94: ("bias_S11.fits", "R22_S11"),
        95: ("bias_S12.fits", "R22_S12"),
    }
    with flats.local("bias_S12.fits") as path:
        assert path == folder / "bias_S12.fits"
    assert sorted(rerun.provenance().inputs) == [
        "bias bias_S11.fits",
        "bias bias_S12.fits",
        "flat flat_S11.fits",
        "flat flat_S12.fits",
    ]
    write(folder / "bias_2.fits")
    with pytest.raises(UsageError, match=r"bias_2\.fits and bias_S11\.fits are both a bias of detector 94"):
        _ = opened('bias = ["bias_*.fits"]').flats.biases


def test_another_process_finds_the_same_files(folder: Path, opened: Open) -> None:
    """A reference to a rerun and the name of a flat are all that a worker needs; a file that is gone is named."""
    write(folder / "flat_1.fits")
    rerun = opened()
    (flat,) = listed(rerun)
    again = open_ref(rerun.ref).flats
    assert again is not None
    with again.local(flat.ref) as path:
        assert fits.getheader(path)["SEQNUM"] == 588
    (folder / "flat_1.fits").unlink()
    with pytest.raises(BrokenFileError, match=r"flat_1\.fits is not there any more"):
        again.local(flat.ref)


def test_a_file_that_changed_is_another_input(folder: Path, opened: Open, tmp_path: Path) -> None:
    """The same bytes elsewhere are the same content; pixels written anew are not, and are measured again."""
    path = write(folder / "flat_1.fits")
    before, content = listed(opened())[0].inputs, opened().provenance().inputs_digest
    assert listed(opened())[0].inputs == before
    with fits.open(path, mode="update") as file:
        file[1].data += 1
    os.utime(path, ns=(0, 0))
    assert listed(opened())[0].inputs != before
    assert opened().provenance().inputs_digest != content
    write(tmp_path / "r" / "flat_2.fits", SEQNUM=589).rename(path)
    write(path.with_name("flat_new.fits")).rename(path)
    assert opened().provenance().inputs_digest == content


def test_a_glob_without_a_match_is_an_error(opened: Open) -> None:
    """Flats and biases that are not there are no empty rerun."""
    with pytest.raises(UsageError, match=r"no file matches 'flat_\*\.fits\*' of \[flats\]"):
        opened()


def test_a_rerun_of_flats_has_nothing_else(folder: Path, opened: Open) -> None:
    """Tables, curves and amplifiers are empty or None."""
    write(folder / "flat_1.fits")
    rerun = opened()
    assert not rerun.tables
    assert rerun.curves is rerun.amplifiers() is rerun.regions() is None
    assert rerun.instrument == "LSSTCam"
