"""A rerun in an Alert Production Database, read by plain SQL."""

from __future__ import annotations

import hashlib
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, final

import pyarrow as pa

from harness.errors import BrokenFileError, UsageError
from harness.model import Provenance
from harness.rerun.aliases import ALIAS_VERSION
from harness.rerun.batching import coalesced, row_count
from harness.rerun.canonical import CCD_VISIT_STRIDE, canonical_batch, canonical_columns, stored_names
from harness.rerun.databases import PostgresqlDatabase, SqliteDatabase, parse_url, quoted, sqlite_path
from harness.rerun.missing import missing_column, what_is_there
from harness.rerun.protocol import Partition, RerunRef
from harness.rerun.tables import SQL_TABLES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sqlalchemy import URL

    from harness.rerun.canonical import Column
    from harness.rerun.databases import Database
    from harness.rerun.protocol import Table

__all__ = ["ApdbRerun", "list_apdb_reruns"]

_PLACEHOLDER = "{rerun}"
_SOURCES = SQL_TABLES["diaSource"]
_ENDED = MappingProxyType({"diaSource": "timeWithdrawnMjdTai", "diaObject": "validityEndMjdTai"})
_KEYS = MappingProxyType({"diaSource": "diaSourceId", "diaObject": "diaObjectId"})


@final
class ApdbRerun:
    """A rerun in an APDB of any schema version.

    Only current rows are read: of objects those whose validity has not ended, of sources those that have not been
    withdrawn (``timeWithdrawnMjdTai``, once ``time_withdrawn``, is NULL).  A flag that is NULL is False.

    Parameters
    ----------
    url
        ``sqlite:///…``, where ``{rerun}`` stands for the rerun's name, or ``postgresql://…``, where the rerun's name is
        a namespace.  ``?instrument=DECam`` names the instrument where the database does not.
    name
        Name of the rerun; free for a SQLite file without placeholder.

    Raises
    ------
    harness.errors.UsageError
        When there is no such database or namespace, or it is not an APDB.
    """

    def __init__(self, url: str, name: str) -> None:
        self.ref = RerunRef(url, name)
        self.name = name
        parsed, self._instrument = _parsed(url)
        self._database = _open(parsed, name)
        present = self._database.tables()
        if _SOURCES not in present:
            if isinstance(self._database, PostgresqlDatabase) and not present:
                names = self._database.namespaces(_SOURCES)
                raise UsageError(
                    f"{self._database.label} has no namespace {name!r}; {what_is_there(name, names, 'APDB namespace')}"
                )
            found = ", ".join(present) or "none"
            raise UsageError(
                f"{self._database.label} is not an APDB: no table {_SOURCES} (tables found: {found}); check --repo"
            )
        self._metadata = self._read_metadata() if "metadata" in present else {}
        self.tables = {
            table: ApdbTable(table, self._database, self.instrument, f"rerun {name!r} in {self._database.label}")
            for table, stored in SQL_TABLES.items()
            if stored in present
        }
        sources = self.tables["diaSource"]
        if not {"diaSourceId", "ra", "dec"} <= sources.columns.keys():
            raise UsageError(
                f"table {_SOURCES} of {self._database.label} is of an unknown schema: no diaSourceId, ra and dec under "
                f"any of their names (columns found: {', '.join(sources.stored_columns)})"
            )

    @property
    def instrument(self) -> str:
        """Short name of the instrument: from the URL, else from the database; empty when neither says it."""
        return self._instrument or self._metadata.get("instrument", "")

    def regions(self) -> None:
        """Return None: an APDB knows nothing of detectors."""

    @property
    def flats(self) -> None:
        """None: an APDB knows nothing of flats."""

    def amplifiers(self) -> None:
        """Return None: an APDB knows nothing of amplifiers."""

    @property
    def exposures(self) -> None:
        """None: an APDB knows nothing of images."""

    @property
    def sided_sources(self) -> Mapping[str, Table]:
        """Nothing: an APDB has one set of DIA sources."""
        return {}

    @property
    def psf_sizes(self) -> None:
        """None: an APDB knows nothing of images."""

    @property
    def alerts(self) -> None:
        """None: alerts are files."""

    @property
    def curves(self) -> None:
        """None: an APDB knows nothing of flats."""

    def provenance(self) -> Provenance:
        """Return what the rerun was made from and by."""
        inputs = {
            f"{SQL_TABLES[name]} {partition.key}": partition.inputs
            for name, table in self.tables.items()
            for partition in table.partitions()
        }
        version = self._metadata.get("version:schema", "without version")
        source = self._database.label
        if isinstance(self._database, PostgresqlDatabase):
            source += f" namespace {self.name}"
        return Provenance(self.name, source, inputs, {}, f"APDB {version} (aliases {ALIAS_VERSION})")

    def _read_metadata(self) -> dict[str, str]:
        rows = self._database.query(f'SELECT "name", "value" FROM {self._database.source("metadata")}')  # noqa: S608
        return dict(zip(rows["name"].to_pylist(), rows["value"].to_pylist(), strict=True))


@final
class ApdbTable:
    """A `harness.rerun.protocol.Table` in an APDB."""

    def __init__(self, name: str, database: Database, instrument: str, where: str) -> None:
        self.name = name
        self._database = database
        self._instrument = instrument
        self._place = where
        self._stored = SQL_TABLES[name]

    @cached_property
    def columns(self) -> Mapping[str, pa.DataType]:
        """Canonical names and Arrow types of the columns that are there, in stored order."""
        return MappingProxyType({name: column.type for name, column in self._columns.items()})

    @cached_property
    def stored_columns(self) -> tuple[str, ...]:
        """The columns' own names, as stored."""
        return tuple(self._database.columns(self._stored).names)

    @cached_property
    def _columns(self) -> Mapping[str, Column]:
        return canonical_columns(self._database.columns(self._stored), self.name, self._instrument)

    def partitions(self) -> Sequence[Partition]:
        """Return one partition per visit, or one in all where rows do not tell their visit."""
        return self._partitions

    def read(self, columns: Sequence[str], partition: Partition | None = None) -> pa.Table:
        """Read columns under their canonical names; see `harness.rerun.protocol.Table.read`."""
        if not columns:
            count = self._database.query(f"SELECT COUNT(*) FROM {self._source}{self._where(partition)}")  # noqa: S608
            return row_count(int(count[0][0].as_py()))
        return pa.Table.from_batches(self.batches(columns, partition), self._schema(columns))

    def batches(self, columns: Sequence[str], partition: Partition | None = None) -> Iterator[pa.RecordBatch]:
        """Yield the same rows as `read`, in batches, so that memory does not grow with the table."""
        if not columns:
            return iter(self.read((), partition).to_batches())
        return coalesced(self._batches(self._schema(columns), partition))

    @property
    def _source(self) -> str:
        return self._database.source(self._stored)

    def _batches(self, schema: pa.Schema, partition: Partition | None) -> Iterator[pa.RecordBatch]:
        stored = stored_names(self._columns, schema.names)
        key = self._columns[_KEYS[self.name]].stored
        for batch in self._database.batches(self._stored, stored, self._where(partition), key or ""):
            try:
                yield canonical_batch(batch, self._columns, schema)
            except pa.ArrowException as fault:
                raise BrokenFileError(
                    f"{self._place} holds a value that does not fit its column ({fault}); correct it"
                ) from None

    def _schema(self, columns: Sequence[str]) -> pa.Schema:
        for name in columns:
            if name not in self.columns:
                raise missing_column(name, self.name, self._place, self.columns)
        kinds = [self.columns[name] for name in columns]
        return pa.schema(list(zip(columns, kinds, strict=True)))

    def _where(self, partition: Partition | None) -> str:
        """Return the condition of current rows, and of one partition."""
        ended = self._columns.get(_ENDED[self.name])
        conditions = [] if ended is None else [f"{quoted(ended.stored or '')} IS NULL"]
        if partition is not None and partition.visits is not None:
            conditions.append(self._visit_condition(int(partition.refs[0])))
        return f" WHERE {' AND '.join(conditions)}" if conditions else ""

    def _visit_condition(self, visit: int) -> str:
        column, stride = self._visit
        if stride == 1:
            return f"{quoted(column)} = {visit}"
        return f"{quoted(column)} BETWEEN {visit * stride} AND {visit * stride + stride - 1}"

    @cached_property
    def _visit(self) -> tuple[str, int]:
        """Return the stored column that tells the visit, and how many values of it a visit has; empty when unknown."""
        column = self._columns.get("visit")
        if column is None or column.stored is None:
            return "", 1
        return column.stored, 1 if column.convert is None else CCD_VISIT_STRIDE[self._instrument]

    @cached_property
    def _partitions(self) -> tuple[Partition, ...]:
        column, stride = self._visit if self.name == "diaSource" else ("", 1)
        if not column:
            row = self._database.query(f"SELECT {self._digested} FROM {self._source}{self._where(None)}")  # noqa: S608
            return (Partition("all", ("all",), _digest(row.to_pylist()[0])),)
        visit = quoted(column) if stride == 1 else f"{quoted(column)} / {stride}"
        rows = self._database.query(
            f'SELECT {visit} AS "visit", {self._digested} FROM {self._source}{self._where(None)} GROUP BY 1 ORDER BY 1'  # noqa: S608
        ).to_pylist()
        return tuple(
            Partition(f"visit-{row['visit']}", (str(row["visit"]),), _digest(row), (int(row["visit"]),)) for row in rows
        )

    @cached_property
    def _digested(self) -> str:
        """Return aggregates that change when rows do, and never with the order in which they are summed.

        Identifiers are summed in halves, as whole ones overflow; of floats the extremes are taken.  Identifiers alone
        would not do: a rerun that finds as many sources gives them the same ones.
        """
        terms = ["COUNT(*)"]
        for name in ("diaSourceId", "diaObjectId"):
            if name in self._columns:
                column = quoted(self._columns[name].stored or "")
                terms += [f"MIN({column})", f"MAX({column})", f"SUM({column} >> 32)", f"SUM({column} & 4294967295)"]
        for name in ("ra", "dec", "psfFlux", "psfFluxErr", "nDiaSources"):
            if name in self._columns:
                column = quoted(self._columns[name].stored or "")
                terms += [f"MIN({column})", f"MAX({column})"]
        return ", ".join(f"{term} AS t{number}" for number, term in enumerate(terms))


def list_apdb_reruns(url: str) -> list[str]:
    """Return the names of the reruns behind a database URL.

    Those are the namespaces of a PostgreSQL database, the files that match a SQLite URL with ``{rerun}``, or the name
    of its one file.
    """
    parsed, _ = _parsed(url)
    if parsed.get_backend_name() == "postgresql":
        return PostgresqlDatabase(parsed, "").namespaces(_SOURCES)
    path = sqlite_path(parsed)
    if _PLACEHOLDER not in path.name:
        return [path.stem] if path.is_file() else []
    before, after = path.name.split(_PLACEHOLDER, 1)
    found = path.parent.glob("*")
    names = (file.name for file in found if file.is_file())
    return [
        name.removeprefix(before).removesuffix(after)
        for name in names
        if name.startswith(before) and name.endswith(after) and len(name) > len(before) + len(after)
    ]


def _parsed(url: str) -> tuple[URL, str]:
    """Return the URL as the database takes it, and the instrument that it names for us."""
    parsed = parse_url(url)
    if parsed.get_backend_name() not in ("sqlite", "postgresql"):
        raise UsageError(f"an APDB is read from sqlite or postgresql (got {parsed.get_backend_name()!r})")
    instrument = parsed.query.get("instrument", "")
    return parsed.difference_update_query(["instrument"]), instrument if isinstance(instrument, str) else instrument[0]


def _open(url: URL, name: str) -> Database:
    if url.get_backend_name() == "postgresql":
        return PostgresqlDatabase(url, name)
    path = str(sqlite_path(url))
    if _PLACEHOLDER in path and not Path(path.replace(_PLACEHOLDER, name)).is_file():
        names = list_apdb_reruns(str(url))
        raise UsageError(f"{url} has no rerun {name!r}; {what_is_there(name, names, 'such file')}")
    return SqliteDatabase(Path(path.replace(_PLACEHOLDER, name)))


def _digest(row: dict[str, object]) -> str:
    text = " ".join(str(value) for value in row.values())
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
