from __future__ import annotations

from django.test import Client
from django.urls import reverse

from portal.audit.models import Event
from portal.audit.services import record
from portal.audit.views import PAGE_SIZE


def events_on(response) -> list[str]:
    return [event.detail for event in response.context["events"] if event.event == Event.SIGN_IN_FAILED]


def test_auditor_pages_through_the_whole_trail_without_gaps(client_of, auditor):
    written = [str(number) for number in range(PAGE_SIZE + 20)]
    for detail in written:
        record(Event.SIGN_IN_FAILED, actor=None, facility=auditor.facility, detail=detail)
    browser = client_of(auditor)
    first = browser.get("/audit/", {"event": Event.SIGN_IN_FAILED})
    second = browser.get(f"/audit/?{first.context['older']}")
    assert events_on(first) + events_on(second) == written[::-1]
    assert second.context["older"] == ""


def test_a_failed_sign_in_is_shown_to_the_auditors_of_the_facility_without_an_unknown_name(
    client_of, auditor, radiologist, outsider
):
    for name in (radiologist.username, outsider.username, "a password in the wrong field"):
        Client().post(reverse("login"), {"username": name, "password": "wrong"})

    browser = client_of(auditor)
    assert events_on(browser.get("/audit/")) == [radiologist.username]
    assert events_on(browser.get("/audit/?of=none")) == ["unknown name"]


def test_what_the_portal_itself_does_is_shown_apart(client_of, auditor):
    record(Event.CHECKED_FILES, actor=None, detail="2 whole")

    assert "2 whole" not in client_of(auditor).get("/audit/").text
    assert "2 whole" in client_of(auditor).get("/audit/?of=none").text


def test_another_facilitys_events_are_not_shown(client_of, auditor, outsider):
    record(Event.SIGN_IN_FAILED, actor=None, facility=outsider.facility, detail="elsewhere")
    assert events_on(client_of(auditor).get("/audit/")) == []


def test_nonsense_in_the_address_is_the_first_page(client_of, auditor):
    assert client_of(auditor).get("/audit/?before=x&event=y&of=z&user=a%00").status_code == 200


def test_looking_at_the_trail_leaves_a_row(client_of, auditor):
    response = client_of(auditor).get("/audit/")
    assert response.context["events"][0].event == Event.VIEWED_AUDIT
