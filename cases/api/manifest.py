"""A manifest's entries to submissions: a bad entry becomes the problem of its own image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from django.core.files.base import File

from cases.api.requests import ManifestEntry, case_details, patient_details
from cases.batches import Destination, Submission, UnknownCase
from cases.models import Case
from cases.models.cases import CaseQuerySet
from portal.problems import of_domain_error, problem


def submissions(images: Sequence[File], entries: Sequence[dict], visible: CaseQuerySet) -> list[Submission]:
    """One submission per image.

    Args:
        images: The files.
        entries: One entry per file, as sent and not yet checked.
        visible: The cases that the sender may name.
    """
    checked = [ManifestEntry(data=entry) for entry in entries]
    named = {entry.validated_data["case"] for entry in checked if entry.is_valid() and "case" in entry.validated_data}
    cases = {case.uid: case for case in visible.filter(uid__in=named)}
    return [
        Submission(file, _destination(entry, cases), entry.validated_data.get("sha256", ""))
        for file, entry in zip(images, checked, strict=True)
    ]


def _destination(entry: ManifestEntry, cases: Mapping[UUID, Case]) -> Destination | dict:
    if entry.errors:
        return problem(400, errors=entry.errors)
    said = entry.validated_data
    if "case" not in said:
        return Destination(patient_details(said), case_details(said))
    case = cases.get(said["case"])
    if case is None:
        return of_domain_error(UnknownCase("There is no such case here."))
    return Destination(case.patient, case)
