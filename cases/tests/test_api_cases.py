from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.core.files.storage import default_storage

from cases.models import Case, Patient, Priority, Radiograph
from cases.tests.api import image
from cases.tests.factories import CaseFactory, PatientFactory, RadiographFactory, small_png
from portal.audit.models import AuditEvent, Event

pytestmark = pytest.mark.django_db
URL = "/api/v1/cases/"
DETAILS = {"accession_number": "ACC-1", "indication": "Cough", "priority": "urgent", "symptom_onset": "2026-03-01"}


@pytest.fixture
def patient(facility) -> Patient:
    return PatientFactory(facility=facility)


@pytest.fixture
def case(patient) -> Case:
    return CaseFactory(patient=patient)


class TestCreate:
    def test_a_case_of_a_known_patient(self, api_of, submitter, patient):
        response = api_of(submitter).post(URL, {"patient": str(patient.uid), **DETAILS}, format="json")

        assert response.status_code == 201
        body = response.json()
        assert {name: body[name] for name in DETAILS} == DETAILS
        assert (body["priority_label"], body["status"], body["status_label"]) == ("Urgent", "to_read", "To read")
        assert (body["ai_status"], body["ai_label"], body["ai_probability"]) == ("off", "", None)
        assert body["patient"]["uid"] == str(patient.uid)
        assert response["Location"] == body["url"]
        case = Case.objects.get()
        assert (case.priority, case.submitted_by, case.facility) == (Priority.URGENT, submitter, patient.facility)
        assert AuditEvent.objects.filter(event=Event.OPENED_CASE, object_uid=case.uid, actor=submitter).exists()

    def test_a_case_with_its_new_patient(self, api_of, submitter):
        said = {"patient_details": {"medical_record_number": "MRN-9", "sex": "M"}, **DETAILS}

        response = api_of(submitter).post(URL, said, format="json")

        assert response.status_code == 201
        assert response.json()["patient"]["medical_record_number"] == "MRN-9"

    def test_the_same_accession_number_again_is_the_same_case(self, api_of, submitter, patient):
        said = {"patient": str(patient.uid), **DETAILS}
        first = api_of(submitter).post(URL, said, format="json")
        again = api_of(submitter).post(URL, said, format="json")

        assert (first.status_code, again.status_code) == (201, 200)
        assert first.json() == again.json()
        case = Case.objects.get()
        assert AuditEvent.objects.filter(event=Event.VIEWED_CASE, object_uid=case.uid, actor=submitter).count() == 1

    def test_an_accession_number_of_another_patient_leaves_nothing(self, api_of, submitter, patient):
        CaseFactory(patient=patient, accession_number="ACC-1")
        said = {"patient_details": {"medical_record_number": "MRN-9"}, **DETAILS}

        response = api_of(submitter).post(URL, said, format="json")

        assert (response.status_code, response.json()["code"]) == (409, "accession_taken")
        assert not Patient.objects.filter(medical_record_number="MRN-9").exists()

    def test_a_patient_of_another_facility_is_unknown(self, api_of, submitter):
        said = {"patient": str(PatientFactory().uid)}

        response = api_of(submitter).post(URL, said, format="json")

        assert (response.status_code, response.json()["code"]) == (404, "patient_unknown")

    @pytest.mark.parametrize(
        "change",
        [
            {"priority": 2},
            {"priority": "high"},
            {"symptom_onset": "2999-01-01"},
            {"accession_number": "x" * 65},
            {"indication": "x" * 501},
            {"status": "signed"},
            {"is_synthetic": True},
            {"patient_details": {"medical_record_number": "MRN-9"}},
            {"patient": None},
            {"patient": "MRN-9"},
        ],
    )
    def test_what_cannot_be_is_refused(self, api_of, submitter, patient, change):
        response = api_of(submitter).post(URL, {"patient": str(patient.uid), **DETAILS} | change, format="json")

        assert response.status_code == 400
        assert not Case.objects.exists()


class TestList:
    @pytest.mark.parametrize(
        "query",
        [
            {"status": "in_review"},
            {"ai_status": "queued"},
            {"priority": "stat"},
            {"accession_number": "ACC-7"},
            {"received_after": "2026-03-02T00:00:00Z"},
        ],
    )
    def test_a_filter_finds_what_it_says(self, api_of, radiologist, facility, query):
        march = datetime(2026, 3, 1, tzinfo=UTC)
        CaseFactory(patient__facility=facility, received_at=march)
        wanted = CaseFactory(
            patient__facility=facility,
            status=Case.Status.IN_REVIEW,
            claimed_by=radiologist,
            claimed_until=march,
            ai_status="queued",
            priority=Priority.STAT,
            accession_number="ACC-7",
            received_at=march + timedelta(days=2),
        )

        rows = api_of(radiologist).get(URL, query).json()["results"]

        assert [row["uid"] for row in rows] == [str(wanted.uid)]

    def test_cases_of_a_patient_before_a_moment(self, api_of, radiologist, patient):
        CaseFactory(patient=patient)
        early = CaseFactory(patient=patient, received_at=datetime(2020, 1, 1, tzinfo=UTC))
        CaseFactory(patient__facility=patient.facility, received_at=datetime(2020, 1, 1, tzinfo=UTC))
        query = {"patient": str(patient.uid), "received_before": "2021-01-01T00:00:00Z"}

        rows = api_of(radiologist).get(URL, query).json()["results"]

        assert [row["uid"] for row in rows] == [str(early.uid)]

    @pytest.mark.parametrize(
        "query", [{"status": "open"}, {"priority": "2"}, {"patient": "x"}, {"received_after": "yesterday"}, {"q": "x"}]
    )
    def test_a_filter_that_cannot_be_is_refused(self, api_of, radiologist, query):
        response = api_of(radiologist).get(URL, query)

        assert (response.status_code, list(response.json()["errors"])) == (400, list(query))

    @pytest.mark.parametrize(
        ("moment", "status"),
        [
            ("2026-03-02T00:00:00+20:28", 200),
            ("0001-01-01T00:00:00+05:00", 400),
            ("9999-12-31T23:59:59-05:00", 400),
            ("2026-03-02T00:00:00+25:00", 400),
        ],
    )
    def test_a_moment_with_an_odd_offset_is_understood_or_refused(self, api_of, radiologist, moment, status):
        assert api_of(radiologist).get(URL, {"received_after": moment}).status_code == status

    def test_a_page_costs_as_many_queries_as_a_row(self, api_of, radiologist, facility, django_assert_max_num_queries):
        CaseFactory.create_batch(8, patient__facility=facility)

        with django_assert_max_num_queries(8):
            assert len(api_of(radiologist).get(URL).json()["results"]) == 8

        assert AuditEvent.objects.filter(event=Event.LISTED_CASES).count() == 1


class TestImages:
    def url(self, case: Case) -> str:
        return f"{URL}{case.uid}/images/"

    def test_each_image_has_its_own_result(self, api_of, submitter, case):
        files = [image("a.png"), image("b.jpg", content=b"not an image"), image("c.png", content=b""), image("d.png")]

        response = api_of(submitter).post(self.url(case), {"images": files}, format="multipart")

        assert response.status_code == 202
        items = response.json()["items"]
        assert [item["outcome"] for item in items] == ["accepted", "rejected", "rejected", "existing"]
        assert [item["position"] for item in items] == [0, 1, 2, 3]
        assert [item["file_name"] for item in items] == ["a.png", "b.jpg", "c.png", "d.png"]
        assert items[0]["case"] == str(case.uid)
        assert items[0]["radiograph"] == items[3]["radiograph"] == str(Radiograph.objects.get().uid)
        assert items[0]["problem"] is None
        assert (items[1]["problem"]["status"], items[2]["problem"]["code"]) == (415, "file_empty")
        assert {"code", "detail", "remedy", "status"} <= set(items[1]["problem"])

    def test_an_announced_hash_is_checked(self, api_of, submitter, case):
        good, bad = small_png(1), small_png(2)
        said = {
            "images": [image(content=good), image(content=bad), image(seed=3)],
            "sha256": [hashlib.sha256(good).hexdigest().upper(), hashlib.sha256(good).hexdigest(), ""],
        }

        items = api_of(submitter).post(self.url(case), said, format="multipart").json()["items"]

        assert [item["outcome"] for item in items] == ["accepted", "rejected", "accepted"]
        assert items[1]["problem"]["code"] == "sha256_mismatch"

    @pytest.mark.parametrize(
        ("said", "field"),
        [
            ({}, "images"),
            ({"images": "text"}, "images"),
            ({"images": [image(), image()], "sha256": ["0" * 64]}, "sha256"),
            ({"images": [image()], "sha256": ["0" * 65]}, "sha256"),
            ({"images": [image()], "patient": "x"}, "patient"),
        ],
    )
    def test_a_request_that_is_wrong_as_a_whole_leaves_nothing(self, api_of, submitter, case, said, field):
        response = api_of(submitter).post(self.url(case), said, format="multipart")

        assert (response.status_code, list(response.json()["errors"])) == (400, [field])
        assert not Radiograph.objects.exists()

    def test_bytes_of_another_patient_are_refused_without_a_word_on_whom(self, api_of, submitter, case):
        other = CaseFactory(patient__facility=case.facility, patient__family_name="Somebody")
        client = api_of(submitter)
        client.post(self.url(other), {"images": [image()]}, format="multipart")

        response = client.post(self.url(case), {"images": [image()]}, format="multipart")

        problem = response.json()["items"][0]["problem"]
        assert (problem["status"], problem["code"]) == (409, "image_of_another_patient")
        assert "Somebody" not in response.content.decode()
        assert str(other.patient.uid) not in response.content.decode()

    def test_a_signed_case_takes_no_more_images(self, api_of, submitter, patient):
        case = CaseFactory(patient=patient, status=Case.Status.SIGNED)

        response = api_of(submitter).post(self.url(case), {"images": [image()]}, format="multipart")

        assert response.json()["items"][0]["problem"]["code"] == "case_signed"

    def test_the_list_shows_what_the_header_said(self, api_of, radiologist, case):
        radiograph = RadiographFactory(case=case, view_position="PA")

        (row,) = api_of(radiologist).get(self.url(case)).json()["results"]

        assert (row["uid"], row["view_position"], row["case"]) == (str(radiograph.uid), "PA", str(case.uid))

    def test_a_case_that_is_not_there_takes_none(self, api_of, submitter):
        response = api_of(submitter).post(f"{URL}{uuid4()}/images/", {"images": [image()]}, format="multipart")

        assert response.status_code == 404


class TestPages:
    def test_they_go_from_the_latest_received_to_the_first_and_back(self, api_of, radiologist, patient):
        moment = datetime(2026, 3, 1, tzinfo=UTC)
        cases = [CaseFactory(patient=patient, received_at=moment - timedelta(hours=hours // 2)) for hours in range(5)]
        expected = [str(case.uid) for case in sorted(cases, key=lambda case: (case.received_at, case.pk), reverse=True)]
        client = api_of(radiologist)

        first = client.get(URL, {"page_size": 3}).json()
        second = client.get(first["next"]).json()

        assert [row["uid"] for row in first["results"] + second["results"]] == expected
        assert (first["previous"], second["next"]) == (None, None)
        assert client.get(second["previous"]).json()["results"] == first["results"]

    @pytest.mark.parametrize("cursor", ["x", "cD1hYmM=", "W2ZhbHNlLCBbMSwgMl1d", "W1tb" * 500])
    def test_a_made_up_cursor_is_not_found(self, api_of, radiologist, cursor):
        assert api_of(radiologist).get(URL, {"cursor": cursor}).status_code == 404


class TestRadiographs:
    def test_its_details(self, api_of, radiologist, case):
        radiograph = RadiographFactory(case=case)

        body = api_of(radiologist).get(f"/api/v1/radiographs/{radiograph.uid}/").json()

        assert (body["rows"], body["columns"], body["sha256"]) == (50, 45, radiograph.sha256)
        assert AuditEvent.objects.get(event=Event.VIEWED_IMAGE).object_uid == radiograph.uid

    @pytest.mark.parametrize("accept", ["*/*", "image/png", "application/json", "text/html"])
    def test_its_preview_is_a_png_whatever_is_accepted(self, api_of, radiologist, case, accept):
        radiograph = RadiographFactory(case=case)
        client = api_of(radiologist)

        response = client.get(f"/api/v1/radiographs/{radiograph.uid}/preview/", HTTP_ACCEPT=accept)

        assert (response.status_code, response["Content-Type"]) == (200, "image/png")
        assert b"".join(response.streaming_content) == default_storage.open(radiograph.preview.name).read()
        assert response["Cache-Control"] == "private, no-cache"

    def test_an_unchanged_preview_is_not_sent_again_but_audited(self, api_of, radiologist, case):
        radiograph = RadiographFactory(case=case)
        client = api_of(radiologist)
        url = f"/api/v1/radiographs/{radiograph.uid}/preview/"

        assert client.get(url, HTTP_IF_NONE_MATCH=f'"{radiograph.preview_sha256}"').status_code == 304
        assert AuditEvent.objects.filter(event=Event.VIEWED_IMAGE, object_uid=radiograph.uid).count() == 1

    def test_a_preview_of_another_facility_is_a_problem_in_json(self, api_of, outsider, case):
        radiograph = RadiographFactory(case=case)

        response = api_of(outsider).get(f"/api/v1/radiographs/{radiograph.uid}/preview/", HTTP_ACCEPT="image/png")

        assert (response.status_code, response["Content-Type"]) == (404, "application/problem+json")
        assert response.json()["code"] == "not_found"
