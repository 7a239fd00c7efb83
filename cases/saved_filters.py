"""Saved filters of the worklist: kept under a name, shared with the facility or not, taken away again."""

from __future__ import annotations

from django.db import IntegrityError, transaction
from django.db.models import Q

from cases.models import SavedFilter
from cases.services import facility_of
from portal.errors import Conflict, NotAllowed

AT_MOST = 20
"""Of one owner: they all stand above the list."""


class NameTaken(Conflict):
    code = "name_taken"
    remedy = "Choose another name, or remove that one first."


class TooMany(Conflict):
    code = "too_many_saved_filters"
    remedy = "Remove one first."


@transaction.atomic
def save_filter(*, owner, name: str, query: str, is_shared: bool = False) -> SavedFilter:
    """Keeps a state of the worklist's page under a name.

    Raises:
        NameTaken: The owner, or somebody who shares it, has one of this name.
        TooMany: The owner has as many as fit above the list.
        NotAllowed: The owner belongs to no facility.
    """
    facility = facility_of(owner)
    if owner.saved_filters.count() >= AT_MOST:
        raise TooMany(f"You have {AT_MOST} saved filters.")
    mine_or_shared = Q(owner=owner) | Q(facility=facility, is_shared=True)
    if SavedFilter.objects.filter(mine_or_shared, name__iexact=name).exists():
        raise NameTaken(f"There is a saved filter “{name}” already.")
    new = SavedFilter(facility=facility, owner=owner, name=name, query=query, is_shared=is_shared)
    try:
        with transaction.atomic():
            new.save()
    except IntegrityError:  # saved meanwhile, by a second click or by somebody who shares it
        raise NameTaken(f"There is a saved filter “{name}” already.") from None
    return new


def remove_filter(*, saved: SavedFilter, actor) -> None:
    """Takes it away.

    Raises:
        NotAllowed: It is somebody else's, and ``actor`` is no lead.
    """
    if not saved.may_be_removed_by(actor):
        raise NotAllowed(f"{saved.owner} shares this filter.", remedy="Ask them or a lead radiologist to remove it.")
    saved.delete()
