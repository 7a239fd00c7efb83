"""The worklist's pages: a closed list of orders, cut by keyset.

A keyset page costs the same wherever it lies, and new cases never shift a reader's page: it starts behind a row, not at
a count of rows.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q
from django.utils.dateparse import parse_datetime

from cases.models import Case
from cases.models.cases import CaseQuerySet

PAGE_SIZE = 25


@dataclass(frozen=True)
class Sort:
    """One order of the worklist; ``keys`` ends in ``id``, so that no two rows tie."""

    title: str
    keys: tuple[str, ...]

    def ordering(self, *, backwards: bool) -> list[str]:
        return [_turned(key) for key in self.keys] if backwards else list(self.keys)

    def beyond(self, values: list, *, backwards: bool) -> Q:
        """Rows strictly behind (or before) the row with these values of ``keys``."""
        condition, same = Q(), Q()
        for key, value in zip(self.ordering(backwards=backwards), values, strict=True):
            name, direction = key.removeprefix("-"), "lt" if key.startswith("-") else "gt"
            condition |= same & Q(**{f"{name}__{direction}": value})
            same &= Q(**{name: value})
        return condition


SORTS = {
    "": Sort("Reading order", ("priority", "received_at", "id")),
    "waiting": Sort("Longest waiting", ("received_at", "id")),
    "newest": Sort("Newest first", ("-received_at", "-id")),
    "patient": Sort("Patient name", ("patient__family_name", "patient__given_name", "id")),
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


def page_of(cases: CaseQuerySet, *, sort: Sort, cursor: str = "", size: int = PAGE_SIZE) -> Page:
    """One page in the order of ``sort``; a cursor that cannot be read gives the first page.

    Args:
        cases: What the page is cut from, unordered.
        sort: One of ``SORTS``.
        cursor: A cursor that an earlier page of the same order gave.
        size: Rows of a page.
    """
    values, backwards = _read_cursor(cursor, sort)
    behind = cases.filter(sort.beyond(values, backwards=backwards)) if values else cases
    rows = list(behind.order_by(*sort.ordering(backwards=backwards))[: size + 1])
    more, rows = len(rows) > size, rows[:size]
    if backwards:
        if not more:  # the start is reached: show the first page whole
            return page_of(cases, sort=sort, size=size)
        rows.reverse()
    return Page(
        cases=rows,
        previous=_cursor(rows[0], sort, backwards=True) if rows and values else "",
        next=_cursor(rows[-1], sort) if rows and (more or backwards) else "",
    )


def _turned(key: str) -> str:
    return key.removeprefix("-") if key.startswith("-") else f"-{key}"


def _cursor(case: Case, sort: Sort, *, backwards: bool = False) -> str:
    """The row's place in the order. It holds no more than the page shows, and a forged one only moves the page."""
    values = []
    for key in sort.keys:
        value: Any = case
        for name in key.removeprefix("-").split("__"):
            value = getattr(value, name)
        values.append(value.isoformat() if isinstance(value, datetime) else value)
    return base64.urlsafe_b64encode(json.dumps([backwards, values]).encode()).decode().rstrip("=")


def _read_cursor(cursor: str, sort: Sort) -> tuple[list | None, bool]:
    """(values of the keys, backwards), or (None, False) for anything that ``_cursor`` has not made for this order."""
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
