from __future__ import annotations

import base64
import json
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from cases import search
from cases.claims import claim_case, release_case
from cases.lanes import ReadingOrder
from cases.models import Case, Priority, Stage
from cases.reading import save_review, sign_case
from cases.tests.factories import CaseFactory, PatientFactory
from cases.worklist import SORTS as COLUMN_SORTS
from cases.worklist import orders, page_of
from portal.audit.models import AuditEvent, Event

pytestmark = pytest.mark.django_db

SORTS = ["", *COLUMN_SORTS]
URL = reverse("cases:worklist")
HTMX = {"HTTP_HX_REQUEST": "true"}
POLL = {**HTMX, "HTTP_HX_TARGET": "worklist-rows"}


def place(*values) -> str:
    """A cursor that nobody gave."""
    return base64.urlsafe_b64encode(json.dumps([False, values]).encode()).decode()


@pytest.fixture
def make_case(facility, submitter):
    def make(**fields) -> Case:
        patient = fields.pop("patient", None) or PatientFactory(facility=facility)
        return CaseFactory(patient=patient, submitted_by=submitter, **fields)

    return make


def shown(response) -> list[Case]:
    return response.context["page"].cases


def test_each_row_shows_patient_priority_and_what_the_ai_says(client_of, radiologist, facility, make_case):
    patient = PatientFactory(facility=facility, family_name="Lovelace", given_name="Ada", medical_record_number="MRN-9")
    make_case(
        patient=patient,
        priority=Priority.STAT,
        indication="Chest pain",
        accession_number="ACC-1",
        is_synthetic=True,
        ai_status="ready",
        ai_label="pneumonia",
        ai_probability=0.934,
    )

    page = client_of(radiologist).get(URL).content.decode()

    for words in ("Lovelace, Ada", "MRN-9", "ACC-1", "Stat", "Chest pain", "synthetic", "Pneumonia", "0.93", "To read"):
        assert words in page


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("queued", "Waiting for AI"),
        ("running", "AI is reading"),
        ("refused", "Not eligible"),
        ("failed", "Failed"),
        ("off", "AI off"),
        ("indeterminate", "Indeterminate"),
    ],
)
def test_a_row_without_a_score_says_why(client_of, radiologist, make_case, status, words):
    make_case(ai_status=status)

    page = client_of(radiologist).get(URL).content.decode()

    assert words in page
    assert ("manual read needed" in page) == (status in {"refused", "failed", "off"})


@pytest.mark.parametrize(
    ("priority", "minutes", "words"),
    [
        (Priority.ROUTINE, 64.5, "22 h 55 min left"),
        (Priority.URGENT, 29.5, "3 h 30 min left"),
        (Priority.STAT, 40.5, "10 min overdue"),
        (Priority.STAT, 95, "longest wait passed"),
    ],
)
def test_a_row_says_in_words_what_is_left_of_its_target(client_of, radiologist, make_case, priority, minutes, words):
    make_case(priority=priority, received_at=timezone.now() - timedelta(minutes=minutes))

    page = client_of(radiologist).get(URL).content.decode().split("<tbody>")[1]

    assert words in page


def test_targets_are_those_of_the_facility(client_of, radiologist, facility, make_case):
    facility.routine_target_minutes = 60
    facility.save()
    make_case(received_at=timezone.now() - timedelta(minutes=90, seconds=10))

    assert "30 min overdue" in client_of(radiologist).get(URL).content.decode()


def test_a_row_names_who_reads_or_has_read_it_and_why_the_ai_did_not(client_of, radiologist, colleague, make_case):
    claim_case(case=make_case(), reader=colleague)
    make_case(ai_status="refused", ai_reason="The image is a lateral view.")
    make_case(ai_status="failed", ai_reason="A stored image file is damaged.")
    client = client_of(radiologist)

    page = client.get(URL).content.decode()
    for words in (str(colleague), "In review", "The image is a lateral view.", "A stored image file is damaged."):
        assert words in page

    sign_case(case=make_case(), reader=colleague, final_label="normal")
    assert str(colleague) in client.get(URL, {"status": "signed"}).content.decode().split("<tbody>")[1]


def test_tabs_count_what_awaits_a_hand(client_of, radiologist, make_case, monkeypatch):
    for stage in (Stage.SECOND, *[Stage.ADJUDICATION] * 2, *[Stage.FIRST] * 3):
        case = make_case(stage=stage)
    claim_case(case=case, reader=radiologist)
    client = client_of(radiologist)

    def counts(**headers) -> list[str]:
        return [count for _, _, count in client.get(URL, **headers).context["tabs"]]

    assert counts() == counts(**POLL) == ["6", "1", "1", "2", "", ""]
    monkeypatch.setattr("cases.views.worklist.COUNTED", 3)
    assert counts() == ["2+", "1", "1", "2", "", ""]


def test_filters_know_what_is_overdue_and_whose_signature_it_is(client_of, radiologist, colleague, make_case):
    now = timezone.now()
    late, latest, _ = (make_case(received_at=now - timedelta(hours=hours)) for hours in (25, 73, 1))
    signed = {reader: make_case() for reader in (radiologist, colleague)}
    for reader, case in signed.items():
        sign_case(case=case, reader=reader, final_label="normal")
    client = client_of(radiologist)

    assert shown(client.get(URL, {"due": "overdue"})) == [latest, late]
    assert shown(client.get(URL, {"due": "longest"})) == [latest]
    assert shown(client.get(URL, {"status": "signed", "reader": "me"})) == [signed[radiologist]]


def test_the_queue_starts_with_what_awaits_review_in_reading_order(client_of, radiologist, make_case):
    now = timezone.now()
    routine = make_case(received_at=now - timedelta(hours=9))
    late, early = (make_case(priority=Priority.STAT, received_at=now - timedelta(hours=h)) for h in (1, 2))
    sign_case(case=make_case(), reader=radiologist, final_label="normal")

    assert shown(client_of(radiologist).get(URL)) == [early, late, routine]


def test_tabs_show_mine_signed_and_all(client_of, radiologist, colleague, make_case):
    mine, other, signed = make_case(), make_case(), make_case()
    claim_case(case=mine, reader=radiologist)
    claim_case(case=other, reader=colleague)
    sign_case(case=signed, reader=radiologist, final_label="normal")
    client = client_of(radiologist)

    assert set(shown(client.get(URL))) == {mine, other}
    assert set(shown(client.get(URL, {"status": "mine"}))) == {mine}
    assert set(shown(client.get(URL, {"status": "signed"}))) == {signed}
    assert set(shown(client.get(URL, {"status": "all"}))) == {mine, other, signed}


def test_filters_narrow_the_list(client_of, radiologist, make_case):
    covid = make_case(ai_status="ready", ai_label="covid", ai_probability=0.8, priority=Priority.URGENT)
    failed = make_case(ai_status="failed")
    unclear = make_case(ai_status="indeterminate")
    client = client_of(radiologist)

    assert shown(client.get(URL, {"label": "covid"})) == [covid]
    assert shown(client.get(URL, {"ai": "failed"})) == [failed]
    assert shown(client.get(URL, {"ai": "indeterminate"})) == [unclear]
    assert shown(client.get(URL, {"priority": "2"})) == [covid]
    assert set(shown(client.get(URL, {"ai": "no such status"}))) == {covid, failed, unclear}


@pytest.mark.parametrize("words", ["lovel", "ada lovelace", "MRN-0815", "acc-7"])
def test_search_finds_by_name_record_and_accession_number(client_of, radiologist, facility, make_case, words):
    patient = PatientFactory(
        facility=facility, family_name="Lovelace", given_name="Ada", medical_record_number="MRN-0815"
    )
    wanted = make_case(patient=patient, accession_number="ACC-77")
    make_case(accession_number="XYZ")

    assert shown(client_of(radiologist).get(URL, {"q": words})) == [wanted]


def test_an_empty_list_says_what_to_do(client_of, radiologist):
    client = client_of(radiologist)

    assert "The queue is empty" in client.get(URL).content.decode()
    assert "No case fits these filters" in client.get(URL, {"q": "nobody"}).content.decode()


def test_another_facility_sees_nothing(client_of, outsider, make_case):
    make_case()

    assert shown(client_of(outsider).get(URL)) == []


@pytest.mark.parametrize("sort", SORTS)
def test_pages_forward_and_back_hold_every_case_once_in_order(facility, make_case, sort):
    now = timezone.now()
    for number in range(11):
        make_case(priority=1 + number % 3, received_at=now - timedelta(hours=number * 9))
    order, cases = orders(facility, is_unsigned=True)[sort], Case.objects.for_worklist()
    expected = sorted(cases, key=order.place) if sort == "" else list(cases.order_by(*order.keys))

    first = page_of(cases, order=order, size=4)
    second = page_of(cases, order=order, size=4, cursor=first.next)
    third = page_of(cases, order=order, size=4, cursor=second.next)

    assert first.cases + second.cases + third.cases == expected
    assert (first.previous, third.next) == ("", "")
    assert page_of(cases, order=order, size=4, cursor=third.previous).cases == second.cases
    assert page_of(cases, order=order, size=4, cursor=second.previous).cases == first.cases


def test_a_case_that_arrives_does_not_shift_the_next_page(facility, make_case):
    for _ in range(6):
        make_case()
    cases, order = Case.objects.for_worklist(), ReadingOrder.of(facility)
    first = page_of(cases, order=order, size=3)
    expected = page_of(cases, order=order, size=3, cursor=first.next).cases

    make_case(priority=Priority.STAT)

    assert page_of(cases, order=order, size=3, cursor=first.next).cases == expected


def test_the_next_page_keeps_to_the_moment_of_the_first(facility, make_case):
    """A case that passes its longest wait meanwhile is neither met twice nor left out."""
    now = timezone.now()
    for hours in (71, 73, 10, 20):
        make_case(received_at=now - timedelta(hours=hours))
    cases, order = Case.objects.for_worklist(), ReadingOrder.of(facility)
    first = page_of(cases, order=order, size=2)

    later = ReadingOrder(order.rules, now + timedelta(hours=2))
    second = page_of(cases, order=later, size=2, cursor=first.next)

    assert set(first.cases) | set(second.cases) == set(Case.objects.all())


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "%%%",
        "bnVsbA",
        "W2ZhbHNlLCBbMSwgMiwgM11d",
        "W2ZhbHNlLCBbMSwgIngiLCAiMSJdXQ",
        place("0001-01-01T00:00:00+00:00", 3, "2026-01-01T00:00:00+00:00", 1),
        place("9999-12-31T00:00:00+00:00", 3, "2026-01-01T00:00:00+00:00", 1),
        place("2026-01-01T00:00:00", 3, "2026-01-01T00:00:00+00:00", 1),
        place("now", 3, "now", 1),
        place(1, "3", None, 1),
        "W1tb" * 500,
    ],
)
def test_a_cursor_that_cannot_be_read_gives_the_first_page(client_of, radiologist, make_case, cursor):
    case = make_case()

    assert shown(client_of(radiologist).get(URL, {"at": cursor})) == [case]


@pytest.mark.parametrize(
    "chosen",
    [
        {},
        {"status": "mine"},
        {"status": "all", "sort": "patient"},
        {"q": "kim"},
        {"status": "mine", "q": "kim", "sort": "newest"},
    ],
)
def test_the_number_of_queries_does_not_grow_with_the_cases(
    client_of, radiologist, make_case, django_assert_max_num_queries, chosen
):
    client = client_of(radiologist)
    for _ in range(5):
        claim_case(case=make_case(), reader=radiologist)
    client.get(URL, chosen)
    with django_assert_max_num_queries(12) as five:
        client.get(URL, chosen)
    for _ in range(45):
        make_case()

    with django_assert_max_num_queries(len(five)) as fifty:
        client.get(URL, chosen)

    assert len(fifty) == len(five)


def test_mine_keeps_what_i_have_drafted_and_given_back(client_of, radiologist, colleague, make_case):
    case = make_case()
    save_review(case=case, reader=radiologist, findings="Let me think.")
    release_case(case=case, actor=radiologist)
    claim_case(case=case, reader=colleague)

    assert shown(client_of(radiologist).get(URL, {"status": "mine"})) == [case]


def test_search_finds_the_same_whether_few_or_many_fit(client_of, radiologist, facility, make_case, monkeypatch):
    patient = PatientFactory(facility=facility, family_name="Lovelace", given_name="Ada")
    wanted = {make_case(patient=patient), make_case(accession_number="LOVE-1")}
    make_case()
    client = client_of(radiologist)

    few = set(shown(client.get(URL, {"q": "love"})))
    monkeypatch.setattr(search, "RARE", 0)
    many = set(shown(client.get(URL, {"q": "love"})))

    assert few == many == wanted


def test_a_word_of_two_letters_begins_a_name(client_of, radiologist, facility, make_case):
    wanted = make_case(patient=PatientFactory(facility=facility, family_name="Li"))
    make_case(patient=PatientFactory(facility=facility, family_name="Dali"))

    assert shown(client_of(radiologist).get(URL, {"q": "li"})) == [wanted]


def test_page_filter_and_poll_answer_the_same_rows_at_three_sizes(client_of, radiologist, make_case):
    case = make_case()
    client = client_of(radiologist)
    page, fragment, poll = (client.get(URL, **headers).content.decode() for headers in ({}, HTMX, POLL))

    assert all(f'id="row-{case.uid}"' in text for text in (page, fragment, poll))
    assert "<html" in page
    assert "<html" not in fragment
    assert 'role="search"' in fragment
    assert 'role="search"' not in poll


def test_the_back_button_gets_a_whole_page(client_of, radiologist):
    response = client_of(radiologist).get(URL, **HTMX, HTTP_HX_HISTORY_RESTORE_REQUEST="true")

    assert "<html" in response.content.decode()


def test_the_list_asks_often_only_while_a_run_is_unfinished(client_of, radiologist, make_case):
    case = make_case(ai_status="running")
    client = client_of(radiologist)
    assert 'hx-trigger="every 3s"' in client.get(URL).content.decode()

    Case.objects.filter(pk=case.pk).update(ai_status="off")

    assert 'hx-trigger="every 15s"' in client.get(URL).content.decode()


def test_looking_leaves_an_audit_row_and_polling_does_not_flood_the_trail(client_of, radiologist):
    client = client_of(radiologist)
    listed = AuditEvent.objects.filter(event=Event.LISTED_CASES, actor=radiologist)

    client.get(URL, **POLL)
    client.get(URL, **POLL)
    assert listed.count() == 1

    client.get(URL)
    client.get(URL, {"q": "x"}, **HTMX)
    assert listed.count() == 3


def test_next_case_claims_the_first_that_nobody_holds(client_of, radiologist, colleague, make_case):
    held, free = make_case(priority=Priority.STAT), make_case(priority=Priority.URGENT)
    make_case()
    claim_case(case=held, reader=colleague)

    response = client_of(radiologist).post(reverse("cases:claim-next"))

    assert response.url == free.get_absolute_url()
    free.refresh_from_db()
    assert free.claimed_by == radiologist


def test_next_case_takes_one_whose_claim_has_run_out(client_of, radiologist, colleague, make_case):
    case = make_case()
    claim_case(case=case, reader=colleague)
    Case.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))

    client_of(radiologist).post(reverse("cases:claim-next"))

    case.refresh_from_db()
    assert case.claimed_by == radiologist


def test_next_case_says_when_there_is_none(client_of, radiologist):
    response = client_of(radiologist).post(reverse("cases:claim-next"))

    assert response.status_code == 409
    assert "There is no case for you to read now." in response.content.decode()


def test_navigation_shows_only_what_the_role_may(client_of, submitter, auditor):
    page = client_of(submitter).get(URL).content.decode()
    assert reverse("cases:upload") in page
    assert "Next case" not in page
    assert reverse("audit") not in page

    page = client_of(auditor).get(reverse("audit")).content.decode()
    assert URL not in page


def test_every_role_lands_on_a_page_of_its_own(client_of, radiologist, auditor, administrator):
    landed = [client_of(user).get(reverse("home")).url for user in (radiologist, auditor, administrator)]

    assert landed == [URL, reverse("audit"), reverse("admin:index")]
