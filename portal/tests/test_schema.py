"""The API's description, and the page that shows it."""

from __future__ import annotations

from io import StringIO

import pytest
import yaml
from django.core.management import call_command
from django.urls import reverse

from portal.accounts.access import ROUTES
from portal.problems import MEDIA_TYPE


@pytest.fixture(scope="module")
def schema() -> dict:
    out = StringIO()
    call_command("spectacular", validate=True, fail_on_warn=True, stdout=out)
    return yaml.safe_load(out.getvalue())


def operations(schema: dict):
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def test_it_describes_every_route(schema):
    described = set(schema["paths"])
    routes = {name for name in ROUTES if name.startswith("api:") and name not in {"api:schema", "api:docs"}}

    assert len(described) == len(routes)
    for name, operation in operations(schema):
        assert operation["summary"], name
        assert operation["security"], name


def test_every_operation_says_how_it_may_fail(schema):
    for name, operation in operations(schema):
        responses = operation["responses"]
        assert {"401", "403", "default"} <= set(responses), name
        for status, response in responses.items():
            if status.startswith("4") or status == "default":
                assert response["content"] == {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}, name


def test_pictures_are_described_as_pictures(schema):
    for path in ("/api/v1/heatmaps/{uid}/", "/api/v1/radiographs/{uid}/preview/"):
        content = schema["paths"][path]["get"]["responses"]["200"]["content"]
        assert content == {"image/png": {"schema": {"type": "string", "format": "binary"}}}


def test_requests_allow_no_unknown_fields(schema):
    for name in ("PatientRequest", "CaseRequest", "BatchRequest", "ManifestEntryRequest"):
        assert schema["components"]["schemas"][name]["additionalProperties"] is False


@pytest.mark.django_db
def test_it_is_served_to_whoever_is_signed_in(client_of, api_of, auditor):
    assert api_of(auditor).get("/api/schema/", {"format": "json"}).json()["openapi"].startswith("3.")
    assert client_of(auditor).get("/api/schema/").status_code == 200
    assert client_of(None).get("/api/docs/").status_code == 302


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
def test_the_page_works_under_the_content_security_policy(page, live_server, client_of, submitter):
    cookie = client_of(submitter).cookies["sessionid"]
    page.context.add_cookies([{"name": "sessionid", "value": cookie.value, "url": live_server.url}])
    complaints: list[str] = []
    page.on(
        "console", lambda message: complaints.append(message.text) if message.type in {"error", "warning"} else None
    )
    page.on("pageerror", lambda error: complaints.append(str(error)))

    page.goto(live_server.url + reverse("api:docs"))
    operation = page.locator(".opblock", has_text="List patients")
    operation.locator(".opblock-summary-control").click()
    operation.get_by_role("button", name="Try it out").click()
    with page.expect_response("**/api/v1/patients/**") as answer:
        operation.get_by_role("button", name="Execute").click()

    assert answer.value.status == 200
    assert [text for text in complaints if "Content Security Policy" in text or "Error" in text] == []
