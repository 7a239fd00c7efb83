"""Tables for spreadsheets: every CSV that people download is written here."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence

from django.http import HttpResponse

_STARTS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def neutralised(value: object) -> object:
    """A text that a spreadsheet would take for a formula, behind an apostrophe; numbers stay numbers.

    After OWASP's page on CSV injection: such a formula can send a table's content elsewhere when the file is opened.
    """
    if isinstance(value, str) and value.lstrip(" ").startswith(_STARTS_A_FORMULA):
        return f"'{value}"
    return value


def csv_response(name: str, head: Sequence[str], rows: Iterable[Sequence[object]]) -> HttpResponse:
    """The table as a file ``name``.csv in UTF-8, with a mark by which spreadsheets know it."""
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    response.write("\ufeff")
    writer = csv.writer(response)
    for row in (head, *rows):
        writer.writerow([neutralised(value) for value in row])
    return response
