from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection

from cases.models import Batch, BatchItem, Case, Patient, Radiograph
from cases.tests.api import entry, image, manifest
from cases.tests.factories import CaseFactory, PatientFactory, small_png
from portal.audit.models import AuditEvent, Event

URL = "/api/v1/batches/"


def send(client, said: dict, **headers):
    return client.post(URL, said, format="multipart", headers=headers)


@pytest.mark.django_db
class TestSubmit:
    def test_every_image_goes_where_its_entry_says(self, api_of, submitter):
        said = {
            "images": [image("a.png", seed=1), image("b.png", seed=2), image("c.png", seed=3)],
            "manifest": manifest(
                entry("MRN-1", family_name="Example", accession_number="ACC-1", priority="stat", file_name="a.png"),
                entry("MRN-1", accession_number="ACC-1", sha256=hashlib.sha256(small_png(2)).hexdigest()),
                entry("MRN-2", indication="Fever"),
            ),
        }

        response = send(api_of(submitter), said)

        assert response.status_code == 202
        body = response.json()
        assert [item["outcome"] for item in body["items"]] == ["accepted"] * 3
        assert body["items"][0]["case"] == body["items"][1]["case"] != body["items"][2]["case"]
        case = Case.objects.get(uid=body["items"][0]["case"])
        assert (case.accession_number, case.get_priority_display(), case.patient.family_name) == (
            "ACC-1",
            "Stat",
            "Example",
        )
        assert Batch.objects.get().facility == submitter.facility
        assert response["Location"] == body["url"]
        assert AuditEvent.objects.filter(event=Event.SUBMITTED_IMAGE, actor=submitter).count() == 3

    def test_all_images_may_go_into_one_case(self, api_of, submitter):
        case = CaseFactory(patient__facility=submitter.facility)

        response = send(api_of(submitter), {"images": [image(seed=1), image(seed=2)], "case": str(case.uid)})

        assert [item["case"] for item in response.json()["items"]] == [str(case.uid)] * 2

    def test_the_manifest_may_be_a_file(self, api_of, submitter):
        part = SimpleUploadedFile("m.json", manifest(entry()).encode(), content_type="application/json")

        assert send(api_of(submitter), {"images": [image()], "manifest": part}).status_code == 202

    def test_a_bad_item_spoils_no_other_and_leaves_nothing(self, api_of, submitter, outsider):
        PatientFactory(facility=submitter.facility, medical_record_number="MRN-5", family_name="Known")
        foreign = CaseFactory(patient__facility=outsider.facility)
        said = {
            "images": [image(f"{number}.png", seed=number) for number in range(1, 8)]
            + [image("text.png", content=b"hello"), image("empty.dcm", content=b""), image("last.png", seed=9)],
            "manifest": manifest(
                entry("MRN-1"),
                entry("MRN-2", birth_date="yesterday"),
                entry("MRN-3", birth_date="2999-01-01"),
                entry("MRN-4", colour="red"),
                entry("MRN-5", family_name="Other"),
                {"case": str(foreign.uid)},
                entry("MRN-7", sha256="0" * 64),
                entry("MRN-8"),
                entry("MRN-9"),
                entry("MRN-10"),
            ),
        }

        response = send(api_of(submitter), said)

        assert response.status_code == 202
        items = response.json()["items"]
        assert [item["outcome"] for item in items] == ["accepted", *["rejected"] * 8, "accepted"]
        problems = [(item["problem"]["status"], item["problem"]["code"]) for item in items[1:-1]]
        assert problems == [
            (400, "invalid"),
            (400, "invalid_details"),
            (400, "invalid"),
            (409, "patient_mismatch"),
            (404, "case_unknown"),
            (400, "sha256_mismatch"),
            (415, "file_type_unsupported"),
            (400, "file_empty"),
        ]
        assert list(items[3]["problem"]["errors"]) == ["colour"]
        numbers = set(
            Patient.objects.filter(facility=submitter.facility).values_list("medical_record_number", flat=True)
        )
        assert numbers == {"MRN-1", "MRN-5", "MRN-10"}
        assert Case.objects.filter(facility=submitter.facility).count() == Radiograph.objects.count() == 2

    @pytest.mark.parametrize(
        "said",
        [
            {},
            {"manifest": manifest(entry())},
            {"images": [image()]},
            {"images": [image()], "manifest": manifest(entry()), "case": str(uuid4())},
            {"images": [image()], "manifest": "{"},
            {"images": [image()], "manifest": "[]"},
            {"images": [image()], "manifest": '{"items": [1]}'},
            {"images": [image()], "manifest": '{"items": [], "more": 1}'},
            {"images": [image()], "manifest": '{"items": [{"medical_record_number": NaN}]}'},
            {"images": [image()], "manifest": '{"items": [], "items": []}'},
            {"images": [image()], "manifest": "[" * 100_000},
            {"images": [image()], "manifest": manifest()},
            {"images": [image()], "manifest": manifest(entry(), entry())},
            {"images": [image("a.png")], "manifest": manifest(entry(file_name="b.png"))},
            {"images": [image()], "case": "x"},
            {"images": [image()], "manifest": manifest(entry()), "colour": "red"},
        ],
    )
    def test_a_request_that_is_wrong_as_a_whole_leaves_nothing(self, api_of, submitter, said):
        response = send(api_of(submitter), said)

        assert (response.status_code, response["Content-Type"]) == (400, "application/problem+json")
        assert response.json()["errors"]
        assert not Batch.objects.exists()
        assert not Patient.objects.exists()

    def test_a_case_that_is_not_there_is_said_so(self, api_of, submitter):
        response = send(api_of(submitter), {"images": [image()], "case": str(CaseFactory().uid)})

        assert (response.status_code, response.json()["code"]) == (404, "case_unknown")

    def test_too_many_files_are_refused_before_they_are_looked_at(self, api_of, submitter):
        said = {"images": [image(content=b"x") for _ in range(settings.INTAKE_MAX_FILES + 1)], "case": str(uuid4())}

        response = send(api_of(submitter), said)

        assert (response.status_code, response.json()["code"]) == (413, "too_many_files")

    def test_file_names_are_cleaned(self, api_of, submitter):
        said = {"images": [image("../../etc/pass\x07wd\u202egnp.png")], "manifest": manifest(entry())}

        assert send(api_of(submitter), said).json()["items"][0]["file_name"] == "passwdgnp.png"

    def test_an_account_without_a_facility_submits_nothing(self, api_of, administrator, django_user_model):
        from django.contrib.auth.models import Group, Permission

        group = Group.objects.create(name="Helpers")
        group.permissions.set(Permission.objects.filter(codename="add_case"))
        administrator.groups.add(group)

        response = send(api_of(administrator), {"images": [image()], "manifest": manifest(entry())})

        assert response.status_code == 403


@pytest.mark.django_db
class TestIdempotency:
    def said(self, seed: int = 1) -> dict:
        return {"images": [image(seed=seed), image(content=b"bad")], "manifest": manifest(entry("M1"), entry("M2"))}

    def test_the_same_key_returns_the_first_answer_and_does_nothing(self, api_of, submitter):
        client = api_of(submitter)
        first = send(client, self.said(), **{"Idempotency-Key": "key-1"})
        rows = AuditEvent.objects.count()
        again = send(client, self.said(), **{"Idempotency-Key": "key-1"})

        assert (first.status_code, again.status_code) == (202, 202)
        assert first.json() == again.json()
        assert first.json()["items"][0]["outcome"] == "accepted"
        assert Batch.objects.count() == 1
        assert AuditEvent.objects.count() == rows

    def test_without_a_key_a_repetition_is_a_batch_of_its_own(self, api_of, submitter):
        client = api_of(submitter)
        first, again = send(client, self.said()), send(client, self.said())

        assert first.json()["uid"] != again.json()["uid"]
        assert again.json()["items"][0]["outcome"] == "existing"
        assert Radiograph.objects.count() == 1

    def test_a_key_belongs_to_its_submitter(self, api_of, submitter, radiologist):
        first = send(api_of(submitter), self.said(), **{"Idempotency-Key": "key-1"})
        other = send(api_of(radiologist), self.said(), **{"Idempotency-Key": "key-1"})

        assert first.json()["uid"] != other.json()["uid"]

    def test_a_key_is_not_taken_for_other_files(self, api_of, submitter):
        client = api_of(submitter)
        send(client, self.said(seed=1), **{"Idempotency-Key": "key-1"})

        response = send(client, self.said(seed=2), **{"Idempotency-Key": "key-1"})

        assert (response.status_code, response.json()["code"]) == (422, "idempotency_key_reused")
        assert Radiograph.objects.count() == 1

    @pytest.mark.parametrize(
        "change",
        [
            {"manifest": manifest(entry("M3"), entry("M2"))},
            {"manifest": manifest(entry("M1", accession_number="ACC-1"), entry("M2"))},
            {"images": [image(seed=1), image(content=b"also bad")]},
            {"images": [image(content=b"bad"), image(seed=1)]},
        ],
        ids=["another patient", "another case", "another refused file", "another order"],
    )
    def test_a_key_is_not_taken_for_anything_else(self, api_of, submitter, change):
        client = api_of(submitter)
        send(client, self.said(), **{"Idempotency-Key": "key-1"})

        response = send(client, self.said() | change, **{"Idempotency-Key": "key-1"})

        assert (response.status_code, response.json()["code"]) == (422, "idempotency_key_reused")
        assert Patient.objects.get().medical_record_number == "M1"

    def test_a_key_of_which_every_file_was_refused_is_not_taken_for_others(self, api_of, submitter):
        client, said = api_of(submitter), {"manifest": manifest(entry("M1"))}
        send(client, {"images": [image(content=b"bad")], **said}, **{"Idempotency-Key": "key-1"})

        response = send(client, {"images": [image()], **said}, **{"Idempotency-Key": "key-1"})

        assert (response.status_code, response.json()["code"]) == (422, "idempotency_key_reused")

    def test_a_file_beyond_the_size_cap_is_the_same_when_it_is_sent_again(self, api_of, submitter, monkeypatch):
        monkeypatch.setattr(settings, "FILE_UPLOAD_MAX_MEMORY_SIZE", 0)
        monkeypatch.setattr("cases.intake.spool.MAX_BYTES", 10)
        client, said = api_of(submitter), {"manifest": manifest(entry("M1"))}

        answers = [send(client, {"images": [image()], **said}, **{"Idempotency-Key": "key-1"}) for _ in range(2)]

        assert answers[0].json() == answers[1].json()
        assert answers[0].json()["items"][0]["problem"]["code"] == "file_too_large"

    def test_a_request_that_broke_off_is_answered_when_it_is_sent_again(self, api_of, submitter, monkeypatch):
        def break_off(**said):
            raise RuntimeError

        client = api_of(submitter)
        with monkeypatch.context() as broken:
            broken.setattr("cases.batches.accept_image", break_off)
            with pytest.raises(RuntimeError):
                send(client, self.said(), **{"Idempotency-Key": "key-1"})
        (unanswered,) = client.get(URL).json()["results"]
        assert not client.get(unanswered["url"]).json()["is_finished"]

        answer = send(client, self.said(), **{"Idempotency-Key": "key-1"})

        assert (answer.status_code, answer.json()["uid"]) == (202, unanswered["uid"])
        assert Radiograph.objects.count() == 1

    @pytest.mark.parametrize("key", ["", "x" * 101, "a\tb", "schlüssel"])
    def test_a_key_that_cannot_be_one_is_refused(self, api_of, submitter, key):
        response = send(api_of(submitter), self.said(), **{"Idempotency-Key": key})

        assert (response.status_code, response.json()["code"]) == (400, "idempotency_key_invalid")
        assert not Radiograph.objects.exists()

    def test_a_refused_request_does_not_use_up_its_key(self, api_of, submitter):
        client = api_of(submitter)
        assert send(client, {"images": [image()]}, **{"Idempotency-Key": "key-1"}).status_code == 400
        assert send(client, self.said(), **{"Idempotency-Key": "key-1"}).status_code == 202


@pytest.mark.django_db(transaction=True)
def test_equal_requests_at_the_same_time_are_one_batch(api_of, submitter):
    clients = [api_of(submitter) for _ in range(4)]

    def submit(client):
        try:
            said = {"images": [image(seed=1), image(seed=2)], "manifest": manifest(entry("M1"), entry("M2"))}
            return send(client, said, **{"Idempotency-Key": "key-1"})
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(submit, clients))

    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.content for answer in answers}) == 1
    assert (Batch.objects.count(), BatchItem.objects.count()) == (1, 2)
    assert Radiograph.objects.count() == Case.objects.count() == Patient.objects.count() == 2
    stored = list(Path(settings.MEDIA_ROOT).glob(f"facilities/{submitter.facility.uid}/**/*.png"))
    assert len(stored) == 4  # original and preview of two images


@pytest.mark.django_db(transaction=True)
def test_of_other_requests_with_one_key_at_the_same_time_one_is_taken_and_nothing_of_the_others(api_of, submitter):
    def submit(number):
        try:
            images = [image(seed=10 * number + place) for place in range(3)]
            said = {"images": images, "manifest": manifest(*[entry(f"M{number}")] * 3)}
            return send(api_of(submitter), said, **{"Idempotency-Key": "key-1"})
        finally:
            connection.close()

    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(submit, range(3)))

    assert sorted(answer.status_code for answer in answers) == [202, 422, 422]
    assert Radiograph.objects.count() == 3
    assert Patient.objects.count() == 1


@pytest.mark.django_db
def test_the_list_shows_the_facilitys_batches(api_of, submitter, outsider):
    uid = send(api_of(submitter), {"images": [image()], "manifest": manifest(entry())}).json()["uid"]

    assert [row["uid"] for row in api_of(submitter).get(URL).json()["results"]] == [uid]
    assert api_of(outsider).get(URL).json()["results"] == []
