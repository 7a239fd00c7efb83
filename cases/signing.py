"""What a signature does: a read becomes final, and its case ends or waits for the next reader."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from cases.claims import claim_case, locked
from cases.models import Case, Review
from cases.second_reads import next_stage
from portal.audit.models import Event
from portal.audit.services import record
from portal.status import change_status


@transaction.atomic
def draft_for(*, case: Case, reader, request=None) -> Review:
    """What the reader writes into: their open amendment of a signed case, else their draft of the read that is due.

    The case is claimed for a draft; an amendment needs no claim, as there is one at a time.

    Raises:
        NotYourRead, ClaimedByAnother, AlreadySigned: See ``claim_case``.
    """
    if amendment := locked(case).reviews.open_amendments().filter(reader=reader).first():
        return amendment
    case = claim_case(case=case, reader=reader, request=request)
    draft, _ = Review.objects.get_or_create(
        case_id=case.pk, reader=reader, signed_at=None, amends=None, defaults={"stage": case.stage}
    )
    draft.case = case
    if draft.stage != case.stage:  # a draft from an earlier stage goes on as the read that is due now
        draft.stage = case.stage
        draft.save(update_fields=["stage"])
    return draft


@transaction.atomic
def sign(*, review: Review, request=None) -> None:
    """Makes a draft final; it is never changed again.

    An amendment counts from now on. Any other read ends its case, or sends it back into the queue for the next reader.
    """
    case, reader = locked(review.case), review.reader
    review.signed_at = timezone.now()
    review.save(update_fields=["signed_at", "updated_at"])
    if review.is_amendment:
        Case.objects.filter(pk=case.pk).update(signed_by=reader)
    elif stage := next_stage(case, review):
        change_status(case, Case.Status.TO_READ, actor=reader, stage=stage, claimed_by=None, claimed_until=None)
    else:
        change_status(case, Case.Status.SIGNED, actor=reader, claimed_by=None, claimed_until=None)
        Case.objects.filter(pk=case.pk).update(signed_by=case.reviews.in_force().get().reader)
    detail = "amendment" if review.is_amendment else review.get_stage_display().lower()
    record(Event.SIGNED_CASE, actor=reader, obj=case, request=request, detail=detail)
