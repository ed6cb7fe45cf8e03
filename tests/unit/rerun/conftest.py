"""The same rows in every kind of repository."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import psycopg2.extras
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

Tables = Mapping[str, pa.Table]

_SQLITE = {
    "int64": "BIGINT",
    "int32": "INTEGER",
    "int16": "SMALLINT",
    "double": "DOUBLE",
    "float": "FLOAT",
    "string": "VARCHAR(80)",
    "bool": "BOOLEAN",
    "timestamp[us]": "TIMESTAMP",
}
_POSTGRESQL = _SQLITE | {"double": "DOUBLE PRECISION", "float": "REAL"}
_databases = itertools.count()


@pytest.fixture
def sources() -> pa.Table:
    """DIA sources of three visits and two detectors, 240 in all, as the APDB of today stores them."""
    rng = np.random.default_rng(20200524)
    n = 240
    visit = np.repeat([411371, 411420, 419802], n // 3)
    detector = np.tile(np.repeat([5, 60], n // 6), 3)
    return pa.table(
        {
            "diaSourceId": (visit * 100 + detector) * (1 << 32) + np.arange(n),
            "diaObjectId": rng.integers(1 << 60, 1 << 61, n),
            "visit": visit,
            "detector": detector.astype(np.int16),
            "midpointMjdTai": 57000.25 + visit / 1e6 + rng.random(n) / 86400,
            "ra": 150 + rng.normal(size=n),
            "dec": rng.normal(size=n),
            "x": (2048 * rng.random(n)).astype(np.float32),
            "psfFlux": (1000 * rng.normal(size=n)).astype(np.float32),
            "psfNdata": rng.integers(0, 900, n).astype(np.int32),
            "band": pa.array(rng.choice(["g", "r"], n), pa.string()),
            "isNegative": rng.random(n) < 0.5,
            "pixelFlags_bad": rng.random(n) < 0.2,
            "pixelFlags_suspect": rng.random(n) < 0.1,
            "pixelFlags_saturatedCenter": rng.random(n) < 0.1,
        }
    )


@pytest.fixture
def objects() -> pa.Table:
    """DIA objects: the first of three has two versions, of which one has ended."""
    return pa.table(
        {
            "diaObjectId": [1, 1, 2, 3],
            "validityStartMjdTai": [60000.0, 60001.0, 60000.0, 60001.0],
            "validityEndMjdTai": pa.array([60001.0, None, None, None], pa.float64()),
            "ra": [150.0, 150.1, 151.0, 152.0],
            "dec": [2.0, 2.1, 2.2, 2.3],
            "nDiaSources": pa.array([1, 2, 1, 1], pa.int32()),
        }
    )


@pytest.fixture
def make_sqlite(tmp_path: Path) -> Callable[..., str]:
    """Return a function that writes tables into a SQLite file and returns its URL."""

    def make(tables: Tables, name: str = "apdb.db") -> str:
        path = tmp_path / name
        with sqlite3.connect(path) as database:
            for table, rows in tables.items():
                database.execute(_create(f'"{table}"', rows, _SQLITE))
                marks = ", ".join("?" * rows.num_columns)
                values = [[str(v) if isinstance(v, datetime) else v for v in row] for row in _rows(rows)]
                database.executemany(f'INSERT INTO "{table}" VALUES ({marks})', values)
        database.close()
        return f"sqlite:///{path}"

    return make


@pytest.fixture
def make_postgresql(postgres: Any) -> Callable[..., str]:
    """Return a function that writes tables into a namespace of a new PostgreSQL database and returns its URL."""
    database = f"apdb{next(_databases)}"
    postgres.execute(f"CREATE DATABASE {database}")

    def make(tables: Tables, name: str = "rerun") -> str:
        connection = psycopg2.connect(postgres.url(database))
        with connection, connection.cursor() as cursor:
            cursor.execute(f'CREATE SCHEMA "{name}"')
            for table, rows in tables.items():
                cursor.execute(_create(f'"{name}"."{table}"', rows, _POSTGRESQL))
                psycopg2.extras.execute_values(cursor, f'INSERT INTO "{name}"."{table}" VALUES %s', _rows(rows))
        connection.close()
        return str(postgres.url(database))

    return make


@pytest.fixture(params=["sqlite", "postgresql"])
def make_apdb(request: pytest.FixtureRequest) -> Callable[..., str]:
    """Return a function that writes an APDB, in SQLite and in PostgreSQL."""
    return request.getfixturevalue(f"make_{request.param}")


@pytest.fixture
def make_folder(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes tables as Parquet files with a ``rerun.toml``."""

    def make(tables: Tables, name: str = "rerun", toml: str = 'instrument = "DECam"') -> Path:
        folder = tmp_path / name
        folder.mkdir()
        for table, rows in tables.items():
            toml += f'\n[tables.{table}]\nfiles = ["{table}.parquet"]\n'
            pq.write_table(rows, folder / f"{table}.parquet")
        (folder / "rerun.toml").write_text(toml)
        return folder

    return make


@pytest.fixture(scope="session")
def empty_butler(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a Butler repository with the dimensions of three DECam visits and two detectors, and no dataset."""
    from lsst.daf.butler import Butler

    root = tmp_path_factory.mktemp("repos") / "empty"
    Butler.makeRepo(str(root))
    _insert_dimensions(root)
    return root


def _insert_dimensions(root: Path) -> None:
    import lsst.sphgeom as sg
    from astropy.time import Time, TimeDelta
    from lsst.daf.butler import Butler, Timespan

    def box(ra: float, dec: float, half: float) -> sg.ConvexPolygon:
        corners = ((ra - half, dec - half), (ra + half, dec - half), (ra + half, dec + half), (ra - half, dec + half))
        return sg.ConvexPolygon([sg.UnitVector3d(sg.LonLat.fromDegrees(*corner)) for corner in corners])

    butler = Butler.from_config(str(root), writeable=True)
    put = butler.registry.insertDimensionData
    here = {"instrument": "DECam"}
    put("instrument", {"name": "DECam", "class_name": "lsst.obs.decam.DarkEnergyCamera", "visit_system": 0,
                       "detector_max": 64, "visit_max": 2**25, "exposure_max": 2**25})  # fmt: skip
    put("physical_filter", here | {"name": "g DECam", "band": "g"})
    put("detector", *[here | {"id": d, "full_name": f"S{d}"} for d in (5, 60)])
    noon = Time("2015-02-17T12:00:00", scale="tai")
    put("day_obs", here | {"id": 20150217, "timespan": Timespan(noon, noon + TimeDelta(1, format="jd"))})
    visits = (411371, 411420, 419802)
    put("visit", *[here | {"id": v, "name": str(v), "day_obs": 20150217, "physical_filter": "g DECam"} for v in visits])
    put("visit_detector_region", *[here | {"visit": v, "detector": d, "region": box(150 + d / 100, 2, 0.1)}
                                   for v in visits for d in (5, 60)])  # fmt: skip
    put("group", *[here | {"name": f"2015-02-17T0{hour}"} for hour in (1, 2)])
    butler.close()


@pytest.fixture
def butler_root(empty_butler: Path, tmp_path: Path) -> Path:
    """Return a Butler repository of the test's own."""
    import shutil

    return Path(shutil.copytree(empty_butler, tmp_path / "repo"))


@pytest.fixture
def postgresql_butler(postgres: Any, tmp_path: Path) -> Path:
    """Return a Butler repository of the test's own, with its registry in PostgreSQL."""
    from lsst.daf.butler import Butler, Config

    database = f"butler{next(_databases)}"
    postgres.execute(f"CREATE DATABASE {database}")
    postgres.execute("CREATE EXTENSION btree_gist", database)
    root = tmp_path / "repo"
    url = postgres.url(database).replace("postgresql:", "postgresql+psycopg2:")  # SQLAlchemy 2.1 takes psycopg 3 else
    Butler.makeRepo(str(root), config=Config({"registry": {"db": url, "namespace": "main"}}))
    _insert_dimensions(root)
    return root


@pytest.fixture
def put() -> Callable[..., list[str]]:
    """Return a function that stores tables in a collection and returns the dataset UUIDs."""
    from lsst.daf.butler import Butler, DatasetType

    def store(
        root: Path,
        run: str,
        dataset_type: str,
        datasets: list[tuple[dict[str, Any], Any]],
        storage: str = "ArrowTable",
    ) -> list[str]:
        butler = Butler.from_config(str(root), writeable=True)
        dimensions = tuple(datasets[0][0])
        butler.registry.registerDatasetType(DatasetType(dataset_type, dimensions, storage, universe=butler.dimensions))
        butler.collections.register(run)
        ids = [str(butler.put(table, dataset_type, data_id, run=run).id) for data_id, table in datasets]
        butler.close()
        return ids

    return store


@pytest.fixture
def by_detector() -> Callable[[pa.Table], list[tuple[dict[str, Any], pa.Table]]]:
    """Return a function that splits a table into one per visit and detector, with their data IDs."""
    import pyarrow.compute as pc

    def split(table: pa.Table) -> list[tuple[dict[str, Any], pa.Table]]:
        pairs = table.group_by(["visit", "detector"]).aggregate([]).to_pylist()
        return [
            (
                {"instrument": "DECam", "visit": pair["visit"], "detector": pair["detector"]},
                table.filter((pc.field("visit") == pair["visit"]) & (pc.field("detector") == pair["detector"])),
            )
            for pair in pairs
        ]

    return split


def _create(name: str, rows: pa.Table, types: Mapping[str, str]) -> str:
    columns = ", ".join(f'"{field.name}" {types[str(field.type)]}' for field in rows.schema)
    return f"CREATE TABLE {name} ({columns})"


def _rows(table: pa.Table) -> list[tuple[Any, ...]]:
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True))
