"""Making and revoking one's own API tokens."""

from __future__ import annotations

import re

import pytest
from django.conf import settings
from django.urls import reverse
from knox.models import get_token_model

from portal.audit.models import AuditEvent, Event

pytestmark = pytest.mark.django_db

PASSWORD = "a long enough phrase"


@pytest.fixture
def signed_in(radiologist, client_of):
    radiologist.set_password(PASSWORD)
    radiologist.save()
    return client_of(radiologist)


def make(signed_in, password: str):
    return signed_in.post(reverse("tokens"), {"password": password})


def test_a_token_that_is_made_with_the_password_works_until_it_is_revoked(signed_in, client):
    shown = re.search(r'class="token">(\w+)<', make(signed_in, PASSWORD).text)
    assert shown

    header = {"Authorization": f"Token {shown[1]}"}
    assert client.get("/api/v1/cases/", headers=header).status_code == 200
    assert shown[1] not in signed_in.get(reverse("tokens")).text

    signed_in.post(reverse("token-revoke", args=[get_token_model().objects.get().token_key]))
    assert client.get("/api/v1/cases/", headers=header).status_code == 401
    kept = AuditEvent.objects.filter(event__in=[Event.CREATED_TOKEN, Event.REVOKED_TOKEN])
    assert list(kept.order_by("pk").values_list("event", flat=True)) == [Event.CREATED_TOKEN, Event.REVOKED_TOKEN]


@pytest.mark.parametrize(("password", "said"), [("of somebody else", "This is not your password."), ("", "required")])
def test_without_the_password_there_is_none(signed_in, password, said):
    answer = make(signed_in, password)

    assert (answer.status_code, said in answer.text) == (400, True)
    assert not get_token_model().objects.exists()
    assert AuditEvent.objects.filter(event=Event.SIGN_IN_FAILED).exists() == bool(password)


@pytest.fixture
def broken_trail(monkeypatch):
    """Nothing can be written to the audit trail."""

    def fail(*args, **said):
        raise RuntimeError

    monkeypatch.setattr("portal.accounts.views.record", fail)


def test_nothing_is_revoked_or_changed_without_its_audit_row(signed_in, radiologist, broken_trail):
    token, _ = get_token_model().objects.create(user=radiologist)
    new = {"old_password": PASSWORD, "new_password1": "another long phrase", "new_password2": "another long phrase"}

    with pytest.raises(RuntimeError):
        signed_in.post(reverse("token-revoke", args=[token.token_key]))
    with pytest.raises(RuntimeError):
        signed_in.post(reverse("password_change"), new)

    assert get_token_model().objects.exists()
    radiologist.refresh_from_db()
    assert radiologist.check_password(PASSWORD)


def test_guessing_the_password_is_cut_short(signed_in):
    answers = [make(signed_in, f"guess {number}").status_code for number in range(settings.AXES_FAILURE_LIMIT)]

    assert answers[-1] == 429
    assert make(signed_in, PASSWORD).status_code == 429
    assert not get_token_model().objects.exists()
