"""What is written when images arrive. Page, API and commands all call these; each rule stands here once."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from django.core.files.base import ContentFile, File
from django.core.files.storage import default_storage
from django.db import connection, transaction
from django.utils import timezone

from cases import dispatch
from cases.intake.sandbox import Decoded, decode_safely
from cases.intake.upload import ReceivedFile
from cases.inventory import is_referenced
from cases.lanes import arm_now
from cases.models import Case, Patient, PatientChange, Priority, Radiograph, Sex, Stage
from cases.storage import StorageUnavailable, original_name, preview_name
from portal.accounts.models import Facility
from portal.audit.models import Event
from portal.audit.services import record
from portal.errors import Conflict, DomainError, NotAllowed


class PatientMismatch(Conflict):
    code = "patient_mismatch"
    remedy = (
        "Check the medical record number; where the portal's details are wrong, a lead radiologist corrects them on "
        'the page of any case of the patient, under "Correct patient details".'
    )


class ImageOfAnotherPatient(Conflict):
    code = "image_of_another_patient"
    remedy = "Check which patient this image belongs to; nothing was stored."


class ImageNamesAnotherPatient(Conflict):
    code = "dicom_patient_mismatch"
    remedy = "Check which patient this image belongs to, or correct its Patient ID; nothing was stored."


class AccessionTaken(Conflict):
    code = "accession_taken"
    remedy = "Check the accession number; it belongs to one case of one patient."


class InvalidDetails(DomainError):
    code = "invalid_details"
    status = 400
    remedy = "Correct it and send it again."


@dataclass(frozen=True)
class PatientDetails:
    """How a sender names a patient; blank means "not said"."""

    medical_record_number: str
    family_name: str = ""
    given_name: str = ""
    birth_date: date | None = None
    sex: str = ""


@dataclass(frozen=True)
class CaseDetails:
    accession_number: str = ""
    indication: str = ""
    priority: int = Priority.ROUTINE
    symptom_onset: date | None = None
    is_synthetic: bool = False


@dataclass(frozen=True)
class Submitted:
    """An accepted image; ``created`` is False when the same bytes were there already."""

    radiograph: Radiograph
    created: bool

    @property
    def case(self) -> Case:
        return self.radiograph.case


def facility_of(actor):
    """The facility that the actor submits to; raises NotAllowed for somebody who belongs to none."""
    if actor.facility is None:
        raise NotAllowed("Your account belongs to no facility.", remedy="Ask an administrator to add it to one.")
    return actor.facility


def check_day(day: date | None, what: str) -> None:
    """Raises InvalidDetails for a day on which nothing of a living patient can have happened."""
    if day is not None and not date(1880, 1, 1) <= day <= timezone.now().date() + timedelta(days=1):
        raise InvalidDetails(f"The {what} is not a possible date.")


def known_patient(*, facility, details: PatientDetails) -> Patient | None:
    """The facility's patient with this record number, or None; nothing is written.

    Raises:
        PatientMismatch: The number belongs to a patient whose known details differ.
        InvalidDetails: A value cannot be true.
    """
    number = _checked_number(details)
    patient = Patient.objects.filter(facility=facility, medical_record_number=number).first()
    if patient is not None:
        _missing_details(patient, _said(details))
    return patient


def _checked_number(details: PatientDetails) -> str:
    """The record number, once what is said of the patient can be true."""
    number = details.medical_record_number.strip()
    if not number:
        raise InvalidDetails("The medical record number is missing.")
    check_day(details.birth_date, "birth date")
    return number


@transaction.atomic
def find_or_create_patient(*, facility, details: PatientDetails, actor, request=None) -> tuple[Patient, bool]:
    """The facility's patient with this record number, created if there is none, blanks filled in.

    Returns:
        The patient, and whether it was created.

    Raises:
        PatientMismatch, InvalidDetails: See ``known_patient``.
    """
    number, said = _checked_number(details), _said(details)
    patient, created = Patient.objects.get_or_create(facility=facility, medical_record_number=number, defaults=said)
    if created:
        record(Event.CREATED_PATIENT, actor=actor, obj=patient, request=request)
        return patient, True
    if _missing_details(patient, said):
        patient = Patient.objects.select_for_update(no_key=True).get(pk=patient.pk)
        if missing := _missing_details(patient, said):  # still, as somebody else may have filled them in
            change_details(patient, missing, actor=actor)
            record(Event.CHANGED_PATIENT, actor=actor, obj=patient, request=request, detail=", ".join(sorted(missing)))
    return patient, False


def change_details(patient: Patient, new: Mapping[str, str | date | None], *, actor, reason: str = "") -> None:
    """Writes other details of a patient whose row the caller has locked; the history keeps what they were."""
    PatientChange.objects.bulk_create(
        PatientChange(
            patient=patient,
            detail=name,
            old=str(getattr(patient, name) or ""),
            new=str(value or ""),
            actor=actor,
            reason=reason,
        )
        for name, value in new.items()
    )
    for name, value in new.items():
        setattr(patient, name, value)
    patient.details_version += 1
    patient.save(update_fields=[*new, "details_version"])


def _said(details: PatientDetails) -> dict[str, str | date]:
    return {
        name: value
        for name in ("family_name", "given_name", "birth_date", "sex")
        if (value := getattr(details, name)) and value != Sex.UNKNOWN
    }


def _missing_details(patient: Patient, said: dict[str, str | date]) -> dict[str, str | date]:
    """What is said of the patient and not known yet; raises PatientMismatch where something else is known."""
    missing = {}
    for name, value in said.items():
        known = getattr(patient, name)
        if not known or known == Sex.UNKNOWN:
            missing[name] = value
        elif str(known).casefold() != str(value).casefold():
            raise PatientMismatch("This medical record number belongs to a patient with other details.")
    return missing


@transaction.atomic
def open_case(*, patient: Patient | PatientDetails, details: CaseDetails, actor, request=None) -> tuple[Case, bool]:
    """A case to put images into: the patient's case with this accession number, else a new one.

    Args:
        patient: A patient, or how the sender names one of the actor's facility, who is then found or created.
        details: What is said of the case; an existing one is not changed.
        actor: Who submits.
        request: The HTTP request, for the audit trail.

    Returns:
        The case, and whether it was created.

    Raises:
        AccessionTaken: The number belongs to a case of another patient.
        PatientMismatch: See ``known_patient``.
        InvalidDetails: A value cannot be true.
    """
    if isinstance(patient, PatientDetails):
        patient, _ = find_or_create_patient(facility=facility_of(actor), details=patient, actor=actor, request=request)
    check_day(details.symptom_onset, "day of first symptoms")
    if details.priority not in Priority.values:
        raise InvalidDetails("The priority is not one of routine, urgent and stat.")
    number = details.accession_number.strip()
    values = {
        "patient": patient,
        "indication": details.indication.strip(),
        "priority": details.priority,
        "symptom_onset": details.symptom_onset,
        "is_synthetic": details.is_synthetic,
        "submitted_by": actor,
        "order_arm": arm_now(patient.facility),
    }
    if number:
        rows = Case.objects.select_related("patient")
        case, created = rows.get_or_create(facility=patient.facility, accession_number=number, defaults=values)
    else:
        case, created = Case.objects.create(facility=patient.facility, **values), True
    if case.patient_id != patient.pk:
        raise AccessionTaken("This accession number belongs to a case of another patient.")
    if created:
        record(Event.OPENED_CASE, actor=actor, obj=case, request=request)
    return case, created


def accept_image(
    *, received: ReceivedFile, patient: Patient | PatientDetails, target: Case | CaseDetails, actor, request=None
) -> Submitted:
    """Takes one image in: decode in the sandbox, store, then case, radiograph, run and audit row in one transaction.

    Args:
        received: The upload in its temporary file.
        patient: Whose image it is, or how the sender names a patient of the actor's facility, who is found or created
            together with the case, so that a refused file leaves no patient behind.
        target: The case it belongs to, or the details of a case to be opened with it.
        actor: Who submits.
        request: The HTTP request, for the audit trail.

    Returns:
        The radiograph; the existing one if this patient already has these bytes.

    Raises:
        IntakeError: The file cannot be taken; nothing of it is kept.
        ImageOfAnotherPatient: Another patient of the facility has these bytes.
        ImageNamesAnotherPatient: The DICOM header holds another record number.
        Conflict: The case is signed already.
        PatientMismatch, AccessionTaken, InvalidDetails: See ``find_or_create_patient`` and ``open_case``.
    """
    facility = patient.facility if isinstance(patient, Patient) else facility_of(actor)
    if isinstance(patient, PatientDetails):
        known_patient(facility=facility, details=patient)  # what contradicts itself is refused before it is decoded
    if existing := _already_there(received, facility, patient):
        return Submitted(existing, created=False)
    if isinstance(target, Case):
        _check_open(target)
    decoded = decode_safely(received.path)
    _check_patient_id(decoded.facts.dicom_patient_id, patient)
    files = _Files(facility, received, decoded)
    try:
        with transaction.atomic():
            files.keep_to_ourselves()
            if existing := _already_there(received, facility, patient):  # the same bytes were sent twice at once
                return Submitted(existing, created=False)
            files.store()  # before any row is locked: a bucket may take seconds, and the AI's results wait for the case
            case, is_new = target, False
            if isinstance(case, CaseDetails):
                case, is_new = open_case(patient=patient, details=case, actor=actor, request=request)
            if not is_new:
                _hold_open(case)
            radiograph = _create_radiograph(case, received, decoded, files, actor)
            dispatch.queue_runs(radiograph)
            record(Event.SUBMITTED_IMAGE, actor=actor, obj=radiograph, request=request)
    except StorageUnavailable:
        raise  # a deletion that the storage carries out late would hit the same image sent again; scrub finds the file
    except BaseException:
        files.remove_unused()
        raise
    return Submitted(radiograph, created=True)


def one_at_a_time(*names: str) -> None:
    """Until the transaction ends, nobody else stores these files or cleans them away; other files are not held up.

    So the same bytes are stored once and for one patient of a facility only, and a failed intake does not remove a file
    that another one is about to commit. On SQLite a transaction that writes is alone anyway.
    """
    if connection.vendor == "postgresql":
        keys = sorted(int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], signed=True) for name in names)
        with connection.cursor() as cursor:  # in one order everywhere, so that two never wait for each other
            cursor.execute("SELECT pg_advisory_xact_lock(key) FROM unnest(%s::bigint[]) AS key", [keys])


def _check_patient_id(said_by_image: str, patient: Patient | PatientDetails) -> None:
    if said_by_image and said_by_image.casefold() != patient.medical_record_number.strip().casefold():
        raise ImageNamesAnotherPatient("The DICOM header names a patient with another record number.")


def _hold_open(case: Case) -> None:
    """Locks the case and sees how it stands now; its runs are queued with the priority that it has by then."""
    case.refresh_from_db(fields=["status", "stage", "priority"], from_queryset=Case.objects.select_for_update())
    _check_open(case)


def _check_open(case: Case) -> None:
    """Who has signed a read has seen every image of the case: no other comes in after them."""
    if case.status == Case.Status.SIGNED or case.stage != Stage.FIRST:
        what = "This case" if case.status == Case.Status.SIGNED else "A first read of this case"
        raise Conflict(f"{what} is signed.", remedy="Open a new case for the image.", code="case_signed")


def _already_there(received: ReceivedFile, facility: Facility, patient: Patient | PatientDetails) -> Radiograph | None:
    """The patient's radiograph with these bytes; raises ImageOfAnotherPatient if only somebody else has them."""
    twins = Radiograph.objects.filter(sha256=received.sha256, case__facility=facility)
    if not twins.exists():  # nearly always, and asked twice an image
        return None
    known = known_patient(facility=facility, details=patient) if isinstance(patient, PatientDetails) else patient
    for twin in twins.select_related("case"):
        if known is not None and twin.patient_id == known.pk:
            return twin
    raise ImageOfAnotherPatient("Exactly this image is already stored for another patient.")


@dataclass
class _Files:
    """The two files of an image, under names made from their content."""

    facility: Facility
    received: ReceivedFile
    decoded: Decoded
    stored: list[str] = field(default_factory=list)

    @property
    def original(self) -> str:
        return original_name(self.facility.uid, self.received.sha256, self.decoded.facts.media_type)

    @property
    def preview(self) -> str:
        return preview_name(self.facility.uid, self.decoded.preview_sha256)

    def keep_to_ourselves(self) -> None:
        one_at_a_time(self.original, self.preview)

    def store(self) -> None:
        self.stored.append(self.original)
        with self.received.path.open("rb") as file:
            default_storage.save(self.original, File(file))
        self.stored.append(self.preview)
        default_storage.save(self.preview, ContentFile(self.decoded.preview_png))

    @transaction.atomic
    def remove_unused(self) -> None:
        """Leaves nothing behind after a failure, unless another radiograph has the same content."""
        if self.stored:
            self.keep_to_ourselves()
        for name in self.stored:
            if not is_referenced(name):
                default_storage.delete(name)


def _with_zone(moment: datetime | None) -> datetime | None:
    """A header without a zone means the hospital's wall clock."""
    return timezone.make_aware(moment) if moment is not None and timezone.is_naive(moment) else moment


def _create_radiograph(case: Case, received: ReceivedFile, decoded: Decoded, files: _Files, actor) -> Radiograph:
    facts = decoded.facts
    spacing = facts.pixel_spacing_mm or (None, None)
    return Radiograph.objects.create(
        case=case,
        patient_id=case.patient_id,
        original=files.original,
        original_name=received.original_name,
        sha256=received.sha256,
        byte_size=received.byte_size,
        media_type=facts.media_type,
        preview=files.preview,
        preview_sha256=decoded.preview_sha256,
        rows=facts.rows,
        columns=facts.columns,
        bits_stored=facts.bits_stored,
        photometric=facts.photometric,
        colour_saturation=facts.colour_saturation,
        modality=facts.modality,
        view_position=facts.view_position,
        laterality=facts.laterality,
        body_part=facts.body_part,
        age_years=facts.age_years,
        pixel_spacing_row_mm=spacing[0],
        pixel_spacing_column_mm=spacing[1],
        acquired_at=_with_zone(facts.acquired_at),
        submitted_by=actor,
    )
