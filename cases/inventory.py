"""Which files the database knows. Each app registers its columns when Django starts, as it does in ``dispatch``."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.db.models import Model

_PAGE = 2000
_columns: list[FileColumn] = []


@dataclass(frozen=True)
class FileColumn:
    """A column with names of files, empty where there is none, and the column with their SHA-256.

    ``model`` is a label such as "cases.Radiograph".
    """

    model: str
    name: str
    sha256: str

    @property
    def rows(self):
        """Unfiltered and unscoped."""
        model: type[Model] = apps.get_model(self.model)
        return model._base_manager.order_by("pk")


def register(*columns: FileColumn) -> None:
    """Adds to what is checked, backed up and never taken for an orphan."""
    _columns.extend(column for column in columns if column not in _columns)


def is_referenced(name: str) -> bool:
    """Whether any row names this file."""
    return any(column.rows.filter(**{column.name: name}).exists() for column in _columns)


class Inventory:
    """Names of files with their SHA-256, each name once, in order.

    They lie in a temporary SQLite file that goes with the process, so that millions of them need little memory.
    """

    def __init__(self, files: Iterable[tuple[str, str]] = ()):
        self._files = sqlite3.connect("")
        self._files.execute("CREATE TABLE file (name TEXT PRIMARY KEY, sha256 TEXT NOT NULL) WITHOUT ROWID")
        self._files.executemany("INSERT OR IGNORE INTO file VALUES (?, ?)", files)

    @classmethod
    def of_the_database(cls) -> Inventory:
        return cls(file for column in _columns for file in _files_of(column))

    def add(self, name: str, sha256: str = "") -> None:
        self._files.execute("INSERT OR IGNORE INTO file VALUES (?, ?)", [name, sha256])

    def __len__(self) -> int:
        return self._files.execute("SELECT count(*) FROM file").fetchone()[0]

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._files.execute("SELECT name, sha256 FROM file ORDER BY name"))

    def __contains__(self, name: object) -> bool:
        return self._files.execute("SELECT 1 FROM file WHERE name = ?", [name]).fetchone() is not None


def _files_of(column: FileColumn) -> Iterator[tuple[str, str]]:
    """Page by page along the key: a statement stays far from the database's time limit, whatever the table's size."""
    rows = column.rows.exclude(**{column.name: ""}).values_list("pk", column.name, column.sha256)
    last: Any = 0
    while page := list(rows.filter(pk__gt=last)[:_PAGE]):
        yield from ((name, sha256) for _, name, sha256 in page)
        last = page[-1][0]
