"""How the API reads request bodies: UTF-8, of bounded size, and nothing that JSON readers understand differently."""

from __future__ import annotations

import json
import math
from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from rest_framework import parsers
from rest_framework.exceptions import ParseError


def strict_json(text: str | bytes) -> Any:
    """The value that ``text`` says, by RFC 8259 and without what it leaves open.

    Raises:
        ValueError: Not JSON, not UTF-8, half of a surrogate pair, NaN or a number beyond float, a name twice in an
            object, or nested too deeply.
    """
    try:
        decoded = text.decode("utf-8") if isinstance(text, bytes) else text
        value = json.loads(
            decoded, object_pairs_hook=_without_repetition, parse_constant=_no_constant, parse_float=_finite
        )
        if "\\u" in decoded:
            json.dumps(value, ensure_ascii=False).encode()  # fails on text that neither database nor answer can hold
    except RecursionError as error:
        raise ValueError("The JSON is nested too deeply.") from error
    return value


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("A name stands twice in one object.")
    return found


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON.")


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError("A number is too large.")
    return value


def _bounded(stream) -> bytes:
    """The whole body, unless it is too large for memory: REST framework itself knows no limit for what is no form."""
    limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    body = stream.read(limit + 1)
    if len(body) > limit:
        raise RequestDataTooBig
    return body


class StrictJSONParser(parsers.JSONParser):
    def parse(self, stream, media_type=None, parser_context=None):
        """The body as ``strict_json`` reads it."""
        try:
            return strict_json(_bounded(stream))
        except ValueError as error:
            raise ParseError from error


class TableParser(parsers.BaseParser):
    """A table as its bytes: what they say is read by whoever knows the columns."""

    media_type = "text/csv"

    def parse(self, stream, media_type=None, parser_context=None):
        return _bounded(stream)


class UTF8MultiPartParser(parsers.MultiPartParser):
    def parse(self, stream, media_type=None, parser_context=None):
        """Form data in UTF-8, also where the request claims US-ASCII."""
        return super().parse(stream, media_type, {**(parser_context or {}), "encoding": "utf-8"})
