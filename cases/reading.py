"""A reader's read of a case: first impression, draft, signature."""

from __future__ import annotations

from collections.abc import Mapping

from django.db import transaction
from django.utils import timezone

from cases.blinding import CONCLUSIONS, reads_blind
from cases.claims import CLAIM_DURATION
from cases.labels import OTHER, read_labels
from cases.models import Case, DisagreementReason, Review
from cases.models.findings import PATTERN_FIELDS, SCORE_FIELDS
from cases.services import InvalidDetails
from cases.signing import draft_for, sign
from portal.audit.models import Event
from portal.audit.services import record
from portal.errors import Conflict, DomainError


class DraftChanged(DomainError):
    """The draft is no longer the one that the reader has on the page: another tab or machine has saved it."""

    code = "draft_changed"
    status = 412
    remedy = "Compare the two, then keep one."

    def __init__(self, stored: Review):
        super().__init__("This draft was changed elsewhere.")
        self.stored = stored


class ImagesAdded(Conflict):
    """The reader has not seen every image of the case."""

    code = "images_added"
    remedy = "It is on the page now: look at it, then sign."


def asks_verdict(case: Case, review: Review | None) -> bool:
    """Whether there is something to agree with: the AI has concluded, and the reader has an impression of their own."""
    return review is not None and bool(review.first_impression) and case.ai in CONCLUSIONS


@transaction.atomic
def save_review(
    *, case: Case, reader, first_impression: str = "", version: int | None = None, request=None, **read
) -> Review:
    """Keeps what the reader has said so far, claiming the case if it is free.

    In a signed case it goes into the reader's open amendment.

    The first impression is written once: a later one does not replace it. It shows the AI's reading to its reader.

    A page saves every few seconds. A row in the audit trail stands for the first save of a reading session, which ends
    when its reader saves nothing for as long as a claim lasts, and for the first impression; claim and signature have
    rows of their own.

    Args:
        case: The case.
        reader: Who reads it.
        first_impression: A label, or "".
        version: That of the draft which the reader has changed; None replaces whatever is there. A first impression
            counts as no change: it is never replaced, so no two pages can undo each other's.
        request: The HTTP request, for the audit trail.
        **read: Those of ``Review.READ_FIELDS`` that may have changed.

    Raises:
        InvalidDetails: A label that is neither a class of the case's models nor one of the reader's own answers, or a
            verdict on an AI that has not concluded or that the reader has not been ahead of.
        DraftChanged: The stored draft has another version, and says something else.
        NotYourRead, ClaimedByAnother, AlreadySigned: See ``claim_case``.
    """
    review = draft_for(case=case, reader=reader, request=request)
    case = review.case
    if not {first_impression, read.get("final_label", "")} <= {"", *read_labels(case)}:
        raise InvalidDetails("This label is not one that the case can have.", remedy="Choose one of those offered.")
    last_saved = review.updated_at if review.draft_version else None
    commits = bool(first_impression and review.takes_first_impression)
    if commits:
        review.first_impression = first_impression
        review.first_impression_at = timezone.now()
        review.was_blind = reads_blind(reader, case)
    changes = _changes(review, read)
    if changes and version not in {None, review.draft_version}:
        raise DraftChanged(review)
    if changes.get("agrees_with_ai") is not None and not asks_verdict(case, review):
        raise InvalidDetails("There is no AI reading to agree with.", remedy="Give your first impression before it.")
    if changes:
        review.draft_version += 1
        for name, value in changes.items():
            setattr(review, name, value)
    if changes or commits:
        review.save()
    opens_session = changes and (last_saved is None or last_saved < timezone.now() - CLAIM_DURATION)
    if commits or opens_session:
        detail = "first impression" if commits else ""
        record(Event.REVIEWED_CASE, actor=reader, obj=case, request=request, detail=detail)
    return review


def _changes(review: Review, read: Mapping[str, object]) -> dict[str, object]:
    """What the new read changes; answers that another answer makes void go with it."""
    old = {name: getattr(review, name) for name in Review.READ_FIELDS}
    if unknown := read.keys() - old.keys():
        raise TypeError(f"A read has no {', '.join(sorted(unknown))}.")
    new = {**old, **read}
    for score, pattern in zip(SCORE_FIELDS, PATTERN_FIELDS, strict=True):
        if not new[score]:
            new[pattern] = ""
    if new["agrees_with_ai"] is not False:
        new["disagreement_reason"] = new["disagreement_note"] = ""
    return {name: value for name, value in new.items() if value != old[name]}


def check_signable(final_label: str, findings: str, **read) -> None:
    """What a read needs before it can be signed.

    Raises:
        InvalidDetails: No final label, "other" without findings, or a disagreement with the AI without a reason.
    """
    if not final_label:
        raise InvalidDetails("The final label is missing.", remedy="Choose one, then sign.")
    if final_label == OTHER and not findings.strip():
        raise InvalidDetails('"Other" needs a word on what it is.', remedy="Describe it in the findings, then sign.")
    if read.get("agrees_with_ai") is False:
        reason = read.get("disagreement_reason", "")
        if not reason or (reason == DisagreementReason.OTHER and not read.get("disagreement_note")):
            raise InvalidDetails("You disagree with the AI.", remedy="Say why, then sign.")


@transaction.atomic
def sign_case(
    *, case: Case, reader, final_label="", findings="", images_shown: int | None = None, request=None, **read
) -> Review:
    """Makes the reader's draft final; what becomes of the case then, ``signing.sign`` says.

    Args:
        case: The case that was read.
        reader: Who read it.
        final_label: The conclusion.
        findings: The text.
        images_shown: How many images the reader had before them; None does not look for one that came later.
        request: The HTTP request, for the audit trail.
        **read: As for ``save_review``.

    Raises:
        ImagesAdded: The case has an image that the reader was not shown.
        InvalidDetails: See ``check_signable`` and ``save_review``.
        DraftChanged: See ``save_review``.
        NotYourRead, ClaimedByAnother, AlreadySigned: See ``claim_case``.
    """
    read |= {"final_label": final_label, "findings": findings.strip()}
    review = save_review(case=case, reader=reader, request=request, **read)
    if images_shown not in {None, review.case.radiographs.count()}:  # the case is locked: none comes in meanwhile
        raise ImagesAdded("An image was added to this case after you opened it.")
    check_signable(**{name: getattr(review, name) for name in Review.READ_FIELDS})
    sign(review=review, request=request)
    return review
