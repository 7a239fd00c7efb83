"""Requests that are wrong as a whole, at every door: refused with a sentence, nothing left."""

from __future__ import annotations

import json

import pytest
from django.urls import reverse

from cases.tests.api import entry, image, manifest
from cases.tests.doors import BOUNDARY, body, kept, part
from cases.tests.factories import CaseFactory, small_png
from portal.problems import MEDIA_TYPE

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_folders")]
JSON = {"HTTP_ACCEPT": "application/json"}
IMAGE = part("images", small_png(), '; filename="a.png"') + part("files", small_png(), '; filename="a.png"')


@pytest.fixture(params=["form", "api", "batch"])
def post(request, client_of, api_of, submitter, facility):
    """Sends bytes with a Content-Type to one of the doors."""
    case = CaseFactory(patient__facility=facility, submitted_by=submitter)
    url = {
        "form": reverse("cases:upload"),
        "api": reverse("api:case-images", args=[case.uid]),
        "batch": reverse("api:batch-list"),
    }[request.param]
    client = client_of(submitter) if request.param == "form" else api_of(submitter)
    return lambda sent, content_type: client.generic("POST", url, sent, content_type, **JSON)


@pytest.mark.parametrize(
    ("sent", "boundary", "statuses"),
    [
        (b"", "", {400}),
        (b"no boundary here", "x", {400}),
        (b'--x\r\nContent-Disposition: form-data; name="images"', "x", {400}),
        (body(IMAGE), "another", {400}),
        (body(IMAGE), "x" * 250, {400, 415}),  # REST framework knows no Content-Type of that length
        (body(IMAGE), "\u80ba", {400}),
        (body(part("images", small_png(), f'; filename="{"x" * 5000}.png"')), BOUNDARY, {400}),
        (body(IMAGE, part("images", "%%%", '; filename="b"\r\nContent-Transfer-Encoding: base64')), BOUNDARY, {400}),
        (body(*(part(f"f{number}", "") for number in range(10_001))), BOUNDARY, {413}),
        (body(part("manifest", "x" * 6_000_000), IMAGE), BOUNDARY, {413}),
        (body(*(part("images", "x", f'; filename="{number}"') for number in range(201))), BOUNDARY, {413}),
    ],
    ids=[
        "no boundary",
        "no part",
        "header without an end",
        "another boundary",
        "long boundary",
        "boundary in Chinese",
        "file name of 5,000",
        "broken base64",
        "10,001 fields",
        "6 MB of text",
        "201 files",
    ],
)
def test_a_body_that_is_no_form_is_refused(post, sent, boundary, statuses):
    before = kept()

    response = post(sent, f"multipart/form-data; boundary={boundary}")

    assert response.status_code in statuses
    assert response["Content-Type"] == MEDIA_TYPE
    problem = response.json()
    assert problem["code"]
    assert problem["title"].endswith(".")
    assert problem["remedy"].endswith(".")
    assert kept() == before


HOSTILE = {
    "medical_record_number": ["", "a\0b", "x" * 65, "x" * 1_000_000],
    "family_name": ["a\0b", "x" * 101, "x" * 1_000_000],
    "birth_date": ["2023-02-30", "1700-01-01", "2999-01-01", "17.05.", "\0", "9" * 5000],
    "sex": ["female", "\0", "<script>"],
    "accession_number": ["a\0b", "x" * 65],
    "priority": ["0", "9", "1e400", "high"],
    "symptom_onset": ["2023-02-30", "2999-01-01"],
    "indication": ["a\0b", "x" * 501, "x" * 1_000_000],
    "case": ["\0", "x", "00000000-0000-0000-0000-000000000000"],
}
FIELDS = [(name, text) for name, texts in HOSTILE.items() for text in texts]
IDS = [f"{name}-{number}" for name, texts in HOSTILE.items() for number in range(len(texts))]


@pytest.mark.parametrize(("name", "text"), FIELDS, ids=IDS)
def test_the_form_names_the_field_that_cannot_be(client_of, submitter, name, text):
    before = kept()
    said = {"medical_record_number": "MRN-1", "files": [image()]} | {name: text}

    response = client_of(submitter).post(reverse("cases:upload"), said, **JSON)

    assert (response.status_code, response["Content-Type"]) == (400, MEDIA_TYPE)
    problem = response.json()
    assert problem["code"] in {"invalid", "invalid_details"}
    assert set(problem["errors"]) == ({name} if problem["code"] == "invalid" else {"__all__"})
    assert problem["title"]
    assert problem["remedy"]
    assert kept() == before


@pytest.mark.parametrize(("name", "text"), FIELDS, ids=IDS)
def test_a_batch_names_it_as_the_problem_of_its_item(api_of, submitter, name, text):
    before = kept()
    said = {"images": [image()], "manifest": json.dumps({"items": [{"medical_record_number": "MRN-1"} | {name: text}]})}

    response = api_of(submitter).post(reverse("api:batch-list"), said, format="multipart")

    (item,) = response.json()["items"]
    assert item["outcome"] == "rejected"
    assert item["problem"]["status"] in {400, 404}
    assert item["problem"]["title"]
    assert item["problem"]["remedy"]
    assert kept() == before


def test_half_a_surrogate_pair_in_a_manifest_is_no_json(api_of, submitter):
    said = {"images": [image()], "manifest": manifest(entry("X")).replace("X", "\\ud800")}

    response = api_of(submitter).post(reverse("api:batch-list"), said, format="multipart")

    assert (response.status_code, list(response.json()["errors"])) == (400, ["manifest"])


def test_text_is_kept_and_shown_as_it_is_and_never_run(client_of, submitter, radiologist):
    said = {"medical_record_number": "=1+1", "indication": "<script>alert(1)</script>", "files": [image()]}
    client_of(submitter).post(reverse("cases:upload"), said, **JSON)

    page = client_of(radiologist).get(reverse("cases:worklist")).content.decode()

    assert "=1+1" in page
    assert "<script>alert(1)" not in page


def test_what_was_typed_stays_when_no_file_was_taken(client_of, submitter):
    said = {"medical_record_number": "MRN-1", "indication": "Fever", "files": [image(content=b"text, no image")]}

    response = client_of(submitter).post(reverse("cases:upload"), said)

    assert response.status_code == 415
    page = response.content.decode()
    assert "The file is text, not a chest X-ray." in page
    assert "MRN-1" in page
    assert "Fever" in page
