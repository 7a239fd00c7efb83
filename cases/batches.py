"""Many images in one request: each ends as its own item, and a request that is sent again does nothing twice."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

from django.core.files.base import File
from django.db import transaction

from cases.intake.upload import clean_name, received
from cases.models import Batch, BatchItem, Case, Patient
from cases.services import CaseDetails, PatientDetails, Submitted, accept_image, facility_of
from portal.accounts.models import Facility
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
    submissions: Sequence[Submission],
    *,
    description: Sequence[dict] | str,
    actor,
    idempotency_key: str | None = None,
    request=None,
) -> tuple[Batch, list[BatchItem]]:
    """Takes in each image by itself and keeps the results, so that the sender can follow them.

    The items come last: a request that breaks off leaves no half answer, and its repetition finds the images that are
    already there. Its key is taken before the first image, so that no other request stores anything under it. When two
    equal requests run at once, both take in the same images (once, as bytes are unique per patient) and the second to
    finish returns the answer of the first.

    Args:
        submissions: The images.
        description: What the sender said of them: the entries of a manifest, or the uid of a case.
        actor: Who submits; the key is theirs alone.
        idempotency_key: Repeating a request with its key returns the first answer and does nothing.
        request: The HTTP request, for the audit trail.

    Returns:
        The batch, and one item per image in the same order.

    Raises:
        InvalidKey: The key is not 1 to 100 printable ASCII characters.
        KeyReused: The key belongs to a request with other files or another description.
        NotAllowed: The actor belongs to no facility.
    """
    facility = facility_of(actor)
    if idempotency_key is not None and not _is_usable(idempotency_key):
        raise InvalidKey("The Idempotency-Key cannot be used.")
    batch = Batch(facility=facility, submitted_by=actor)
    if idempotency_key is not None:
        batch = _batch_of_key(idempotency_key, _sha256_of(submissions, description), facility, actor)
    if batch.pk and (items := _items_of(batch)):
        return batch, items
    return batch, _kept(batch, submit_images(submissions, actor=actor, request=request))


def _batch_of_key(key: str, sha256: str, facility: Facility, actor) -> Batch:
    """The batch that this key of this submitter stands for, without items until its request is answered."""
    new = {"facility": facility, "request_sha256": sha256}
    batch, _ = Batch.objects.get_or_create(submitted_by=actor, idempotency_key=key, defaults=new)
    if batch.request_sha256 != sha256:
        raise KeyReused("This Idempotency-Key was used for another request.")
    return batch


@transaction.atomic
def _kept(batch: Batch, items: list[BatchItem]) -> list[BatchItem]:
    """The items of the batch from now on: these, unless an equal request was answered meanwhile."""
    if batch.pk is None:
        batch.save()
    elif known := _items_of(Batch.objects.select_for_update().get(pk=batch.pk)):
        return known
    for item in items:
        item.batch = batch
    return BatchItem.objects.bulk_create(items)


def _items_of(batch: Batch) -> list[BatchItem]:
    return list(batch.items.select_related("radiograph__case"))


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


def _sha256_of(submissions: Sequence[Submission], description: Sequence[dict] | str) -> str:
    """Of all that decides what becomes of a request: what is said of the images, and their bytes."""
    said = [description, *(_sha256_of_file(submission.file) for submission in submissions)]
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _sha256_of_file(file: File) -> str:
    """Of the bytes; of a file that was too large to be kept, the code of its refusal."""
    digest = hashlib.sha256()
    try:
        for chunk in file.chunks():
            digest.update(chunk)
    except DomainError as error:
        if error.status >= 500:
            raise  # the same request looks otherwise once there is room for its files
        return error.code
    return digest.hexdigest()
