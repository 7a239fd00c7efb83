"""Who holds a case: claim, the next case, release."""

from __future__ import annotations

from datetime import timedelta

from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone

from cases.eligibility import check_may_read, readable_by
from cases.models import Case
from portal.accounts.access import Action
from portal.audit.models import Event
from portal.audit.services import record
from portal.errors import Conflict, NotAllowed
from portal.status import change_status

CLAIM_DURATION = timedelta(minutes=30)


class ClaimedByAnother(Conflict):
    code = "claimed_by_another"
    remedy = "Choose another case, or ask the reader to release it."


class NotClaimed(Conflict):
    code = "not_claimed"
    remedy = "Start reading it first."


class AlreadySigned(Conflict):
    code = "already_signed"
    remedy = "A signed read is not changed; its reader or a lead can amend it."


def locked(case: Case) -> Case:
    """The case as it stands now; its row stays locked until the transaction ends."""
    return Case.objects.select_for_update().get(pk=case.pk)


@transaction.atomic
def claim_case(*, case: Case, reader, request=None) -> Case:
    """Gives the case to ``reader`` for half an hour; repeating it extends the claim.

    Raises:
        AlreadySigned: There is nothing left to read.
        NotYourRead: See ``eligibility``.
        ClaimedByAnother: Another reader's claim has not run out.
    """
    case = locked(case)
    if case.status == Case.Status.SIGNED:
        raise AlreadySigned("This case is signed.")
    check_may_read(reader, case)
    until = timezone.now() + CLAIM_DURATION
    if case.claimed_by_id == reader.pk:
        Case.objects.filter(pk=case.pk).update(claimed_until=until)
        case.claimed_until = until
        return case
    if case.is_claimed:
        raise ClaimedByAnother(f"{case.claimed_by} is reading this case.")
    if case.status == Case.Status.IN_REVIEW:
        change_status(case, Case.Status.TO_READ, reason="The claim ran out.", claimed_by=None, claimed_until=None)
    change_status(case, Case.Status.IN_REVIEW, actor=reader, claimed_by=reader, claimed_until=until)
    record(Event.CLAIMED_CASE, actor=reader, obj=case, request=request)
    return case


@transaction.atomic
def claim_next_case(*, reader, request=None) -> Case | None:
    """Claims the first case in reading order that nobody holds; None if there is none.

    A row that another request has locked is being claimed there, so it is passed over instead of waited for.
    """
    free = Q(status=Case.Status.TO_READ) | Q(status=Case.Status.IN_REVIEW, claimed_until__lte=timezone.now())
    rows = Case.objects.visible_to(reader).filter(free, readable_by(reader)).order_by("priority", "received_at", "id")
    if connection.features.has_select_for_update_skip_locked:
        rows = rows.select_for_update(skip_locked=True)
    case = rows.first()
    return case and claim_case(case=case, reader=reader, request=request)


@transaction.atomic
def release_case(*, case: Case, actor, reason: str = "", request=None) -> Case:
    """Puts a claimed case back into the queue; a lead may release anybody's.

    Raises:
        NotClaimed: Nobody holds it.
        NotAllowed: Somebody else does, and ``actor`` is no lead.
    """
    case = locked(case)
    if case.status != Case.Status.IN_REVIEW:
        raise NotClaimed("Nobody is reading this case.")
    if case.claimed_by_id != actor.pk and not actor.has_perm(Action.TAKE_OVER_CASE):
        raise NotAllowed(f"{case.claimed_by} is reading this case.")
    change_status(case, Case.Status.TO_READ, actor=actor, reason=reason, claimed_by=None, claimed_until=None)
    record(Event.RELEASED_CASE, actor=actor, obj=case, request=request)
    return case
