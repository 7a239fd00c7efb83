"""Amendments: a signed read is never changed; its reader or a lead may sign a further version of it, with a reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from django.db import models, transaction
from django.utils.text import capfirst

from cases.claims import locked
from cases.models import Case, Review
from cases.services import InvalidDetails
from portal.accounts.access import Action
from portal.audit.models import Event
from portal.audit.services import record
from portal.errors import Conflict, NotAllowed

_COPIED = {*Review.READ_FIELDS, "first_impression", "first_impression_at", "was_blind"}
"""What goes along into an amendment; the first impression stays as it was given."""


class NothingToAmend(Conflict):
    code = "nothing_to_amend"
    remedy = "A read can be amended once its case is signed."


class AmendmentOpen(Conflict):
    code = "amendment_open"
    remedy = "Wait until it is signed or discarded."


def read_fields() -> list[models.Field]:
    return [field for field in Review._meta.concrete_fields if field.name in _COPIED]


def may_amend(user, read: Review) -> bool:
    """Its reader, and a lead."""
    return read.reader_id == user.pk or user.has_perm(Action.AMEND_READ_OF_OTHERS)


@transaction.atomic
def open_amendment(*, case: Case, actor, reason: str, request=None) -> Review:
    """A draft copy of the read in force, which goes on counting until the copy is signed.

    Raises:
        NothingToAmend: The case is not signed.
        NotAllowed: The read is somebody else's, and ``actor`` no lead.
        AmendmentOpen: There is one already; repeating one's own request gives it back.
        InvalidDetails: No reason.
    """
    case = locked(case)
    read = case.reviews.in_force().first()
    if read is None:
        raise NothingToAmend("This case has no signed read yet.")
    if not may_amend(actor, read):
        raise NotAllowed("Only its reader and lead radiologists amend a signed read.")
    if opened := case.reviews.open_amendments().select_related("reader").first():
        if opened.reader_id == actor.pk:
            return opened
        raise AmendmentOpen(f"{opened.reader} is amending this read.")
    reason = reason.strip()
    if not reason:
        raise InvalidDetails("The reason for the amendment is missing.", remedy="Say in a few words why it is needed.")
    amendment = Review.objects.create(
        case=case,
        reader=actor,
        stage=read.stage,
        signed_version=read.signed_version + 1,
        amends=read,
        amendment_reason=reason[:300],
        **{field.attname: getattr(read, field.attname) for field in read_fields()},
    )
    record(Event.REVIEWED_CASE, actor=actor, obj=case, request=request, detail="amendment opened")
    return amendment


@transaction.atomic
def discard_amendment(*, case: Case, actor, request=None) -> None:
    """Throws the open amendment away, as its writer or a lead.

    Raises:
        NothingToAmend: There is none.
        NotAllowed: It is somebody else's, and ``actor`` no lead.
    """
    case = locked(case)
    amendment = case.reviews.open_amendments().first()
    if amendment is None:
        raise NothingToAmend("No amendment of this case is open.")
    if not may_amend(actor, amendment):
        raise NotAllowed("Only its writer and lead radiologists discard an amendment.")
    amendment.delete()
    record(Event.REVIEWED_CASE, actor=actor, obj=case, request=request, detail="amendment discarded")


@dataclass(frozen=True)
class Change:
    """One thing that a version says otherwise than the one before it."""

    title: str
    old: str
    new: str


def changes(old: Review, new: Review) -> list[Change]:
    return [
        Change(capfirst(str(field.verbose_name)), _words(old, field), _words(new, field))
        for field in read_fields()
        if field.value_from_object(old) != field.value_from_object(new)
    ]


def _words(read: Review, field: models.Field) -> str:
    """The value as a person reads it: yes or no, the title of a label, the display of a choice, the text itself."""
    value = field.value_from_object(read)
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    for name in (f"{field.name}_title", f"get_{field.name}_display"):
        if (title := getattr(read, name, None)) is not None:
            return str(title() if callable(title) else title)
    return str(value)


def latest_first(reads: Sequence[Review]) -> list[tuple[Review, list[Change]]]:
    """Versions of one read, each with what it changed."""
    ordered = sorted(reads, key=lambda read: read.signed_version)
    changed = [changes(old, new) for old, new in pairwise(ordered)]
    return list(zip(ordered, [[], *changed], strict=True))[::-1]
