"""Liveness and readiness, for load balancers, and what somebody should look into; nothing else is told to strangers."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from django.db import connection
from django.http import HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

_alarms: list[Callable[[], Iterable[str]]] = []


def register(alarm: Callable[[], Iterable[str]]) -> None:
    """Adds a function that gives a stable code for each thing that is wrong; called whenever readiness is asked."""
    if alarm not in _alarms:
        _alarms.append(alarm)


@never_cache
@require_safe
def healthz(request):
    """200 while this process answers."""
    return HttpResponse("ok\n", content_type="text/plain")


@never_cache
@require_safe
def readyz(request):
    """200 while the database answers too; a missing broker delays nothing, so it is not asked.

    A line for each alarm follows: the portal works, and somebody should look.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    lines = ["ready", *(f"alarm: {code}" for alarm in _alarms for code in alarm())]
    return HttpResponse("".join(f"{line}\n" for line in lines), content_type="text/plain")
