"""As many cases as a hospital group has after years, written by the database itself in a minute or two.

A year of cases of 20 facilities, one with three fifths of them: 97 of 100 are signed, the newest await their reader.
"""

from __future__ import annotations

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
    """Facilities, their users and the shipped models."""
    register_shipped_models()
    first = {}
    for number in range(1, FACILITIES + 1):
        facility = Facility.objects.create(name=f"Hospital {number}")
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
        cursor.execute(Path(__file__).with_suffix(".sql").read_text(), {"count": count})
        cursor.execute("SET session_replication_role = DEFAULT")
        for statement in connection.ops.sequence_reset_sql(no_style(), FILLED):
            cursor.execute(statement)
        cursor.execute("VACUUM ANALYZE")
