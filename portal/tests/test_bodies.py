"""A body that ends before its announced length is not taken for a whole one."""

from __future__ import annotations

import io

import pytest

from portal.bodies import WholeBody, whole_bodies


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
