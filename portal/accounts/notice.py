"""The research-use notice, which everybody accepts once before they work here.

Its text stands in ``templates/accounts/_research_use.html``. When that says something else, it gets a new version here,
and everybody is asked again.
"""

from __future__ import annotations

from django.db import transaction
from django.db.models import Exists, OuterRef

from portal.accounts.models import NoticeAcceptance, User
from portal.audit.models import Event
from portal.audit.services import client_address, record
from portal.errors import NotAllowed

VERSION = "1"


class NoticeNotAccepted(NotAllowed):
    code = "research_use_not_accepted"
    remedy = "Sign in to the portal in a browser and accept it there; for a machine account an administrator can."
    page = "research-use"


def acceptance() -> Exists:
    """For a query of users: whether each has accepted the version that is in force."""
    return Exists(NoticeAcceptance.objects.filter(user=OuterRef("pk"), version=VERSION))


def has_accepted(user: User) -> bool:
    """What the session's user came with from ``RoleBackend``, else from the database."""
    if (known := getattr(user, "has_accepted_notice", None)) is not None:
        return known
    return NoticeAcceptance.objects.filter(user=user, version=VERSION).exists()


def check_accepted(user: User) -> None:
    """Raises NoticeNotAccepted for somebody who has not accepted the version in force."""
    if not has_accepted(user):
        raise NoticeNotAccepted("The research-use notice has not been accepted with this account.")


@transaction.atomic
def accept_notice(*, user: User, accepted_by: User | None = None, request=None) -> None:
    """Keeps who accepted the version in force, when and from where; a second time changes nothing.

    Args:
        user: Whose account may work here from now on.
        accepted_by: Who accepts in the name of a machine account; None for the user.
        request: The HTTP request, for the address.
    """
    _, created = NoticeAcceptance.objects.get_or_create(
        user=user,
        version=VERSION,
        defaults={"accepted_by": accepted_by or user, "ip_address": client_address(request)},
    )
    if created:
        actor = accepted_by or user
        record(Event.ACCEPTED_NOTICE, actor=actor, obj=user, request=request, detail=f"version {VERSION}")
