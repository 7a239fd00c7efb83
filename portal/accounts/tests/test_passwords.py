"""A password that somebody else chose lets its owner do one thing only: choose another."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from portal.accounts.demo import create_demo_users
from portal.accounts.models import User
from portal.accounts.notice import accept_notice

pytestmark = pytest.mark.django_db

LOGIN, WORKLIST, CHANGE = reverse("login"), reverse("cases:worklist"), reverse("password_change")
GIVEN, OWN = "a phrase of the administrator", "a phrase of my own"


@pytest.fixture
def given(client_of, administrator, radiologist) -> Client:
    """The browser of a radiologist who has signed in with the password that an administrator gave them."""
    said = {"usable_password": "true", "password1": GIVEN, "password2": GIVEN}
    client_of(administrator).post(reverse("admin:auth_user_password_change", args=[radiologist.pk]), said)
    return signed_in(radiologist.username)


def signed_in(name: str) -> Client:
    client = Client()
    assert client.post(LOGIN, {"username": name, "password": GIVEN}).status_code == 302
    return client


def change(client: Client, new: str, address: str = CHANGE):
    return client.post(address, {"old_password": GIVEN, "new_password1": new, "new_password2": new})


def is_asked(client: Client) -> bool:
    return client.get(WORKLIST).headers.get("Location", "").startswith(CHANGE)


def test_its_owner_chooses_another_one_and_goes_on_to_where_they_were_going(given):
    asked = f"{WORKLIST}?status=all"

    met = given.get(asked)

    assert met["Location"] == f"{CHANGE}?{urlencode({'next': asked})}"
    assert "Somebody else chose the password" in given.get(met["Location"]).text
    assert change(given, OWN, met["Location"])["Location"] == asked
    assert given.get(asked).status_code == 200
    assert "Somebody else" not in given.get(CHANGE).text


def test_the_same_one_again_is_no_other(given):
    assert "This is the password that you have" in change(given, GIVEN).text
    assert is_asked(given)


def test_a_script_and_a_form_are_told_in_words_and_signing_out_is_free(given):
    script = given.get(WORKLIST, headers={"HX-Request": "true"})
    form = given.post(reverse("cases:claim-next"))

    assert script.status_code == form.status_code == 403
    assert "chosen by somebody else" in form.text
    assert given.post(reverse("logout"))["Location"] == LOGIN


def test_a_program_is_refused_until_then(given, api_of, radiologist):
    refused = api_of(radiologist).get(reverse("api:case-list"))

    assert refused.status_code == 403
    assert refused.json()["code"] == "password_change_needed"
    assert "choose one of your own" in refused.json()["remedy"]
    change(given, OWN)
    assert api_of(radiologist).get(reverse("api:case-list")).status_code == 200


def test_whoever_is_added_chooses_one_too(client_of, administrator, facility):
    said = {"usable_password": "true", "password1": GIVEN, "password2": GIVEN}
    said |= {"username": "newcomer", "role": "radiologist", "facility": facility.pk}
    client_of(administrator).post(reverse("admin:accounts_user_add"), said)
    newcomer = signed_in("newcomer")

    assert is_asked(newcomer)

    accept_notice(user=User.objects.get(username="newcomer"))
    change(newcomer, OWN)
    assert newcomer.get(WORKLIST).status_code == 200


def test_administrators_change_their_own_where_the_old_one_is_asked_for(client_of, administrator):
    own = reverse("admin:auth_user_password_change", args=[administrator.pk])

    assert client_of(administrator).get(own)["Location"] == CHANGE


def test_one_given_on_the_servers_terminal_is_somebody_elses(radiologist, monkeypatch):
    monkeypatch.setattr("getpass.getpass", lambda prompt: GIVEN)

    call_command("changepassword", radiologist.username)

    assert is_asked(signed_in(radiologist.username))


def test_the_first_administrator_and_the_users_of_the_demonstration_keep_theirs(tmp_path, monkeypatch):
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", GIVEN)
    call_command("createsuperuser", interactive=False, username="first", email="first@example.org")
    create_demo_users(tmp_path / "users")

    assert not User.objects.filter(must_change_password=True).exists()
