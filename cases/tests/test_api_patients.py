from __future__ import annotations

from uuid import uuid4

import pytest

from cases.models import Patient
from cases.tests.factories import PatientFactory
from portal.audit.models import AuditEvent, Event

pytestmark = pytest.mark.django_db
URL = "/api/v1/patients/"
KIM = {
    "medical_record_number": "MRN-7",
    "family_name": "Example",
    "given_name": "Kim",
    "birth_date": "1961-05-17",
    "sex": "F",
}


def test_a_new_patient_is_created_with_an_address(api_of, submitter):
    response = api_of(submitter).post(URL, KIM, format="json")

    assert response.status_code == 201
    assert response.json() | {"uid": "", "url": "", "created_at": ""} == KIM | {
        "uid": "",
        "url": "",
        "created_at": "",
        "sex_label": "Female",
    }
    assert api_of(submitter).get(response["Location"]).json() == response.json()
    assert type(response["Location"]) is str, "WSGI servers refuse subclasses"
    patient = Patient.objects.get()
    assert patient.facility == submitter.facility
    assert AuditEvent.objects.filter(event=Event.CREATED_PATIENT, object_uid=patient.uid, actor=submitter).exists()


def test_the_same_patient_again_is_found_not_created(api_of, submitter):
    first = api_of(submitter).post(URL, KIM, format="json")
    again = api_of(submitter).post(URL, KIM | {"family_name": "EXAMPLE"}, format="json")

    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()
    patient = Patient.objects.get()
    assert AuditEvent.objects.filter(event=Event.VIEWED_PATIENT, object_uid=patient.uid, actor=submitter).count() == 1


def test_what_was_not_known_is_filled_in(api_of, submitter):
    PatientFactory(facility=submitter.facility, medical_record_number="MRN-7", family_name="", birth_date=None)

    response = api_of(submitter).post(URL, KIM, format="json")

    assert response.status_code == 200
    assert response.json()["birth_date"] == "1961-05-17"


def test_a_record_number_with_other_details_is_a_conflict_that_names_nobody(api_of, submitter):
    PatientFactory(facility=submitter.facility, medical_record_number="MRN-7", family_name="Somebody")

    response = api_of(submitter).post(URL, KIM, format="json")

    assert response.status_code == 409
    assert response["Content-Type"] == "application/problem+json"
    assert response.json()["code"] == "patient_mismatch"
    assert "Somebody" not in response.content.decode()


def test_another_facility_has_its_own_record_numbers(api_of, submitter, outsider):
    assert api_of(submitter).post(URL, KIM, format="json").status_code == 201
    assert api_of(outsider).post(URL, KIM, format="json").status_code == 201


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"medical_record_number": ""}, "medical_record_number"),
        ({"medical_record_number": None}, "medical_record_number"),
        ({"medical_record_number": "x" * 65}, "medical_record_number"),
        ({"medical_record_number": "a\0b"}, "medical_record_number"),
        ({"medical_record_number": {"a": 1}}, "medical_record_number"),
        ({"family_name": "x" * 101}, "family_name"),
        ({"birth_date": "17.05.1961"}, "birth_date"),
        ({"birth_date": "2023-02-30"}, "birth_date"),
        ({"sex": "female"}, "sex"),
        ({"surname": "Example"}, "surname"),
    ],
)
def test_a_field_that_is_not_valid_is_named(api_of, submitter, change, field):
    response = api_of(submitter).post(URL, KIM | change, format="json")

    assert response.status_code == 400
    assert list(response.json()["errors"]) == [field]
    assert not Patient.objects.exists()


@pytest.mark.parametrize("birth_date", ["1700-01-01", "2999-01-01"])
def test_an_impossible_birth_date_is_refused_by_the_service(api_of, submitter, birth_date):
    response = api_of(submitter).post(URL, KIM | {"birth_date": birth_date}, format="json")

    assert (response.status_code, response.json()["code"]) == (400, "invalid_details")


def test_a_patient_is_searched_by_the_whole_record_number(api_of, radiologist):
    PatientFactory(facility=radiologist.facility, medical_record_number="MRN-70")
    wanted = PatientFactory(facility=radiologist.facility, medical_record_number="MRN-7")
    PatientFactory(medical_record_number="MRN-7")

    response = api_of(radiologist).get(URL, {"medical_record_number": "MRN-7"})

    assert [row["uid"] for row in response.json()["results"]] == [str(wanted.uid)]


def test_a_list_has_stable_pages_and_one_audit_row_each(api_of, radiologist, django_assert_max_num_queries):
    patients = PatientFactory.create_batch(5, facility=radiologist.facility)
    client = api_of(radiologist)

    with django_assert_max_num_queries(8):
        first = client.get(URL, {"page_size": 2}).json()
    PatientFactory(facility=radiologist.facility)
    second = client.get(first["next"]).json()
    third = client.get(second["next"]).json()

    seen = [row["uid"] for page in (first, second, third) for row in page["results"]]
    assert seen == [str(patient.uid) for patient in reversed(patients)]
    assert third["next"] is None
    assert AuditEvent.objects.filter(event=Event.LISTED_PATIENTS, actor=radiologist).count() == 3


def test_a_parameter_that_does_not_exist_is_refused(api_of, radiologist):
    response = api_of(radiologist).get(URL, {"record_number": "MRN-7"})

    assert response.status_code == 400
    assert "record_number" in response.json()["errors"]


@pytest.mark.parametrize("cursor", ["x", "cD1hYmM=", "cD0AAA==", "cj1h"])
def test_a_made_up_cursor_is_not_found(api_of, radiologist, cursor):
    assert api_of(radiologist).get(URL, {"cursor": cursor}).status_code == 404


def test_reading_a_patient_leaves_an_audit_row(api_of, radiologist):
    patient = PatientFactory(facility=radiologist.facility)

    response = api_of(radiologist).get(f"{URL}{patient.uid}/")

    assert response.json()["medical_record_number"] == patient.medical_record_number
    assert AuditEvent.objects.filter(event=Event.VIEWED_PATIENT, object_uid=patient.uid, actor=radiologist).count() == 1


def test_another_facilitys_patient_does_not_exist(api_of, outsider, radiologist):
    patient = PatientFactory(facility=radiologist.facility)

    for path in (f"{URL}{patient.uid}/", f"{URL}{patient.uid}/lab-results/"):
        response = api_of(outsider).get(path)
        assert (response.status_code, response.json()["code"]) == (404, "not_found")
    assert not AuditEvent.objects.filter(object_uid=patient.uid).exists()


class TestLabResults:
    PCR = {"kind": "rt_pcr", "result": "positive", "collected_on": "2026-03-02", "note": "ward 3"}

    def test_a_test_is_entered_once(self, api_of, submitter):
        url = f"{URL}{PatientFactory(facility=submitter.facility).uid}/lab-results/"
        client = api_of(submitter)

        first, again = client.post(url, self.PCR, format="json"), client.post(url, self.PCR, format="json")

        assert (first.status_code, again.status_code) == (201, 200)
        assert first.json() == again.json()
        assert first.json()["kind_label"] == "RT-PCR"
        assert first.json()["entered_by"] == "submitter"
        assert AuditEvent.objects.filter(event=Event.VIEWED_LAB_RESULTS, actor=submitter).count() == 1
        assert client.get(url).json()["results"] == [first.json()]
        assert AuditEvent.objects.filter(event=Event.VIEWED_LAB_RESULTS).count() == 2

    @pytest.mark.parametrize(
        "change", [{"kind": "pcr"}, {"result": "?"}, {"collected_on": "2999-01-01"}, {"note": "x" * 201}, {"extra": 1}]
    )
    def test_what_cannot_be_is_refused(self, api_of, submitter, change):
        url = f"{URL}{PatientFactory(facility=submitter.facility).uid}/lab-results/"

        assert api_of(submitter).post(url, self.PCR | change, format="json").status_code == 400

    def test_a_patient_who_is_not_there_has_none(self, api_of, submitter):
        assert api_of(submitter).post(f"{URL}{uuid4()}/lab-results/", self.PCR, format="json").status_code == 404
