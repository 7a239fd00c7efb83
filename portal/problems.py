"""RFC 9457 problem details: the one shape in which the API says no, and the page that shows the same sentences."""

from __future__ import annotations

import logging

from django.core.exceptions import (
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
    TooManyFieldsSent,
    TooManyFilesSent,
)
from django.db import InterfaceError, OperationalError
from django.http import Http404, JsonResponse
from django.shortcuts import render
from rest_framework import exceptions
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response

from portal.errors import DomainError

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 5
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
        body["errors"] = errors
    return body


def of_domain_error(error: DomainError) -> dict:
    return problem(error.status, code=error.code, cause=error.cause, remedy=error.remedy)


def exception_handler(exc, context):
    """REST framework's hook: every 4xx in one shape; anything unknown stays a 500 and goes to the log."""
    if isinstance(exc, Http404):
        exc = exceptions.NotFound()
    elif isinstance(exc, PermissionDenied):
        exc = exceptions.PermissionDenied()
    headers = {}
    if isinstance(exc, DomainError):
        body = of_domain_error(exc)
    elif isinstance(exc, OperationalError | InterfaceError):
        logger.warning("Database unavailable: %s", type(exc).__name__)
        body, headers = problem(503), {"Retry-After": str(RETRY_AFTER_SECONDS)}
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
        cause, remedy = "The request of a session came without its CSRF token.", "Send X-CSRFToken, or use a token."
        return problem(403, code="csrf_failed", cause=cause, remedy=remedy)
    return problem(exc.status_code)


def problem_response(request, body: dict):
    """A problem outside REST framework: JSON under /api/, a page or a fragment elsewhere."""
    if request.path.startswith("/api/"):
        return JsonResponse(body, status=body["status"], content_type=MEDIA_TYPE)
    return render(request, "problem.html", {"problem": body}, status=body["status"])


class DomainErrorMiddleware:
    """Turns what a service refuses, and a database that does not answer, into an answer with words."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        return self.get_response(request)

    def process_exception(self, request, exception):
        if isinstance(exception, DomainError):
            return problem_response(request, of_domain_error(exception))
        if isinstance(exception, OperationalError | InterfaceError):
            logger.warning("Database unavailable: %s", type(exception).__name__)
            response = problem_response(request, problem(503))
            response["Retry-After"] = str(RETRY_AFTER_SECONDS)
            return response
        return None


def bad_request(request, exception=None):
    return problem_response(request, _of_suspicious(exception) if exception else problem(400))


def permission_denied(request, exception=None):
    return problem_response(request, problem(403))


def not_found(request, exception=None):
    return problem_response(request, problem(404))


def server_error(request):
    return problem_response(request, problem(500))
