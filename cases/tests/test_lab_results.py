"""Withdrawing a lab result: it stays to be seen, counts for nothing, and makes room for the right one."""

from __future__ import annotations

from datetime import date

import pytest
from django.urls import reverse

from cases.lab_import import import_lab_results
from cases.lab_results import AlreadyWithdrawn, ResultWithdrawn, add_lab_result, withdraw_lab_result
from cases.models import Case, LabResult
from cases.reading import sign_case
from cases.tests.factories import CaseFactory, PatientFactory, UserFactory
from cases.truth import truth_of, truth_result
from portal.accounts.access import Role
from portal.audit.models import AuditEvent, Event

pytestmark = pytest.mark.django_db
REASON = "Another patient's swab"
FILE = b"medical_record_number,kind,result,collected_on\nMRN-9,rt_pcr,positive,%s\n"


@pytest.fixture
def case(facility, submitter) -> Case:
    return CaseFactory(patient=PatientFactory(facility=facility, medical_record_number="MRN-9"), submitted_by=submitter)


def enter(case: Case, actor, result: str = "positive") -> LabResult:
    day = case.received_at.date()
    return add_lab_result(patient=case.patient, kind="rt_pcr", result=result, collected_on=day, actor=actor)[0]


@pytest.fixture
def wrong(case, submitter) -> LabResult:
    return enter(case, submitter)


def withdraw(client, case: Case, lab_result, reason: str = REASON):
    sent = {"lab_result": str(getattr(lab_result, "uid", lab_result)), "reason": reason}
    return client.post(reverse("cases:lab-result-withdraw", args=[case.uid]), sent, follow=True)


def truth(case: Case) -> str | None:
    """By both ways of asking, which must agree."""
    in_hand = truth_of(case, case.patient.lab_results.all())
    assert Case.objects.annotate(truth=truth_result()).get(pk=case.pk).truth == (in_hand and in_hand.result)
    return in_hand and in_hand.result


def test_a_withdrawn_result_counts_no_more_and_the_right_one_does(client_of, lead, submitter, case, wrong):
    assert truth(case) == "positive"

    withdraw(client_of(lead), case, wrong)
    assert truth(case) is None

    enter(case, submitter, "negative")
    assert truth(case) == "negative"


def test_it_stays_to_be_seen_with_who_and_why(client_of, radiologist, lead, case, wrong):
    sign_case(case=case, reader=radiologist, final_label="normal")
    page = withdraw(client_of(lead), case, wrong).text

    assert "<del>RT-PCR positive</del>" in page
    assert f"by {lead}: Another patient&#x27;s swab" in page
    for words in ("Counts as truth for this case", "Differs from the RT-PCR", "lab-positive"):
        assert words not in page
    report = client_of(radiologist).get(reverse("inference:report", args=[case.uid])).text
    assert "<del>Positive</del> withdrawn" in report


def test_the_audit_trail_has_a_row_and_the_old_value_is_kept(client_of, lead, case, wrong):
    withdraw(client_of(lead), case, wrong)

    event = AuditEvent.objects.get(event=Event.WITHDREW_LAB_RESULT)
    assert (event.actor, event.object_uid, event.detail) == (lead, wrong.uid, "")
    kept = LabResult.objects.get()
    assert (kept.result, kept.withdrawn_by, kept.withdrawal_reason) == ("positive", lead, REASON)


def test_only_a_lead_is_offered_it_and_may(client_of, radiologist, submitter, lead, case, wrong):
    for user, status in ((radiologist, 403), (submitter, 403), (UserFactory(role=Role.LEAD), 404)):
        assert withdraw(client_of(user), case, wrong).status_code == status
    assert not LabResult.objects.get().is_withdrawn

    offered = reverse("cases:lab-result-withdraw", args=[case.uid])
    assert offered in client_of(lead).get(case.get_absolute_url()).text
    assert offered not in client_of(radiologist).get(case.get_absolute_url()).text


def test_it_needs_a_reason(client_of, lead, case, wrong):
    response = withdraw(client_of(lead), case, wrong, " ")

    assert response.status_code == 400
    assert "Say why the lab result is withdrawn." in response.text
    assert not LabResult.objects.get().is_withdrawn


@pytest.mark.parametrize("named", ["", "x", "another"])
def test_a_result_that_the_patient_does_not_have_is_not_found(client_of, submitter, lead, case, wrong, named):
    other = enter(CaseFactory(patient__facility=case.facility), submitter)

    assert withdraw(client_of(lead), case, other if named == "another" else named).status_code == 404
    assert not LabResult.objects.exclude(withdrawn_at=None).exists()


def test_of_two_who_withdraw_it_the_second_is_told(client_of, lead, case, wrong):
    withdraw(client_of(lead), case, wrong)

    response = withdraw(client_of(lead), case, wrong, "Again")

    assert response.status_code == 409
    assert "This lab result is withdrawn already." in response.text
    assert LabResult.objects.get().withdrawal_reason == REASON
    with pytest.raises(AlreadyWithdrawn):
        withdraw_lab_result(lab_result=wrong, actor=lead, reason="Again")


def test_it_comes_back_by_a_lead_only(client_of, api_of, lead, submitter, case, wrong):
    withdraw(client_of(lead), case, wrong)
    day = case.received_at.date().isoformat()

    with pytest.raises(ResultWithdrawn):
        enter(case, submitter)
    refused = api_of(submitter).post(
        reverse("api:patient-lab-results", args=[case.patient.uid]),
        {"kind": "rt_pcr", "result": "positive", "collected_on": day},
        format="json",
    )
    assert (refused.status_code, refused.json()["code"]) == (409, "lab_result_withdrawn")
    assert LabResult.objects.count() == 1

    typed = {"kind": "rt_pcr", "result": "positive", "collected_on": day, "note": ""}
    client_of(lead).post(reverse("cases:lab-result-add", args=[case.uid]), typed)
    assert LabResult.objects.standing().count() == 1
    assert truth(case) == "positive"


@pytest.mark.parametrize("dry_run", [True, False])
def test_a_laboratorys_file_does_not_bring_it_back(client_of, lead, submitter, case, wrong, dry_run):
    withdraw(client_of(lead), case, wrong)
    content = FILE % case.received_at.date().isoformat().encode()

    for actor in (submitter, lead):
        (row,) = import_lab_results(content=content, actor=actor, dry_run=dry_run).rows
        assert row.error.code == "lab_result_withdrawn"
    assert LabResult.objects.count() == 1

    corrected = content.replace(b"positive", b"negative")
    assert import_lab_results(content=corrected, actor=submitter, dry_run=dry_run).accepted


def test_the_api_tells_it(client_of, api_of, lead, submitter, case, wrong):
    address = reverse("api:patient-lab-results", args=[case.patient.uid])
    (before,) = api_of(submitter).get(address).json()["results"]
    withdraw(client_of(lead), case, wrong)
    (after,) = api_of(submitter).get(address).json()["results"]

    assert (before["withdrawn_at"], before["withdrawn_by"], before["withdrawal_reason"]) == (None, None, "")
    assert date.fromisoformat(after["withdrawn_at"][:10])
    assert (after["withdrawn_by"], after["withdrawal_reason"]) == ("lead", REASON)
