"""What is special about a bucket: how it fails, that uploads are confirmed, and signed addresses."""

from __future__ import annotations

import base64
import hashlib
import io
import urllib.request
from contextlib import contextmanager
from urllib.parse import parse_qs, urlsplit

import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ReadTimeoutError
from django.core.files.base import ContentFile
from django.urls import reverse

from cases.models import BatchItem, Case, Radiograph
from cases.storage import FileMissing, StorageError, StorageFull, StorageUnavailable, image_storage, read_verified
from cases.tests.api import entry, image, manifest
from cases.tests.factories import CaseFactory, PatientFactory, RadiographFactory
from portal.audit.models import AuditEvent, Event

DATA = b"pixels"
SHA256 = hashlib.sha256(DATA).hexdigest()
CHECKSUM = base64.b64encode(hashlib.sha256(DATA).digest()).decode()


@pytest.fixture
def bucket(use_bucket):
    use_bucket()
    return image_storage()


def send(client):
    said = {"images": [image()], "manifest": manifest(entry("MRN-1"))}
    return client.post("/api/v1/batches/", said, format="multipart", headers={"Idempotency-Key": "one"})


@contextmanager
def answering(bucket, operation: str, answer):
    """Every such request gets this answer, or raises it, without reaching the server."""

    def give(**kwargs):
        if isinstance(answer, Exception):
            raise answer
        return answer

    event = f"before-call.s3.{operation}"
    bucket._client.meta.events.register(event, give)
    yield
    bucket._client.meta.events.unregister(event, give)


def refusal(status: int, code: str):
    """An error as the server tells it."""
    body = f"<Error><Code>{code}</Code><Message>No.</Message></Error>".encode()
    response = AWSResponse("http://bucket", status, {}, io.BytesIO(body))
    return response, {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}


SILENT = ReadTimeoutError(endpoint_url="http://bucket")


@pytest.mark.parametrize(
    ("answer", "error", "status"),
    [
        pytest.param(SILENT, StorageUnavailable, 503, id="silence"),
        pytest.param(refusal(503, "SlowDown"), StorageUnavailable, 503, id="overload"),
        pytest.param(refusal(500, "InternalError"), StorageUnavailable, 503, id="fault"),
        pytest.param(refusal(400, "BadDigest"), StorageUnavailable, 503, id="damaged on the way"),
        pytest.param(refusal(507, "XMinioStorageFull"), StorageFull, 507, id="full"),
        pytest.param(refusal(403, "QuotaExceeded"), StorageFull, 507, id="quota"),
        pytest.param(refusal(403, "AccessDenied"), StorageError, 500, id="wrong key"),
        pytest.param(refusal(404, "NoSuchBucket"), StorageError, 500, id="no bucket"),
    ],
)
def test_what_goes_wrong_with_an_upload_is_told_like_that_of_a_folder(bucket, answer, error, status):
    with answering(bucket, "PutObject", answer), pytest.raises(error) as refused:
        bucket.save("a/b.png", ContentFile(DATA))

    assert refused.value.status == status
    assert type(refused.value) is error


def test_a_server_that_is_not_there_is_told_as_such(bucket, settings):
    options = {**settings.STORAGES["default"]["OPTIONS"], "endpoint_url": "http://127.0.0.1:9"}
    settings.STORAGES = {**settings.STORAGES, "default": {**settings.STORAGES["default"], "OPTIONS": options}}

    with pytest.raises(StorageUnavailable):
        image_storage().save("a/b.png", ContentFile(DATA))
    with pytest.raises(StorageUnavailable):
        read_verified("a/b.png", SHA256)
    with pytest.raises(StorageUnavailable):
        list(image_storage().walk())


def test_an_upload_that_the_server_confirms_is_not_read_back(bucket):
    confirmed = refusal(200, "")[0], {"ChecksumSHA256": CHECKSUM}

    with answering(bucket, "PutObject", confirmed), answering(bucket, "GetObject", SILENT):
        assert bucket.save("a/b.png", ContentFile(DATA)) == "a/b.png"


@pytest.mark.parametrize("confirmed", [{}, {"ChecksumSHA256": "another"}])
def test_an_upload_that_is_not_confirmed_is_read_back(bucket, confirmed):
    bucket.save("a/b.png", ContentFile(b"pixelz"))

    with (
        answering(bucket, "PutObject", (refusal(200, "")[0], confirmed)),
        pytest.raises(StorageUnavailable, match="damaged on its way"),
    ):
        bucket.save("a/b.png", ContentFile(DATA))


def test_an_upload_that_vanished_is_noticed(bucket):
    with answering(bucket, "PutObject", (refusal(200, "")[0], {})), pytest.raises(FileMissing):
        bucket.save("a/b.png", ContentFile(DATA))


def test_the_address_of_a_file_field_opens_nothing(bucket):
    bucket.save("a/b.png", ContentFile(DATA))

    assert "?" not in bucket.url("a/b.png")


@pytest.mark.django_db
class TestOverHttp:
    @pytest.fixture
    def radiograph(self, bucket, facility, submitter, settings) -> Radiograph:
        settings.MEDIA_SERVING = "signed-url"
        case = CaseFactory(patient=PatientFactory(facility=facility), submitted_by=submitter)
        return RadiographFactory(case=case, original_name="thorax pa.png")

    def test_the_browser_is_sent_to_the_bucket_for_at_most_five_minutes(self, client_of, radiologist, radiograph):
        client = client_of(radiologist)
        response = client.get(reverse("cases:radiograph-original", args=[radiograph.uid]))

        assert response.status_code == 302
        assert response["Cache-Control"] == "private, no-store"
        query = parse_qs(urlsplit(response["Location"]).query)
        assert 0 < int(query["X-Amz-Expires"][0]) <= 300
        with urllib.request.urlopen(response["Location"], timeout=10) as answer:  # noqa: S310 - our own loopback address
            assert answer.read() == image_storage().open(radiograph.original.name).read()
            assert answer.headers["Content-Type"] == "image/png"
            assert answer.headers["Cache-Control"] == "private, no-store"
            assert answer.headers["Content-Disposition"] == "attachment; filename*=UTF-8''thorax%20pa.png"
        assert AuditEvent.objects.filter(event=Event.VIEWED_IMAGE, object_uid=radiograph.uid).count() == 1

    def test_nobody_else_gets_an_address(self, client_of, outsider, administrator, radiograph):
        path = reverse("cases:radiograph-preview", args=[radiograph.uid])

        answers = {user: client_of(user).get(path) for user in (outsider, administrator, None)}

        assert {user: answer.status_code for user, answer in answers.items()} == {
            outsider: 404,
            administrator: 403,
            None: 302,
        }
        assert answers[None]["Location"].startswith(reverse("login"))

    @pytest.mark.parametrize(
        ("answer", "status", "code"),
        [
            pytest.param(SILENT, 503, "storage_unavailable", id="silence"),
            pytest.param(refusal(507, "XMinioStorageFull"), 507, "storage_full", id="full"),
        ],
    )
    def test_an_upload_is_refused_in_words_and_leaves_nothing(self, bucket, api_of, submitter, answer, status, code):
        with answering(bucket, "PutObject", answer):
            response = send(api_of(submitter))

        assert (response.status_code, response.json()["code"]) == (status, code)
        assert response["Content-Type"] == "application/problem+json"
        assert ("Retry-After" in response) == (status == 503)
        assert not Case.objects.exists()
        assert not BatchItem.objects.exists()
        assert list(bucket.walk()) == []

        assert [item["outcome"] for item in send(api_of(submitter)).json()["items"]] == ["accepted"]
