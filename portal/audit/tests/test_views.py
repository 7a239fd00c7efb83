from __future__ import annotations

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


def test_another_facilitys_events_are_not_shown(client_of, auditor, outsider):
    record(Event.SIGN_IN_FAILED, actor=None, facility=outsider.facility, detail="elsewhere")
    assert events_on(client_of(auditor).get("/audit/")) == []


def test_nonsense_in_the_address_is_the_first_page(client_of, auditor):
    assert client_of(auditor).get("/audit/?before=x&event=y").status_code == 200


def test_looking_at_the_trail_leaves_a_row(client_of, auditor):
    response = client_of(auditor).get("/audit/")
    assert response.context["events"][0].event == Event.VIEWED_AUDIT
