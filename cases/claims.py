"""Who holds a case: claim, the next case, renewal, release, take-over."""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction
from django.db.models import Case as Choice
from django.db.models import Q, Value, When
from django.utils import timezone

from cases.eligibility import check_may_read, may_read, readable_by
from cases.lanes import ReadingOrder
from cases.models import Case
from cases.models.cases import CaseQuerySet
from cases.services import InvalidDetails
from portal.accounts.access import Action
from portal.audit.models import Event
from portal.audit.services import record
from portal.errors import Conflict, NotAllowed
from portal.status import change_status

CLAIM_DURATION = timedelta(minutes=30)
CANDIDATES = 50
"""So many cases are looked at for the next one: more than readers ask at the same moment."""


class ClaimedByAnother(Conflict):
    code = "claimed_by_another"
    remedy = "Choose another case, or ask the reader to release it."


class NotClaimed(Conflict):
    code = "not_claimed"
    remedy = "Start reading it first."


class AlreadySigned(Conflict):
    code = "already_signed"
    remedy = "A signed read is not changed; its reader or a lead can amend it."


class ClaimLost(Conflict):
    code = "claim_lost"
    remedy = "What you saved is kept as your draft; what you have typed since stays on this page."


class NothingToRead(Conflict):
    code = "nothing_to_read"
    remedy = "New cases appear in the worklist by themselves."


def locked(case: Case) -> Case:
    """The case as it stands now; its row stays locked until the transaction ends."""
    return Case.objects.select_for_update().get(pk=case.pk)


def claimable_by(reader) -> CaseQuerySet:
    """What this reader could take now: unsigned, in nobody's hands, and a read that is theirs to give."""
    free = Q(status=Case.Status.TO_READ) | Q(status=Case.Status.IN_REVIEW, claimed_until__lte=timezone.now())
    return Case.objects.visible_to(reader).awaiting_review().filter(free, readable_by(reader))


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
    if case.claimed_by_id == reader.pk:
        return _extended(case)
    if case.is_claimed:
        raise ClaimedByAnother(f"{case.claimed_by} is reading this case.")
    if case.status == Case.Status.IN_REVIEW:
        change_status(case, Case.Status.TO_READ, reason="The claim ran out.", claimed_by=None, claimed_until=None)
    _give(case, reader)
    record(Event.CLAIMED_CASE, actor=reader, obj=case, request=request)
    return case


def _give(case: Case, reader) -> None:
    until = timezone.now() + CLAIM_DURATION
    change_status(case, Case.Status.IN_REVIEW, actor=reader, claimed_by=reader, claimed_until=until)


def _extended(case: Case) -> Case:
    case.claimed_until = timezone.now() + CLAIM_DURATION
    case.save(update_fields=["claimed_until"])
    return case


def claim_next_case(*, reader, request=None) -> Case | None:
    """Claims the first case in reading order that nobody holds; None if there is none.

    Each look is a transaction of its own: PostgreSQL keeps the lock of a row that turns out to be taken until the
    transaction ends, and whoever looked on with it could wait for somebody who waits for that row.
    """
    order = ReadingOrder.of(reader.facility)
    while candidates := order.first(claimable_by(reader), CANDIDATES):
        rows = claimable_by(reader).filter(pk__in=candidates)
        for first_free in (_unlocked, _all_in_turn):
            with transaction.atomic():
                if case := first_free(rows, candidates):
                    return claim_case(case=case, reader=reader, request=request)
    return None


def _unlocked(rows: CaseQuerySet, candidates: list[int]) -> Case | None:
    """The first of the candidates whose row nobody has locked, for one that is locked is mostly being claimed."""
    in_order = Choice(*(When(pk=pk, then=Value(rank)) for rank, pk in enumerate(candidates)))
    return rows.select_for_update(skip_locked=True, of=("self",)).order_by(in_order).first()


def _all_in_turn(rows: CaseQuerySet, candidates: list[int]) -> Case | None:
    """The first of the candidates once all their rows are locked: the AI's results lock rows, too, for a moment."""
    free = rows.select_for_update().order_by("pk")  # as everybody locks who locks several: else two wait for each other
    return min(free, key=lambda case: candidates.index(case.pk), default=None)


@transaction.atomic
def renew_claim(*, case: Case, reader) -> Case:
    """Half an hour more for a reader who is at work; also after the claim has run out, if nobody else has taken it.

    Raises:
        ClaimLost: It is not the reader's any more.
    """
    case = locked(case)
    if lost := why_lost(case, reader):
        raise lost
    return _extended(case)


def why_lost(case: Case, reader) -> ClaimLost | None:
    """Why a case that the reader had is not theirs any more; None while nobody else has it."""
    if case.status == Case.Status.SIGNED:
        return ClaimLost(f"{case.signed_by} has signed this case.")
    if case.claimed_by_id == reader.pk:
        return None
    ended = case.status_changes.filter(old=Case.Status.IN_REVIEW).last()
    reason = f" Reason: {ended.reason}" if ended and ended.reason else ""
    if case.is_claimed:
        return ClaimLost(f"{case.claimed_by} has this case now.{reason}")
    return ClaimLost(f"This case is back in the queue.{reason}")


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


def may_take_over(user, case: Case) -> bool:
    """Whether somebody else holds the case, and ``user`` is a lead who could read on."""
    is_others = case.is_claimed and case.claimed_by_id != user.pk
    return is_others and user.has_perm(Action.TAKE_OVER_CASE) and may_read(user, case)


@transaction.atomic
def take_over_case(*, case: Case, actor, reason: str, request=None) -> Case:
    """Gives a case that somebody holds to a lead, who says why. What its reader has saved stays that reader's draft.

    Raises:
        InvalidDetails: The reason is missing.
        NotAllowed: ``actor`` is no lead.
        NotClaimed: Nobody else holds it, so there is nothing to take over.
        NotYourRead: See ``eligibility``.
    """
    if not actor.has_perm(Action.TAKE_OVER_CASE):
        raise NotAllowed("Only a lead radiologist takes a case over.")
    if not reason.strip():
        raise InvalidDetails("The reason is missing.", remedy="Say why you take the case over.")
    case = locked(case)
    if not case.is_claimed or case.claimed_by_id == actor.pk:
        raise NotClaimed("Nobody else is reading this case.")
    check_may_read(actor, case)
    change_status(case, Case.Status.TO_READ, actor=actor, reason=reason.strip(), claimed_by=None, claimed_until=None)
    _give(case, actor)
    record(Event.TOOK_OVER_CASE, actor=actor, obj=case, request=request)
    return case
