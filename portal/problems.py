"""RFC 9457 problem details: the one shape in which the API says no, and the page that shows the same sentences."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from itertools import islice
from typing import Any

from django.conf import settings
from django.core.exceptions import (
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
    TooManyFieldsSent,
    TooManyFilesSent,
)
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpResponse, JsonResponse, UnreadablePostError
from django.template.loader import render_to_string
from rest_framework import exceptions
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response

from portal.errors import DomainError

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 5
_MESSAGES_AT_MOST = 200
_MESSAGE_LENGTH = 200
_STANDARD = {
    400: ("invalid", "The request is not valid.", "See the documentation of this endpoint at /api/docs/."),
    401: ("not_authenticated", "No valid token or session came with the request.", "Send a token or sign in."),
    403: ("not_allowed", "Your role may not do this.", "Ask an administrator if you need it."),
    404: ("not_found", "There is no such thing here, or it is not yours to see.", "Check the address."),
    405: ("method_not_allowed", "This address does not answer that method.", "See /api/docs/."),
    406: ("not_acceptable", "No representation fits the Accept header.", "Ask for application/json."),
    413: ("too_large", "The request is too large.", "Send fewer or smaller files."),
    415: ("unsupported_media_type", "The Content-Type is not supported here.", "See /api/docs/."),
    422: ("unprocessable", "The request cannot be carried out as it is.", "See /api/docs/."),
    429: ("throttled", "Too many requests.", "Wait and try again."),
    500: ("server_error", "Something went wrong on our side; it has been logged.", "Try again later."),
    503: ("unavailable", "The database does not answer at the moment.", "Try again in a few seconds."),
}


def problem(status: int, *, code="", cause="", remedy="", errors=None) -> dict:
    """The body of a problem: ``type``, ``title``, ``status``, ``detail`` of RFC 9457, plus ``code`` and ``remedy``."""
    standard = _STANDARD.get(status, _STANDARD[400])
    code, cause, remedy = code or standard[0], cause or standard[1], remedy or standard[2]
    body = {"type": "about:blank", "title": cause, "status": status, "detail": f"{cause} {remedy}".strip()}
    body |= {"code": code, "remedy": remedy}
    if errors:
        body["errors"] = _presentable(errors)
    return body


def _presentable(messages: Any) -> Any:
    """Messages by field without control characters, which JSON columns refuse, and of bounded length and number.

    They may quote what was sent.
    """
    if isinstance(messages, Mapping):
        few = islice(messages.items(), _MESSAGES_AT_MOST)
        return {_presentable(name): _presentable(inner) for name, inner in few}
    if isinstance(messages, list | tuple):
        return [_presentable(inner) for inner in messages[:_MESSAGES_AT_MOST]]
    return "".join(character for character in str(messages)[:_MESSAGE_LENGTH] if character.isprintable())


def of_domain_error(error: DomainError) -> dict:
    return problem(error.status, code=error.code, cause=error.cause, remedy=error.remedy)


def exception_handler(exc, context):
    """REST framework's hook: every 4xx in one shape; anything unknown stays a 500 and goes to the log."""
    if isinstance(exc, Http404):
        exc = exceptions.NotFound()
    elif isinstance(exc, PermissionDenied):
        exc = exceptions.PermissionDenied()
    headers: dict[str, str] = {}
    if known := _of_any_door(exc):
        body, headers = known
    elif isinstance(exc, exceptions.ValidationError):
        body = problem(400, errors=_by_field(exc.detail))
    elif isinstance(exc, exceptions.ParseError):
        cause, remedy = "The body could not be read.", "Send valid JSON or form data."
        body = problem(400, code="unreadable_body", cause=cause, remedy=remedy)
    elif isinstance(exc, SuspiciousOperation):
        body = _of_suspicious(exc)
    elif isinstance(exc, exceptions.APIException):
        body = _of_api_exception(exc)
        if auth_header := getattr(exc, "auth_header", None):
            headers["WWW-Authenticate"] = auth_header
        if wait := getattr(exc, "wait", None):
            headers["Retry-After"] = str(int(wait) + 1)
    else:
        return None
    # A problem is JSON also where the endpoint itself answers with a picture, YAML or a page.
    request = context["request"]
    request.accepted_renderer, request.accepted_media_type = JSONRenderer(), JSONRenderer.media_type
    return Response(body, status=body["status"], headers=headers, content_type=MEDIA_TYPE)


def _of_the_driver(exc: Exception) -> str:
    """What the driver says of a database error, without values of a statement, which may be a patient's.

    A server's answer has an SQLSTATE and its name; a connection that failed has neither, and its text holds no row.
    """
    told = exc.__cause__ or exc
    state = getattr(told, "pgcode", None)
    return f"{type(told).__name__} ({state})" if state else f"{type(told).__name__}: {told}".strip()


def _of_any_door(exc: Exception) -> tuple[dict, dict[str, str]] | None:
    """Body and headers of what page and API refuse alike; None for anything else."""
    if isinstance(exc, DomainError):
        return of_domain_error(exc), _retry_after(exc.status)
    if isinstance(exc, OperationalError | InterfaceError):
        logger.warning("Database unavailable: %s", _of_the_driver(exc))
        return problem(503), _retry_after(503)
    if isinstance(exc, UnreadablePostError):
        cause, remedy = "The request ended before the whole body arrived.", "Send it again."
        return problem(400, code="body_incomplete", cause=cause, remedy=remedy), {}
    return None


def _retry_after(status: int) -> dict[str, str]:
    """A service that is away for a moment says when to ask again."""
    return {"Retry-After": str(RETRY_AFTER_SECONDS)} if status == 503 else {}


def _by_field(detail) -> dict:
    """Messages by field; what concerns the request as a whole stands under ``non_field_errors``."""
    return detail if isinstance(detail, dict) else {"non_field_errors": detail}


def _of_suspicious(exc: SuspiciousOperation) -> dict:
    """What Django itself refuses while it reads a request."""
    if isinstance(exc, TooManyFilesSent):
        return problem(
            413, code="too_many_files", cause="There are too many files in one request.", remedy="Send fewer."
        )
    if isinstance(exc, TooManyFieldsSent):
        return problem(
            413, code="too_many_fields", cause="There are too many fields in one request.", remedy="Send fewer."
        )
    return problem(413 if isinstance(exc, RequestDataTooBig) else 400)


def _of_api_exception(exc: exceptions.APIException) -> dict:
    if isinstance(exc, exceptions.PermissionDenied) and str(exc.detail).startswith("CSRF"):
        return _csrf_failed(remedy="Send X-CSRFToken, or use a token.")
    return problem(exc.status_code)


def _csrf_failed(*, remedy: str) -> dict:
    cause = "The request of a session came without its CSRF token."
    return problem(403, code="csrf_failed", cause=cause, remedy=remedy)


def wants_json(request) -> bool:
    """Whether a page's script asks, which says so: browsers accept HTML, and what accepts anything gets the page."""
    return request.accepts("application/json") and not request.accepts("text/html")


def problem_response(request, body: dict, headers: Mapping[str, str] | None = None):
    """A problem outside REST framework: JSON for programs and scripts, a page elsewhere."""
    if request.path.startswith("/api/") or wants_json(request):
        return JsonResponse(body, status=body["status"], content_type=MEDIA_TYPE, headers=headers)
    context = {"problem": body, "site_name": settings.SITE_NAME, "research_notice": settings.RESEARCH_NOTICE}
    # To know who asks would need the database that does not answer: then the page is nobody's in particular.
    page = render_to_string("problem.html", context, request=None if body["status"] == 503 else request)
    return HttpResponse(page, status=body["status"], headers=headers)


class DomainErrorMiddleware:
    """Turns what a service refuses, a broken request and a database that does not answer into an answer with words."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        return self.get_response(request)

    def process_exception(self, request, exception):
        if known := _of_any_door(exception):
            return problem_response(request, *known)
        return None


def bad_request(request, exception=None):
    return problem_response(request, _of_suspicious(exception) if exception else problem(400))


def permission_denied(request, exception=None):
    return problem_response(request, problem(403))


def csrf_failure(request, reason=""):
    return problem_response(
        request, _csrf_failed(remedy="Allow cookies, load the page again and send the form once more.")
    )


def not_found(request, exception=None):
    return problem_response(request, problem(404))


def server_error(request):
    """Also where a middleware finds out that the database does not answer: those exceptions pass no other door."""
    error = sys.exception()
    known = _of_any_door(error) if isinstance(error, OperationalError | InterfaceError) else None
    return problem_response(request, *(known or (problem(500),)))
