"""The worklist's pages: a closed list of orders, cut by keyset.

A keyset page costs the same wherever it lies, and new cases never shift a reader's page: it starts behind a row, not at
a count of rows.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Protocol

from django.db.models import F, IntegerField, Q, Subquery
from django.db.models.fields.tuple_lookups import (
    Tuple,
    TupleGreaterThan,
    TupleGreaterThanOrEqual,
    TupleLessThan,
    TupleLessThanOrEqual,
)

from cases.lanes import ReadingOrder, moment_of, number_of
from cases.models import Case
from cases.models.cases import CaseQuerySet
from portal.accounts.models import Facility, User
from portal.parsers import strict_json

PAGE_SIZE = 25


class Order(Protocol):
    """What a page is cut along: a total order of cases, in which each case has a place."""

    @property
    def title(self) -> str: ...

    def rows(self, cases: CaseQuerySet, size: int, *, beyond: Any, backwards: bool) -> list[Case]:
        """The first cases strictly behind a place; from the start where it is None.

        Backwards, those before the place, nearest first; none need be given where they are fewer than ``size``.
        """

    def values(self, case: Case) -> list:
        """The case's place as a cursor holds it. It holds no more than the page shows."""

    def at(self, values: list) -> tuple[Order, Any]:
        """The order and the place that a cursor holds; raises ValueError or TypeError for anything else."""


@dataclass(frozen=True)
class Sort:
    """An order by columns.

    Attributes:
        title: How it reads.
        keys: What it sorts by, all in one direction, and ``id`` last, so that no two rows tie.
        holds: True of every case. Said because the database does not know it, and reads an index only where it does.
    """

    title: str
    keys: tuple[str, ...]
    holds: Q = field(default_factory=Q)

    def rows(self, cases: CaseQuerySet, size: int, *, beyond: list | None, backwards: bool) -> list[Case]:
        keys = [_turned(key) for key in self.keys] if backwards else self.keys
        place = self._beyond(beyond, backwards=backwards) if beyond else Q()
        return list(cases.order_by(*keys).filter(self.holds & place)[:size])

    @property
    def columns(self) -> list[str]:
        return [key.removeprefix("-") for key in self.keys]

    def _beyond(self, values: list, *, backwards: bool) -> Q:
        """Rows strictly behind (or before) the row with these values of ``keys``.

        Compared as row values, which an index answers by starting there; written with AND and OR it would be read from
        its start.
        """
        descends = self.keys[0].startswith("-") != backwards
        strictly, or_same = (
            (TupleLessThan, TupleLessThanOrEqual) if descends else (TupleGreaterThan, TupleGreaterThanOrEqual)
        )
        # A row value over two tables is none for an index: its first table's part leads, and the rest settles ties.
        near = [name for name in self.columns if _table(name) == _table(self.columns[0])]
        if near == self.columns:
            return Q(strictly(_row(near), values))
        here = dict(zip(near, values, strict=False))
        rest, behind = self.columns[len(near) :], values[len(near) :]
        return Q(or_same(_row(near), list(here.values()))) & (~Q(**here) | Q(strictly(_row(rest), behind)))

    def values(self, case: Case) -> list:
        values = []
        for name in self.columns:
            value: Any = case
            for part in name.split("__"):
                value = getattr(value, part)
            values.append(value.isoformat() if isinstance(value, datetime) else value)
        return values

    def at(self, values: list) -> tuple[Sort, list]:
        return self, [_read_value(name, value) for name, value in zip(self.columns, values, strict=True)]


def _row(names: Sequence[str]) -> Tuple:
    return Tuple(*(F(name) for name in names))


def _table(name: str) -> str:
    return name.rpartition("__")[0]


def _turned(key: str) -> str:
    return key.removeprefix("-") if key.startswith("-") else f"-{key}"


def _read_value(name: str, value: Any) -> Any:
    match name:
        case "received_at":
            return moment_of(value)
        case "id":
            return number_of(value)
        case _:
            if not isinstance(value, str) or "\0" in value:
                raise ValueError("not a text")
            return value


SORTS = {
    "waiting": Sort("Longest waiting", ("received_at", "id")),
    "newest": Sort("Newest first", ("-received_at", "-id")),
    "patient": Sort(
        "Patient name",
        ("patient__family_name", "patient__given_name", "patient__medical_record_number", "id"),
        holds=Q(patient__facility=F("facility")),
    ),
}


def orders(facility: Facility | None, *, is_unsigned: bool) -> dict[str, Order]:
    """The orders to choose from by their codes, the usual one first; what is signed has no reading order."""
    if is_unsigned:
        return {"": ReadingOrder.of(facility), **SORTS}
    return {
        "": SORTS["newest"],
        "waiting": replace(SORTS["waiting"], title="Oldest first"),
        "patient": SORTS["patient"],
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


def page_of(cases: CaseQuerySet, *, order: Order, cursor: str = "", size: int = PAGE_SIZE) -> Page:
    """One page; a cursor that cannot be read gives the first page.

    Args:
        cases: What the page is cut from, unordered.
        order: An order.
        cursor: A cursor that an earlier page of the same order gave.
        size: Rows of a page.
    """
    started, place, backwards = _read_cursor(cursor, order)
    rows = started.rows(cases, size + 1, beyond=place, backwards=backwards)
    more, rows = len(rows) > size, rows[:size]
    if backwards:
        if not more:  # the start is reached: show the first page whole
            return page_of(cases, order=order, size=size)
        rows.reverse()
    return Page(
        cases=rows,
        previous=cursor_of(rows[0], started, backwards=True) if rows and place else "",
        next=cursor_of(rows[-1], started) if rows and (more or backwards) else "",
    )


class _Number(Subquery):
    """How many rows a query has."""

    template = "(SELECT COUNT(*) FROM (%(subquery)s) counted)"
    output_field = IntegerField()


def counted(parts: Mapping[str, CaseQuerySet], *, at_most: int, user: User) -> dict[str, int]:
    """How many cases are in each part, up to so many, in one statement, which hangs on the row of the one who asks."""
    numbers = [_Number(cases.order_by().values("pk")[:at_most]) for cases in parts.values()]
    return dict(zip(parts, User.objects.filter(pk=user.pk).values_list(*numbers).get(), strict=True))


def is_cursor(cursor: str, order: Order) -> bool:
    """Whether it is one that a page of this order gave."""
    return _read_cursor(cursor, order)[1] is not None


def cursor_of(case: Case, order: Order, *, backwards: bool = False) -> str:
    """The row's place in the order; a forged one only moves the page."""
    said = json.dumps([backwards, order.values(case)])
    return base64.urlsafe_b64encode(said.encode()).decode().rstrip("=")


def _read_cursor(cursor: str, order: Order) -> tuple[Order, Any, bool]:
    """(order, place, backwards); the order's start for anything that ``cursor_of`` has not made for it."""
    try:
        backwards, values = strict_json(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        started, place = order.at(values)
    except (ValueError, TypeError, OverflowError, binascii.Error):
        return order, None, False
    return started, place, backwards is True
