"""Databases read as Arrow through ADBC: SQLite files, never written to, and PostgreSQL namespaces."""

from __future__ import annotations

import re
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, final
from urllib.parse import quote

import pyarrow as pa

from harness.errors import HarnessError, NotMeasuredError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import URL

__all__ = ["Database", "PostgresqlDatabase", "SqliteDatabase", "parse_url", "quoted", "sqlite_path"]

_BATCH_ROWS = 1 << 17

#: Declared SQL types of SQLite, first match counts; values of a column without one stay what they are.
_SQLITE_TYPES = (
    (re.compile(r"BOOL"), pa.bool_()),
    (re.compile(r"BIGINT"), pa.int64()),
    (re.compile(r"SMALLINT"), pa.int16()),
    (re.compile(r"INT"), pa.int32()),
    (re.compile(r"DOUBLE"), pa.float64()),
    (re.compile(r"FLOAT|REAL"), pa.float32()),
    (re.compile(r"TIMESTAMP|DATETIME"), pa.timestamp("us")),
    (re.compile(r"CHAR|TEXT|CLOB"), pa.string()),
)


class Database(Protocol):
    """One namespace of one database."""

    label: str
    """Where it is, without the password."""

    def tables(self) -> list[str]:
        """Return the names of the tables."""

    def columns(self, table: str) -> pa.Schema:
        """Return columns and declared types of a table."""

    def source(self, table: str) -> str:
        """Return a table's name as SQL takes it."""

    def query(self, sql: str) -> pa.Table:
        """Return the result of a small query."""

    def batches(self, table: str, columns: Sequence[str], where: str, key: str) -> Iterator[pa.RecordBatch]:
        """Yield rows of a table in batches, always in the same order; types may be wider than declared.

        Parameters
        ----------
        table, columns
            What to read, at least one column.
        where
            SQL that follows the table's name.
        key
            Column that gives the order where the database has none of its own.
        """


def parse_url(text: str) -> URL:
    """Parse a database URL.

    Raises
    ------
    harness.errors.UsageError
        When it is not one; the message does not repeat it, as it may hold a password.
    """
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        return make_url(text)
    except (ArgumentError, ValueError):
        raise UsageError(
            "the database URL cannot be parsed; write sqlite:////path/to/file.db or postgresql://user@host:port/database"
        ) from None


def sqlite_path(url: URL) -> Path:
    """Return the file of a SQLite URL; `lsst/dax_apdb` writes it as ``sqlite:///file%3A/path?mode=rw&uri=true``."""
    return Path((url.database or "").removeprefix("file:")).absolute()


def quoted(name: str) -> str:
    """Return a name as an SQL identifier; names of the APDB are mixed case."""
    return '"' + name.replace('"', '""') + '"'


@final
class SqliteDatabase:
    """A SQLite file, opened read-only.

    Raises
    ------
    harness.errors.UsageError
        When there is no such file, or it is not a SQLite database.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise UsageError(
                f"there is no SQLite file {path}; check --repo (a relative path starts at the current folder)"
            )
        self.label = f"sqlite:///{path}"
        self._path = path

    def tables(self) -> list[str]:
        """Return the names of the tables."""
        found = self.query("SELECT name FROM sqlite_master WHERE type IN ('table', 'view') ORDER BY name")
        return list(found.column(0).to_pylist())

    def columns(self, table: str) -> pa.Schema:
        """Return columns and declared types of a table; SQLite itself does not hold values to them."""
        found = self.query(f"PRAGMA table_info({quoted(table)})")
        pairs = zip(found["name"].to_pylist(), found["type"].to_pylist(), strict=True)
        return pa.schema([(name, _sqlite_type(declared)) for name, declared in pairs])

    def source(self, table: str) -> str:
        """Return a table's name as SQL takes it."""
        return quoted(table)

    def query(self, sql: str) -> pa.Table:
        """Return the result of a small query."""
        with self._cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetch_arrow_table()

    def batches(self, table: str, columns: Sequence[str], where: str, key: str) -> Iterator[pa.RecordBatch]:  # noqa: ARG002 - rows have an order
        """Yield rows in the order they are stored; integers are int64, floats float64, timestamps text."""
        schema = self.columns(table)
        # The driver takes each column's type from the rows that it sees first, and fails when those are all NULL and
        # later ones are not: the first row, dropped again, tells the types.
        types = ", ".join(f"{_example(schema.field(name).type)} AS {quoted(name)}" for name in columns)
        names = ", ".join(quoted(name) for name in columns)
        with self._cursor() as cursor:
            cursor.adbc_statement.set_options(**{"adbc.sqlite.query.batch_rows": str(_BATCH_ROWS)})
            cursor.execute(f"SELECT {types} UNION ALL SELECT {names} FROM {self.source(table)}{where}")  # noqa: S608
            first = 1
            for batch in cursor.fetch_record_batch():
                yield batch.slice(first)
                first = 0

    @contextmanager
    def _cursor(self) -> Iterator[Any]:
        import adbc_driver_sqlite.dbapi as driver

        with _explained(self.label, driver):
            target = f"file:{quote(str(self._path))}?mode=ro"
            with driver.connect(target) as connection, connection.cursor() as cursor:
                yield cursor


@final
class PostgresqlDatabase:
    """One namespace (schema) of a PostgreSQL database.

    Raises
    ------
    harness.errors.UsageError
        When the driver is not installed.
    """

    def __init__(self, url: URL, namespace: str) -> None:
        try:
            import adbc_driver_postgresql.dbapi as driver
        except ImportError:
            raise UsageError(
                "reading PostgreSQL needs a driver that is not installed; pip install 'rerun-harness[postgresql]'"
            ) from None
        plain = url.set(drivername="postgresql")
        self.label = plain.render_as_string(hide_password=True)
        self._driver = driver
        self._target = plain.render_as_string(hide_password=False)
        self._password = None if url.password is None else str(url.password)
        self._namespace = namespace

    def namespaces(self, table: str) -> list[str]:
        """Return the namespaces that have a table of this name."""
        found = self.query(
            f"SELECT table_schema::text FROM information_schema.tables WHERE table_name = {_text(table)} ORDER BY 1"  # noqa: S608
        )
        return list(found.column(0).to_pylist())

    def tables(self) -> list[str]:
        """Return the names of the tables."""
        found = self.query(
            "SELECT table_name::text FROM information_schema.tables "  # noqa: S608
            f"WHERE table_schema = {_text(self._namespace)} ORDER BY 1"
        )
        return list(found.column(0).to_pylist())

    def columns(self, table: str) -> pa.Schema:
        """Return columns and declared types of a table."""
        return self.query(f"SELECT * FROM {self.source(table)} LIMIT 0").schema.remove_metadata()  # noqa: S608

    def source(self, table: str) -> str:
        """Return a table's name as SQL takes it."""
        return f"{quoted(self._namespace)}.{quoted(table)}"

    def query(self, sql: str) -> pa.Table:
        """Return the result of a small query."""
        with self._cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetch_arrow_table()

    def batches(self, table: str, columns: Sequence[str], where: str, key: str) -> Iterator[pa.RecordBatch]:
        """Yield rows in the order of the key, types as declared."""
        names = ", ".join(quoted(name) for name in columns)
        with self._cursor() as cursor:
            cursor.execute(f"SELECT {names} FROM {self.source(table)}{where} ORDER BY {quoted(key)}")  # noqa: S608
            yield from cursor.fetch_record_batch()

    @contextmanager
    def _cursor(self) -> Iterator[Any]:
        with (
            _explained(self.label, self._driver, self._password),
            self._driver.connect(self._target) as connection,
            connection.cursor() as cursor,
        ):
            yield cursor


@contextmanager
def _explained(label: str, driver: Any, password: str | None = None) -> Iterator[None]:
    """Turn what a driver raises into one sentence without the password."""
    try:
        yield
    except HarnessError:
        raise
    except (driver.Error, OSError, pa.ArrowException) as fault:
        reason = " ".join(str(fault).split())
        for secret in {password, quote(password or "", safe="")} - {None, ""}:
            reason = reason.replace(str(secret), "***")
        raise NotMeasuredError(f"{label} cannot be read ({reason})") from None


def _sqlite_type(declared: str) -> pa.DataType:
    return next((kind for pattern, kind in _SQLITE_TYPES if pattern.search(declared.upper())), pa.string())


def _example(kind: pa.DataType) -> str:
    """Return an SQL value that SQLite holds as it holds the type."""
    if pa.types.is_floating(kind):
        return "0.0"
    return "''" if pa.types.is_string(kind) or pa.types.is_timestamp(kind) else "0"


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
