"""Many images in one request: each ends as its own item, and a request that is sent again does nothing twice."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from django.core.files.base import File
from django.db import IntegrityError, transaction

from cases.intake.upload import clean_name, received
from cases.models import Batch, BatchItem, Case, Patient
from cases.services import CaseDetails, PatientDetails, Submitted, accept_image, facility_of
from portal.errors import DomainError
from portal.problems import of_domain_error

MAX_KEY_LENGTH = 100  # as long as Batch.idempotency_key


class InvalidKey(DomainError):
    code = "idempotency_key_invalid"
    remedy = "Send an Idempotency-Key of 1 to 100 printable ASCII characters, such as a UUID."


class KeyReused(DomainError):
    code = "idempotency_key_reused"
    status = 422
    remedy = "Choose a new Idempotency-Key for every new request; nothing of this one was stored."


class UnknownCase(DomainError):
    code = "case_unknown"
    status = 404
    remedy = "Check the uid, or describe patient and case instead."


@dataclass(frozen=True)
class Destination:
    """Where an image belongs: a patient and a case, each there already or as the sender describes it."""

    patient: Patient | PatientDetails
    case: Case | CaseDetails


@dataclass(frozen=True)
class Submission:
    """One image of a request.

    Attributes:
        file: As uploaded.
        destination: Where it belongs, or the problem with what the sender said about that.
        sha256: What the sender announced, or empty.
    """

    file: File
    destination: Destination | dict
    sha256: str = ""


def submit_images(submissions: Sequence[Submission], *, actor, request=None) -> list[BatchItem]:
    """Takes in each image by itself; gives one unsaved item per image, in the same order.

    A server fault (a database or storage that does not answer) ends the whole request; what was taken in before is
    found again when the request is repeated.
    """
    return [_item(position, one, actor, request) for position, one in enumerate(submissions)]


def submit_batch(
    submissions: Sequence[Submission], *, actor, idempotency_key: str | None = None, request=None
) -> tuple[Batch, list[BatchItem]]:
    """Takes in each image by itself and keeps the results, so that the sender can follow them.

    The images come first and the batch row last: a request that breaks off leaves no half answer, and its repetition
    finds the images that are already there. When two equal requests run at once, both take in the same images (once,
    as bytes are unique per patient) and the second to finish returns the answer of the first.

    Args:
        submissions: The images.
        actor: Who submits; the key is theirs alone.
        idempotency_key: Repeating a request with its key returns the first answer and does nothing.
        request: The HTTP request, for the audit trail.

    Returns:
        The batch, and one item per image in the same order.

    Raises:
        InvalidKey: The key is not 1 to 100 printable ASCII characters.
        KeyReused: The key belongs to a request with other files.
        NotAllowed: The actor belongs to no facility.
    """
    facility = facility_of(actor)
    if idempotency_key is not None and not _is_usable(idempotency_key):
        raise InvalidKey("The Idempotency-Key cannot be used.")
    if answered := _answered(submissions, actor, idempotency_key):
        return answered
    items = submit_images(submissions, actor=actor, request=request)
    try:
        with transaction.atomic():
            batch = Batch.objects.create(facility=facility, submitted_by=actor, idempotency_key=idempotency_key or "")
            for item in items:
                item.batch = batch
            BatchItem.objects.bulk_create(items)
    except IntegrityError:
        if answered := _answered(submissions, actor, idempotency_key):
            return answered
        raise
    return batch, items


def _item(position: int, submission: Submission, actor, request) -> BatchItem:
    item = BatchItem(position=position, file_name=clean_name(submission.file.name or ""))
    if isinstance(submission.destination, dict):
        item.outcome, item.problem = BatchItem.Outcome.REJECTED, submission.destination
        return item
    try:
        submitted = _accept(submission.file, submission.sha256, submission.destination, actor, request)
    except DomainError as error:
        if error.status >= 500:
            raise  # not this image's fault: kept as its outcome, it would be the answer to every repetition
        item.outcome, item.problem = BatchItem.Outcome.REJECTED, of_domain_error(error)
    else:
        item.outcome = BatchItem.Outcome.ACCEPTED if submitted.created else BatchItem.Outcome.EXISTING
        item.radiograph = submitted.radiograph
    return item


def _accept(file: File, sha256: str, destination: Destination, actor, request) -> Submitted:
    with received(file, expected_sha256=sha256) as upload:
        return accept_image(
            received=upload, patient=destination.patient, target=destination.case, actor=actor, request=request
        )


def _is_usable(key: str) -> bool:
    return 0 < len(key) <= MAX_KEY_LENGTH and key.isascii() and key.isprintable()


def _answered(submissions: Sequence[Submission], actor, key: str | None) -> tuple[Batch, list[BatchItem]] | None:
    """The batch and items that this key of this submitter led to; raises KeyReused if that had other files."""
    if not key:
        return None
    batch = Batch.objects.filter(submitted_by=actor, idempotency_key=key).first()
    if batch is None:
        return None
    items = list(batch.items.select_related("radiograph__case"))
    same_files = len(items) == len(submissions) and all(
        item.radiograph is None or item.radiograph.sha256 == _sha256(submission.file)
        for item, submission in zip(items, submissions, strict=True)
    )
    if not same_files:
        raise KeyReused("This Idempotency-Key was used for a request with other files.")
    return batch, items


def _sha256(file: File) -> str:
    digest = hashlib.sha256()
    for chunk in file.chunks():
        digest.update(chunk)
    return digest.hexdigest()
