"""The worklist's pages: a closed list of orders, cut by keyset.

A keyset page costs the same wherever it lies, and new cases never shift a reader's page: it starts behind a row, not at
a count of rows.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import F, Q, QuerySet
from django.db.models.fields.tuple_lookups import (
    Tuple,
    TupleGreaterThan,
    TupleGreaterThanOrEqual,
    TupleLessThan,
    TupleLessThanOrEqual,
)
from django.utils.dateparse import parse_datetime

from cases.models import Case
from cases.models.cases import CaseQuerySet

PAGE_SIZE = 25


@dataclass(frozen=True)
class Sort:
    """One order of the worklist.

    Attributes:
        title: How it reads.
        keys: What it sorts by, all in one direction, and ``id`` last, so that no two rows tie.
        is_grouped: Whether the first key has few values. PostgreSQL guesses how much lies behind a row value from the
            first column alone; behind the last of few values it expects nothing, and would sort all that is there.
        holds: True of every case. Said because the database does not know it, and reads an index only where it does.
    """

    title: str
    keys: tuple[str, ...]
    is_grouped: bool = False
    holds: Q = field(default_factory=Q)

    def ordering(self, *, backwards: bool) -> list[str]:
        return [_turned(key) for key in self.keys] if backwards else list(self.keys)

    @property
    def columns(self) -> list[str]:
        return [key.removeprefix("-") for key in self.keys]

    def beyond(self, values: list, *, backwards: bool) -> list[Q]:
        """Rows strictly behind (or before) the row with these values of ``keys``, in steps that follow each other.

        Compared as row values, which an index answers by starting there; written with AND and OR it would be read from
        its start.
        """
        descends = self.keys[0].startswith("-") != backwards
        strictly, or_same, beyond = _LESS if descends else _GREATER
        if self.is_grouped:
            first, *rest = self.columns
            same = Q((first, values[0])) & Q(strictly(_row(rest), values[1:]))
            return [same, Q((f"{first}__{beyond}", values[0]))]
        # A row value over two tables is none for an index: its first table's part leads, and the rest settles ties.
        near = [name for name in self.columns if _table(name) == _table(self.columns[0])]
        if near == self.columns:
            return [Q(strictly(_row(near), values))]
        here = dict(zip(near, values, strict=False))
        rest, behind = self.columns[len(near) :], values[len(near) :]
        return [Q(or_same(_row(near), list(here.values()))) & (~Q(**here) | Q(strictly(_row(rest), behind)))]


_GREATER = TupleGreaterThan, TupleGreaterThanOrEqual, "gt"
_LESS = TupleLessThan, TupleLessThanOrEqual, "lt"


def _row(names: Sequence[str]) -> Tuple:
    return Tuple(*(F(name) for name in names))


def _table(name: str) -> str:
    return name.rpartition("__")[0]


SORTS = {
    "": Sort("Reading order", ("priority", "received_at", "id"), is_grouped=True),
    "waiting": Sort("Longest waiting", ("received_at", "id")),
    "newest": Sort("Newest first", ("-received_at", "-id")),
    "patient": Sort(
        "Patient name",
        ("patient__family_name", "patient__given_name", "patient__medical_record_number", "id"),
        holds=Q(patient__facility=F("facility")),
    ),
}


@dataclass(frozen=True)
class Page:
    """Rows of one page, and the cursors of its neighbours ("" where there is none)."""

    cases: list[Case]
    previous: str
    next: str

    @property
    def is_waiting_for_ai(self) -> bool:
        return any(not case.ai.is_final for case in self.cases)


def page_of(*parts: CaseQuerySet, sort: Sort, cursor: str = "", size: int = PAGE_SIZE) -> Page:
    """One page in the order of ``sort``; a cursor that cannot be read gives the first page.

    Args:
        *parts: What the page is cut from, unordered; several where no single index has it all. They may overlap.
        sort: One of ``SORTS``.
        cursor: A cursor that an earlier page of the same order gave.
        size: Rows of a page.
    """
    values, backwards = _read_cursor(cursor, sort)
    rows = _rows(parts, sort, values, backwards, size + 1)
    more, rows = len(rows) > size, rows[:size]
    if backwards:
        if not more:  # the start is reached: show the first page whole
            return page_of(*parts, sort=sort, size=size)
        rows.reverse()
    return Page(
        cases=rows,
        previous=cursor_of(rows[0], sort, backwards=True) if rows and values else "",
        next=cursor_of(rows[-1], sort) if rows and (more or backwards) else "",
    )


def is_cursor(cursor: str, sort: Sort) -> bool:
    """Whether it is one that a page of this order gave."""
    return _read_cursor(cursor, sort)[0] is not None


def _rows(parts: Sequence[CaseQuerySet], sort: Sort, values: list | None, backwards: bool, size: int) -> list[Case]:
    steps = sort.beyond(values, backwards=backwards) if values else [Q()]
    ordering = sort.ordering(backwards=backwards)
    if len(parts) == 1:
        return _first(parts[0].order_by(*ordering), sort, steps, size)
    found = {
        pk for part in parts for pk in _first(part.order_by(*ordering).values_list("pk", flat=True), sort, steps, size)
    }
    return list(Case.objects.for_worklist().filter(pk__in=found).order_by(*ordering)[:size])


def _first(rows: QuerySet, sort: Sort, steps: Sequence[Q], size: int) -> list:
    found: list = []
    for step in steps:
        found += rows.filter(sort.holds & step)[: size - len(found)]
        if len(found) == size:
            break
    return found


def _turned(key: str) -> str:
    return key.removeprefix("-") if key.startswith("-") else f"-{key}"


def cursor_of(case: Case, sort: Sort, *, backwards: bool = False) -> str:
    """The row's place in the order. It holds no more than the page shows, and a forged one only moves the page."""
    values = []
    for key in sort.keys:
        value: Any = case
        for name in key.removeprefix("-").split("__"):
            value = getattr(value, name)
        values.append(value.isoformat() if isinstance(value, datetime) else value)
    return base64.urlsafe_b64encode(json.dumps([backwards, values]).encode()).decode().rstrip("=")


def _read_cursor(cursor: str, sort: Sort) -> tuple[list | None, bool]:
    """(values of the keys, backwards), or (None, False) for anything that ``cursor_of`` has not made for this order."""
    try:
        backwards, values = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        values = [_read_value(key, value) for key, value in zip(sort.keys, values, strict=True)]
    except (ValueError, TypeError, binascii.Error):
        return None, False
    return values, backwards is True


def _read_value(key: str, value: Any) -> Any:
    match key.removeprefix("-"):
        case "received_at":
            moment = parse_datetime(value)
            if moment is None or moment.tzinfo is None:
                raise ValueError("not a moment")
            return moment
        case "priority" | "id":
            if type(value) is not int or abs(value) >= 2**31:
                raise ValueError("not a number of a row")
            return value
        case _:
            if not isinstance(value, str) or "\0" in value:
                raise ValueError("not a text")
            return value
