"""APDBs of three ages, in SQLite and in PostgreSQL."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest

from harness.errors import NotMeasuredError, UsageError
from harness.rerun.apdb import ApdbRerun, list_apdb_reruns
from harness.rerun.databases import PostgresqlDatabase, SqliteDatabase, parse_url

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Make = Callable[..., str]

STORED = datetime(2020, 5, 24, 12, 0, 0, 250000)  # noqa: DTZ001 - the APDB keeps naive UTC
STORED_TAI = 58993.5 + (37 + 0.25) / 86400


def metadata(version: str, **more: str) -> pa.Table:
    """Return the metadata table of an APDB."""
    rows = {"version:schema": version} | more
    return pa.table({"name": list(rows), "value": list(rows.values())})


def of_2020(sources: pa.Table) -> dict[str, pa.Table]:
    """Return the sources as an APDB of 2020 holds them: packed flags, packed visit and detector, no metadata."""
    columns = {name: sources[name].to_numpy() for name in sources.column_names}
    flags = (
        columns["pixelFlags_bad"].astype(np.int64) << 6
        | columns["pixelFlags_suspect"].astype(np.int64) << 7
        | columns["pixelFlags_saturatedCenter"].astype(np.int64) << 9
        | np.int64(1) << 40
    )
    table = pa.table(
        {
            "diaSourceId": sources["diaSourceId"],
            "ccdVisitId": columns["visit"] * 100 + columns["detector"],
            "diaObjectId": sources["diaObjectId"],
            "midPointTai": sources["midpointMjdTai"],
            "ra": sources["ra"],
            "decl": sources["dec"],
            "psFlux": sources["psfFlux"],
            "filterName": sources["band"],
            "flags": flags,
        }
    )
    return {"DiaSource": table}


def of_2024(sources: pa.Table) -> dict[str, pa.Table]:
    """Return the sources as schema 1.0.0 holds them: naive UTC timestamps, one of them withdrawn."""
    withdrawn = pa.array([STORED] + [None] * (sources.num_rows - 1), pa.timestamp("us"))
    processed = pa.array([STORED] * sources.num_rows, pa.timestamp("us"))
    table = sources.rename_columns(["is_negative" if name == "isNegative" else name for name in sources.column_names])
    table = table.append_column("time_processed", processed).append_column("time_withdrawn", withdrawn)
    return {"DiaSource": table, "metadata": metadata("1.0.0", instrument="DECam")}


def of_today(sources: pa.Table) -> dict[str, pa.Table]:
    """Return the sources as schema 10.0.0 holds them, one of them withdrawn."""
    withdrawn = pa.array([STORED_TAI] + [None] * (sources.num_rows - 1), pa.float64())
    table = sources.append_column("timeProcessedMjdTai", pa.array([STORED_TAI] * sources.num_rows))
    return {"DiaSource": table.append_column("timeWithdrawnMjdTai", withdrawn), "metadata": metadata("10.0.0")}


@pytest.mark.parametrize("age", [of_2020, of_2024, of_today])
def test_every_schema_reads_the_same(make_apdb: Make, sources: pa.Table, age: Callable[..., Any]) -> None:
    """Names, flags, visits and times of three schemas are the same rows."""
    url = make_apdb(age(sources))
    separator = "&" if "?" in url else "?"
    rerun = ApdbRerun(f"{url}{separator}instrument=DECam", "rerun")
    names = ["diaSourceId", "diaObjectId", "visit", "detector", "midpointMjdTai", "ra", "dec", "psfFlux", "band"]
    names += [name for name in sources.column_names if name.startswith("pixelFlags")]
    expected = sources.set_column(3, "detector", sources["detector"].cast(pa.int32())).select(names)
    if age is not of_2020:
        expected = expected.slice(1)  # the first one was withdrawn
    found = rerun.tables["diaSource"].read(names).sort_by("diaSourceId")
    assert found.equals(expected.sort_by("diaSourceId"))
    assert rerun.instrument == "DECam"
    partitions = rerun.tables["diaSource"].partitions()
    assert [part.visits for part in partitions] == [(411371,), (411420,), (419802,)]
    assert [rerun.tables["diaSource"].read((), part).num_rows for part in partitions] == [
        expected.num_rows - 160,
        80,
        80,
    ]
    assert set(rerun.tables["diaSource"].read(["visit"], partitions[1])["visit"].to_pylist()) == {411420}


@pytest.mark.parametrize(("age", "version"), [(of_2024, "1.0.0"), (of_today, "10.0.0")])
def test_times_are_tai(make_apdb: Make, sources: pa.Table, age: Callable[..., Any], version: str) -> None:
    """UTC of old schemas and TAI of new ones are the same instant; the schema's version is in the provenance."""
    rerun = ApdbRerun(make_apdb(age(sources)), "rerun")
    found = rerun.tables["diaSource"].read(["timeProcessedMjdTai"])["timeProcessedMjdTai"].unique().to_pylist()
    assert found == [pytest.approx(STORED_TAI, abs=1e-11)]
    assert rerun.provenance().schema.startswith(f"APDB {version} (aliases ")


def test_a_null_flag_is_false(make_apdb: Make, sources: pa.Table) -> None:
    """Flags that were never set do not make a source vanish from a count."""
    flags = pa.array([None, True, False] * 80)
    index = sources.schema.get_field_index("pixelFlags_bad")
    url = make_apdb({"DiaSource": sources.set_column(index, "pixelFlags_bad", flags)})
    found = ApdbRerun(url, "rerun").tables["diaSource"].read(["pixelFlags_bad"])
    assert found["pixelFlags_bad"].null_count == 0
    assert found["pixelFlags_bad"].to_pylist().count(True) == 80


def test_columns_that_begin_with_null_keep_their_type(make_apdb: Make, sources: pa.Table) -> None:
    """A column whose first million rows might all be NULL is read with its declared type."""
    n = 150_000
    late = np.arange(n) >= n - 10
    rows = {
        "diaSourceId": np.arange(n),
        "visit": np.zeros(n, np.int64),
        "ra": np.zeros(n),
        "dec": np.zeros(n),
        "snr": pa.array(np.full(n, 2.5, np.float32), mask=~late),
        "band": pa.array(np.full(n, "g"), mask=~late),
        "reliability": pa.nulls(n, pa.float32()),
    }
    table = ApdbRerun(make_apdb({"DiaSource": pa.table(rows)}), "rerun").tables["diaSource"]
    found = table.read(["snr", "band", "reliability"])
    assert found.schema.types == [pa.float32(), pa.string(), pa.float32()]
    assert found["snr"].drop_null().to_pylist() == [2.5] * 10
    assert found["band"].drop_null().to_pylist() == ["g"] * 10
    assert found["reliability"].null_count == n


@pytest.mark.parametrize("ended", ["validityEndMjdTai", "validityEnd"])
def test_only_current_objects_are_read(make_apdb: Make, sources: pa.Table, objects: pa.Table, ended: str) -> None:
    """An object with two versions is one object, in its present state."""
    if ended == "validityEnd":
        ends = pa.array([STORED, None, None, None], pa.timestamp("us"))
        objects = objects.set_column(2, ended, ends)
    rerun = ApdbRerun(make_apdb({"DiaSource": sources, "DiaObject": objects}), "rerun")
    table = rerun.tables["diaObject"]
    found = table.read(["diaObjectId", "ra", "nDiaSources"]).sort_by("diaObjectId")
    assert found.to_pydict() == {"diaObjectId": [1, 2, 3], "ra": [150.1, 151.0, 152.0], "nDiaSources": [2, 1, 1]}
    (everything,) = table.partitions()
    assert table.read((), everything).num_rows == 3


@pytest.mark.parametrize(
    ("column", "value"),
    [("psfFlux", pa.scalar(1e9, pa.float32())), ("diaObjectId", pa.scalar(5)), ("diaSourceId", pa.scalar(1 << 59))],
)
def test_a_changed_row_changes_the_digest(make_apdb: Make, sources: pa.Table, column: str, value: pa.Scalar) -> None:
    """A rerun that gives its sources the same identifiers, but other values, is other data."""
    url = make_apdb({"DiaSource": sources}, "rerun")
    index = sources.schema.get_field_index(column)
    changed = pa.concat_arrays([sources[column].combine_chunks().slice(0, 239), pa.repeat(value, 1)])
    rows = {"DiaSource": sources.set_column(index, column, changed)}
    other = make_apdb(rows, "other") if url.startswith("postgresql") else make_apdb(rows, "other.db")
    before, after = (
        rerun.tables["diaSource"].partitions() for rerun in (ApdbRerun(url, "rerun"), ApdbRerun(other, "other"))
    )
    assert [one.inputs == two.inputs for one, two in zip(before, after, strict=True)] == [True, True, False]


def test_another_table_layout_is_told(make_apdb: Make) -> None:
    """A database that is no APDB, and one with unknown columns, say what was found instead."""
    with pytest.raises(UsageError, match=r"is not an APDB: no table DiaSource \(tables found: Other\)"):
        ApdbRerun(make_apdb({"Other": pa.table({"a": [1]})}), "rerun")


def test_unknown_columns_are_told(make_apdb: Make) -> None:
    """A DiaSource table without identifiers and positions is of an unknown schema."""
    rows = pa.table({"source_key": [1], "alpha": [1.0], "delta": [1.0]})
    with pytest.raises(UsageError, match=r"unknown schema: .* \(columns found: source_key, alpha, delta\)"):
        ApdbRerun(make_apdb({"DiaSource": rows}), "rerun")


def test_a_missing_column_is_told(make_apdb: Make, sources: pa.Table) -> None:
    """The message lists names tried and columns found."""
    table = ApdbRerun(make_apdb({"DiaSource": sources}), "rerun").tables["diaSource"]
    with pytest.raises(NotMeasuredError, match=r"'scienceFlux' \(tried: scienceFlux, totFlux; there are: diaSourceId"):
        table.read(["scienceFlux"])


def test_an_unknown_instrument_leaves_visits_packed(make_apdb: Make, sources: pa.Table) -> None:
    """Without the packing there is one partition, and the message about the visit says why."""
    table = ApdbRerun(make_apdb(of_2020(sources)), "rerun").tables["diaSource"]
    assert [(part.key, part.visits) for part in table.partitions()] == [("all", None)]
    with pytest.raises(NotMeasuredError, match="ccdVisitId is unpacked when the instrument is known"):
        table.read(["visit"])


def test_packed_visits_end_where_the_next_begins(make_apdb: Make) -> None:
    """The last number of a visit and the first of the next are two visits."""
    rows = {"diaSourceId": [1, 2], "ccdVisitId": [41137199, 41137200], "ra": [0.0, 0.0], "decl": [0.0, 0.0]}
    url = make_apdb({"DiaSource": pa.table(rows)})
    table = ApdbRerun(f"{url}{'&' if '?' in url else '?'}instrument=DECam", "rerun").tables["diaSource"]
    found = [table.read(["visit", "detector"], part).to_pylist() for part in table.partitions()]
    assert found == [[{"visit": 411371, "detector": 99}], [{"visit": 411372, "detector": 0}]]


def test_namespaces_are_reruns(make_postgresql: Make, sources: pa.Table) -> None:
    """A PostgreSQL database lists its APDB namespaces, and names the like of a misspelt one."""
    for name in ("w_2020_20", "w_2020_24"):
        url = make_postgresql({"DiaSource": sources}, name)
    assert sorted(list_apdb_reruns(url)) == ["w_2020_20", "w_2020_24"]
    with pytest.raises(UsageError, match=r"no namespace 'w_2020_42'; did you mean w_2020_2"):
        ApdbRerun(url, "w_2020_42")


def test_a_placeholder_stands_for_the_rerun(make_sqlite: Make, sources: pa.Table) -> None:
    """SQLite files of several reruns are one URL."""
    url = make_sqlite({"DiaSource": sources}, "apdb_w20.db").replace("w20", "{rerun}")
    make_sqlite({"DiaSource": sources[:10]}, "apdb_w24.db")
    assert sorted(list_apdb_reruns(url)) == ["w20", "w24"]
    assert ApdbRerun(url, "w24").tables["diaSource"].read(()).num_rows == 10
    with pytest.raises(UsageError, match=r"has no rerun 'w25'; did you mean w2"):
        ApdbRerun(url, "w25")


def test_a_url_of_dax_apdb_opens(make_sqlite: Make, sources: pa.Table) -> None:
    """lsst.dax.apdb writes SQLite URLs as percent-encoded file URIs."""
    path = make_sqlite({"DiaSource": sources}).removeprefix("sqlite:///")
    url = f"sqlite:///file%3A{path}?mode=rw&uri=true"
    assert ApdbRerun(url, "any").tables["diaSource"].read(()).num_rows == 240
    assert list_apdb_reruns(url) == ["apdb"]


def test_a_database_is_never_written(make_sqlite: Make, sources: pa.Table) -> None:
    """A file that may not be written, in a folder with a blank and a question mark, is read."""
    from pathlib import Path

    path = Path(make_sqlite({"DiaSource": sources}, "a ?b.db").removeprefix("sqlite:///"))
    path.chmod(0o444)
    before = sorted(path.parent.iterdir())
    url = f"sqlite:///{str(path).replace('?', '%3F')}"
    assert ApdbRerun(url, "any").tables["diaSource"].read(["psfFlux"]).num_rows == 240
    with pytest.raises(NotMeasuredError, match="readonly database"):
        SqliteDatabase(path).query('DELETE FROM "DiaSource"')
    assert sorted(path.parent.iterdir()) == before


def test_a_missing_sqlite_file_is_told(tmp_path: Path) -> None:
    """Nothing is created, and the message names the file."""
    with pytest.raises(UsageError, match=r"there is no SQLite file .*nowhere\.db"):
        ApdbRerun(f"sqlite:///{tmp_path / 'nowhere.db'}", "any")
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    """A file of something else is one line."""
    (tmp_path / "x.db").write_text("not a database" * 100)
    with pytest.raises(NotMeasuredError, match=r"x\.db cannot be read \(.*not a database") as caught:
        ApdbRerun(f"sqlite:///{tmp_path / 'x.db'}", "any")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("password", ["s3cr3t", "s3c/r@3t"])
def test_a_password_is_never_told(password: str) -> None:
    """Neither an error nor a label repeats the password."""
    from urllib.parse import quote

    url = f"postgresql://me:{quote(password, safe='')}@/db?host=/nowhere"
    with pytest.raises(NotMeasuredError, match="cannot be read") as caught:
        ApdbRerun(url, "any")
    assert password not in str(caught.value)
    assert quote(password, safe="") not in str(caught.value)
    with pytest.raises(UsageError, match="cannot be parsed") as caught:
        ApdbRerun(f"postgresql://me:{password}@host:not-a-port/db", "any")
    assert password not in str(caught.value)


def test_provenance_names_no_password(make_postgresql: Make, sources: pa.Table) -> None:
    """The source is the URL without its password, and the namespace."""
    url = make_postgresql({"DiaSource": sources}).replace("tester@", "tester:s3cr3t@")
    provenance = ApdbRerun(url, "rerun").provenance()
    assert "s3cr3t" not in repr(provenance)
    assert provenance.source.endswith("namespace rerun")
    with pytest.raises(NotMeasuredError, match=r'column "\*\*\*" does not exist') as caught:
        PostgresqlDatabase(parse_url(url), "rerun").query("SELECT s3cr3t")
    assert "s3cr3t" not in str(caught.value)
    assert provenance.schema.startswith("APDB without version")


def test_a_missing_driver_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the PostgreSQL driver the message says what to install."""
    import sys

    monkeypatch.setitem(sys.modules, "adbc_driver_postgresql.dbapi", None)
    with pytest.raises(UsageError, match=r"pip install 'rerun-harness\[postgresql\]'"):
        ApdbRerun("postgresql://me@host/db", "any")


def test_other_databases_are_refused() -> None:
    """A URL of another kind of database is told."""
    with pytest.raises(UsageError, match=r"sqlite or postgresql \(got 'mysql'\)"):
        ApdbRerun("mysql://me@host/db", "any")
