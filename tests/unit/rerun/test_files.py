"""Reruns in folders of files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from harness.errors import BrokenFileError, NotMeasuredError, UsageError
from harness.rerun.files import FileRerun, list_file_reruns

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def folder_of(folder: Path, *files: pa.Table, unique: str = "") -> FileRerun:
    """Write one file of DIA sources each, and open the folder."""
    folder.mkdir(exist_ok=True)
    for number, table in enumerate(files):
        pq.write_table(table, folder / f"part{number}.parquet")
    extra = f'unique = "{unique}"' if unique else ""
    (folder / "rerun.toml").write_text(f'[tables.diaSource]\nfiles = ["part*.parquet"]\n{extra}')
    return FileRerun(folder, folder.name)


def test_a_column_without_type_takes_that_of_the_other_files(tmp_path: Path) -> None:
    """A column that is missing throughout one file has the others' type; missing everywhere, it is float64."""
    typed = pa.table({"diaSourceId": [1], "snr": pa.array([5.5], pa.float32()), "ixx": pa.nulls(1)})
    untyped = pa.table({"diaSourceId": [2], "snr": pa.nulls(1), "ixx": pa.nulls(1)})
    empty = pa.table({name: pa.nulls(0) for name in typed.column_names})
    table = folder_of(tmp_path / "r", empty, untyped, typed).tables["diaSource"]
    found = table.read(["diaSourceId", "snr", "ixx"])
    assert found.schema.types == [pa.int64(), pa.float32(), pa.float64()]
    assert found.to_pydict() == {"diaSourceId": [2, 1], "snr": [None, 5.5], "ixx": [None, None]}
    for part in table.partitions():
        assert table.read(["snr"], part).schema.types == [pa.float32()]


def test_files_of_different_width_are_read_without_loss(tmp_path: Path) -> None:
    """Columns take the type that holds every file's values."""
    one = pa.table({"snr": pa.array([0.1], pa.float32()), "n": pa.array([1], pa.int16())})
    other = pa.table({"snr": [0.1], "n": [1 << 40]})
    found = folder_of(tmp_path / "r", one, other).tables["diaSource"].read(["snr", "n"])
    assert found.to_pydict() == {"snr": [float(np.float32(0.1)), 0.1], "n": [1, 1 << 40]}


def test_schemas_of_different_age_are_one_table(tmp_path: Path) -> None:
    """Files written before and after a renaming have the same canonical columns."""
    old = pa.table({"diaSourceId": [1], "decl": [2.0], "pixelFlags_bad": pa.nulls(1)})
    new = pa.table({"diaSourceId": [2], "dec": [3.0], "pixelFlags_bad": [True]})
    table = folder_of(tmp_path / "r", old, new).tables["diaSource"]
    assert table.read(["dec", "pixelFlags_bad"]).to_pydict() == {"dec": [2.0, 3.0], "pixelFlags_bad": [False, True]}
    assert set(table.stored_columns) == {"diaSourceId", "decl", "dec", "pixelFlags_bad"}


def test_types_that_do_not_go_together_are_named(tmp_path: Path) -> None:
    """Text in one file and numbers in another is a broken rerun; of what has to be a number the word is named."""
    told = {
        "glint": r"'glint' .* string in part0\.parquet, double in part1\.parquet",
        "snr": r"part0\.parquet holds a value .* \(snr: .*'a'.*\); correct it",
    }
    for name, message in told.items():
        tables = [pa.table({name: [value]}) for value in ("a", 1.0)]
        rerun = folder_of(tmp_path / name, *tables)
        with pytest.raises(BrokenFileError, match=message):
            rerun.tables["diaSource"].read([name])


@pytest.mark.parametrize("columns", [["diaSourceId", "snr"], ["snr"], []])
def test_overlapping_exports_count_each_source_once(tmp_path: Path, columns: list[str]) -> None:
    """Of rows with the same identifier the last in reading order counts; a row without one stays."""
    first = pa.table({"diaSourceId": pa.array([1, 2, None]), "snr": [1.0, 2.0, 9.0]})
    second = pa.table({"diaSourceId": pa.array([2, 3, None]), "snr": [2.5, 3.0, 9.5]})
    table = folder_of(tmp_path / "r", first, second, unique="diaSourceId").tables["diaSource"]
    (everything,) = table.partitions()
    for found in (table.read(columns), table.read(columns, everything)):
        assert found.num_rows == 5
        if "snr" in columns:
            assert found["snr"].to_pylist() == [1.0, 9.0, 2.5, 3.0, 9.5]


def test_without_overlap_each_file_is_a_partition(tmp_path: Path) -> None:
    """Partitions are files, known by their content, with visits left open."""
    parts = [pa.table({"diaSourceId": [i]}) for i in range(3)]
    partitions = folder_of(tmp_path / "r", *parts).tables["diaSource"].partitions()
    assert [part.refs for part in partitions] == [("part0.parquet",), ("part1.parquet",), ("part2.parquet",)]
    assert len({part.inputs for part in partitions}) == 3
    assert {part.visits for part in partitions} == {None}


def test_digests_are_of_the_content(tmp_path: Path) -> None:
    """The same bytes in another folder have the same digest, other bytes another one."""
    rows = pa.table({"diaSourceId": [1]})
    same, copy = (folder_of(tmp_path / name, rows) for name in "ab")
    other = folder_of(tmp_path / "c", pa.table({"diaSourceId": [2]}))
    assert same.provenance().inputs_digest == copy.provenance().inputs_digest != other.provenance().inputs_digest
    (one,), (two,), (three,) = (rerun.tables["diaSource"].partitions() for rerun in (same, copy, other))
    assert one.inputs == two.inputs != three.inputs


def test_one_broken_file_does_not_keep_the_others_from_being_read(tmp_path: Path) -> None:
    """A half-written file is an error where it is read, and only there."""
    rerun = folder_of(tmp_path / "r", *(pa.table({"diaSourceId": [i]}) for i in range(3)))
    broken = tmp_path / "r" / "part1.parquet"
    broken.write_bytes(broken.read_bytes()[:-20])
    table = rerun.tables["diaSource"]
    good, bad, fine = table.partitions()
    assert [table.read(["diaSourceId"], part)["diaSourceId"].to_pylist() for part in (good, fine)] == [[0], [2]]
    for columns in (["diaSourceId"], []):
        with pytest.raises(BrokenFileError, match=r"part1\.parquet cannot be read"):
            table.read(columns, bad)
        with pytest.raises(BrokenFileError, match=r"part1\.parquet cannot be read"):
            table.read(columns)


def test_a_file_that_vanished_is_named(tmp_path: Path) -> None:
    """A file that was there when the rerun was opened, and is no more, is a broken rerun."""
    rerun = folder_of(tmp_path / "r", pa.table({"diaSourceId": [1]}))
    (tmp_path / "r" / "part0.parquet").unlink()
    with pytest.raises(BrokenFileError, match=r"part0\.parquet"):
        rerun.tables["diaSource"].read(["diaSourceId"])
    with pytest.raises(BrokenFileError, match=r"part0\.parquet"):
        rerun.provenance()


def test_a_missing_column_lists_what_was_tried_and_what_is_there(tmp_path: Path) -> None:
    """The message names all older names, the table's place and its columns."""
    table = folder_of(tmp_path / "r", pa.table({"diaSourceId": [1], "snr": [1.0]})).tables["diaSource"]
    with pytest.raises(NotMeasuredError, match=r"'psfFlux' \(tried: psfFlux, psFlux; there are: diaSourceId, snr\)"):
        table.read(["psfFlux"])
    with pytest.raises(NotMeasuredError, match="psfFlux"):
        table.batches(["psfFlux"])


def test_a_column_that_one_file_lacks_is_not_there(tmp_path: Path) -> None:
    """Only what every file has can be read; the message names the file that lacks it."""
    table = folder_of(
        tmp_path / "r", pa.table({"diaSourceId": [1], "snr": [1.0]}), pa.table({"diaSourceId": [2]})
    ).tables["diaSource"]
    assert list(table.columns) == ["diaSourceId"]
    with pytest.raises(NotMeasuredError, match=r"\(part1\.parquet\) has no column 'snr'"):
        table.read(["snr"])


def test_an_unpacked_visit_needs_an_instrument(tmp_path: Path) -> None:
    """The message says why ccdVisitId was not enough."""
    table = folder_of(tmp_path / "r", pa.table({"ccdVisitId": [41137156]})).tables["diaSource"]
    with pytest.raises(NotMeasuredError, match="ccdVisitId is unpacked when the instrument is known"):
        table.read(["visit"])


def test_a_folder_may_hold_several_reruns(tmp_path: Path, make_folder: Callable[..., Path], sources: pa.Table) -> None:
    """Each subfolder with a rerun.toml is a rerun, by the name given there or its own."""
    make_folder({"diaSource": sources}, "first")
    make_folder({"diaSource": sources[:10]}, "second", 'name = "w_2020_24"\ndataset = "hits"')
    assert list_file_reruns(tmp_path) == ["first", "w_2020_24"]
    rerun = FileRerun(tmp_path, "w_2020_24")
    assert (rerun.name, rerun.dataset, rerun.ref.name) == ("w_2020_24", "hits", "w_2020_24")
    assert rerun.tables["diaSource"].read(()).num_rows == 10
    with pytest.raises(UsageError, match=r"no rerun 'w_2020_42'; did you mean w_2020_24\?"):
        FileRerun(tmp_path, "w_2020_42")
    make_folder({"diaSource": sources}, "third", 'name = "first"')
    with pytest.raises(UsageError, match="both name their rerun 'first'"):
        list_file_reruns(tmp_path)


def test_a_wrong_description_costs_no_other_rerun(
    tmp_path: Path, make_folder: Callable[..., Path], sources: pa.Table
) -> None:
    """It is listed by its folder, and told when it, or what may be it, is opened."""
    make_folder({"diaSource": sources}, "first")
    (tmp_path / "second").mkdir()
    (tmp_path / "second" / "rerun.toml").write_text("nonsense")
    assert list_file_reruns(tmp_path) == ["first", "second"]
    assert FileRerun(tmp_path, "first").tables["diaSource"].read(()).num_rows == sources.num_rows
    for name in ("second", "w_2020_24"):
        with pytest.raises(UsageError, match=r"second/rerun\.toml cannot be read as TOML"):
            FileRerun(tmp_path, name)


def test_a_glob_without_a_match_is_an_error(tmp_path: Path) -> None:
    """A table whose files are not there is no empty table."""
    (tmp_path / "rerun.toml").write_text('name = "r"\n[tables.diaSource]\nfiles = ["none_*.parquet"]')
    with pytest.raises(UsageError, match=r"no file matches 'none_\*\.parquet' of table diaSource"):
        FileRerun(tmp_path, "r")


def test_provenance_tells_files_and_versions(make_folder: Callable[..., Path], sources: pa.Table) -> None:
    """Versions are those of the rerun.toml; each file has its digest."""
    folder = make_folder({"diaSource": sources}, toml='[versions]\nlsst_distrib = "w_2020_24"')
    provenance = FileRerun(folder, "rerun").provenance()
    assert provenance.versions == {"lsst_distrib": "w_2020_24"}
    assert list(provenance.inputs) == ["diaSource diaSource.parquet"]
    assert (provenance.source, provenance.rerun) == (str(folder), "rerun")


def test_regions_come_from_a_file(make_folder: Callable[..., Path], sources: pa.Table) -> None:
    """A visit table gives corners and areas; sizes that it does not have come from the rerun.toml."""
    folder = make_folder({"diaSource": sources}, toml='[regions]\nfile = "visits.parquet"\nwidth = 2048\nheight = 4096')
    edges = {"llcra": 0, "lrcra": 1, "urcra": 1, "ulcra": 0, "llcdec": 0, "lrcdec": 0, "urcdec": 1, "ulcdec": 1}
    visits = {"visitId": [7], "detector": [5], "band": ["g"], **{name: [float(v)] for name, v in edges.items()}}
    pq.write_table(pa.table(visits), folder / "visits.parquet")
    (row,) = FileRerun(folder, "rerun").regions().to_pylist()
    assert row["area"] == pytest.approx(1, rel=1e-4)
    assert row["corners"] == [0, 0, 1, 0, 1, 1, 0, 1]
    assert (row["visit"], row["detector"], row["width"], row["height"], row["band"]) == (7, 5, 2048, 4096, "g")


def test_regions_of_known_size_alone(make_folder: Callable[..., Path], sources: pa.Table) -> None:
    """With the size of the detectors alone, every one that has a source is listed, its place unknown."""
    folder = make_folder({"diaSource": sources}, toml="[regions]\nwidth = 2048\nheight = 4096")
    regions = FileRerun(folder, "rerun").regions()
    assert regions.num_rows == 6
    assert set(regions["width"].to_pylist()) == {2048.0}
    assert regions["area"].null_count == regions["corners"].null_count == 6
    assert FileRerun(make_folder({"diaSource": sources}, "plain"), "plain").regions() is None
