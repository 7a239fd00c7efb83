"""Several images at once, as the upload page sends them: one patient, one case, an outcome for each file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.core.files.base import File

from cases.intake.upload import clean_name, received
from cases.models import Case, Patient
from cases.services import (
    AccessionTaken,
    CaseDetails,
    InvalidDetails,
    PatientDetails,
    PatientMismatch,
    Submitted,
    accept_image,
)
from portal.errors import DomainError


@dataclass(frozen=True)
class FileOutcome:
    """What became of one file: ``submitted``, or the ``error`` that kept it out."""

    name: str
    submitted: Submitted | None = None
    error: DomainError | None = None

    @property
    def case(self) -> Case:
        """Where the file is. Raises ValueError for one that was refused."""
        if self.submitted is None:
            raise ValueError("A refused file is in no case.")
        return self.submitted.case

    @property
    def status(self) -> str:
        if self.submitted is None:
            return "rejected"
        return "accepted" if self.submitted.created else "existing"


def submit_files(
    *, files: Sequence[File], patient: Patient | PatientDetails, target: Case | CaseDetails, actor, request=None
) -> list[FileOutcome]:
    """Takes the files in one after the other, into one case; a file that is refused does not stop the next.

    If none is taken, neither a case nor a patient is left behind.

    Raises:
        PatientMismatch, AccessionTaken, InvalidDetails: The details are wrong, so that no file can be taken.
    """
    outcomes = []
    for file in files:
        outcome = _submit(file, patient, target, actor, request)
        outcomes.append(outcome)
        if outcome.submitted and outcome.submitted.created:
            target = outcome.submitted.case
            patient = target.patient
    return outcomes


def _submit(file: File, patient: Patient | PatientDetails, target: Case | CaseDetails, actor, request) -> FileOutcome:
    name = clean_name(file.name or "")
    try:
        with received(file, name=name) as upload:
            submitted = accept_image(received=upload, patient=patient, target=target, actor=actor, request=request)
    except (PatientMismatch, AccessionTaken, InvalidDetails):  # what was typed is wrong, not this file
        raise
    except DomainError as error:
        return FileOutcome(name, error=error)
    return FileOutcome(name, submitted=submitted)
