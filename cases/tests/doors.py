"""The three ways in which a file comes into the portal, told apart by nothing but their names."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import settings
from django.core.files.storage import default_storage
from django.urls import reverse

from cases.models import Case, Patient, Radiograph
from cases.tests.api import entry, manifest
from cases.tests.catalogue.dicoms import PATIENT
from cases.tests.factories import CaseFactory, PatientFactory
from portal.accounts.models import User
from portal.audit.models import AuditEvent, Event

BOUNDARY = "boundary-of-a-test"
_TYPE = f"multipart/form-data; boundary={BOUNDARY}"


@dataclass(frozen=True)
class Outcome:
    """What a door said of one file."""

    status: int
    outcome: str
    code: str = ""
    cause: str = ""
    remedy: str = ""
    name: str = ""


def part(field: str, content: bytes | str, disposition: str = "", content_type: str = "") -> bytes:
    """One part of a multipart body, byte by byte as given."""
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{field}"{disposition}\r\n'
    head += f"Content-Type: {content_type}\r\n" if content_type else ""
    return head.encode() + b"\r\n" + (content if isinstance(content, bytes) else content.encode()) + b"\r\n"


def body(*parts: bytes) -> bytes:
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


class Form:
    """The upload page, as its script talks to it."""

    def __init__(self, client_of, api_of, user: User, number: str):
        self.client, self.number = client_of(user), number

    def send(self, content: bytes, name: str = "chest.png", content_type: str = "image/png") -> Outcome:
        sent = body(
            part("medical_record_number", self.number),
            part("files", content, f'; filename="{name}"', content_type),
        )
        answer = self.client.generic("POST", reverse("cases:upload"), sent, _TYPE, HTTP_ACCEPT="application/json")
        (said,) = answer.json()["files"]
        told = {name: said.get(name, "") for name in ("code", "cause", "remedy", "name")}
        return Outcome(answer.status_code, said["status"], **told)


class _Api:
    def _sent(self, client, url: str, *parts: bytes) -> Outcome:
        answer = client.generic("POST", url, body(*parts), _TYPE)
        (item,) = answer.json()["items"]
        found = item["problem"]
        if found is None:
            return Outcome(answer.status_code, item["outcome"], name=item["file_name"])
        assert answer.status_code == 202
        return Outcome(
            found["status"], item["outcome"], found["code"], found["title"], found["remedy"], item["file_name"]
        )


class Api(_Api):
    """One image into a case that is there."""

    def __init__(self, client_of, api_of, user: User, number: str):
        self.client = api_of(user)
        patient = Patient.objects.filter(facility=user.facility, medical_record_number=number).first()
        patient = patient or PatientFactory(facility=user.facility, medical_record_number=number)
        self.case = patient.cases.first() or CaseFactory(patient=patient, submitted_by=user)

    def send(self, content: bytes, name: str = "chest.png", content_type: str = "image/png") -> Outcome:
        url = reverse("api:case-images", args=[self.case.uid])
        return self._sent(self.client, url, part("images", content, f'; filename="{name}"', content_type))


class Batch(_Api):
    """A batch of one image, for a patient who comes with it."""

    def __init__(self, client_of, api_of, user: User, number: str):
        self.client, self.number = api_of(user), number

    def send(self, content: bytes, name: str = "chest.png", content_type: str = "image/png") -> Outcome:
        said = part("manifest", manifest(entry(self.number)))
        image = part("images", content, f'; filename="{name}"', content_type)
        return self._sent(self.client, reverse("api:batch-list"), said, image)


Door = Form | Api | Batch


@pytest.fixture(params=[Form, Api, Batch], ids=["form", "api", "batch"])
def door_of(request, client_of, api_of, submitter) -> Callable[[str], Door]:
    """A door through which the submitter sends images of the patient with this record number."""
    return lambda number: request.param(client_of, api_of, submitter, number)


@pytest.fixture
def door(door_of, own_folders) -> Door:
    return door_of(PATIENT)


@pytest.fixture
def own_folders(settings, tmp_path, monkeypatch) -> None:
    """Storage and temporary files of this test alone."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.INTAKE_TMP_DIR = tmp_path / "intake"


def kept() -> dict[str, object]:
    """All that a file may leave: rows, audit rows of writing, and files in permanent and temporary folders."""
    rows = [Patient, Case, Radiograph, apps.get_model("inference", "Run")]
    written = [Event.CREATED_PATIENT, Event.CHANGED_PATIENT, Event.OPENED_CASE, Event.SUBMITTED_IMAGE]
    folders = [settings.MEDIA_ROOT, settings.INTAKE_TMP_DIR, Path(settings.INTAKE_TMP_DIR).with_name("tmp")]
    return {
        **{model.__name__: model.objects.count() for model in rows},
        "audit": AuditEvent.objects.filter(event__in=written).count(),
        "files": sorted(str(path) for folder in folders for path in Path(folder).rglob("*") if path.is_file()),
    }


def preview(radiograph: Radiograph) -> bytes:
    with default_storage.open(str(radiograph.preview)) as file:
        return file.read()


def png_chunk_names(data: bytes) -> set[bytes]:
    """The kinds of chunks of a PNG."""
    stream, names = io.BytesIO(data[8:]), set()
    while head := stream.read(8):
        names.add(head[4:])
        stream.seek(int.from_bytes(head[:4]) + 4, io.SEEK_CUR)
    return names
