"""Exposures in a folder, told by their file names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from harness.errors import BrokenFileError, UsageError
from harness.rerun.exposures.folder import FolderExposures
from harness.rerun.rerun_toml import FileExposures

if TYPE_CHECKING:
    from pathlib import Path


def listed(folder: Path, *entries: tuple[str, str, str], names: tuple[str, ...] = ()) -> FolderExposures:
    """Write files, and list those of entries: kind, side, pattern."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())
    known: list[Any] = [FileExposures(kind=kind, side=side, files=[glob]) for kind, side, glob in entries]
    return FolderExposures(folder, known, "LATISS", folder / "rerun.toml")


def test_file_names_tell_the_data_id(tmp_path: Path) -> None:
    """Numbers and band, and -1 or nothing for what a name does not say."""
    exposures = listed(
        tmp_path,
        ("science", "", "calexp_{visit}_{detector}_{band}.fits"),
        ("coaddAfter", "", "coadds/{tract}-{patch}.fits"),
        names=("calexp_2023120500123_007_g.fits", "coadds/9813-40.fits"),
    )
    science, coadd = exposures.listed
    assert (science.visit, science.detector, science.band) == (2023120500123, 7, "g")
    assert (science.kind, science.instrument, science.tract, science.patch) == ("science", "LATISS", -1, -1)
    assert science.ref == "calexp_2023120500123_007_g.fits"
    assert (coadd.tract, coadd.patch, coadd.visit, coadd.detector, coadd.band) == (9813, 40, -1, -1, "")
    with exposures.local(coadd.ref) as path:
        assert path == tmp_path / "coadds/9813-40.fits"


def test_order_is_that_of_data_ids(tmp_path: Path) -> None:
    """By kind, side, visit and detector as numbers, whatever the order of entries and files."""
    names = tuple(f"{side}_{visit}_{detector}.fits" for side in "ba" for visit in (10, 9) for detector in (11, 2))
    exposures = listed(
        tmp_path,
        ("template", "good", "b_{visit}_{detector}.fits"),
        ("science", "", "a_{visit}_{detector}.fits"),
        names=names,
    )
    places = [(ref.kind, ref.visit, ref.detector) for ref in exposures.listed]
    assert places == [(kind, v, d) for kind in ("science", "template") for v in (9, 10) for d in (2, 11)]


def test_other_files_are_passed_over(tmp_path: Path) -> None:
    """A name that a glob would take, and in which no number stands, is none of them; nor is a folder."""
    (tmp_path / "calexp_8_1.fits").mkdir()
    names = ("calexp_7_1.fits", "calexp_old_1.fits", "calexp_7_1.fits.bak", "x/calexp_7_2.fits", "calexp_7_1_2.fits")
    exposures = listed(tmp_path, ("science", "", "calexp_{visit}_{detector}.fits"), names=names)
    assert [ref.ref for ref in exposures.listed] == ["calexp_7_1.fits"]


def test_globs_may_stand_beside_placeholders(tmp_path: Path) -> None:
    """Any name, any character, any folders; a placeholder that stands twice has to be the same twice."""
    names = ("a/7/c_7_x1.fits", "a/7/c_8_x1.fits", "a/b/c/7_3.fits", "7_4.fits")
    deep = listed(tmp_path, ("science", "", "**/{visit}_{detector}.fits"), names=names)
    assert [ref.detector for ref in deep.listed] == [3, 4]
    same = listed(tmp_path, ("science", "", "*/{visit}/c_{visit}_?{detector}.fits"))
    assert [ref.ref for ref in same.listed] == ["a/7/c_7_x1.fits"]


def test_an_absolute_pattern_is_taken_as_it_is(tmp_path: Path) -> None:
    """Files elsewhere bear their whole path."""
    elsewhere = tmp_path / "else"
    names = ("calexp_7.fits",)
    listed(elsewhere, ("science", "", "calexp_{visit}.fits"), names=names)
    here = tmp_path / "here"
    here.mkdir()
    exposures = listed(here, ("science", "", f"{elsewhere}/calexp_{{visit}}.fits"))
    (ref,) = exposures.listed
    assert ref.ref == str(elsewhere / "calexp_7.fits")
    with exposures.local(ref.ref) as path:
        assert path.read_bytes() == b"calexp_7.fits"


def test_what_is_there_twice_is_listed_twice(tmp_path: Path) -> None:
    """Two files of one data ID are two exposures, for whoever measures to refuse."""
    patterns = (("science", "", "a_{visit}.fits"), ("science", "", "b_{visit}.fits"))
    exposures = listed(tmp_path, *patterns, names=("a_7.fits", "b_7.fits"))
    assert [(ref.visit, ref.ref) for ref in exposures.listed] == [(7, "a_7.fits"), (7, "b_7.fits")]


def test_a_file_that_was_written_anew_is_another(tmp_path: Path) -> None:
    """It is told by size and time, not by its pixels; a copy that keeps its time is the same."""
    import os
    import shutil

    pattern = ("science", "", "a_{visit}.fits")
    path = tmp_path / "a_7.fits"

    def identity(folder: Path) -> str:
        return listed(folder, pattern).listed[0].inputs

    listed(tmp_path, pattern, names=("a_7.fits",))
    first = identity(tmp_path)
    assert identity(tmp_path) == first
    copy = tmp_path / "copy"
    copy.mkdir()
    shutil.copy2(path, copy)
    assert identity(copy) == first
    os.utime(path, ns=(1, path.stat().st_mtime_ns + 1))
    assert identity(tmp_path) != first
    path.write_bytes(b"longer than before")
    assert identity(tmp_path) != first


def test_a_file_that_went_is_named(tmp_path: Path) -> None:
    """It was there when the folder was listed."""
    exposures = listed(tmp_path, ("science", "", "a_{visit}.fits"), names=("a_7.fits",))
    (ref,) = exposures.listed
    (tmp_path / "a_7.fits").unlink()
    with pytest.raises(BrokenFileError, match=r"a_7\.fits is gone; restore it or measure again"):
        exposures.local(ref.ref)
    with pytest.raises(BrokenFileError, match=r"b_8\.fits is gone"):
        exposures.local("b_8.fits")


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        (("science", "", "b_{visit}.fits"), r"rerun\.toml: no file matches 'b_\{visit\}\.fits'"),
        (("science", "", "a_{exposure}.fits"), r"has \{exposure\}, which means nothing; write \{visit\}, \{detector\}"),
        (("science", "", "a_{}.fits"), r"has \{\}, which means nothing"),
        (("science", "", "a_*.fits"), r"of kind 'science' does not say its visit; write \{visit\} for it"),
        (("visitBackground", "", "a_{patch}.fits"), r"of kind 'visitBackground' does not say its visit"),
        (("coaddBefore", "", "a_{visit}.fits"), r"of kind 'coaddBefore' does not say its patch; write \{patch\}"),
    ],
)
def test_a_pattern_that_cannot_be_right_is_refused(tmp_path: Path, entry: tuple[str, str, str], words: str) -> None:
    """The words name the rerun.toml, the pattern, and what to write."""
    with pytest.raises(UsageError, match=words):
        listed(tmp_path, entry, names=("a_7.fits",))
