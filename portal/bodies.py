"""Request bodies that cannot be read as they stand, refused before anybody interprets half of one.

Django takes a body that ends early for a whole one, and a chunked body without a length for an empty one. It decodes
address and form by whatever charset is claimed, also by Python's codecs that make no text or half of a surrogate pair.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from django.utils.http import parse_header_parameters

from portal.errors import DomainError
from portal.problems import of_domain_error, problem_response


class EncodedBody(DomainError):
    code = "content_encoding_unsupported"
    status = 415
    remedy = "Send the body as it is, without Content-Encoding."


class LengthMissing(DomainError):
    code = "length_required"
    status = 411
    remedy = "Send the whole body with a Content-Length."


class ForeignCharset(DomainError):
    code = "charset_unsupported"
    status = 415
    remedy = "Send it in UTF-8, with a Content-Type that says so or names no charset."


_FOREIGN_CHARSET = "portal.foreign_charset"
_UTF8 = {"utf-8", "utf8", "us-ascii", "ascii"}


class ReadableBodyMiddleware:
    """Refuses a body that is compressed, which may inflate without end, announces no length or is not in UTF-8."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        return self.get_response(request)

    def process_view(self, request, view_func, view_args, view_kwargs):
        if request.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
            return problem_response(request, of_domain_error(EncodedBody("The body has a Content-Encoding.")))
        if _FOREIGN_CHARSET in request.META:
            return problem_response(request, of_domain_error(ForeignCharset("The Content-Type names another charset.")))
        if "Transfer-Encoding" in request.headers and not request.headers.get("Content-Length"):
            return problem_response(request, of_domain_error(LengthMissing("The length of the body is not announced.")))
        return None


class WholeBody:
    """A WSGI input that raises where the sender stops before the announced length."""

    def __init__(self, stream: Any, length: int):
        self._stream, self._missing = stream, length

    def read(self, size: int = -1) -> bytes:
        wanted = self._missing if size is None or size < 0 else min(size, self._missing)
        return self._counted(self._stream.read(wanted) if wanted else b"", wanted)

    def readline(self, size: int = -1) -> bytes:
        wanted = self._missing if size is None or size < 0 else min(size, self._missing)
        line = self._stream.readline(wanted) if wanted else b""
        return self._counted(line, min(wanted, 1))

    def _counted(self, data: bytes, expected: int) -> bytes:
        self._missing -= len(data)
        if len(data) < expected:
            raise ConnectionResetError("the body ended before its announced length")
        return data


def whole_bodies(application: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
    """The WSGI application, which mistakes neither the part of a body that arrived for all of it nor bytes for text."""

    def with_whole_body(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        length = environ.get("CONTENT_LENGTH") or ""
        if length.isascii() and length.isdecimal():
            environ["wsgi.input"] = WholeBody(environ["wsgi.input"], int(length))
        if not _is_utf8(environ.get("CONTENT_TYPE") or ""):
            environ[_FOREIGN_CHARSET] = environ.pop("CONTENT_TYPE")  # Django fails already where it makes the request
        return application(environ, start_response)

    return with_whole_body


def _is_utf8(content_type: str) -> bool:
    """Whether a body of this Content-Type is UTF-8, as far as is said; one that cannot be parsed is not."""
    try:
        _, parameters = parse_header_parameters(content_type)
    except ValueError:  # of a parameter that has a charset of its own, RFC 2231
        return False
    return parameters.get("charset", "utf-8").lower() in _UTF8
