"""Clinical rows in Django admin, seen by somebody who has been given the right to see them."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group, Permission
from django.urls import reverse

from cases.models import Case, Patient
from cases.tests.factories import CaseFactory, UserFactory
from portal.accounts.access import Role
from portal.audit.models import AuditEvent, Event

pytestmark = pytest.mark.django_db


@pytest.fixture
def helper(facility):
    """An administrator of a facility whom a group lets see clinical rows, with every right to change them as well."""
    user = UserFactory(role=Role.ADMINISTRATOR, facility=facility)
    group = Group.objects.create(name="Clinical helpers")
    group.permissions.set(Permission.objects.filter(content_type__app_label__in=["cases", "inference", "audit"]))
    user.groups.add(group)
    return user


def test_only_the_own_facilitys_rows_are_listed(client_of, helper):
    own, foreign = CaseFactory(patient__facility=helper.facility), CaseFactory()

    page = client_of(helper).get(reverse("admin:cases_case_changelist")).content.decode()

    assert str(own.uid) in page
    assert str(foreign.uid) not in page
    assert AuditEvent.objects.filter(event=Event.VIEWED_ADMIN, actor=helper, detail="list: cases").count() == 1


def test_a_case_is_found_by_its_uid(client_of, helper):
    wanted, other = CaseFactory.create_batch(2, patient__facility=helper.facility)

    page = client_of(helper).get(reverse("admin:cases_case_changelist"), {"q": str(wanted.uid)}).content.decode()

    assert reverse("admin:cases_case_change", args=[wanted.pk]) in page
    assert reverse("admin:cases_case_change", args=[other.pk]) not in page


def test_a_row_is_shown_and_the_look_recorded(client_of, helper):
    case = CaseFactory(patient__facility=helper.facility)

    response = client_of(helper).get(reverse("admin:cases_case_change", args=[case.pk]))

    assert response.status_code == 200
    assert AuditEvent.objects.filter(event=Event.VIEWED_ADMIN, object_uid=case.uid).count() == 1


def test_no_right_makes_a_clinical_row_writable(client_of, helper):
    patient = CaseFactory(patient__facility=helper.facility).patient
    client = client_of(helper)

    assert client.get(reverse("admin:cases_patient_add")).status_code == 403
    assert client.post(reverse("admin:cases_patient_change", args=[patient.pk]), {"sex": "M"}).status_code == 403
    assert client.post(reverse("admin:cases_patient_delete", args=[patient.pk]), {"post": "yes"}).status_code == 403
    assert Patient.objects.get().sex == "F"


def test_another_facilitys_row_is_not_shown(client_of, helper):
    response = client_of(helper).get(reverse("admin:cases_case_change", args=[CaseFactory().pk]))

    assert (response.status_code, response["Location"]) == (302, reverse("admin:index"))


def test_an_administrator_does_not_see_that_there_are_patients(client_of, administrator):
    CaseFactory()
    client = client_of(administrator)

    index = client.get(reverse("admin:index")).content.decode()

    assert reverse("admin:accounts_user_changelist") in index
    for model in ("patient", "case", "radiograph", "labresult", "review", "batch"):
        address = reverse(f"admin:cases_{model}_changelist")
        assert address not in index
        assert client.get(address).status_code == 403
    assert Case.objects.count() == 1
