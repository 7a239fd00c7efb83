"""The research-use notice: on every page, and accepted once by everybody who works here."""

from __future__ import annotations

import pytest
from django.conf import settings
from django.db import Error, connection, transaction
from django.urls import reverse

from cases.tests.factories import FacilityFactory, UserFactory
from portal.accounts import notice
from portal.accounts.access import Role
from portal.accounts.models import NoticeAcceptance, User
from portal.audit.models import AuditEvent, Event
from tests.world import OUR_OWN, World

pytestmark = pytest.mark.django_db
NOTICE, WORKLIST = reverse("research-use"), reverse("cases:worklist")


@pytest.fixture
def newcomer(facility) -> User:
    return UserFactory(facility=facility, notice=False)


def test_a_newcomer_meets_the_notice_accepts_it_and_goes_on_to_where_they_were_going(client_of, newcomer):
    client = client_of(newcomer)
    asked = f"{WORKLIST}?status=all"

    met = client.get(asked, follow=True)
    assert met.redirect_chain == [(f"{NOTICE}?next=%2Fworklist%2F%3Fstatus%3Dall", 302)]
    assert "For research use only" in met.content.decode()
    assert f'name="next" value="{asked}"' in met.content.decode()

    accepted = client.post(NOTICE, {"next": asked}, REMOTE_ADDR="192.0.2.7")

    assert accepted["Location"] == asked
    assert client.get(asked).status_code == 200
    row = NoticeAcceptance.objects.get()
    assert (row.user, row.accepted_by, row.version, row.ip_address) == (newcomer, newcomer, notice.VERSION, "192.0.2.7")
    event = AuditEvent.objects.get(event=Event.ACCEPTED_NOTICE)
    assert (event.actor, event.object_uid, event.detail) == (newcomer, newcomer.uid, f"version {notice.VERSION}")


@pytest.mark.parametrize("elsewhere", ["https://example.org/", "//example.org", "javascript:alert(1)"])
def test_accepting_leads_to_no_other_site(client_of, newcomer, elsewhere):
    assert client_of(newcomer).post(NOTICE, {"next": elsewhere})["Location"] == reverse("home")


def test_accepting_twice_is_accepting_once(client_of, newcomer):
    for _ in range(2):
        client_of(newcomer).post(NOTICE)

    assert NoticeAcceptance.objects.count() == AuditEvent.objects.filter(event=Event.ACCEPTED_NOTICE).count() == 1
    assert "Accepted on" in client_of(newcomer).get(NOTICE).content.decode()


def test_a_new_version_asks_everybody_again(client_of, radiologist, monkeypatch):
    assert client_of(radiologist).get(WORKLIST).status_code == 200

    monkeypatch.setattr(notice, "VERSION", "a later one")

    assert client_of(radiologist).get(WORKLIST)["Location"].startswith(NOTICE)


def test_signing_out_and_a_new_password_need_no_acceptance(client_of, newcomer):
    client = client_of(newcomer)

    assert client.get(reverse("password_change")).status_code == 200
    assert client.post(reverse("logout")).status_code == 302


def test_a_form_that_was_filled_in_meanwhile_and_a_script_are_told_in_words(client_of, newcomer):
    client = client_of(newcomer)

    form = client.post(reverse("cases:claim-next"))
    script = client.get(WORKLIST, headers={"HX-Request": "true"})

    assert form.status_code == script.status_code == 403
    assert "research-use notice has not been accepted" in form.content.decode()


def test_a_program_is_refused_until_its_account_has_accepted(api_of, newcomer):
    program = api_of(newcomer)
    refused = program.get(reverse("api:case-list"))
    assert refused.status_code == 403
    assert refused.json()["code"] == "research_use_not_accepted"
    assert program.get(reverse("api:schema")).status_code == 200

    notice.accept_notice(user=newcomer)

    assert program.get(reverse("api:case-list")).status_code == 200


def test_an_administrator_meets_it_too_and_may_accept_for_a_machine_account(client_of, newcomer):
    administrator = UserFactory(role=Role.ADMINISTRATOR, facility=None, notice=False)
    client, users = client_of(administrator), reverse("admin:accounts_user_changelist")
    assert client.get(users)["Location"].startswith(NOTICE)
    client.post(NOTICE)

    page = client.post(users, {"action": "accept_notice_for", "_selected_action": [newcomer.pk]}, follow=True)

    assert f"accepted for {newcomer.username}" in page.content.decode()
    assert notice.has_accepted(newcomer)
    assert NoticeAcceptance.objects.get(user=newcomer).accepted_by == administrator
    listed = client.get(reverse("admin:accounts_noticeacceptance_changelist")).content.decode()
    assert newcomer.username in listed


def test_an_acceptance_is_never_changed_or_deleted(radiologist):
    for statement in ("UPDATE accounts_noticeacceptance SET version = '9'", "DELETE FROM accounts_noticeacceptance"):
        with pytest.raises(Error, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)


def test_knowing_it_costs_a_page_no_query(client_of, radiologist, django_assert_max_num_queries):
    client = client_of(radiologist)

    with django_assert_max_num_queries(4) as asked:  # session, user, the user's token list
        client.get(reverse("tokens"))

    assert sum("noticeacceptance" in one["sql"] for one in asked) == 1  # the statement that loads the user


@pytest.mark.parametrize("role", Role)
def test_every_page_bears_the_notice(client_of, role):
    world = World()
    user = world.users[role]
    client, seen = client_of(user), 0
    for route in OUR_OWN:
        if "uid" in route.parameters and role == Role.ADMINISTRATOR:
            continue
        response = client.get(world.address(route, user), follow=True)
        if response.headers["Content-Type"].startswith("text/html") and b"<html" in response.getvalue():
            assert settings.RESEARCH_NOTICE in response.getvalue().decode().replace("&#x27;", "'"), route
            seen += 1
    assert seen > 3


def test_the_pages_before_and_around_signing_in_bear_it_too(client, client_of):
    everywhere = [
        client.get(reverse("login")),
        client.get("/nothing-here/"),
        client_of(UserFactory(role=Role.ADMINISTRATOR, facility=FacilityFactory())).get(reverse("admin:index")),
    ]
    for response in everywhere:
        assert settings.RESEARCH_NOTICE in response.content.decode().replace("&#x27;", "'")
