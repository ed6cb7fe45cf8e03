"""The object archive of an afw file: its index, its tables, and damage to them."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import pytest
from afw_files import AfwFile, Stored
from astropy.io import fits

from harness.errors import BrokenFileError
from harness.rerun.exposures.archive import Archive

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def numbers(name: str, *values: float) -> Stored:
    """Return an object of one table with one column."""
    return Stored(name, [[fits.Column("number", "D", array=np.array(values))]])


TWO_TABLES = Stored("Pair", [*numbers("Pair", 1.0).tables, *numbers("Pair", 2.0, 3.0).tables])


@contextmanager
def opened(path: Path) -> Iterator[Archive]:
    """Open the archive of a file."""
    with fits.open(path) as hdus:
        archive = Archive.of(hdus, path)
        assert archive is not None
        yield archive


def test_objects_are_found_by_number(tmp_path: Path) -> None:
    """An object has the class and the tables, in their order, that were stored under its number."""
    path = AfwFile(objects=[numbers("Single", 7.0), TWO_TABLES]).write(tmp_path / "e.fits")
    with opened(path) as archive:
        assert (archive.class_name(1), archive.class_name(2)) == ("Single", "Pair")
        assert [table["number"].tolist() for table in archive.tables(1)] == [[7.0]]
        assert [table["number"].tolist() for table in archive.tables(2)] == [[1.0], [2.0, 3.0]]


def test_an_index_in_any_order_is_followed(tmp_path: Path) -> None:
    """Objects share tables, their rows of the index are in any order, and one may keep nothing."""
    index = [
        (9, 2, 1, 1, 2, "Pair"),
        (4, 1, 0, 2, 1, "Single"),
        (9, 1, 0, 0, 2, "Pair"),
        (3, -1, 0, 0, 0, "Nothing"),
    ]
    objects = [numbers("Single", 10.0, 11.0, 12.0), numbers("Pair", 20.0, 21.0, 22.0)]
    path = AfwFile(objects=objects, index=index).write(tmp_path / "e.fits")
    with opened(path) as archive:
        assert [table["number"].tolist() for table in archive.tables(9)] == [[10.0, 11.0], [21.0, 22.0]]
        assert [table["number"].tolist() for table in archive.tables(4)] == [[12.0]]
        assert archive.tables(3) == [None]
        assert archive.class_name(3) == "Nothing"


@pytest.mark.parametrize("names", [("cat.archive", "cat.persistable"), ("cat_archive", "cat_persistable")])
def test_both_spellings_of_the_index_are_read(tmp_path: Path, names: tuple[str, str]) -> None:
    """Columns of the index have a point in their name in some files, and an underscore in others."""
    path = AfwFile(objects=[TWO_TABLES], index_names=names).write(tmp_path / "e.fits")
    with opened(path) as archive:
        assert [len(table) for table in archive.tables(1)] == [1, 2]


def test_components_are_named_in_old_and_new_files(tmp_path: Path) -> None:
    """Both kinds of keywords count, 0 stands for none, and what only looks like one is left out."""
    primary = {"PSF_ID": 1, "ARCHIVE_ID_SUMMARY_STATS": 2, "SKYWCS_ID": 0, "NOISE_EXPOSURE_ID": 1}
    path = AfwFile(objects=[numbers("A", 1.0), numbers("B", 2.0)], primary=primary).write(tmp_path / "e.fits")
    with opened(path) as archive:
        assert dict(archive.components) == {"PSF": 1, "SUMMARY_STATS": 2}


def test_a_catalogue_says_in_its_own_header_where_its_archive_is(tmp_path: Path) -> None:
    """The header that names the archive can be another one than the first."""
    path = AfwFile(objects=[numbers("Footprint", 5.0)]).write(tmp_path / "e.fits")
    with fits.open(path) as hdus:
        elsewhere = hdus[0].header.copy()
        del hdus[0].header["AR_HDU"]
        assert Archive.of(hdus, path) is None
        archive = Archive.of(hdus, path, elsewhere)
        assert archive is not None
        assert archive.class_name(1) == "Footprint"


@pytest.mark.parametrize(
    ("index", "says"),
    [
        ([(1, 1, 0, 0, 4, "PcaPsf")], r"promises rows 0 to 4 of table 1 to PcaPsf \(object 1\), and it has 3"),
        ([(1, 1, 0, -1, 1, "PcaPsf")], "promises rows -1 to 0"),
        ([(1, 1, 0, 2, -1, "PcaPsf")], "promises rows 2 to 1"),
        ([(1, 7, 0, 0, 1, "PcaPsf")], r"no HDU 12, where PcaPsf \(object 1\) should be"),
        ([(2, 1, 0, 0, 1, "PcaPsf")], "has no object 1, which should be its PSF"),
    ],
    ids=["too many rows", "row before the first", "fewer rows than none", "no such table", "no such object"],
)
def test_an_index_that_points_nowhere_is_told(
    tmp_path: Path, index: list[tuple[int, int, int, int, int, str]], says: str
) -> None:
    """The error names the file, the object, and what is not there."""
    file = AfwFile(objects=[numbers("PcaPsf", 1.0, 2.0, 3.0)], index=index, primary={"PSF_ID": 1})
    path = file.write(tmp_path / "broken.fits")
    with opened(path) as archive, pytest.raises(BrokenFileError, match=says) as caught:
        archive.tables(archive.components["PSF"])
    assert str(path) in str(caught.value)


def test_a_table_of_another_number_is_told(tmp_path: Path) -> None:
    """A table that says it is another one than the index means is not read."""
    path = AfwFile(objects=[numbers("A", 1.0), numbers("B", 2.0)]).write(tmp_path / "e.fits")
    with fits.open(path, mode="update") as hdus:
        hdus[6].header["AR_CATN"] = 1
    with opened(path) as archive, pytest.raises(BrokenFileError, match="has table 1 where table 2 of B"):
        archive.tables(2)


@pytest.mark.parametrize(
    ("value", "says"),
    [(4, "points to HDU 4, which is not the index"), (99, "no HDU 99"), (0, "no HDU 0"), ("five", "no HDU 0")],
)
def test_an_index_that_is_not_there_is_told(tmp_path: Path, value: object, says: str) -> None:
    """AR_HDU that points to anything but an index makes the file a broken one."""
    path = AfwFile(objects=[numbers("A", 1.0)], primary={"AR_HDU": value}).write(tmp_path / "e.fits")
    with fits.open(path) as hdus, pytest.raises(BrokenFileError, match=says):
        Archive.of(hdus, path)


def test_an_index_without_a_column_is_told(tmp_path: Path) -> None:
    """An index that lacks what it is read by makes the file a broken one."""
    path = AfwFile(objects=[numbers("A", 1.0)], index_names=("cat.archive", "other")).write(tmp_path / "e.fits")
    with fits.open(path) as hdus, pytest.raises(BrokenFileError, match=r"index of the archive .* cannot be read"):
        Archive.of(hdus, path)


@pytest.mark.filterwarnings("ignore:File may have been truncated")
def test_a_table_that_is_cut_off_is_told(tmp_path: Path) -> None:
    """A table that the file ends within is not read, and those before it are."""
    path = AfwFile(objects=[numbers("A", 1.0), numbers("B", *range(1000))]).write(tmp_path / "e.fits")
    path.write_bytes(path.read_bytes()[:-2880])
    with opened(path) as archive:
        assert len(archive.tables(1)[0]) == 1
        with pytest.raises(BrokenFileError, match=r"cut off: it ends at byte \d+, and B \(object 2\) at byte"):
            archive.tables(2)
