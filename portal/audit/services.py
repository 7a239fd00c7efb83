from __future__ import annotations

from axes.helpers import get_client_ip_address

from portal.accounts.models import User
from portal.audit.models import AuditEvent, Event


def client_address(request) -> str | None:
    """The address of the client, found the way the sign-in lock-out finds it: settings say which header to trust."""
    return get_client_ip_address(request) if request is not None else None


def record(event: Event, *, actor: User | None, obj=None, facility=None, request=None, detail: str = "") -> None:
    """Adds one row to the audit trail, in the caller's transaction if there is one.

    Args:
        event: What happened.
        actor: Who did it; None for the system or somebody not signed in.
        obj: A model instance with a ``uid``; its facility is taken over where it has one.
        facility: Where there is no ``obj``, or it belongs to none.
        request: The HTTP request, for the client's address.
        detail: At most 200 characters; never names, results or free text of a patient.
    """
    AuditEvent.objects.create(
        event=event,
        actor=actor if actor is not None and actor.is_authenticated else None,
        facility=facility or getattr(obj, "facility", None) or getattr(actor, "facility", None),
        object_type=obj._meta.verbose_name if obj is not None else "",
        object_uid=obj.uid if obj is not None else None,
        ip_address=client_address(request),
        detail=detail[:200],
    )
