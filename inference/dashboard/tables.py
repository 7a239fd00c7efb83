"""A table as the page shows it and as a spreadsheet gets it: the same rows, in words or in plain numbers. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from inference.dashboard.statistics import Share


class Kind(StrEnum):
    TEXT = "text"
    NUMBER = "number"
    SHARE = "share"
    DURATION = "duration"


@dataclass(frozen=True)
class Column:
    title: str
    kind: Kind = Kind.NUMBER

    @property
    def plain_titles(self) -> list[str]:
        """Of the columns that a spreadsheet gets for it."""
        if self.kind is Kind.SHARE:
            return [f"{self.title}: {part}" for part in ("count", "of", "share", "95 % from", "95 % to")]
        return [f"{self.title} (seconds)" if self.kind is Kind.DURATION else self.title]

    def plain(self, value) -> list:
        if self.kind is Kind.SHARE:
            return _plain_share(value)
        if isinstance(value, timedelta):
            return [round(value.total_seconds(), 1)]
        return ["" if value is None else value]


def text(title: str) -> Column:
    return Column(title, Kind.TEXT)


def share(title: str) -> Column:
    return Column(title, Kind.SHARE)


def duration(title: str) -> Column:
    return Column(title, Kind.DURATION)


@dataclass(frozen=True)
class Table:
    """Rows of one value for each column; None where there is nothing to say. The first column heads its row."""

    key: str
    title: str
    columns: Sequence[Column]
    rows: Sequence[Sequence]

    @property
    def cells(self) -> list[list[tuple[str, object]]]:
        """Rows of (kind, value)."""
        kinds = [column.kind.value for column in self.columns]
        return [list(zip(kinds, row, strict=True)) for row in self.rows]

    @property
    def plain_head(self) -> list[str]:
        return [title for column in self.columns for title in column.plain_titles]

    @property
    def plain_rows(self) -> list[list]:
        return [
            [part for column, value in zip(self.columns, row, strict=True) for part in column.plain(value)]
            for row in self.rows
        ]


def _plain_share(value: Share | None) -> list:
    """A share of too few is only counted, here as on the page."""
    if value is None:
        return [""] * 5
    if value.is_too_few or value.interval is None:
        return [value.hits, value.total, "", "", ""]
    return [value.hits, value.total, round(value.value, 4), *(round(bound, 4) for bound in value.interval)]
