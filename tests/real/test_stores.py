"""The same rows measure the same, to the last digit, in files, in a Butler repository and in an APDB."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from real_reruns import MATCHED, OLD, SCHEMA_9, Vintage, hits_files

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import CommandLine

#: The oldest names and types, and the newest, which have columns of Arrow type null.
STORED = (OLD, SCHEMA_9)

#: Where the rows of the files are put: names of fixtures.
STORES = ("butler", "sqlite", "postgresql")

#: DIA sources and DIA objects of each vintage.
Tables: TypeAlias = "dict[Vintage, tuple[pa.Table, pa.Table]]"


def unique_rows(paths: list[Path], key: str) -> pa.Table:
    """Return the rows of several files as they are stored, the last one for each identifier."""
    tables = [table for table in map(pq.read_table, paths) if table.num_rows]
    table = pa.concat_tables(tables, promote_options="permissive")
    _, from_the_end = np.unique(table[key].to_numpy()[::-1], return_index=True)
    table = table.take(np.sort(table.num_rows - 1 - from_the_end))
    return table.select([name for name in table.column_names if not name.startswith("__")])


@pytest.fixture(scope="session")
def tables(real_data: Path) -> Tables:
    """Return sources and objects of each vintage, read without the harness."""

    def both(vintage: Vintage) -> tuple[pa.Table, pa.Table]:
        sources, objects = hits_files(real_data, vintage)
        return unique_rows(sources, "diaSourceId"), unique_rows(objects, "diaObjectId")

    return {vintage: both(vintage) for vintage in STORED}


@pytest.fixture(scope="session")
def butler(tables: Tables, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return a Butler repository: a collection per vintage, a dataset of sources per visit and detector."""
    from lsst.daf.butler import Butler, DatasetType

    root = str(tmp_path_factory.mktemp("butler") / "repo")
    Butler.makeRepo(root)
    with Butler.from_config(root, writeable=True) as repo:
        _insert_dimensions(repo)
        for name, dimensions in (("dia_source_detector", ("visit", "detector")), ("diaObject", ("instrument",))):
            repo.registry.registerDatasetType(DatasetType(name, dimensions, "ArrowTable", universe=repo.dimensions))
        for vintage, (sources, objects) in tables.items():
            repo.collections.register(vintage.name)
            for visit, detector in MATCHED:
                rows = sources.filter((pc.field("visit") == visit) & (pc.field("detector") == detector))
                data_id = {"instrument": "DECam", "visit": visit, "detector": detector}
                repo.put(rows, "dia_source_detector", data_id, run=vintage.name)
            repo.put(objects, "diaObject", instrument="DECam", run=vintage.name)
    return root


def _insert_dimensions(repo: Any) -> None:
    here = {"instrument": "DECam"}
    visit = here | {"day_obs": 20150217, "physical_filter": "g DECam"}
    insert = repo.registry.insertDimensionData
    insert("instrument", {"name": "DECam", "class_name": "lsst.obs.decam.DarkEnergyCamera", "visit_system": 0,
                          "detector_max": 64, "visit_max": 2**25, "exposure_max": 2**25})  # fmt: skip
    insert("physical_filter", here | {"name": "g DECam", "band": "g"})
    insert("day_obs", here | {"id": 20150217})
    insert("visit", *[visit | {"id": number, "name": str(number)} for number in {visit for visit, _ in MATCHED}])
    insert("detector", *[here | {"id": number, "full_name": f"CCD {number}"} for _, number in MATCHED])


@pytest.fixture(scope="session")
def sqlite(tables: Tables, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the URL of APDBs in SQLite, a file per vintage."""
    folder = tmp_path_factory.mktemp("apdb")
    for vintage in tables:
        _write_apdb(tables[vintage], f"sqlite:///{folder}/{vintage.name}.db")
    return f"sqlite:///{folder}/{{rerun}}.db?instrument=DECam"


@pytest.fixture(scope="session")
def postgresql(tables: Tables, postgres: Any) -> str:
    """Return the URL of APDBs in PostgreSQL, a namespace per vintage."""
    postgres.execute("CREATE DATABASE hits2015")
    url = postgres.url("hits2015")
    for vintage in tables:
        postgres.execute(f'CREATE SCHEMA "{vintage.name}"', "hits2015")
        _write_apdb(tables[vintage], url.replace("postgresql:", "postgresql+psycopg2:"), vintage.name)
    return f"{url}&instrument=DECam"


def _write_apdb(rows: tuple[pa.Table, pa.Table], url: str, schema: str | None = None) -> None:
    """Write both tables with the types that the APDB declares; there every column has one."""
    import sqlalchemy as sa

    declared = {
        "int64": sa.BigInteger,
        "int32": sa.Integer,
        "int16": sa.SmallInteger,
        "double": sa.Double,
        "float": sa.REAL,
        "bool": sa.Boolean,
        "string": sa.String,
        "timestamp[ms]": sa.TIMESTAMP,
        "null": sa.Double,
    }
    engine = sa.create_engine(url)
    for name, table in zip(("DiaSource", "DiaObject"), rows, strict=True):
        frame = table.to_pandas(integer_object_nulls=True)
        types = {field.name: declared[str(field.type)] for field in table.schema}
        frame.to_sql(name, engine, schema=schema, index=False, dtype=types)
    engine.dispose()


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("vintage", STORED, ids=lambda vintage: vintage.name)
def test_measurements_are_those_of_the_files(
    run: CommandLine, hits: Path, store: str, vintage: Vintage, request: pytest.FixtureRequest
) -> None:
    """Every metric of every visit, detector and band has the same value, uncertainty, definition and remark."""
    everything = ("--rerun", vintage.name, "--by", "visit,detector,band")
    files, stored = (
        run.rows("measure", "--repo", repo, *everything) for repo in (hits, request.getfixturevalue(store))
    )
    assert len(files) > 150
    assert stored == files


@pytest.mark.parametrize("store", STORES)
def test_the_same_rows_elsewhere_are_no_comparison(
    run: CommandLine, hits: Path, store: str, request: pytest.FixtureRequest
) -> None:
    """A rerun held against its own copy is refused, by what is in it and not by where it lies."""
    copy = f"{OLD.name}={request.getfixturevalue(store)}"
    said = run("verify", "--repo", hits, "--rerun", copy, "--reference", OLD.name, code=2)
    assert "the same rows" in said
