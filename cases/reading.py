"""A reader's read of a case: first impression, draft, signature."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from cases.blinding import reads_blind
from cases.claims import claim_case, locked
from cases.labels import OTHER, read_labels
from cases.models import Case, Review
from cases.services import InvalidDetails
from portal.audit.models import Event
from portal.audit.services import record
from portal.status import change_status


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
    case = locked(case)
    change_status(case, Case.Status.SIGNED, actor=reader, claimed_by=None, claimed_until=None, signed_by=reader)
    review.signed_at = timezone.now()
    review.save(update_fields=["signed_at", "updated_at"])
    record(Event.SIGNED_CASE, actor=reader, obj=case, request=request)
    return review
