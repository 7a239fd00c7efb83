"""The API's description (OpenAPI) and the page that shows it."""

from __future__ import annotations

from django.contrib.auth.mixins import LoginRequiredMixin
from drf_spectacular.extensions import OpenApiAuthenticationExtension, OpenApiSerializerExtension
from drf_spectacular.plumbing import build_bearer_security_scheme_object
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse
from drf_spectacular.views import SpectacularSwaggerSplitView

from portal.problems import MEDIA_TYPE
from portal.serializers import ProblemSerializer

_PROBLEM = {"content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}}
_ALWAYS = {
    "401": "No valid token or session came with the request.",
    "403": "The role of this user may not do this.",
    "default": "Any other problem, such as 429 or 503 with Retry-After.",
}
_WITH_INPUT = {"400": "The request is not valid; `errors` names the fields."}
_WITH_BODY = {
    "413": "The request is too large.",
    "415": "The Content-Type is not supported here.",
}
_WITH_OBJECT = {"404": "There is no such thing, or it belongs to another facility."}


# For ``responses`` of endpoints that answer with a picture or a document.
PNG = {(200, "image/png"): OpenApiTypes.BINARY, 304: OpenApiResponse(description="It has not changed (If-None-Match).")}
PDF = {(200, "application/pdf"): OpenApiTypes.BINARY}


def conflict(sentence: str) -> dict[int, OpenApiResponse]:
    """A documented 409, for the ``responses`` of an endpoint."""
    return {409: OpenApiResponse(ProblemSerializer, description=sentence)}


def add_problems(result: dict, generator, request, public) -> dict:
    """Hook of drf-spectacular: every operation says which problems it may answer with."""
    for path, operations in result["paths"].items():
        for operation in operations.values():
            problems = dict(_ALWAYS)
            if "{" in path:
                problems |= _WITH_OBJECT
            if "requestBody" in operation:
                problems |= _WITH_BODY
            if "requestBody" in operation or "{" in path or operation.get("parameters"):
                problems |= _WITH_INPUT
            for status, sentence in problems.items():
                operation["responses"].setdefault(status, {"description": sentence, **_PROBLEM})
            for status, response in operation["responses"].items():
                if status.startswith("4"):
                    response |= _PROBLEM
    return result


class TokenScheme(OpenApiAuthenticationExtension):
    target_class = "portal.accounts.api.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema):
        return build_bearer_security_scheme_object(header_name="Authorization", token_prefix="Token")  # noqa: S106


class StrictSerializerExtension(OpenApiSerializerExtension):
    target_class = "portal.serializers.StrictSerializer"
    match_subclasses = True

    def get_name(self, auto_schema, direction):
        """``PatientRequest`` stays ``PatientRequest``: drf-spectacular adds the ending itself."""
        return type(self.target).__name__.removesuffix("Request")

    def map_serializer(self, auto_schema, direction):
        """Unknown fields are refused, and the schema says so."""
        schema = auto_schema._map_serializer(self.target, direction, bypass_extensions=True)
        return {**schema, "additionalProperties": False}


class DocsView(LoginRequiredMixin, SpectacularSwaggerSplitView):
    """Swagger UI from our own origin, with its script and style in files: the content security policy stays strict."""

    template_name = "api/docs.html"
    url_name = "api:schema"
