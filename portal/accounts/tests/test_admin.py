"""People and places in Django admin, as an administrator uses it."""

from __future__ import annotations

import pytest
from axes.models import AccessAttempt
from django.contrib.auth.models import Group
from django.urls import reverse
from knox.models import get_token_model

from portal.accounts.access import Role
from portal.accounts.models import Facility, User
from portal.audit.models import AuditEvent, Event

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(client_of, administrator):
    return client_of(administrator)


NEW = {
    "username": "newcomer",
    "usable_password": "true",
    "password1": "a long enough phrase",
    "password2": "a long enough phrase",
}


def test_a_user_is_added_with_role_and_facility(admin, facility):
    response = admin.post(reverse("admin:accounts_user_add"), NEW | {"role": "radiologist", "facility": facility.pk})

    assert response.status_code == 302
    user = User.objects.get(username="newcomer")
    assert (user.role, user.facility) == (Role.RADIOLOGIST, facility)
    assert user.check_password("a long enough phrase")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"role": "radiologist", "facility": ""}, "Everybody but an administrator belongs to a facility."),
        ({"role": "", "facility": ""}, "This field is required."),
        ({"role": "king", "facility": ""}, "is not one of the available choices"),
        ({"role": "administrator", "password2": "something else"}, "The two password fields"),
        ({"role": "administrator", "password1": "short", "password2": "short"}, "too short"),
    ],
)
def test_what_cannot_be_is_said_in_the_form(admin, change, words):
    response = admin.post(reverse("admin:accounts_user_add"), NEW | change)

    assert response.status_code == 200
    assert words in response.content.decode().replace("&#x27;", "'")
    assert not User.objects.filter(username="newcomer").exists()


def test_taking_a_facility_away_is_an_error_of_the_form(admin, radiologist):
    said = {"username": radiologist.username, "role": "radiologist", "facility": "", "is_active": "on"}

    response = admin.post(reverse("admin:accounts_user_change", args=[radiologist.pk]), said)

    assert response.status_code == 200
    assert "Everybody but an administrator belongs to a facility." in response.content.decode()


def test_a_user_who_leaves_is_switched_off(admin, radiologist):
    said = {"username": radiologist.username, "role": "radiologist", "facility": radiologist.facility_id}

    assert admin.post(reverse("admin:accounts_user_change", args=[radiologist.pk]), said).status_code == 302

    radiologist.refresh_from_db()
    assert not radiologist.is_active


def test_accounts_are_narrowed_by_the_offered_filters_only(admin, facility, radiologist, lead, submitter):
    address = reverse("admin:accounts_user_changelist")

    offered = admin.get(address, {"facility__id__exact": facility.pk, "role__exact": "lead", "q": "e"})

    assert [user.username for user in offered.context["cl"].result_list] == ["lead"]
    for lookup in ("reviews", "claimed_cases__isnull", "own_keys__isnull", "facility__cases", "password__startswith"):
        assert admin.get(address, {lookup: "1"}).status_code == 400, lookup


def test_what_an_administrator_does_to_an_account_is_shown_to_the_facilitys_auditors(
    admin, radiologist, auditor, client_of
):
    change = reverse("admin:accounts_user_change", args=[radiologist.pk])
    said = {"username": radiologist.username, "role": "lead", "facility": radiologist.facility_id, "is_active": "on"}
    admin.post(change, said)
    new = {"usable_password": "true", "password1": "a long enough phrase", "password2": "a long enough phrase"}
    admin.post(reverse("admin:auth_user_password_change", args=[radiologist.pk]), new)

    shown = client_of(auditor).get("/audit/", {"event": Event.ADMINISTERED}).context["events"]
    assert [event.object_uid for event in shown] == [radiologist.uid] * 2
    assert [event.detail.split()[-1] for event in shown] == ["password.", "Role."]


def test_settings_of_a_facility_and_rights_of_a_group_leave_a_row(admin, facility):
    admin.post(reverse("admin:auth_group_add"), {"name": "Night shift"})
    admin.post(reverse("admin:auth_group_delete", args=[Group.objects.get().pk]), {"post": "yes"})
    admin.post(reverse("admin:accounts_facility_add"), NEW_FACILITY)

    rows = AuditEvent.objects.filter(event=Event.ADMINISTERED).order_by("pk")
    assert [row.detail for row in rows] == [
        "group Night shift: added",
        "group Night shift: deleted",
        "facility New Clinic: added",
    ]
    assert rows[2].facility == Facility.objects.get(name="New Clinic")


def test_a_new_password_ends_the_accounts_tokens(radiologist, submitter, client_of, api_of):
    radiologist.set_password("an old phrase")
    radiologist.save()
    programs = api_of(radiologist), api_of(submitter)
    said = {
        "old_password": "an old phrase",
        "new_password1": "a long enough phrase",
        "new_password2": "a long enough phrase",
    }

    assert client_of(radiologist).post(reverse("password_change"), said).status_code == 302

    assert [program.get("/api/v1/cases/").status_code for program in programs] == [401, 200]
    assert AuditEvent.objects.get(event=Event.CHANGED_PASSWORD).actor == radiologist


def test_nobody_is_deleted(admin, radiologist):
    assert admin.get(reverse("admin:accounts_user_delete", args=[radiologist.pk])).status_code == 403


MINUTES = {field.name: field.default for field in Facility._meta.fields if field.name.endswith("_minutes")}
NEW_FACILITY = {"name": "New Clinic", "is_active": "on", "ai_order_weight": 0.5, "double_read_percent": 0} | MINUTES


def test_a_facility_is_added_once(admin):
    url = reverse("admin:accounts_facility_add")

    assert admin.post(url, NEW_FACILITY).status_code == 302
    assert "already exists" in admin.post(url, {"name": "New Clinic"}).content.decode()
    assert Facility.objects.filter(name="New Clinic").count() == 1


def test_no_wait_is_longer_than_a_year(admin):
    url = reverse("admin:accounts_facility_add")

    refused = admin.post(url, NEW_FACILITY | dict.fromkeys(MINUTES, 2_000_000_000))

    assert refused.text.count("less than or equal to 525600") == 6
    assert admin.post(url, NEW_FACILITY | dict.fromkeys(MINUTES, 525_600)).status_code == 302


def test_a_token_is_taken_away_but_not_made(admin, submitter, api_of):
    program = api_of(submitter)
    assert program.get("/api/v1/cases/").status_code == 200
    token = get_token_model().objects.get()

    assert admin.get(reverse("admin:knox_authtoken_changelist")).status_code == 200
    assert admin.get(reverse("admin:knox_authtoken_add")).status_code == 403
    assert admin.post(reverse("admin:knox_authtoken_delete", args=[token.pk]), {"post": "yes"}).status_code == 302

    assert program.get("/api/v1/cases/").status_code == 401
    row = AuditEvent.objects.get(event=Event.ADMINISTERED)
    assert (row.object_uid, row.facility, row.detail) == (submitter.uid, submitter.facility, "auth token: deleted")


def test_a_locked_out_person_is_let_in_again(admin, client, radiologist):
    client.post(reverse("login"), {"username": radiologist.username, "password": "wrong"})
    attempt = AccessAttempt.objects.get()

    assert admin.get(reverse("admin:axes_accessattempt_changelist")).status_code == 200
    assert admin.post(reverse("admin:axes_accessattempt_delete", args=[attempt.pk]), {"post": "yes"}).status_code == 302

    assert not AccessAttempt.objects.exists()
    row = AuditEvent.objects.get(event=Event.ADMINISTERED)
    assert (row.object_uid, row.detail) == (radiologist.uid, "access attempt: deleted")
