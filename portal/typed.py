"""Text that a page reads past a form's fields."""

from __future__ import annotations

from django.http import QueryDict


def text_of(sent: QueryDict, name: str) -> str:
    """What was typed, without spaces around it and without NUL, which PostgreSQL's texts cannot hold."""
    return sent.get(name, "").replace("\0", "").strip()
