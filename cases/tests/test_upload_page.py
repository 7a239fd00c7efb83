from __future__ import annotations

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from cases.models import Case, Patient, Priority, Radiograph
from cases.phantoms import phantom
from cases.reading import sign_case
from cases.tests.factories import CaseFactory, PatientFactory
from portal.audit.models import AuditEvent, Event

pytestmark = pytest.mark.django_db

URL = reverse("cases:upload")
JSON = {"HTTP_ACCEPT": "application/json"}


def image(seed: int, name: str = "chest.png") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, phantom(seed=seed), content_type="image/png")


def text(name: str = "letter.png") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, b"Dear colleague", content_type="image/png")


def typed(*files, **fields) -> dict:
    return {"medical_record_number": "MRN-1", "files": list(files)} | fields


def test_all_files_of_an_upload_become_one_case_of_a_new_patient(client_of, submitter):
    details = {"family_name": "Lovelace", "sex": "F", "birth_date": "1980-12-10", "priority": 1, "indication": "Cough"}
    page = client_of(submitter).post(URL, typed(image(1), image(2), **details)).content.decode()

    case = Case.objects.get()
    assert (case.radiographs.count(), case.priority, case.indication) == (2, Priority.STAT, "Cough")
    assert (case.patient.family_name, case.patient.facility) == ("Lovelace", submitter.facility)
    assert case.get_absolute_url() in page


def test_a_known_record_number_finds_the_patient(client_of, submitter, facility):
    patient = PatientFactory(facility=facility, medical_record_number="MRN-1")

    client_of(submitter).post(URL, typed(image(1)))

    assert Case.objects.get().patient == patient


def test_each_refused_file_is_told_with_cause_and_remedy_and_stops_no_other(client_of, submitter):
    page = client_of(submitter).post(URL, typed(text(), image(1))).content.decode()

    assert "The file is text, not a chest X-ray." in page
    assert "Send a JPEG, PNG or single-frame CR/DX DICOM file." in page
    assert Radiograph.objects.count() == 1


def test_nothing_is_left_behind_when_no_file_is_taken(client_of, submitter):
    client_of(submitter).post(URL, typed(text("a.png"), SimpleUploadedFile("b.png", b"")))

    assert not Patient.objects.exists()
    assert not Case.objects.exists()


def test_the_same_image_again_leads_to_its_case(client_of, submitter):
    client = client_of(submitter)
    client.post(URL, typed(image(1)))

    page = client.post(URL, typed(image(1))).content.decode()

    assert "Already there." in page
    assert Case.objects.get().get_absolute_url() in page


def test_details_that_contradict_the_known_patient_are_refused(client_of, submitter, facility):
    PatientFactory(facility=facility, medical_record_number="MRN-1", family_name="Lovelace")

    response = client_of(submitter).post(URL, typed(image(1), family_name="Babbage"))

    assert response.status_code == 409
    assert "belongs to a patient with other details" in response.content.decode()
    assert not Case.objects.exists()


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"medical_record_number": ""}, "The record number is needed"),
        ({"files": []}, "Choose at least one image."),
        ({"birth_date": "yesterday"}, "Enter a valid date."),
        ({"case": "not-a-case"}, "Select a valid choice"),
    ],
)
def test_a_form_that_cannot_be_says_why(client_of, submitter, fields, sentence):
    response = client_of(submitter).post(URL, typed(image(1)) | fields)

    assert response.status_code == 400
    assert sentence in response.content.decode() or "case" in response.context["form"].errors
    assert not Case.objects.exists()


def test_the_pages_script_sends_one_file_a_request_into_one_case(client_of, submitter):
    client = client_of(submitter)
    first = client.post(URL, typed(image(1)), **JSON).json()["files"][0]
    second = client.post(URL, {"case": first["case"], "files": [image(2)]}, **JSON).json()["files"][0]

    assert first["status"] == second["status"] == "accepted"
    assert second["case"] == first["case"]
    assert Case.objects.get().radiographs.count() == 2


def test_a_case_takes_no_image_that_is_typed_as_another_patients(client_of, submitter):
    client = client_of(submitter)
    case = client.post(URL, typed(image(1)), **JSON).json()["files"][0]["case"]

    refused = client.post(URL, typed(image(2), case=case, medical_record_number="MRN-2"), **JSON)
    taken = client.post(URL, typed(image(3), case=case), **JSON)

    assert refused.status_code == 400
    assert refused.json()["errors"]["medical_record_number"][0]["code"] == "patient_mismatch"
    assert taken.json()["files"][0]["status"] == "accepted"
    assert Case.objects.get().radiographs.count() == 2


def test_the_pages_script_is_told_what_was_wrong(client_of, submitter):
    client = client_of(submitter)
    refused = client.post(URL, typed(text()), **JSON).json()["files"][0]
    incomplete = client.post(URL, {"files": [image(1)]}, **JSON)

    assert refused["code"] == "file_type_unsupported"
    assert refused["remedy"]
    assert incomplete.status_code == 400
    assert "medical_record_number" in incomplete.json()["errors"]


def test_an_image_cannot_be_added_to_another_facilitys_case(client_of, outsider, submitter, facility):
    case = CaseFactory(patient=PatientFactory(facility=facility), submitted_by=submitter)
    client = client_of(outsider)

    assert client.get(URL, {"case": str(case.uid)}).status_code == 404
    assert client.post(URL, {"case": str(case.uid), "files": [image(1)]}).status_code == 400
    assert not Radiograph.objects.exists()


@pytest.mark.parametrize("files", [None, [], [text()]])
def test_a_form_that_shows_a_case_leaves_an_audit_row(client_of, submitter, facility, files):
    case, client = CaseFactory(patient__facility=facility), client_of(submitter)
    sent = {"case": str(case.uid)}

    page = client.get(URL, sent) if files is None else client.post(URL, {**sent, "files": files})

    assert case.patient.medical_record_number in page.text
    assert AuditEvent.objects.get(event=Event.VIEWED_CASE, actor=submitter).object_uid == case.uid


def test_an_image_cannot_be_added_to_a_signed_case(client_of, submitter, radiologist, facility):
    case = CaseFactory(patient=PatientFactory(facility=facility), submitted_by=submitter)
    sign_case(case=case, reader=radiologist, final_label="normal")

    page = client_of(submitter).post(URL, {"case": str(case.uid), "files": [image(1)]}).content.decode()

    assert "This case is signed." in page
    assert not Radiograph.objects.exists()


@pytest.mark.parametrize("case", ["x", "00000000-0000-0000-0000-000000000000"])
def test_a_case_that_does_not_exist_is_not_found(client_of, submitter, case):
    assert client_of(submitter).get(URL, {"case": case}).status_code == 404
