"""However wrong a request is, the API answers with a problem (RFC 9457), never with a server error."""

from __future__ import annotations

import gzip

import pytest
from django.db import OperationalError, connection, transaction
from django.test import Client

from portal.problems import MEDIA_TYPE

pytestmark = pytest.mark.django_db
PATIENTS = "/api/v1/patients/"


def check(response, status: int, code: str) -> dict:
    assert (response.status_code, response["Content-Type"]) == (status, MEDIA_TYPE)
    body = response.json()
    assert body["status"] == status
    assert body["code"] == code
    assert body["title"]
    assert body["detail"].startswith(body["title"])
    return body


@pytest.mark.parametrize("path", [PATIENTS, "/api/v1/batches/", "/api/schema/"])
def test_nobody_is_told_how_to_sign_in(client, path):
    response = client.get(path)

    check(response, 401, "not_authenticated")
    assert response["WWW-Authenticate"] == "Token"


@pytest.mark.parametrize("token", ["", "x", "0" * 64, "a b", "sch\xfcssel", "a\x00b", "x" * 10_000])
def test_a_token_that_is_none_is_refused(client, token):
    response = client.get(PATIENTS, HTTP_AUTHORIZATION=f"Token {token}")

    check(response, 401, "not_authenticated")


def test_the_token_of_somebody_who_left_is_refused(api_of, radiologist):
    client = api_of(radiologist)
    radiologist.is_active = False
    radiologist.save()

    check(client.get(PATIENTS), 401, "not_authenticated")


def test_a_role_without_the_right_is_refused(api_of, auditor):
    check(api_of(auditor).get(PATIENTS), 403, "not_allowed")


@pytest.mark.parametrize("path", ["/api/", "/api/v1/", "/api/v1/nothing/", f"{PATIENTS}not-a-uuid/"])
def test_an_unknown_address_is_a_problem_too(client, path):
    check(client.get(path), 404, "not_found")


@pytest.mark.parametrize("method", ["put", "patch", "delete", "trace"])
def test_a_method_that_is_not_there_is_named_so(api_of, radiologist, method):
    response = getattr(api_of(radiologist), method)(PATIENTS)

    check(response, 405, "method_not_allowed")
    assert response["Allow"] == "GET, POST, HEAD, OPTIONS"


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_a_body_of_another_type_is_refused(api_of, submitter, content_type):
    response = api_of(submitter).generic("POST", PATIENTS, b"medical_record_number=1", content_type=content_type)

    check(response, 415, "unsupported_media_type")


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b'{"medical_record_number": "1"',
        b'{"medical_record_number": NaN}',
        b'{"medical_record_number": -Infinity}',
        b'{"medical_record_number": 1e999}',
        b'{"medical_record_number": "1", "medical_record_number": "2"}',
        b'{"medical_record_number": "\xff"}',
        b'{"medical_record_number": "\\ud800"}',
        b'{"sex": "\\udc00"}',
        b'{"\\ud83d": 1}',
        b'{"medical_record_number": ' + b"9" * 5000 + b"}",
        b'{"a":' * 200_000,
    ],
)
def test_json_that_readers_may_understand_differently_is_refused(api_of, submitter, body):
    response = api_of(submitter).generic("POST", PATIENTS, body, content_type="application/json")

    check(response, 400, "unreadable_body")


@pytest.mark.parametrize("body", [b"", b"[]", b"1", b'"text"', b"null", b"{}"])
def test_json_of_another_shape_is_refused(api_of, submitter, body):
    response = api_of(submitter).generic("POST", PATIENTS, body, content_type="application/json")

    assert check(response, 400, "invalid")["errors"]


def test_a_body_beyond_the_limit_is_not_read(api_of, submitter, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100
    body = b'{"medical_record_number": "' + b"1" * 100 + b'"}'

    check(api_of(submitter).generic("POST", PATIENTS, body, content_type="application/json"), 413, "too_large")


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"", "multipart/form-data; boundary="),
        (b"no boundary here", "multipart/form-data; boundary=x"),
        (b'--x\r\nContent-Disposition: form-data; name="images"', "multipart/form-data; boundary=x"),
        (b"", "multipart/form-data; boundary=" + "x" * 300),
    ],
)
def test_broken_form_data_are_refused(api_of, submitter, body, content_type):
    response = api_of(submitter).generic("POST", "/api/v1/batches/", body, content_type=content_type)

    assert response.status_code == 400
    assert response["Content-Type"] == MEDIA_TYPE


def test_ten_thousand_form_fields_are_refused(api_of, submitter):
    response = api_of(submitter).post("/api/v1/batches/", {f"f{n}": "" for n in range(10_001)}, format="multipart")

    check(response, 413, "too_many_fields")


def test_a_whole_surrogate_pair_is_text(api_of, submitter):
    body = b'{"medical_record_number": "1", "family_name": "\\ud83d\\ude00"}'

    response = api_of(submitter).generic("POST", PATIENTS, body, content_type="application/json")

    assert response.json()["family_name"] == "\U0001f600"


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "x, gzip"])
def test_a_compressed_body_is_not_inflated(api_of, submitter, encoding):
    body = gzip.compress(b'{"medical_record_number": "1"}')

    response = api_of(submitter).generic(
        "POST", PATIENTS, body, content_type="application/json", HTTP_CONTENT_ENCODING=encoding
    )

    check(response, 415, "content_encoding_unsupported")


def test_a_body_without_a_length_is_refused_instead_of_taken_for_empty(api_of, submitter):
    response = api_of(submitter).post(PATIENTS, HTTP_TRANSFER_ENCODING="chunked", CONTENT_LENGTH="")

    check(response, 411, "length_required")


def test_an_accept_header_that_nothing_fits(api_of, submitter):
    check(api_of(submitter).get(PATIENTS, HTTP_ACCEPT="text/csv"), 406, "not_acceptable")


def test_a_session_without_its_csrf_token_changes_nothing(submitter):
    client = Client(enforce_csrf_checks=True)
    client.force_login(submitter, backend="portal.accounts.backends.RoleBackend")

    assert client.get(PATIENTS).status_code == 200
    check(client.post(PATIENTS, {"medical_record_number": "1"}, content_type="application/json"), 403, "csrf_failed")


def test_a_form_without_its_csrf_token_is_told_so_on_a_page_and_to_a_script(submitter):
    client = Client(enforce_csrf_checks=True)
    client.force_login(submitter, backend="portal.accounts.backends.RoleBackend")

    page = client.post("/upload/")

    assert page.status_code == 403
    assert "came without its CSRF token" in page.content.decode()
    check(client.post("/upload/", HTTP_ACCEPT="application/json"), 403, "csrf_failed")


@pytest.mark.parametrize("who", ["nobody", "auditor"])
def test_a_body_from_somebody_who_may_send_none_is_not_read(who, client_of, auditor):
    client = client_of(auditor if who == "auditor" else None)
    client.handler.enforce_csrf_checks = True

    class Unread:
        def read(self, *_):
            pytest.fail("the body was read")

        readline = read

    answer = client.request(
        REQUEST_METHOD="POST",
        PATH_INFO="/upload/",
        CONTENT_TYPE="multipart/form-data; boundary=x",
        CONTENT_LENGTH="1000000000",
        HTTP_COOKIE=f"csrftoken={'a' * 32}; sessionid={client.cookies['sessionid'].value if who == 'auditor' else ''}",
        **{"wsgi.input": Unread()},
    )

    assert answer.status_code == (403 if who == "auditor" else 302)


class TestWithoutDatabase:
    """The database does not answer; where that is found out makes no difference."""

    @pytest.fixture(params=["portal.accounts.middleware.allows", "cases.views.worklist.WorklistView.get"])
    def broken(self, request, monkeypatch):
        def refuse(*arguments, **named):
            raise OperationalError("server closed the connection unexpectedly")

        monkeypatch.setattr(request.param, refuse)

    @pytest.fixture
    def reader(self, radiologist) -> Client:
        client = Client(raise_request_exception=False)
        client.force_login(radiologist)
        return client

    def test_a_page_says_so_without_asking_it_who_reads(self, broken, reader, django_assert_max_num_queries):
        with django_assert_max_num_queries(3):
            response = reader.get("/worklist/")

        assert response.status_code == 503
        assert response["Retry-After"]
        assert "The database does not answer" in response.text

    def test_a_script_gets_a_problem(self, broken, reader):
        response = reader.get("/worklist/", HTTP_ACCEPT="application/json")

        assert check(response, 503, "unavailable")

    def test_the_log_says_what_the_database_refused_but_no_value(self, reader, monkeypatch, caplog):
        def too_slow(*_):
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SET LOCAL statement_timeout = 10")
                cursor.execute("SELECT pg_sleep(30), %s", ["Doe^Jane"])

        monkeypatch.setattr("cases.views.worklist.WorklistView.get", too_slow)

        assert reader.get("/worklist/").status_code == 503
        assert "Database unavailable: QueryCanceled (57014)" in caplog.messages
        assert "Doe^Jane" not in "".join(caplog.messages)
