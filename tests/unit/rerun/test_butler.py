"""Reruns in Butler repositories."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from harness.errors import BrokenFileError, UsageError
from harness.rerun.butler import ButlerRerun, list_butler_reruns

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Split = Callable[[pa.Table], list[tuple[dict[str, Any], pa.Table]]]
    Put = Callable[..., list[str]]


def test_sources_have_one_partition_per_visit(
    butler_root: Path, put: Put, by_detector: Split, sources: pa.Table
) -> None:
    """A partition is all datasets of one visit, and says which detectors have one."""
    ids = put(butler_root, "w_2020_24", "diaSource", by_detector(sources))
    partitions = ButlerRerun(str(butler_root), "w_2020_24").tables["diaSource"].partitions()
    assert [part.key for part in partitions] == ["visit-411371", "visit-411420", "visit-419802"]
    assert [part.visits for part in partitions] == [(411371,), (411420,), (419802,)]
    assert partitions[0].data_ids == ((411371, 5), (411371, 60))
    assert sorted(ref for part in partitions for ref in part.refs) == sorted(ids)


def test_a_dataset_without_rows_still_counts_as_one(
    butler_root: Path, put: Put, by_detector: Split, sources: pa.Table
) -> None:
    """A detector with an empty table, its columns untyped, is listed and read."""
    datasets = by_detector(sources)
    names = datasets[0][1].column_names
    datasets[0] = (datasets[0][0], pa.table({name: pa.nulls(0) for name in names}))
    put(butler_root, "r", "diaSource", datasets)
    table = ButlerRerun(str(butler_root), "r").tables["diaSource"]
    first = table.partitions()[0]
    assert first.data_ids == ((411371, 5), (411371, 60))
    assert set(table.read(["detector"], first)["detector"].to_pylist()) == {60}
    assert table.read(["psfFlux"]).schema.types == [pa.float32()]


def test_a_chain_is_searched_in_its_order(butler_root: Path, put: Put, by_detector: Split, sources: pa.Table) -> None:
    """Of two runs in a chain the first one's dataset counts; the provenance names both runs."""
    from lsst.daf.butler import Butler, CollectionType

    old, datasets = sources.set_column(8, "psfFlux", pa.repeat(pa.scalar(0, pa.float32()), 240)), by_detector(sources)
    put(butler_root, "u/me/run1", "diaSource", by_detector(old))
    newest = put(butler_root, "u/me/run2", "diaSource", datasets[:1])
    butler = Butler.from_config(str(butler_root), writeable=True)
    butler.collections.register("u/me", CollectionType.CHAINED)
    butler.collections.redefine_chain("u/me", ["u/me/run2", "u/me/run1"])
    butler.close()
    rerun = ButlerRerun(str(butler_root), "u/me")
    found = rerun.tables["diaSource"].read(["psfFlux"])
    assert found.num_rows == 240
    assert pc.sum(pc.not_equal(found["psfFlux"], 0)).as_py() == datasets[0][1].num_rows
    provenance = rerun.provenance()
    assert newest[0] in provenance.inputs.values()
    assert len(provenance.inputs) == 6
    assert "u/me/run1, u/me/run2" in provenance.source
    assert sorted(list_butler_reruns(str(butler_root))) == ["u/me", "u/me/run1", "u/me/run2"]


def test_a_data_id_gives_visit_and_detector(butler_root: Path, put: Put, sources: pa.Table) -> None:
    """Tables of direct images do not repeat their data ID in every row."""
    data_id = {"instrument": "DECam", "visit": 411420, "detector": 60}
    put(butler_root, "r", "diaSource", [(data_id, sources[:3].drop_columns(["visit", "detector"]))])
    rerun = ButlerRerun(str(butler_root), "r")
    found = rerun.tables["diaSource"].read(["visit", "detector"])
    assert found.to_pydict() == {"visit": [411420] * 3, "detector": [60] * 3}
    assert rerun.instrument == "DECam"


@pytest.mark.parametrize("dimensions", [["instrument"], ["instrument", "visit"]])
def test_tables_of_a_whole_visit_or_rerun(
    butler_root: Path, put: Put, sources: pa.Table, dimensions: list[str]
) -> None:
    """Tables per visit have a partition per visit, one table of all has one in all."""
    visits = [411371, 411420, 419802] if "visit" in dimensions else [None]
    datasets = [
        (
            {"instrument": "DECam"} | ({} if visit is None else {"visit": visit}),
            sources if visit is None else sources.filter(pc.field("visit") == visit),
        )
        for visit in visits
    ]
    put(butler_root, "r", "dia_source_visit", datasets)
    table = ButlerRerun(str(butler_root), "r").tables["diaSource"]
    assert [part.visits for part in table.partitions()] == [None if visit is None else (visit,) for visit in visits]
    assert {part.data_ids for part in table.partitions()} == {None}
    assert table.read(()).num_rows == 240


def test_preloaded_tables_overlap(butler_root: Path, put: Put, sources: pa.Table) -> None:
    """What prompt processing loaded before each group is counted once, the newest row last."""
    here = {"instrument": "DECam", "detector": 5}
    newer = sources[:100].set_column(1, "diaObjectId", pa.array([1] * 100))
    datasets = [(here | {"group": "2015-02-17T02"}, newer), (here | {"group": "2015-02-17T01"}, sources[:60])]
    put(butler_root, "r", "preloaded_dia_source", datasets)
    table = ButlerRerun(str(butler_root), "r").tables["diaSource"]
    (everything,) = table.partitions()
    assert table.read((), everything).num_rows == 100
    assert set(table.read(["diaObjectId"])["diaObjectId"].to_pylist()) == {1}


def test_objects_of_every_visit_are_counted_once(butler_root: Path, put: Put) -> None:
    """Prompt processing stores the objects of each visit and detector; the last state of each counts."""
    datasets = [
        (
            {"instrument": "DECam", "visit": visit, "detector": 5},
            pa.table({"diaObjectId": [1, new], "nDiaSources": pa.array([count, 1], pa.int32())}),
        )
        for visit, new, count in ((419802, 3, 2), (411371, 2, 1))
    ]
    put(butler_root, "r", "goodSeeingDiff_diaObject", datasets)
    rerun = ButlerRerun(str(butler_root), "r")
    found = rerun.tables["diaObject"].read(["diaObjectId", "nDiaSources"]).to_pylist()
    assert sorted((row["diaObjectId"], row["nDiaSources"]) for row in found) == [(1, 2), (2, 1), (3, 1)]
    (everything,) = rerun.tables["diaObject"].partitions()
    assert rerun.tables["diaObject"].read((), everything).num_rows == 3


def test_the_first_dataset_type_counts(butler_root: Path, put: Put, by_detector: Split, sources: pa.Table) -> None:
    """Associated sources are read where there are unassociated ones too."""
    put(butler_root, "r", "goodSeeingDiff_diaSrcTable", by_detector(sources))
    put(butler_root, "r", "goodSeeingDiff_assocDiaSrc", by_detector(sources[:120]))
    assert ButlerRerun(str(butler_root), "r").tables["diaSource"].read(()).num_rows == 120


@pytest.mark.parametrize("storage", ["DataFrame", "ArrowAstropy", "AstropyTable"])
def test_any_storage_class_of_a_table_is_read(
    butler_root: Path, put: Put, by_detector: Split, sources: pa.Table, storage: str
) -> None:
    """Parquet of pandas and astropy, and ECSV, hold the same rows."""
    import astropy.table

    def convert(table: pa.Table) -> Any:
        frame = table.to_pandas()
        if storage == "DataFrame":
            return frame.set_index("diaSourceId", drop=False)
        return astropy.table.Table({name: table[name].to_numpy() for name in table.column_names if name != "band"})

    put(butler_root, "r", "diaSource", [(key, convert(table)) for key, table in by_detector(sources)], storage)
    names = [name for name in sources.column_names if name not in ("band", "detector")]
    found = ButlerRerun(str(butler_root), "r").tables["diaSource"].read(names).sort_by("diaSourceId")
    assert found.equals(sources.select(names).sort_by("diaSourceId"))


def test_a_missing_file_is_named(butler_root: Path, put: Put, by_detector: Split, sources: pa.Table) -> None:
    """A dataset whose file is gone is broken where it is read; the other visits are not."""
    put(butler_root, "r", "diaSource", by_detector(sources))
    lost = next(butler_root.glob("r/**/*411371*.parq"))
    lost.unlink()
    table = ButlerRerun(str(butler_root), "r").tables["diaSource"]
    first, second, _ = table.partitions()
    assert table.read(["psfFlux"], second).num_rows == 80
    with pytest.raises(BrokenFileError, match=lost.name):
        table.read(["psfFlux"], first)


def test_provenance_names_datasets_and_packages(
    butler_root: Path, put: Put, by_detector: Split, sources: pa.Table
) -> None:
    """Inputs are dataset UUIDs under readable names; versions are those that the pipeline stored."""
    from lsst.daf.butler import Butler, DatasetType
    from lsst.utils.packages import Packages

    ids = put(butler_root, "r", "diaSource", by_detector(sources))
    butler = Butler.from_config(str(butler_root), writeable=True)
    butler.registry.registerDatasetType(DatasetType("packages", (), "Packages", universe=butler.dimensions))
    butler.put(Packages({"ap_association": "g1a37210"}), "packages", run="r")
    butler.close()
    provenance = ButlerRerun(str(butler_root), "r").provenance()
    assert provenance.versions == {"ap_association": "g1a37210"}
    assert sorted(provenance.inputs.values()) == sorted(ids)
    assert "diaSource instrument DECam, detector 5, visit 411371" in provenance.inputs


def test_regions_come_from_the_repository(butler_root: Path, put: Put, by_detector: Split, sources: pa.Table) -> None:
    """Without a visit table the polygons of the dimension records serve; sizes in pixels stay unknown."""
    put(butler_root, "r", "diaSource", by_detector(sources)[:4])
    regions = ButlerRerun(str(butler_root), "r").regions()
    rows = {(row["visit"], row["detector"]): row for row in regions.to_pylist()}
    assert list(rows) == [(visit, detector) for visit in (411371, 411420) for detector in (5, 60)]
    row = rows[411371, 60]
    assert row["area"] == pytest.approx(0.04, rel=1e-3)
    assert (row["instrument"], row["band"], row["width"]) == ("DECam", "g", None)
    assert sorted(row["corners"][::2]) == pytest.approx([150.5, 150.5, 150.7, 150.7])
    assert sorted(row["corners"][1::2]) == pytest.approx([1.9, 1.9, 2.1, 2.1])


def test_visits_without_recorded_regions_have_none(
    butler_root: Path, put: Put, by_detector: Split, sources: pa.Table
) -> None:
    """A repository that knows the visits and not where they point is one without geometry."""
    from lsst.daf.butler import Butler

    here = {"instrument": "DECam"}
    with Butler.from_config(str(butler_root), writeable=True) as butler:
        visit = {"id": 1, "name": "1", "day_obs": 20150217, "physical_filter": "g DECam"}
        butler.registry.insertDimensionData("visit", here | visit)
    put(butler_root, "r", "diaSource", [(here | {"visit": 1, "detector": 5}, sources)])
    assert ButlerRerun(str(butler_root), "r").regions() is None


def test_regions_come_from_a_visit_table(butler_root: Path, put: Put, by_detector: Split, sources: pa.Table) -> None:
    """A visit table counts before the dimension records, and knows sizes in pixels."""
    edges = {"llcra": 0, "lrcra": 1, "urcra": 1, "ulcra": 0, "llcdec": 0, "lrcdec": 0, "urcdec": 1, "ulcdec": 1}
    visits = {"visitId": [411371], "detector": [5], "band": ["g"], "xSize": [2048], "ySize": [4096]}
    visits |= {name: [float(value)] for name, value in edges.items()}
    put(butler_root, "r", "diaSource", by_detector(sources))
    put(butler_root, "r", "ccdVisitTable", [({"instrument": "DECam"}, pa.table(visits))])
    (row,) = ButlerRerun(str(butler_root), "r").regions().to_pylist()
    assert (row["visit"], row["width"], row["height"]) == (411371, 2048, 4096)
    assert row["area"] == pytest.approx(1, rel=1e-4)


def test_an_unknown_collection_says_what_there_is(
    butler_root: Path, put: Put, by_detector: Split, sources: pa.Table
) -> None:
    """A misspelt collection is answered with the like of it, another one with all there are."""
    put(butler_root, "w_2020_24", "diaSource", by_detector(sources)[:1])
    with pytest.raises(UsageError, match=r"no collection 'w_2020_42'; did you mean w_2020_24\?"):
        ButlerRerun(str(butler_root), "w_2020_42")
    with pytest.raises(UsageError, match=r"no collection 'zzz'; there are: w_2020_24"):
        ButlerRerun(str(butler_root), "zzz")


def test_a_wrong_path_is_no_repository(tmp_path: Path) -> None:
    """A folder without butler.yaml, and one that is not there, are told in one line."""
    for path in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(UsageError, match="is not a Butler repository") as caught:
            ButlerRerun(str(path), "r")
        assert "\n" not in str(caught.value)


def test_a_collection_without_tables_has_none(butler_root: Path, put: Put) -> None:
    """A collection of other things is a rerun without tables."""
    put(butler_root, "r", "other", [({"instrument": "DECam"}, pa.table({"a": [1]}))])
    rerun = ButlerRerun(str(butler_root), "r")
    assert not rerun.tables
    assert rerun.regions() is None
    assert list_butler_reruns(str(butler_root)) == []
