"""The database as one file: written from one moment of a running portal, and read into another database."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

from django.db import connection, transaction

from cases.backup.errors import BackupError

_ASIDE = "before_restore"
_NO_TIME_LIMITS = ("statement_timeout", "idle_in_transaction_session_timeout")


@contextmanager
def one_moment() -> Iterator[Callable[[Path], None]]:
    """What is read inside the block, and the dump that the given function writes, are of the same moment."""
    with transaction.atomic():
        if connection.vendor != "postgresql":
            yield _copy_sqlite  # others write again after the block: BEGIN IMMEDIATE holds the write lock
            return
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            for limit in _NO_TIME_LIMITS:
                cursor.execute(f"SET LOCAL {limit} = 0")
            cursor.execute("SELECT pg_export_snapshot()")
            (snapshot,) = cursor.fetchone()
        yield partial(_pg_dump, snapshot)


def lift_time_limit() -> None:
    """For the rest of this connection: to count or index millions of rows takes longer than any page may."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = 0")


def row_counts() -> dict[str, int]:
    """Number of rows of every table."""
    counts = {}
    with connection.cursor() as cursor:
        for table in sorted(connection.introspection.table_names(cursor)):
            cursor.execute(f"SELECT count(*) FROM {connection.ops.quote_name(table)}")  # noqa: S608 - quoted
            (counts[table],) = cursor.fetchone()
    return counts


def is_empty() -> bool:
    return not connection.introspection.table_names()


def restore(dump: Path) -> None:
    """Replaces the database by the one in ``dump``; where that fails, it is what it was.

    Raises:
        BackupError: It cannot be read into this database.
    """
    if connection.vendor == "postgresql":
        with _set_aside():
            _run("pg_restore", "--exit-on-error", "--single-transaction", "--no-owner", "--no-privileges",
                 f"--dbname={connection.settings_dict['NAME']}", dump)  # fmt: skip
    else:
        connection.close()
        with closing(sqlite3.connect(dump)) as source, closing(sqlite3.connect(_sqlite_path())) as target:
            source.backup(target)


@contextmanager
def _set_aside() -> Iterator[None]:
    """An empty schema for the block; what was there goes only once the block has ended well.

    Extensions are of the whole database, and the dump expects them in the schema that it fills.
    """
    extensions = _extensions()
    _execute(
        f"DROP SCHEMA IF EXISTS {_ASIDE} CASCADE",
        f"ALTER SCHEMA public RENAME TO {_ASIDE}",
        "CREATE SCHEMA public",
        *(f'ALTER EXTENSION "{name}" SET SCHEMA public' for name in extensions),
    )
    try:
        yield
    except BaseException:
        _execute(
            *(f'ALTER EXTENSION "{name}" SET SCHEMA {_ASIDE}' for name in extensions),
            "DROP SCHEMA public CASCADE",
            f"ALTER SCHEMA {_ASIDE} RENAME TO public",
        )
        raise
    _execute(f"DROP SCHEMA {_ASIDE} CASCADE")


def _extensions() -> list[str]:
    """Those that stand in the portal's schema."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT extname FROM pg_extension WHERE extnamespace = 'public'::regnamespace")
        return [name for (name,) in cursor.fetchall()]


@transaction.atomic
def _execute(*statements: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        for statement in statements:
            cursor.execute(statement)


def _pg_dump(snapshot: str, path: Path) -> None:
    _run("pg_dump", "--format=custom", "--no-owner", "--no-privileges", f"--snapshot={snapshot}", f"--file={path}")


def _run(name: str, *arguments: str | Path) -> None:
    """One of PostgreSQL's programs on the portal's database; its last line says what went wrong."""
    done = subprocess.run(
        [_program(name), *arguments],
        env={**os.environ, **_address()},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = (done.stderr.strip() or f"it ended with status {done.returncode}").splitlines()[-1]
        raise BackupError(f"{name} failed: {said}")


def _program(name: str) -> str:
    """Its path: where Debian keeps PostgreSQL's programs, newest version first, or on PATH.

    Debian's /usr/bin/pg_dump is a script that takes the version of a local server, which need not be the portal's.
    """
    debian = Path("/usr/lib/postgresql").glob(f"*/bin/{name}")
    if versions := sorted(debian, key=lambda path: int(path.parts[-3])):
        return str(versions[-1])
    if found := shutil.which(name):
        return found
    raise BackupError(f"{name} is not installed.", remedy="Install the package postgresql-client.")


_TLS = ("sslmode", "sslrootcert", "sslcert", "sslkey")


def _address() -> dict[str, str]:
    """The portal's database, as PostgreSQL's programs read it from the environment: no password on a command line."""
    known = connection.settings_dict
    said = {
        "PGHOST": known["HOST"],
        "PGPORT": known["PORT"],
        "PGUSER": known["USER"],
        "PGPASSWORD": known["PASSWORD"],
        "PGDATABASE": known["NAME"],
        **{f"PG{name.upper()}": known["OPTIONS"].get(name) for name in _TLS},
    }
    return {name: str(value) for name, value in said.items() if value}


def _copy_sqlite(path: Path) -> None:
    address = f"file:{_sqlite_path()}?mode=ro"
    with closing(sqlite3.connect(address, uri=True)) as source, closing(sqlite3.connect(path)) as target:
        source.backup(target)


def _sqlite_path() -> str:
    return str(connection.settings_dict["NAME"])
