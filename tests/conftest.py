"""Fixtures that several kinds of tests share: real data, and a PostgreSQL server of their own."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

_CHECKOUT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real data: ``$RERUN_HARNESS_DATA``, else ``../shared/data`` beside the checkout."""
    folder = Path(os.environ.get("RERUN_HARNESS_DATA") or _CHECKOUT.parent / "shared" / "data")
    if not folder.is_dir():
        _absent(f"real data: {folder} is not there; set RERUN_HARNESS_DATA", "RERUN_HARNESS_REQUIRE_DATA")
    return folder


@dataclass(frozen=True)
class PostgresqlServer:
    """A PostgreSQL server that lives as long as the test session."""

    socket: Path
    user: str = "tester"

    def url(self, database: str = "postgres") -> str:
        """Return the URL of a database."""
        return f"postgresql://{self.user}@/{database}?host={self.socket}"

    def execute(self, sql: str, database: str = "postgres") -> None:
        """Run SQL statements, each on its own."""
        import psycopg2

        connection = psycopg2.connect(self.url(database))
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(sql)
        finally:
            connection.close()


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresqlServer]:
    """Start a throw-away PostgreSQL server, as an ordinary user, reached by a Unix socket alone."""
    programs = _postgresql_programs()
    if programs is None:
        _absent("PostgreSQL: initdb and pg_ctl are not installed", "RERUN_HARNESS_REQUIRE_POSTGRESQL")
    owner = _ordinary_user()
    folder = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp"))  # the path of a socket may have 107 characters at most
    if owner:
        shutil.chown(folder, owner["user"], owner["group"])
    control, data = programs / "pg_ctl", folder / "data"
    # Waits for the end of its input, which comes however this process ends, even by a kill.
    cleaner = subprocess.Popen(
        ["sh", "-c", 'cat; "$1" -D "$2/data" -m immediate -w stop; rm -rf "$2"', "sh", control, folder],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        start_new_session=True,
        **owner,
    )
    try:
        _run([programs / "initdb", "-D", data, "-U", "tester", "-A", "trust", "-E", "UTF8", "--no-sync"], folder, owner)
        options = f"-c listen_addresses= -c unix_socket_directories={folder} -c fsync=off"
        _run([control, "-D", data, "-w", "-l", folder / "log", "-o", options, "start"], folder, owner)
        yield PostgresqlServer(folder)
    finally:
        cleaner.communicate(timeout=60)


def _absent(what: str, required_by: str) -> None:
    """Skip, or fail where the environment says that nothing may be skipped."""
    (pytest.fail if os.environ.get(required_by) else pytest.skip)(what)


def _postgresql_programs() -> Path | None:
    """Return the folder of the server's programs, the newest version first."""
    on_path = shutil.which("initdb")
    folders = [Path(on_path).resolve().parent] if on_path else []
    installed = Path("/usr/lib/postgresql").glob("*/bin")
    folders += sorted(installed, key=lambda path: float(path.parent.name), reverse=True)
    return next((folder for folder in folders if (folder / "initdb").exists() and (folder / "pg_ctl").exists()), None)


def _ordinary_user() -> dict[str, Any]:
    """Return whom to run the server as: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    names = {entry.pw_name for entry in pwd.getpwall()}
    user = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def _run(command: list[str | Path], folder: Path, owner: dict[str, Any]) -> None:
    with tempfile.TemporaryFile() as output:  # not a pipe: the server would keep it open
        done = subprocess.run(command, cwd=folder, stdout=output, stderr=output, check=False, timeout=120, **owner)
        if done.returncode:
            output.seek(0)
            pytest.fail(f"{command[0]} failed: {output.read().decode(errors='replace')}")
