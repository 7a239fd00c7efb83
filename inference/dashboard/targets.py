"""How long a case may wait for its reader."""

from __future__ import annotations

from datetime import timedelta

from cases.models import Priority

_TARGETS = {
    Priority.STAT: timedelta(minutes=30),
    Priority.URGENT: timedelta(hours=4),
    Priority.ROUTINE: timedelta(hours=24),
}


def target_of(priority: int) -> timedelta:
    """From the moment a case came in to its signature."""
    return _TARGETS[Priority(priority)]
