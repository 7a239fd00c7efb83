"""A reader's side of a case: claim, first impression, draft, signature."""

from __future__ import annotations

from datetime import timedelta

from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone

from cases.blinding import reads_blind
from cases.labels import OTHER, read_labels
from cases.models import Case, Review
from cases.services import InvalidDetails
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
    remedy = "A signed read is not changed."


def _locked(case: Case) -> Case:
    return Case.objects.select_for_update().get(pk=case.pk)


@transaction.atomic
def claim_case(*, case: Case, reader, request=None) -> Case:
    """Gives the case to ``reader`` for half an hour; repeating it extends the claim.

    Raises:
        AlreadySigned: There is nothing left to read.
        ClaimedByAnother: Another reader's claim has not run out.
    """
    case = _locked(case)
    if case.status == Case.Status.SIGNED:
        raise AlreadySigned("This case is signed.")
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
    rows = Case.objects.visible_to(reader).filter(free).order_by("priority", "received_at", "id")
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
    case = _locked(case)
    if case.status != Case.Status.IN_REVIEW:
        raise NotClaimed("Nobody is reading this case.")
    if case.claimed_by_id != actor.pk and not actor.has_perm(Action.TAKE_OVER_CASE):
        raise NotAllowed(f"{case.claimed_by} is reading this case.")
    change_status(case, Case.Status.TO_READ, actor=actor, reason=reason, claimed_by=None, claimed_until=None)
    record(Event.RELEASED_CASE, actor=actor, obj=case, request=request)
    return case


@transaction.atomic
def save_review(
    *,
    case: Case,
    reader,
    first_impression: str = "",
    final_label: str | None = None,
    findings: str | None = None,
    request=None,
) -> Review:
    """Keeps what the reader has typed so far, claiming the case if it is free; None leaves a field as it was.

    The first impression is written once: a later one does not replace it. It shows the AI's reading to its reader.

    Raises:
        InvalidDetails: A label that is neither a class of the case's models nor one of the reader's own answers.
        ClaimedByAnother, AlreadySigned: See ``claim_case``.
    """
    case = claim_case(case=case, reader=reader, request=request)
    known = {None, "", *read_labels(case)}
    if not {first_impression, final_label} <= known:
        raise InvalidDetails("This label is not one that the case can have.", remedy="Choose one of those offered.")
    review, _ = Review.objects.get_or_create(case_id=case.pk, reader=reader, signed_at=None)
    commits = bool(first_impression and not review.first_impression)
    if commits:
        review.first_impression = first_impression
        review.first_impression_at = timezone.now()
        review.was_blind = reads_blind(reader, case)
    if final_label is not None:
        review.final_label = final_label
    if findings is not None:
        review.findings = findings
    review.save()
    detail = "first impression" if commits else ""
    record(Event.REVIEWED_CASE, actor=reader, obj=case, request=request, detail=detail)
    return review


def check_signable(final_label: str, findings: str) -> None:
    """What a read needs before it can be signed.

    Raises:
        InvalidDetails: No final label, or "other" without findings.
    """
    if not final_label:
        raise InvalidDetails("The final label is missing.", remedy="Choose one, then sign.")
    if final_label == OTHER and not findings.strip():
        raise InvalidDetails('"Other" needs a word on what it is.', remedy="Describe it in the findings, then sign.")


@transaction.atomic
def sign_case(*, case: Case, reader, first_impression="", final_label="", findings="", request=None) -> Review:
    """Makes the reader's draft final: the case leaves the queue and the review is never changed again.

    Raises:
        InvalidDetails: No final label, or "other" without findings.
        ClaimedByAnother, AlreadySigned: See ``claim_case``.
    """
    check_signable(final_label, findings)
    review = save_review(
        case=case,
        reader=reader,
        first_impression=first_impression,
        final_label=final_label,
        findings=findings.strip(),
        request=request,
    )
    case = _locked(case)
    change_status(case, Case.Status.SIGNED, actor=reader, claimed_by=None, claimed_until=None, signed_by=reader)
    review.signed_at = timezone.now()
    review.save(update_fields=["signed_at", "updated_at"])
    record(Event.SIGNED_CASE, actor=reader, obj=case, request=request)
    return review
