from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from threading import Barrier
from threading import Event as Signal

import pytest
from django.conf import settings
from django.core.files.storage import default_storage
from django.db import connection, transaction
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from cases.intake.errors import IntakeError
from cases.intake.upload import received
from cases.models import AiStatus, Case, Patient, Radiograph
from cases.reading import sign_case
from cases.services import (
    CaseDetails,
    ImageOfAnotherPatient,
    PatientDetails,
    PatientMismatch,
    accept_image,
    find_or_create_patient,
)
from cases.storage import ContentAddressedStorage, StorageError, StorageFull, StorageUnavailable
from cases.summary import AiOutcome, summarise
from cases.tests.factories import CaseFactory, FacilityFactory, PatientFactory, small_png
from portal.audit.models import AuditEvent, Event
from portal.errors import Conflict, NotAllowed


def accept(content: bytes, actor, *, patient=None, target=None):
    with received(io.BytesIO(content), name="chest.png") as upload:
        return accept_image(
            received=upload,
            patient=patient or PatientDetails("MRN-1"),
            target=target or CaseDetails(),
            actor=actor,
        )


def stored_files(facility) -> list[Path]:
    return [path for path in Path(settings.MEDIA_ROOT).glob(f"facilities/{facility.uid}/**/*") if path.is_file()]


def at_once(work: Callable, arguments: list) -> list:
    """``work`` with each argument, in threads that start together; an exception is a result."""
    barrier = Barrier(len(arguments))

    def run(argument):
        try:
            barrier.wait()
            return work(argument)
        except Exception as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(len(arguments)) as pool:
        return list(pool.map(run, arguments))


@pytest.mark.django_db
class TestAcceptImage:
    def test_an_image_is_stored_with_its_case_and_audited(self, submitter):
        submitted = accept(small_png(1), submitter, target=CaseDetails(accession_number="ACC-1"))

        radiograph = submitted.radiograph
        assert submitted.created
        assert (radiograph.rows, radiograph.columns, radiograph.media_type) == (50, 45, "image/png")
        assert default_storage.open(radiograph.original.name).read() == small_png(1)
        assert default_storage.open(radiograph.preview.name).read().startswith(b"\x89PNG")
        assert radiograph.case.accession_number == "ACC-1"
        assert AuditEvent.objects.filter(event=Event.SUBMITTED_IMAGE, object_uid=radiograph.uid).count() == 1

    def test_the_same_bytes_for_the_same_patient_are_the_same_radiograph(self, submitter):
        first, again = accept(small_png(1), submitter), accept(small_png(1), submitter)

        assert not again.created
        assert again.radiograph == first.radiograph
        assert Case.objects.count() == 1

    def test_the_same_bytes_for_another_patient_are_refused(self, submitter):
        accept(small_png(1), submitter, patient=PatientDetails("MRN-1", family_name="Somebody"))
        files = stored_files(submitter.facility)

        with pytest.raises(ImageOfAnotherPatient) as refused:
            accept(small_png(1), submitter, patient=PatientDetails("MRN-2"))

        assert "Somebody" not in str(refused.value)
        assert not Patient.objects.filter(medical_record_number="MRN-2").exists()
        assert stored_files(submitter.facility) == files

    def test_another_facility_may_have_the_same_bytes(self, submitter, outsider):
        accept(small_png(1), submitter)

        assert accept(small_png(1), outsider).created

    def test_a_file_that_cannot_be_read_leaves_nothing(self, submitter):
        with pytest.raises(IntakeError):
            accept(small_png(1)[:200], submitter)

        assert not Radiograph.objects.exists()
        assert not Case.objects.exists()
        assert not Patient.objects.exists()
        assert not AuditEvent.objects.exists()
        assert stored_files(submitter.facility) == []

    def test_a_conflict_after_the_files_were_written_takes_them_away_again(self, submitter):
        CaseFactory(patient__facility=submitter.facility, accession_number="ACC-1")

        with pytest.raises(Conflict, match="belongs to a case of another patient"):
            accept(small_png(1), submitter, patient=PatientDetails("MRN-9"), target=CaseDetails("ACC-1"))

        assert stored_files(submitter.facility) == []
        assert not Patient.objects.filter(medical_record_number="MRN-9").exists()

    def test_a_signed_case_is_not_added_to_whichever_way_it_is_named(self, submitter):
        case = CaseFactory(patient__facility=submitter.facility, accession_number="ACC-1", status=Case.Status.SIGNED)
        for target in (case, CaseDetails(accession_number="ACC-1")):
            with pytest.raises(Conflict, match="signed"):
                accept(small_png(1), submitter, patient=case.patient, target=target)
        assert stored_files(submitter.facility) == []

    def test_a_case_of_which_a_first_read_is_signed_is_not_added_to(self, submitter, radiologist):
        facility = submitter.facility
        facility.double_read_percent = 100
        facility.save()
        case = CaseFactory(patient__facility=facility)
        sign_case(case=case, reader=radiologist, final_label="normal")

        with pytest.raises(Conflict, match="A first read of this case is signed"):
            accept(small_png(1), submitter, patient=case.patient, target=Case.objects.get())
        assert stored_files(facility) == []

    def test_an_actor_without_a_facility_submits_nothing(self, administrator):
        with pytest.raises(NotAllowed):
            accept(small_png(1), administrator)


@pytest.mark.django_db(transaction=True)
def test_the_same_bytes_at_the_same_time_are_taken_in_once(submitter):
    answers = at_once(lambda _: accept(small_png(1), submitter), [None] * 4)

    assert sorted(answer.created for answer in answers) == [False, False, False, True]
    assert len({answer.radiograph.pk for answer in answers}) == 1
    assert Case.objects.count() == Patient.objects.count() == Radiograph.objects.count() == 1
    assert len(stored_files(submitter.facility)) == 2
    for path in stored_files(submitter.facility):
        assert path.stat().st_size


@pytest.mark.django_db(transaction=True)
def test_one_accession_number_at_the_same_time_is_one_case(submitter):
    answers = at_once(
        lambda seed: accept(small_png(seed), submitter, target=CaseDetails(accession_number="ACC-1")), [1, 2, 3, 4]
    )

    assert {answer.created for answer in answers} == {True}
    assert Case.objects.get().radiographs.count() == 4


@pytest.mark.django_db(transaction=True)
def test_one_new_patient_at_the_same_time_is_created_once(facility, submitter):
    details = PatientDetails("MRN-1", family_name="Example")

    answers = at_once(lambda _: find_or_create_patient(facility=facility, details=details, actor=submitter), [None] * 4)

    assert sorted(created for _, created in answers) == [False, False, False, True]
    assert Patient.objects.count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize("known", ["", "U"])
def test_details_that_nobody_knew_are_filled_in_and_audited(submitter, known):
    patient = PatientFactory(
        facility=submitter.facility, medical_record_number="MRN-1", sex=known or "U", given_name=""
    )

    found, created = find_or_create_patient(
        facility=submitter.facility, details=PatientDetails("MRN-1", given_name="Kim", sex="F"), actor=submitter
    )

    assert (found, created, found.sex, found.given_name) == (patient, False, "F", "Kim")
    assert AuditEvent.objects.get(event=Event.CHANGED_PATIENT).detail == "given_name, sex"


@pytest.mark.django_db
def test_a_record_number_means_nothing_beyond_its_facility(submitter):
    PatientFactory(facility=FacilityFactory(), medical_record_number="MRN-1")

    _, created = find_or_create_patient(facility=submitter.facility, details=PatientDetails("MRN-1"), actor=submitter)

    assert created


READY_NORMAL = AiOutcome(AiStatus.READY, "normal", 0.95)
READY_COVID = AiOutcome(AiStatus.READY, "covid", 0.6)
READY_PNEUMONIA = AiOutcome(AiStatus.READY, "pneumonia", 0.7)
QUEUED, RUNNING = AiOutcome(AiStatus.QUEUED), AiOutcome(AiStatus.RUNNING)
INDETERMINATE = AiOutcome(AiStatus.INDETERMINATE)
REFUSED, FAILED = AiOutcome(AiStatus.REFUSED), AiOutcome(AiStatus.FAILED)


@pytest.mark.parametrize(
    ("outcomes", "summary"),
    [
        ([], AiOutcome(AiStatus.OFF)),
        ([READY_NORMAL, QUEUED], QUEUED),
        ([QUEUED, RUNNING], RUNNING),
        ([READY_NORMAL, REFUSED, FAILED], READY_NORMAL),
        ([REFUSED, FAILED], FAILED),
        ([REFUSED], REFUSED),
        ([READY_NORMAL, INDETERMINATE, FAILED], INDETERMINATE),
        ([READY_COVID, INDETERMINATE], READY_COVID),
        (
            [AiOutcome(AiStatus.READY, "tuberculosis", 0.6), READY_NORMAL],
            AiOutcome(AiStatus.READY, "tuberculosis", 0.6),
        ),
        ([READY_NORMAL, READY_COVID, READY_PNEUMONIA], READY_PNEUMONIA),
        ([READY_NORMAL, AiOutcome(AiStatus.READY, "normal", 0.6)], AiOutcome(AiStatus.READY, "normal", 0.6)),
    ],
)
def test_a_case_is_summed_up_by_its_least_reassuring_image(outcomes, summary):
    assert summarise(outcomes) == summary
    assert summarise(outcomes[::-1]) == summary


@pytest.mark.django_db(transaction=True)
def test_the_same_bytes_at_once_for_two_patients_are_stored_for_one_of_them(submitter):
    results = at_once(
        lambda number: accept(small_png(1), submitter, patient=PatientDetails(number)), ["MRN-1", "MRN-2"]
    )

    assert sorted(type(result).__name__ for result in results) == ["ImageOfAnotherPatient", "Submitted"]
    radiograph = Radiograph.objects.get()
    assert Patient.objects.get() == radiograph.patient
    assert default_storage.open(radiograph.original.name).read() == small_png(1)


class Meeting(ContentAddressedStorage):
    """Stores only together: whoever comes waits for the other, and gives up where nobody can come."""

    barrier = Barrier(2, timeout=20)

    def _save(self, name, content):
        self.barrier.wait()
        return super()._save(name, content)


class Trouble(ContentAddressedStorage):
    """Fails after the first preview, at the moment at which another intake has stored the next one, if any can."""

    error: StorageError
    previews: Iterator[int]
    second_stored: Signal
    first_deleted: Signal

    def _save(self, name, content):
        super()._save(name, content)
        if "/previews/" in name:
            if next(self.previews) == 1:
                self.second_stored.wait(1)
                raise self.error
            self.second_stored.set()
            self.first_deleted.wait(1)
        return name

    def delete(self, name):
        super().delete(name)
        if "/previews/" in name:
            self.first_deleted.set()


@pytest.fixture
def use(settings):
    """Makes this the kind of storage for images."""

    def use(kind: type) -> None:
        settings.STORAGES = {**settings.STORAGES, "default": {"BACKEND": f"{__name__}.{kind.__qualname__}"}}

    return use


@pytest.fixture
def trouble(use, monkeypatch):
    """Makes the storage fail once with this error."""

    def trouble(error: StorageError) -> None:
        use(Trouble)
        values = {"error": error, "previews": count(1), "second_stored": Signal(), "first_deleted": Signal()}
        for name, value in values.items():
            monkeypatch.setattr(Trouble, name, value, raising=False)

    return trouble


def twin(number: int) -> bytes:
    """The same pixels in other bytes: another original, the same preview."""
    info, buffer = PngInfo(), io.BytesIO()
    info.add_text("number", str(number))
    Image.open(io.BytesIO(small_png(1))).save(buffer, "PNG", pnginfo=info)
    return buffer.getvalue()


@pytest.mark.django_db(transaction=True)
def test_two_images_of_a_facility_are_stored_side_by_side(submitter, use):
    use(Meeting)

    results = at_once(lambda seed: accept(small_png(seed), submitter, patient=PatientDetails(f"MRN-{seed}")), [1, 2])

    assert [result.created for result in results] == [True, True]


@pytest.mark.django_db(transaction=True)
def test_a_case_is_not_locked_while_its_image_is_stored(submitter, use):
    case = CaseFactory(patient__facility=submitter.facility)
    use(Meeting)

    results = at_once(lambda seed: accept(small_png(seed), submitter, patient=case.patient, target=case), [1, 2])

    assert [result.created for result in results] == [True, True]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("same", [True, False])
def test_an_intake_that_fails_leaves_what_another_one_stores(submitter, trouble, same):
    trouble(StorageFull("Full."))

    results = at_once(
        lambda number: accept(twin(0 if same else number), submitter, patient=PatientDetails(f"MRN-{number}")), [1, 2]
    )

    assert sorted(type(result).__name__ for result in results) == ["StorageFull", "Submitted"]
    radiograph = Radiograph.objects.get()
    names = {radiograph.original.name, radiograph.preview.name}
    assert {path.relative_to(settings.MEDIA_ROOT).as_posix() for path in stored_files(submitter.facility)} == names


@pytest.mark.django_db
def test_nothing_is_deleted_from_a_storage_that_does_not_answer(submitter, trouble):
    trouble(StorageUnavailable("It does not answer."))

    with pytest.raises(StorageUnavailable):
        accept(small_png(1), submitter)

    assert not Radiograph.objects.exists()
    assert len(stored_files(submitter.facility)) == 2  # for scrub: deleted late, it might be another sender's by then
    assert accept(small_png(1), submitter).created


@pytest.mark.django_db(transaction=True)
def test_what_two_senders_say_of_one_patient_at_once_is_not_overwritten(submitter):
    patient = PatientFactory(facility=submitter.facility, medical_record_number="MRN-1", given_name="")

    def say(given_name: str):
        details = PatientDetails("MRN-1", given_name=given_name)
        with transaction.atomic():
            known = find_or_create_patient(facility=submitter.facility, details=details, actor=submitter)[0]
            return known.given_name

    results = at_once(say, ["Kim", "Robin", "Sam", "Toni"])

    patient.refresh_from_db()
    assert [result for result in results if isinstance(result, str)] == [patient.given_name]
    assert {type(result) for result in results} == {str, PatientMismatch}
