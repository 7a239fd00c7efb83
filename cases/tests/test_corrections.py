"""What was wrong at intake is put right on the case page."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils import timezone

from cases.lanes import ReadingOrder, reorder
from cases.models import Case, Patient, PatientChange, Priority
from cases.reading import sign_case
from cases.services import PatientDetails, PatientMismatch, find_or_create_patient
from cases.tests.factories import CaseFactory, PatientFactory, UserFactory
from portal.accounts.access import Role
from portal.accounts.models import Facility
from portal.append_only import AppendOnlyError
from portal.audit.models import AuditEvent, Event

pytestmark = pytest.mark.django_db
RIGHT = {"family_name": "Lovelace", "given_name": "Ada", "birth_date": "1980-12-10", "sex": "F"}


@pytest.fixture
def patient(facility) -> Patient:
    """Whose birth date and name were mistyped at the first upload."""
    typed = {**RIGHT, "family_name": "Lovelase", "birth_date": date(1890, 12, 10)}
    return PatientFactory(facility=facility, medical_record_number="MRN-9", **typed)


@pytest.fixture
def case(patient, submitter) -> Case:
    return CaseFactory(patient=patient, submitted_by=submitter)


def address(name: str, case: Case) -> str:
    return reverse(f"cases:{name}", args=[case.uid])


class TestPatient:
    def correct(self, client, case: Case, **typed):
        sent = {**RIGHT, "reason": "Mistyped", "details_version": case.patient.details_version, **typed}
        return client.post(address("correct-patient", case), sent, follow=True)

    def test_a_later_upload_with_the_right_details_is_taken(self, client_of, lead, submitter, patient, case):
        said = PatientDetails("MRN-9", **{**RIGHT, "birth_date": date(1980, 12, 10)})
        with pytest.raises(PatientMismatch, match="Correct patient details"):
            find_or_create_patient(facility=patient.facility, details=said, actor=submitter)

        page = self.correct(client_of(lead), case).text

        assert "Lovelace, Ada" in page
        found, created = find_or_create_patient(facility=patient.facility, details=said, actor=submitter)
        assert (found, created, found.birth_date) == (patient, False, date(1980, 12, 10))

    def test_what_it_was_is_kept_with_who_and_why_and_not_in_the_audit_trail(self, client_of, lead, patient, case):
        page = self.correct(client_of(lead), case).text

        kept = {
            change.detail: (change.old, change.new, change.actor, change.reason) for change in patient.changes.all()
        }
        assert kept == {
            "family_name": ("Lovelase", "Lovelace", lead, "Mistyped"),
            "birth_date": ("1890-12-10", "1980-12-10", lead, "Mistyped"),
        }
        for words in ("10 December 1890", "Lovelase", "Mistyped"):
            assert words in page
        event = AuditEvent.objects.get(event=Event.CORRECTED_PATIENT)
        assert (event.actor, event.object_uid, event.detail) == (lead, patient.uid, "birth_date, family_name")

    def test_the_history_is_never_changed(self, client_of, lead, case):
        self.correct(client_of(lead), case)

        with pytest.raises(AppendOnlyError):
            PatientChange.objects.update(old="")
        with pytest.raises(IntegrityError), transaction.atomic():
            PatientChange._base_manager.filter(pk=PatientChange.objects.first().pk).delete()

    def test_all_cases_of_the_patient_have_it(self, client_of, lead, radiologist, patient, case):
        other = CaseFactory(patient=patient)

        self.correct(client_of(lead), case)

        assert "Lovelace, Ada" in client_of(radiologist).get(other.get_absolute_url()).text

    def test_the_same_person_in_another_facility_is_another_patient(self, client_of, lead, case):
        elsewhere = PatientFactory(medical_record_number="MRN-9", family_name="Lovelase")

        self.correct(client_of(lead), case)

        elsewhere.refresh_from_db()
        assert elsewhere.family_name == "Lovelase"

    def test_only_a_lead_of_the_facility_is_offered_it_and_may(self, client_of, radiologist, submitter, lead, case):
        for user, status in ((radiologist, 403), (submitter, 403), (UserFactory(role=Role.LEAD), 404)):
            assert self.correct(client_of(user), case).status_code == status
        assert not PatientChange.objects.exists()

        assert "Correct patient details" in client_of(lead).get(case.get_absolute_url()).text
        assert "Correct patient details" not in client_of(radiologist).get(case.get_absolute_url()).text

    @pytest.mark.parametrize(
        ("typed", "sentence"),
        [
            ({"reason": " "}, "This field is required."),
            ({"birth_date": "1700-01-01"}, "The birth date is not a possible date."),
            ({"birth_date": "soon"}, "Enter a valid date."),
            ({"sex": "X"}, "Select a valid choice."),
            (
                {"family_name": "Lovelase", "birth_date": "1890-12-10"},
                "These are the details that the portal has.",
            ),
        ],
    )
    def test_what_cannot_be_saved_is_told_and_keeps_what_was_typed(
        self, client_of, lead, patient, case, typed, sentence
    ):
        response = self.correct(client_of(lead), case, **{"given_name": "Ada", **typed})

        assert response.status_code == 400
        assert sentence in response.text
        assert f'value="{typed.get("family_name", "Lovelace")}"' in response.text
        assert not patient.changes.exists()

    def test_a_page_from_before_another_change_undoes_nothing_and_can_be_saved_after_a_look(
        self, client_of, lead, submitter, facility, case
    ):
        Patient.objects.update(given_name="", sex="U")
        filled_in = PatientDetails("MRN-9", given_name="Ada", sex="F")
        find_or_create_patient(facility=facility, details=filled_in, actor=submitter)
        client = client_of(lead)

        refused = self.correct(client, case, given_name="", sex="U")

        assert refused.status_code == 412
        assert "were changed in the meantime" in refused.text
        assert 'value="Lovelace"' in refused.text
        assert "filled in by an upload" in refused.text
        case.patient.refresh_from_db()
        assert (case.patient.given_name, case.patient.family_name) == ("Ada", "Lovelase")
        assert f'name="details_version" value="{case.patient.details_version}"' in refused.text

        assert self.correct(client, case).status_code == 200
        case.patient.refresh_from_db()
        assert (case.patient.given_name, case.patient.family_name) == ("Ada", "Lovelace")

    def test_blank_is_not_known(self, client_of, lead, patient, case):
        self.correct(client_of(lead), case, birth_date="", sex="U")

        patient.refresh_from_db()
        assert (patient.birth_date, patient.sex) == (None, "U")


class TestPriority:
    def change(self, client, case: Case, priority: object, shown: int = Priority.ROUTINE):
        return client.post(address("change-priority", case), {"priority": priority, "shown": shown}, follow=True)

    def in_order(self, facility: Facility) -> list[Case]:
        keys = ReadingOrder.of(facility).first(Case.objects.filter(facility=facility), 10)
        return [Case.objects.get(pk=key) for key in keys]

    def test_a_raised_case_comes_before_those_it_was_behind(self, client_of, submitter, facility, case):
        earlier = CaseFactory(patient__facility=facility, received_at=timezone.now() - timedelta(hours=1))
        assert self.in_order(facility) == [earlier, case]

        self.change(client_of(submitter), case, Priority.STAT)

        assert self.in_order(facility) == [case, earlier]
        assert AuditEvent.objects.get(event=Event.CHANGED_PRIORITY).detail == "routine to stat"

    def test_the_ai_moves_it_within_its_new_priority(self, client_of, radiologist, facility, case):
        facility.ai_order_weight = 1
        facility.save()
        Case.objects.update(ai_status="ready", ai_label="covid", ai_probability=1, ai_suspicion=1)
        reorder(facility)
        case.refresh_from_db()
        assert case.received_at - case.ranks_as_of == timedelta(hours=24)

        self.change(client_of(radiologist), case, Priority.STAT)

        case.refresh_from_db()
        assert (case.priority, case.received_at - case.ranks_as_of) == (Priority.STAT, timedelta(minutes=30))

    def test_the_history_says_who_changed_it_from_what_to_what(self, client_of, lead, radiologist, case):
        self.change(client_of(lead), case, Priority.URGENT)
        self.change(client_of(radiologist), case, Priority.ROUTINE, shown=Priority.URGENT)

        page = client_of(radiologist).get(case.get_absolute_url()).text

        assert f"{lead} changed the priority from routine to urgent" in page
        assert f"{radiologist} changed the priority from urgent to routine" in page

    def test_a_second_reader_is_not_told_who(self, client_of, radiologist, colleague, facility, case):
        self.change(client_of(radiologist), case, Priority.URGENT)
        Facility.objects.update(double_read_percent=100)
        sign_case(case=case, reader=radiologist, final_label="normal")

        page = client_of(colleague).get(case.get_absolute_url()).text

        assert "Changed the priority from routine to urgent" in page
        assert str(radiologist) not in page
        assert f"{radiologist} changed the priority" in client_of(radiologist).get(case.get_absolute_url()).text

    def test_who_may(self, client_of, radiologist, auditor, outsider, case):
        assert self.change(client_of(auditor), case, Priority.STAT).status_code == 403
        assert self.change(client_of(outsider), case, Priority.STAT).status_code == 404
        assert not case.priority_changes.exists()

        assert "Change the priority" in client_of(radiologist).get(case.get_absolute_url()).text

    def test_of_two_different_changes_the_second_is_told(self, client_of, lead, radiologist, case):
        self.change(client_of(lead), case, Priority.STAT)

        refused = self.change(client_of(radiologist), case, Priority.URGENT)

        assert refused.status_code == 409
        assert "The priority was changed in the meantime." in refused.text
        assert self.change(client_of(radiologist), case, Priority.STAT).status_code == 200
        case.refresh_from_db()
        assert (case.priority, case.priority_changes.count()) == (Priority.STAT, 1)

    @pytest.mark.parametrize("priority", ["", "4", "stat"])
    def test_what_is_no_priority_is_refused(self, client_of, radiologist, case, priority):
        response = self.change(client_of(radiologist), case, priority)

        assert response.status_code == 400
        assert "The priority is not one of routine, urgent and stat." in response.text

    def test_a_signed_case_keeps_the_one_it_was_read_with(self, client_of, radiologist, case):
        sign_case(case=case, reader=radiologist, final_label="normal")

        assert self.change(client_of(radiologist), case, Priority.STAT).status_code == 409
        assert "Change the priority" not in client_of(radiologist).get(case.get_absolute_url()).text


class TestPriorityOverTheApi:
    def change(self, client, case: Case, **said: str):
        return client.patch(f"/api/v1/cases/{case.uid}/", said, format="json")

    def test_a_system_raises_a_case_and_sees_it_as_it_is_then(self, api_of, submitter, case):
        first, again = (self.change(api_of(submitter), case, priority="stat") for _ in range(2))

        assert (first.status_code, again.status_code) == (200, 200)
        assert (first.json()["uid"], first.json()["priority"], first.json()["radiographs"]) == (
            str(case.uid),
            "stat",
            [],
        )
        assert AuditEvent.objects.get(event=Event.CHANGED_PRIORITY, actor=submitter).detail == "routine to stat"
        assert AuditEvent.objects.filter(event=Event.VIEWED_CASE, actor=submitter, object_uid=case.uid).count() == 2

    def test_who_names_the_priority_they_know_does_not_undo_a_change_they_have_not_seen(self, api_of, submitter, case):
        Case.objects.update(priority=Priority.STAT)

        refused = self.change(api_of(submitter), case, priority="urgent", shown="routine")

        assert (refused.status_code, refused.json()["code"]) == (409, "priority_changed")
        assert self.change(api_of(submitter), case, priority="urgent", shown="stat").json()["priority"] == "urgent"

    @pytest.mark.parametrize("said", [{}, {"priority": "now"}, {"priority": "stat", "status": "signed"}])
    def test_what_cannot_be_is_refused(self, api_of, submitter, case, said):
        response = self.change(api_of(submitter), case, **said)

        assert (response.status_code, response.json()["code"]) == (400, "invalid")
        assert not case.priority_changes.exists()

    def test_a_signed_case_keeps_the_one_it_was_read_with(self, api_of, radiologist, submitter, case):
        sign_case(case=case, reader=radiologist, final_label="normal")

        response = self.change(api_of(submitter), case, priority="stat")

        assert (response.status_code, response.json()["code"]) == (409, "already_signed")
