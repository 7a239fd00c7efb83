"""The database as one file: written from one moment of a running portal, and read into another database."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import IO, Any, cast

from django.db import connection, transaction

from cases.backup.errors import BackupError

_NO_TIME_LIMITS = ("statement_timeout", "idle_in_transaction_session_timeout")
_TLS = ("sslmode", "sslrootcert", "sslcert", "sslkey")


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
        _pg_restore(dump)
    else:
        connection.close()
        with closing(sqlite3.connect(dump)) as source, closing(sqlite3.connect(_sqlite_path())) as target:
            source.backup(target)


def _pg_restore(dump: Path) -> None:
    """Drops what is there and reads ``dump`` in one transaction, which ends well only by the COMMIT sent from here.

    So whatever is killed meanwhile, this process, one of PostgreSQL's programs or the server: the database is what it
    was, and nothing needs to be kept beside it.
    """
    options = ("--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--set=VERBOSITY=terse")
    with _started("psql", *options, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as psql:
        try:
            _write_transaction(cast("IO[str]", psql.stdin), dump)
        except BrokenPipeError as error:  # psql ended first, and says why
            raise _failure("psql", psql) from error
        if psql.wait():
            raise _failure("psql", psql)


def _write_transaction(script: IO[str], dump: Path) -> None:
    with script:
        # A process of the portal that still runs is a reason to stop, not to wait for ever; pg_restore lifts the limit.
        script.writelines(["BEGIN;\n", "SET lock_timeout = '5s';\n", "SET client_min_messages = warning;\n", *_drops()])
        script.flush()
        with _started(
            "pg_restore", "--no-owner", "--no-privileges", "--no-comments", "--file=-", dump, stdout=script
        ) as reading:
            status = reading.wait()
            if status == -signal.SIGPIPE:
                raise BrokenPipeError
            if status:
                raise _failure("pg_restore", reading)
        script.write("COMMIT;\n")


def _drops() -> list[str]:
    """Statements that drop the portal's tables, with all that hangs on them, and functions; extensions stay."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT format(E'DROP TABLE public.%I CASCADE;\\n', relname) FROM pg_class
            WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
              AND ('pg_class'::regclass, oid) NOT IN (SELECT classid, objid FROM pg_depend WHERE deptype = 'e')
            UNION ALL
            SELECT format(E'DROP ROUTINE %s CASCADE;\\n', oid::regprocedure) FROM pg_proc
            WHERE pronamespace = 'public'::regnamespace
              AND ('pg_proc'::regclass, oid) NOT IN (SELECT classid, objid FROM pg_depend WHERE deptype = 'e')
            """
        )
        return [statement for (statement,) in cursor.fetchall()]


def _pg_dump(snapshot: str, path: Path) -> None:
    options = ("--format=custom", "--no-owner", "--no-privileges", f"--snapshot={snapshot}", f"--file={path}")
    with _started("pg_dump", *options) as writing:
        if writing.wait():
            raise _failure("pg_dump", writing)


@contextmanager
def _started(name: str, *arguments: str | Path, **streams: Any) -> Iterator[subprocess.Popen[str]]:
    """One of PostgreSQL's programs on the portal's database; it does not outlive the block."""
    streams = {"stdin": subprocess.DEVNULL, "stderr": subprocess.PIPE, **streams}
    with subprocess.Popen(
        [program(name), *arguments], env={**os.environ, **_address()}, text=True, **streams
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def _failure(name: str, process: subprocess.Popen[str]) -> BackupError:
    """Its last line says what went wrong."""
    said = cast("IO[str]", process.stderr).read().strip() or f"it ended with status {process.wait()}"
    return BackupError(f"{name} failed: {said.splitlines()[-1]}")


def program(name: str) -> str:
    """Its path: where Debian keeps PostgreSQL's programs, newest version first, or on PATH.

    Debian's /usr/bin/pg_dump is a script that takes the version of a local server, which need not be the portal's.
    """
    debian = Path("/usr/lib/postgresql").glob(f"*/bin/{name}")
    if versions := sorted(debian, key=lambda path: int(path.parts[-3])):
        return str(versions[-1])
    if found := shutil.which(name):
        return found
    raise BackupError(f"{name} is not installed.", remedy="Install the package postgresql-client.")


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
