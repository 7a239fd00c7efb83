from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from cases.claims import claim_case
from cases.models import Case, LabResult, Review
from cases.reading import save_review, sign_case
from cases.tests.factories import CaseFactory, PatientFactory, RadiographFactory
from portal.audit.models import AuditEvent, Event

pytestmark = pytest.mark.django_db


@pytest.fixture
def case(facility, submitter) -> Case:
    patient = PatientFactory(facility=facility, family_name="Lovelace", given_name="Ada", medical_record_number="MRN-9")
    return RadiographFactory(case=CaseFactory(patient=patient, submitted_by=submitter, indication="Dry cough")).case


def url(name: str, case: Case) -> str:
    return reverse(f"cases:{name}", args=[case.uid])


def read(**fields: str) -> dict[str, str]:
    return {"first_impression": "", "final_label": "", "findings": ""} | fields


def test_the_page_shows_patient_question_and_image(client_of, radiologist, case):
    page = client_of(radiologist).get(case.get_absolute_url()).content.decode()

    for words in ("Lovelace, Ada", "MRN-9", "Dry cough", case.radiographs.get().get_absolute_url(), "Start reading"):
        assert words in page


@pytest.mark.parametrize(("hour", "shown"), [(9, "3 Mar 2026, 09:31"), (None, "3 Mar 2026")])
def test_an_image_without_a_time_of_day_shows_its_day(client_of, radiologist, case, hour, shown):
    made = datetime(2026, 3, 3, tzinfo=timezone.get_current_timezone())
    if hour is not None:
        made += timedelta(hours=hour, minutes=31)
    case.radiographs.update(acquired_at=made)

    page = client_of(radiologist).get(case.get_absolute_url()).text

    assert f'<dd class="num">{shown}</dd>' in page
    assert ", 00:00" not in page


def test_every_page_says_that_it_is_for_research(client_of, radiologist, case):
    page = client_of(radiologist).get(case.get_absolute_url()).content.decode()

    assert "Research use only" in page


def test_opening_a_case_leaves_an_audit_row_and_changes_nothing(client_of, radiologist, case):
    client_of(radiologist).get(case.get_absolute_url())

    assert AuditEvent.objects.get(event=Event.VIEWED_CASE).object_uid == case.uid
    case.refresh_from_db()
    assert case.status == Case.Status.TO_READ


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        ("claim", {}),
        ("release", {}),
        ("amend", {}),
        ("lab-result-add", {}),
        ("review", {"final_label": "measles"}),
        ("sign", {"findings": "No label"}),
        ("sign", {"final_label": "normal", "findings": "To be confirmed"}),
    ],
)
def test_a_page_that_answers_a_form_leaves_one_audit_row(client_of, radiologist, colleague, case, name, sent):
    claim_case(case=case, reader=colleague)

    page = client_of(radiologist).post(url(name, case), sent)

    assert "MRN-9" in page.text
    assert AuditEvent.objects.get(event=Event.VIEWED_CASE, actor=radiologist).object_uid == case.uid


@pytest.mark.parametrize("name", ["case", "claim", "release", "review", "sign", "lab-result-add"])
def test_another_facilitys_case_does_not_exist(client_of, outsider, case, name):
    client = client_of(outsider)
    response = client.get(url(name, case)) if name == "case" else client.post(url(name, case))

    assert response.status_code == 404


def test_a_submitter_sees_the_case_but_no_form_to_read_it(client_of, submitter, case):
    client = client_of(submitter)

    assert "Start reading" not in client.get(case.get_absolute_url()).content.decode()
    assert client.post(url("sign", case), read(final_label="normal")).status_code == 403


def test_one_of_several_radiographs_is_chosen_by_address(client_of, radiologist, case):
    second = RadiographFactory(case=case)
    response = client_of(radiologist).get(case.get_absolute_url(), {"radiograph": str(second.uid)})

    assert response.context["radiograph"] == second
    assert client_of(radiologist).get(case.get_absolute_url(), {"radiograph": "x"}).context["radiograph"] != second


def test_claim_gives_the_form_and_release_gives_the_case_back(client_of, radiologist, case):
    client = client_of(radiologist)
    page = client.post(url("claim", case), follow=True).content.decode()
    assert "Final label" in page

    client.post(url("release", case))

    case.refresh_from_db()
    assert case.status == Case.Status.TO_READ


def test_what_was_typed_is_kept_when_the_case_is_released(client_of, radiologist, case):
    claim_case(case=case, reader=radiologist)

    client_of(radiologist).post(url("release", case), read(findings="Opacity left base"))

    assert Review.objects.get().findings == "Opacity left base"


def test_a_case_in_a_colleagues_hands_is_refused_with_the_sentence(client_of, radiologist, colleague, case):
    claim_case(case=case, reader=colleague)

    response = client_of(radiologist).post(url("claim", case))

    assert response.status_code == 409
    assert f"{colleague} is reading this case." in response.content.decode()


@pytest.mark.parametrize(("name", "extra"), [("review", {}), ("sign", {"confirmed": "1"})])
def test_a_conflict_keeps_the_typed_text(client_of, radiologist, colleague, case, name, extra):
    claim_case(case=case, reader=colleague)

    response = client_of(radiologist).post(
        url(name, case), read(final_label="covid", findings="Half an hour's work") | extra
    )

    assert response.status_code == 409
    assert "Half an hour&#x27;s work" in response.content.decode()
    assert not Review.objects.exists()


def test_a_draft_comes_back(client_of, radiologist, case):
    client = client_of(radiologist)
    client.post(url("review", case), read(first_impression="covid", findings="Patchy"))

    page = client.get(case.get_absolute_url()).content.decode()

    assert "Patchy" in page
    assert "kept as given" in page


def test_a_colleagues_draft_is_not_shown(client_of, radiologist, colleague, case):
    save_review(case=case, reader=colleague, findings="Not for other eyes")

    assert "Not for other eyes" not in client_of(radiologist).get(case.get_absolute_url()).content.decode()


def test_signing_asks_first_and_then_leads_on(client_of, radiologist, case):
    client = client_of(radiologist)
    question = client.post(url("sign", case), read(final_label="normal", findings="Clear"))
    assert "Sign this case as Normal?" in question.content.decode()
    assert not Review.objects.exists()

    page = client.post(url("sign", case), read(final_label="normal", findings="Clear", confirmed="1"), follow=True)

    case.refresh_from_db()
    assert case.status == Case.Status.SIGNED
    for words in ("Signed by", str(radiologist), "Clear", "Next case", "Back to the worklist"):
        assert words in page.content.decode()
    assert 'id="read-form"' not in page.content.decode()


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ({"findings": "Something"}, "The final label is missing."),
        ({"final_label": "other"}, "needs a word on what it is"),
    ],
)
def test_a_read_that_cannot_be_signed_says_what_is_missing(client_of, radiologist, case, typed, sentence):
    response = client_of(radiologist).post(url("sign", case), read(**typed))

    assert response.status_code == 400
    assert sentence in response.content.decode()


def test_a_label_nobody_offers_is_refused(client_of, radiologist, case):
    response = client_of(radiologist).post(url("review", case), read(final_label="measles"))

    assert response.status_code == 400


def test_a_signed_case_cannot_be_signed_again(client_of, radiologist, colleague, case):
    sign_case(case=case, reader=colleague, final_label="normal")

    response = client_of(radiologist).post(url("sign", case), read(final_label="covid", confirmed="1"))

    assert response.status_code == 409
    assert Review.objects.get().final_label == "normal"


def test_an_image_that_came_after_the_page_is_looked_at_before_signing(client_of, radiologist, case):
    client = client_of(radiologist)
    client.post(url("claim", case))
    RadiographFactory(case=case)
    sent = read(final_label="normal", findings="Clear", images_shown="1")

    question = client.post(url("sign", case), sent)
    assert '<input type="hidden" name="images_shown" value="1"' in question.content.decode()
    refused = client.post(url("sign", case), sent | {"confirmed": "1"})

    assert refused.status_code == 409
    page = refused.content.decode()
    assert "An image was added to this case after you opened it. It is on the page now" in page
    assert "Clear</textarea>" in page
    assert '<input type="hidden" name="images_shown" value="2">' in page
    assert not Review.objects.signed().exists()

    client.post(url("sign", case), sent | {"confirmed": "1", "images_shown": "2"})
    assert Review.objects.signed().get().final_label == "normal"


def test_a_lead_may_release_a_case_of_others(client_of, lead, radiologist, case):
    claim_case(case=case, reader=radiologist)

    client_of(lead).post(url("release", case))

    case.refresh_from_db()
    assert case.claimed_by is None


def test_a_lab_result_is_added_and_shown(client_of, radiologist, case):
    typed = {"kind": "rt_pcr", "result": "positive", "collected_on": "2024-03-01", "note": ""}
    page = client_of(radiologist).post(url("lab-result-add", case), typed, follow=True).content.decode()

    assert LabResult.objects.get().collected_on == date(2024, 3, 1)
    assert "1 Mar 2024" in page


def test_a_lab_result_entered_twice_is_the_first_entry(client_of, radiologist, case):
    typed = {"kind": "rt_pcr", "result": "positive", "collected_on": "2024-03-01", "note": ""}
    client = client_of(radiologist)
    statuses = [client.post(url("lab-result-add", case), typed).status_code for _ in range(2)]

    assert statuses == [302, 302]
    assert LabResult.objects.count() == 1


@pytest.mark.parametrize("day", ["1700-01-01", "2999-01-01", "soon"])
def test_a_lab_result_of_an_impossible_day_is_refused(client_of, radiologist, case, day):
    response = client_of(radiologist).post(
        url("lab-result-add", case), {"kind": "rt_pcr", "result": "positive", "collected_on": day}
    )

    assert response.status_code == 400
    assert not LabResult.objects.exists()


def test_other_cases_of_the_patient_are_linked_with_their_signed_label(client_of, radiologist, submitter, case):
    prior = CaseFactory(patient=case.patient, submitted_by=submitter, indication="Earlier cough")
    sign_case(case=prior, reader=radiologist, final_label="pneumonia")

    page = client_of(radiologist).get(case.get_absolute_url()).content.decode()

    assert prior.get_absolute_url() in page
    assert "Pneumonia" in page


def test_the_history_names_who_did_what(client_of, radiologist, case):
    claim_case(case=case, reader=radiologist)

    page = client_of(radiologist).get(case.get_absolute_url()).content.decode()

    assert f"{radiologist} started reading" in page


def test_opening_a_case_takes_few_queries(client_of, radiologist, submitter, case, django_assert_max_num_queries):
    for _ in range(5):
        CaseFactory(patient=case.patient, submitted_by=submitter)
        RadiographFactory(case=case)
    client = client_of(radiologist)
    client.get(case.get_absolute_url())

    with django_assert_max_num_queries(11):
        client.get(case.get_absolute_url())


def test_typed_text_is_never_markup(client_of, radiologist, case):
    save_review(case=case, reader=radiologist, findings="</textarea><script>alert(1)</script>")

    assert "<script>alert(1)" not in client_of(radiologist).get(case.get_absolute_url()).content.decode()
