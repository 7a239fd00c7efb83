"""As many cases as a hospital group has after years, written by the database itself in a minute or two.

A year of cases of 20 facilities, one with three fifths of them: 97 of 100 are signed, the newest await their reader.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from django.core.management.color import no_style
from django.db import connection

from cases.models import Case, CaseStatusChange, Patient, Radiograph, Review
from inference.catalogue import register_shipped_models
from inference.models import (
    ClassProbability,
    Heatmap,
    MemberOutput,
    Prediction,
    Refusal,
    Run,
    RunStatusChange,
)
from portal.accounts.access import Role
from portal.accounts.models import Facility, User
from portal.accounts.notice import accept_notice
from portal.audit.models import AuditEvent

FACILITIES = 20
READERS = {True: 20, False: 2}  # of the large facility and of each small one
FILLED = (
    Patient,
    Case,
    CaseStatusChange,
    Radiograph,
    Review,
    Prediction,
    Refusal,
    Run,
    RunStatusChange,
    MemberOutput,
    ClassProbability,
    Heatmap,
    AuditEvent,
)


@dataclass(frozen=True)
class People:
    """A reader of the facility with three fifths of all cases, and one of a facility with a fiftieth."""

    large: User
    small: User


def settle() -> People:
    """Facilities, their users and the shipped models; the large facility alone orders its cases with the AI."""
    register_shipped_models()
    first = {}
    for number in range(1, FACILITIES + 1):
        facility = Facility.objects.create(name=f"Hospital {number}", blind_first_read=number > 1)
        User.objects.create(username=f"submitter{number}", role=Role.SUBMITTER, facility=facility)
        readers = [
            User.objects.create(username=f"reader{number}-{one}", role=Role.RADIOLOGIST, facility=facility)
            for one in range(READERS[number == 1])
        ]
        accept_notice(user=readers[0])
        first[number] = readers[0]
    return People(first[1], first[2])


def fill(count: int) -> None:
    """Replaces all cases by ``count`` others, and lets PostgreSQL look at them."""
    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {', '.join(model._meta.db_table for model in FILLED)} CASCADE")
        cursor.execute("SELECT setseed(0.5)")
        cursor.execute(
            "SET session_replication_role = replica"
        )  # every reference is right by making: none is looked up
        with _blanks_filled(cursor), _without_indexes(cursor):
            cursor.execute(Path(__file__).with_suffix(".sql").read_text(), {"count": count})
        cursor.execute("SET session_replication_role = DEFAULT")
        for statement in connection.ops.sequence_reset_sql(no_style(), FILLED):
            cursor.execute(statement)
        cursor.execute("VACUUM ANALYZE")


@contextmanager
def _without_indexes(cursor) -> Iterator[None]:
    """Built anew they take a fraction of the time that it costs to add row by row. Those of constraints stay."""
    cursor.execute(
        "SELECT indexrelid::regclass, pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = ANY(%s::regclass[]) "
        "AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)",
        [[model._meta.db_table for model in FILLED]],
    )
    indexes = cursor.fetchall()
    for name, _ in indexes:
        cursor.execute(f"DROP INDEX {name}")
    yield
    cursor.execute("SET maintenance_work_mem = '512MB'")
    for _, definition in indexes:
        cursor.execute(definition)


@contextmanager
def _blanks_filled(cursor) -> Iterator[None]:
    """Columns that the statements do not name get what Django would give them."""
    columns = []
    for model in FILLED:
        for field in model._meta.concrete_fields:
            is_made_anew = field.has_default() and callable(field.default)
            if is_made_anew or (value := field.get_default()) is None:
                continue
            columns.append(f"ALTER TABLE {model._meta.db_table} ALTER COLUMN {field.column}")
            cursor.execute(f"{columns[-1]} SET DEFAULT %s", [field.get_db_prep_save(value, connection)])
    yield
    for column in columns:
        cursor.execute(f"{column} DROP DEFAULT")
