"""A body that ends before its announced length is not taken for a whole one, nor one of another charset for UTF-8."""

from __future__ import annotations

import io
from wsgiref.util import setup_testing_defaults

import pytest
from django.urls import reverse

from portal.bodies import WholeBody, whole_bodies
from portal.wsgi import application

HOSTILE_TYPES = [
    *(f"text/plain; charset={codec}" for codec in ("hex", "rot13", "utf-16", "latin-1", "nonsense", '"u\0"', "")),
    *(f"multipart/form-data; boundary=x; charset={codec}" for codec in ("idna", "undefined", "punycode")),
    *(f"application/x-www-form-urlencoded; charset={codec}" for codec in ("unicode_escape", "raw_unicode_escape")),
    *(f"text/plain; a*={codec}''%5Cud800" for codec in ("idna", "nonsense", "undefined")),
    "application/json; charset=utf-8; charset=hex",
]


def test_a_whole_body_is_read_as_it_is():
    body = WholeBody(io.BytesIO(b"one\ntwo\nthree and the next request"), 13)

    assert body.readline() == b"one\n"
    assert body.read(2) == b"tw"
    assert body.read() == b"o\nthree"
    assert body.read() == body.read(5) == body.readline() == b""


@pytest.mark.parametrize("read", [lambda body: body.read(), lambda body: body.read(8), lambda body: body.read(9)])
def test_a_body_that_ends_early_raises(read):
    with pytest.raises(OSError, match="ended before"):
        read(WholeBody(io.BytesIO(b"partial"), 9))


def test_lines_end_early_too():
    body = WholeBody(io.BytesIO(b"line\npart"), 20)
    body.readline()
    body.readline()

    with pytest.raises(OSError, match="ended before"):
        body.readline()


@pytest.mark.parametrize("length", ["", "-1", "1e3", "\u0663", "abc"])
def test_a_length_that_is_none_is_left_to_django(length):
    stream = io.BytesIO()
    seen = {}

    whole_bodies(lambda environ, _: [seen.update(environ)])({"CONTENT_LENGTH": length, "wsgi.input": stream}, None)

    assert seen["wsgi.input"] is stream


def status_of(method: str, path: str, content_type: str, body: bytes = b"") -> int:
    """What the WSGI application answers somebody who has not signed in."""
    environ = {"REQUEST_METHOD": method, "PATH_INFO": path, "QUERY_STRING": "next=%2F", "HTTP_HOST": "testserver"}
    environ |= {"CONTENT_TYPE": content_type, "CONTENT_LENGTH": str(len(body)), "wsgi.input": io.BytesIO(body)}
    setup_testing_defaults(environ)
    told: list[str] = []
    application(environ, lambda status, headers, *_: told.append(status))
    return int(told[0].split()[0])


@pytest.mark.django_db
@pytest.mark.parametrize("content_type", HOSTILE_TYPES)
def test_a_body_of_another_charset_is_refused_wherever_it_is_sent(content_type):
    typed = b"username=%5Cud800&password=x"

    assert status_of("GET", reverse("healthz"), content_type) == 415
    assert status_of("POST", reverse("login"), content_type, typed) == 415
    assert status_of("POST", reverse("api:patient-list"), content_type, typed) == 415


@pytest.mark.django_db
@pytest.mark.parametrize("charset", ["", "; charset=utf-8", '; charset="UTF-8"', "; charset=us-ascii"])
def test_a_form_in_utf_8_is_read(charset):
    assert status_of("GET", reverse("login"), f"application/x-www-form-urlencoded{charset}") == 200
