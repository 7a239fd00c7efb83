"""When a session ends, and what keeps it."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse

from portal.accounts.models import User

pytestmark = pytest.mark.django_db
LOGIN, WORKLIST = reverse("login"), reverse("cases:worklist")
MINUTE, HOUR = 60, 3600
PASSWORD = "a long enough phrase"
POLL = {"HX-Request": "true", "HX-Target": "worklist-rows", "X-Automatic": "true"}


@pytest.fixture
def wait(monkeypatch) -> Callable[[int], None]:
    """Lets so many seconds go by."""
    clock, passed = time.time, [0]
    monkeypatch.setattr(time, "time", lambda: clock() + passed[0])

    def go_by(seconds: int) -> None:
        passed[0] += seconds

    return go_by


def sign_in(client: Client, user: User, address: str = LOGIN):
    user.set_password(PASSWORD)
    user.save()
    return client.post(address, {"username": user.username, "password": PASSWORD})


def is_signed_in(client: Client, **headers: str) -> bool:
    answer = client.get(WORKLIST, headers=headers)
    assert answer.status_code == 200 or answer["Location"].startswith(LOGIN)
    return answer.status_code == 200


def test_a_session_that_nobody_uses_ends_and_leads_back_after_signing_in(client_of, radiologist, wait):
    client, asked = client_of(radiologist), f"{WORKLIST}?status=all"
    wait(settings.SESSION_IDLE_SECONDS - MINUTE)
    assert is_signed_in(client)

    wait(settings.SESSION_IDLE_SECONDS)

    met = client.get(asked)
    assert met["Location"].startswith(LOGIN)
    assert sign_in(client, radiologist, met["Location"])["Location"] == asked
    assert is_signed_in(client)


def test_the_api_knows_nobody_by_a_session_that_has_ended(client_of, radiologist, wait):
    client = client_of(radiologist)
    assert client.get(reverse("api:case-list")).status_code == 200

    wait(settings.SESSION_IDLE_SECONDS)

    assert client.get(reverse("api:case-list")).status_code == 401


@pytest.mark.parametrize(("headers", "lasts"), [({}, True), (POLL, False)], ids=["a person", "an open page"])
def test_what_a_person_does_keeps_a_session_and_what_a_page_asks_for_does_not(
    client_of, radiologist, wait, headers, lasts
):
    client = client_of(radiologist)
    for _ in range(2):
        wait(20 * MINUTE)
        is_signed_in(client, **headers)

    assert is_signed_in(client) == lasts


def test_a_session_in_use_ends_with_the_day_all_the_same(client_of, radiologist, wait):
    client = client_of(radiologist)
    for _ in range(settings.SESSION_COOKIE_AGE // (20 * MINUTE) - 1):
        wait(20 * MINUTE)
        assert is_signed_in(client)

    wait(20 * MINUTE)

    assert not is_signed_in(client)


def test_without_a_limit_a_session_may_be_left_alone(client_of, radiologist, wait, settings):
    settings.SESSION_IDLE_SECONDS = 0
    client = client_of(radiologist)

    wait(11 * HOUR)

    assert is_signed_in(client)


def test_uses_within_a_minute_cost_no_write(client_of, radiologist, wait, django_assert_max_num_queries):
    client = client_of(radiologist)
    wait(2 * MINUTE)
    with django_assert_max_num_queries(100) as asked:
        for _ in range(3):
            client.get(reverse("tokens"))

    assert sum(one["sql"].startswith('UPDATE "django_session"') for one in asked) == 1


def test_the_cookie_ends_with_the_browser(client, radiologist):
    sign_in(client, radiologist)

    assert client.cookies[settings.SESSION_COOKIE_NAME]["max-age"] == ""


def test_whose_session_has_ended_may_still_sign_out(client_of, radiologist, wait):
    client = client_of(radiologist)
    wait(settings.SESSION_IDLE_SECONDS)

    assert client.post(reverse("logout"))["Location"] == LOGIN
