"""How PostgreSQL answers the statements behind the pages, as text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from random import Random
from statistics import median

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from benchmarks.many_cases import People
from benchmarks.pages import API, WORKLIST, requests_of
from portal.accounts.models import User

SHOWN = 40
TABLES = ('FROM "cases_case"', 'FROM "cases_patient"')


def write_plans(path: Path, people: People, size: int) -> None:
    """`EXPLAIN (ANALYZE, BUFFERS)` of what the pages ask of cases and patients: the slowest, of the present cases."""
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version")
        (version,) = cursor.fetchone()
    plans = [
        plan
        for who, reader in (("three fifths of all cases", people.large), ("a fiftieth of all cases", people.small))
        for plan in _plans(f"a reader of {who}", reader)
    ]
    took = [milliseconds for milliseconds, _ in plans]
    slowest = sorted(plans, key=lambda plan: plan[0], reverse=True)[:SHOWN]
    head = f"EXPLAIN (ANALYZE, BUFFERS) of the lists' statements at {size:,} cases, PostgreSQL {version}.\n"
    head += f"{len(took)} statements, median {median(took):.2f} ms, slowest {max(took):.1f}; the {SHOWN} slowest:\n"
    head += "Written by `make bench` (benchmarks/listing.py); long lines are cut.\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n\n".join([head, *(text for _, text in slowest)]) + "\n")


def _plans(who: str, reader: User) -> Iterator[tuple[float, str]]:
    """Each statement's milliseconds, and its plan."""
    client = Client()
    client.force_login(reader, backend="portal.accounts.backends.RoleBackend")
    for page, name, path in requests_of(reader, Random(5), 0):  # noqa: S311 - nothing secret
        if page not in {WORKLIST, API}:
            continue
        with CaptureQueriesContext(connection) as captured:
            client.get(path)
        for query in captured.captured_queries:
            if query["sql"].lstrip("(").startswith("SELECT") and any(table in query["sql"] for table in TABLES):
                plan = _explain(query["sql"])
                said = f"== {page}: {name}; {who}\n{_where(query['sql'])}\n{plan}"
                yield float(re.findall(r"Execution Time: ([\d.]+) ms", plan)[-1]), said


def _where(sql: str) -> str:
    """What the statement asks, without the columns that it reads."""
    return _cut(sql[sql.index(" FROM ") :].strip())


def _explain(sql: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN (ANALYZE, BUFFERS) " + sql.replace("%", "%%"), ())
        return "\n".join(_cut(line) for (line,) in cursor.fetchall())


def _cut(line: str, width: int = 240) -> str:
    return line if len(line) <= width else f"{line[:width]} ..."
