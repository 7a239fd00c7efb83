"""How tests talk to the API: as a program with a token."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from knox.models import get_token_model
from rest_framework.test import APIClient

from cases.tests.factories import small_png
from portal.accounts.models import User


@pytest.fixture
def api_of() -> Callable[[User | None], APIClient]:
    """A program that holds a token of this user; None is nobody."""

    def with_token(user: User | None) -> APIClient:
        client = APIClient()
        if user is not None:
            _, token = get_token_model().objects.create(user=user)
            client.credentials(HTTP_AUTHORIZATION=f"Token {token}")
        return client

    return with_token


def image(name: str = "chest.png", *, seed: int = 1, content: bytes | None = None) -> SimpleUploadedFile:
    """An upload: a small picture, or the given bytes."""
    return SimpleUploadedFile(name, small_png(seed) if content is None else content, content_type="image/png")


def manifest(*entries: dict) -> str:
    return json.dumps({"items": list(entries)})


def entry(number: str = "MRN-1", **said: object) -> dict:
    """A manifest's entry for a patient with this record number."""
    return {"medical_record_number": number, **said}
