from __future__ import annotations

import pytest
from django.core.files.storage import default_storage
from django.urls import reverse

from cases.models import Radiograph
from cases.tests.factories import CaseFactory, PatientFactory, RadiographFactory
from portal.audit.models import AuditEvent, Event

pytestmark = pytest.mark.django_db

ROUTES = ["radiograph-preview", "radiograph-original", "radiograph-pixels"]


@pytest.fixture
def radiograph(facility, submitter) -> Radiograph:
    case = CaseFactory(patient=PatientFactory(facility=facility), submitted_by=submitter)
    return RadiographFactory(case=case, original_name="thorax pa.png")


def url(route: str, radiograph: Radiograph) -> str:
    return reverse(f"cases:{route}", args=[radiograph.uid])


def body(response) -> bytes:
    return b"".join(response.streaming_content)


def test_preview_is_shown_and_original_is_downloaded_under_its_own_name(client_of, radiologist, radiograph):
    client = client_of(radiologist)
    preview, original = (client.get(url(route, radiograph)) for route in ROUTES[:2])

    assert body(preview) == radiograph.preview.read()
    assert preview["Content-Type"] == "image/png"
    assert preview["Content-Disposition"].startswith("inline")
    assert body(original) == radiograph.original.read()
    assert original["Content-Disposition"] == "attachment; filename*=UTF-8''thorax%20pa.png"


@pytest.mark.parametrize("route", ROUTES)
def test_images_are_only_for_those_who_may_see_the_case(
    client_of, radiograph, outsider, administrator, auditor, submitter, route
):
    statuses = {
        user: client_of(user).get(url(route, radiograph)).status_code
        for user in (submitter, outsider, administrator, auditor, None)
    }

    assert statuses == {submitter: 200, outsider: 404, administrator: 403, auditor: 403, None: 302}


@pytest.mark.parametrize("route", ROUTES)
def test_every_look_leaves_an_audit_row(client_of, radiologist, radiograph, route):
    client = client_of(radiologist)
    first = client.get(url(route, radiograph))
    again = client.get(url(route, radiograph), HTTP_IF_NONE_MATCH=first["ETag"])

    assert again.status_code == 304
    assert AuditEvent.objects.filter(event=Event.VIEWED_IMAGE, object_uid=radiograph.uid).count() == 2


@pytest.mark.parametrize("route", ROUTES)
def test_images_are_never_kept_by_shared_caches(client_of, radiologist, radiograph, route):
    response = client_of(radiologist).get(url(route, radiograph))

    assert "private" in response["Cache-Control"]
    assert response["X-Content-Type-Options"] == "nosniff"


def test_behind_nginx_the_bytes_come_from_nginx(client_of, radiologist, radiograph, settings):
    settings.MEDIA_SERVING = "x-accel"

    response = client_of(radiologist).get(url("radiograph-preview", radiograph))

    assert response["X-Accel-Redirect"].endswith(radiograph.preview.name)
    assert response.content == b""


def test_a_file_that_is_gone_is_told_in_words(client_of, radiologist, radiograph):
    default_storage.delete(radiograph.preview.name)

    response = client_of(radiologist).get(url("radiograph-preview", radiograph))

    assert response.status_code == 500
    assert "A stored image file is missing." in response.content.decode()
