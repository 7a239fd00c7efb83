from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, Permission
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from cases.blinding import WITHHELD, FirstImpressionNeeded, blinding_of
from cases.claims import claim_case, release_case
from cases.models import AiStatus, Case, LabResult, Review
from cases.reading import save_review, sign_case
from cases.tests.factories import CaseFactory, UserFactory
from portal.accounts.access import Role
from portal.accounts.models import Facility, User

pytestmark = pytest.mark.django_db
WORKLIST, API = reverse("cases:worklist"), "/api/v1/cases/"


def ready(facility: Facility, **fields) -> Case:
    return CaseFactory(
        patient__facility=facility, **{"ai_status": "ready", "ai_label": "covid", "ai_probability": 0.9} | fields
    )


@pytest.fixture
def case(blind_facility) -> Case:
    return ready(blind_facility)


class TestRule:
    @pytest.mark.parametrize(
        ("role", "is_blinded"), [("radiologist", True), ("lead", True), ("submitter", False), ("auditor", False)]
    )
    def test_whoever_may_review_reads_blind(self, blind_facility, case, role, is_blinded):
        user = UserFactory(role=role, facility=blind_facility)

        assert blinding_of(user).hides(case) == is_blinded

    def test_so_does_an_administrator_whom_a_group_lets_review(self, blind_facility, case):
        helper = UserFactory(role=Role.ADMINISTRATOR, facility=blind_facility)
        assert not blinding_of(helper).hides(case)
        group = Group.objects.create(name="Readers too")
        group.permissions.set(Permission.objects.filter(codename__in=["view_case", "review_case"]))

        helper.groups.add(group)

        assert blinding_of(User.objects.get(pk=helper.pk)).hides(case)

    def test_a_facility_may_switch_it_off(self, facility, radiologist):
        assert not blinding_of(radiologist).hides(ready(facility))

    def test_a_first_impression_opens_the_case_to_its_reader_only_and_for_good(
        self, case, radiologist, colleague, lead
    ):
        save_review(case=case, reader=radiologist, first_impression="normal")
        release_case(case=case, actor=radiologist)
        claim_case(case=case, reader=colleague)

        assert not blinding_of(radiologist).hides(case)
        assert blinding_of(colleague).hides(case)
        assert blinding_of(lead).hides(case)

    def test_a_draft_without_a_first_impression_opens_nothing(self, case, radiologist):
        save_review(case=case, reader=radiologist, final_label="covid", findings="Patchy")

        with pytest.raises(FirstImpressionNeeded):
            blinding_of(radiologist).check(case)

    def test_a_signature_opens_the_case_to_everybody(self, case, radiologist, colleague):
        sign_case(case=case, reader=radiologist, final_label="normal")

        assert not blinding_of(colleague).hides(Case.objects.get(pk=case.pk))

    def test_what_runs_have_not_concluded_is_shown(self, blind_facility, radiologist):
        blinding = blinding_of(radiologist)
        for status in AiStatus:
            score = {} if status is AiStatus.READY else {"ai_label": "", "ai_probability": None}
            shown = blinding.shows(ready(blind_facility, ai_status=status, **score))
            is_operational = status in {AiStatus.OFF, AiStatus.QUEUED, AiStatus.RUNNING, AiStatus.FAILED}
            assert shown.status == (status if is_operational else WITHHELD)
            assert (shown.label, shown.probability) == ("", None)

    def test_a_case_in_hand_and_a_query_are_judged_alike(self, blind_facility, radiologist, colleague):
        cases = [ready(blind_facility) for _ in range(6)]
        save_review(case=cases[0], reader=radiologist, first_impression="covid")
        save_review(case=cases[1], reader=radiologist, findings="Patchy")
        save_review(case=cases[2], reader=colleague, first_impression="covid")
        sign_case(case=cases[3], reader=radiologist, first_impression="covid", final_label="covid")
        sign_case(case=cases[4], reader=colleague, final_label="covid")
        blinding = blinding_of(radiologist)

        lifted = set(Case.objects.filter(blinding.lifted()))

        assert lifted == {case for case in Case.objects.all() if not blinding.hides(case)}
        assert lifted == {cases[0], cases[3], cases[4]}


class TestWasBlind:
    def test_a_first_impression_before_the_ai_is_seen_is_blind(self, case, radiologist):
        assert save_review(case=case, reader=radiologist, first_impression="normal").was_blind

    def test_signing_at_once_is_blind_too(self, case, radiologist):
        assert sign_case(case=case, reader=radiologist, first_impression="normal", final_label="normal").was_blind

    def test_without_the_setting_it_is_not(self, facility, radiologist):
        assert not save_review(case=ready(facility), reader=radiologist, first_impression="normal").was_blind

    def test_of_a_case_from_the_time_before_the_setting_it_is_not(self, case, radiologist):
        Facility.objects.update(blind_since=timezone.now() + timedelta(seconds=1))
        reader = User.objects.get(pk=radiologist.pk)

        assert not save_review(case=case, reader=reader, first_impression="normal").was_blind

    def test_what_is_said_later_changes_neither_label_nor_kind(self, case, radiologist):
        first = save_review(case=case, reader=radiologist, first_impression="normal")
        Facility.objects.update(blind_first_read=False)
        save_review(case=case, reader=User.objects.get(pk=radiologist.pk), first_impression="covid", findings="New")

        later = Review.objects.get()
        assert (later.first_impression, later.first_impression_at) == ("normal", first.first_impression_at)
        assert later.was_blind

    def test_no_blind_read_is_without_a_first_impression(self, case, radiologist):
        with pytest.raises(IntegrityError, match="review_blind_has_a_first_impression"), transaction.atomic():
            Review.objects.create(case=case, reader=radiologist, was_blind=True)


class TestLists:
    @pytest.fixture
    def cases(self, blind_facility, radiologist) -> dict[str, Case]:
        cases = {name: ready(blind_facility) for name in ("hidden", "committed", "signed")}
        cases["failed"] = ready(blind_facility, ai_status="failed", ai_label="", ai_probability=None)
        save_review(case=cases["committed"], reader=radiologist, first_impression="normal")
        sign_case(case=cases["signed"], reader=radiologist, final_label="normal")
        return cases

    def test_a_row_says_neutrally_that_there_is_a_reading(self, client_of, radiologist, case):
        page = client_of(radiologist).get(WORKLIST).content.decode()

        assert "After your first impression" in page.split("<tbody>")[1]
        assert "90 %" not in page

    @pytest.mark.parametrize(
        ("asked", "found"),
        [
            ({"label": "covid", "status": "all"}, {"committed", "signed"}),
            ({"label": "covid"}, {"committed"}),
            ({"label": "covid", "status": "mine"}, {"committed"}),
            ({"label": "covid", "status": "signed", "reader": "me"}, {"signed"}),
            ({"ai": "ready", "status": "all"}, {"committed", "signed"}),
            ({"ai": "withheld", "status": "all"}, {"hidden"}),
            ({"ai": "failed"}, {"failed"}),
        ],
    )
    def test_the_worklist_filters_by_what_its_rows_show(self, client_of, radiologist, cases, asked, found):
        response = client_of(radiologist).get(WORKLIST, asked)

        assert set(response.context["page"].cases) == {cases[name] for name in found}

    @pytest.mark.parametrize(
        ("status", "found"), [("ready", {"committed", "signed"}), ("withheld", {"hidden"}), ("failed", {"failed"})]
    )
    def test_so_does_the_api(self, api_of, radiologist, cases, status, found):
        rows = api_of(radiologist).get(API, {"ai_status": status}).json()["results"]

        assert {row["uid"] for row in rows} == {str(cases[name].uid) for name in found}
        assert {row["ai_status"] for row in rows} == {status}

    def test_who_does_not_review_finds_everything_and_nothing_withheld(self, client_of, api_of, submitter, cases):
        assert len(api_of(submitter).get(API, {"ai_status": "ready"}).json()["results"]) == 3
        assert api_of(submitter).get(API, {"ai_status": "withheld"}).json()["results"] == []
        assert "withheld" not in client_of(submitter).get(WORKLIST).content.decode()

    def test_a_case_that_is_sent_again_is_answered_without_what_the_ai_said(self, api_of, radiologist, case):
        Case.objects.update(accession_number="ACC-1")
        said = {"patient": str(case.patient.uid), "accession_number": "ACC-1", "indication": case.indication}

        response = api_of(radiologist).post(API, said, format="json")

        assert response.status_code == 200
        assert (response.json()["ai_status"], response.json()["ai_label"]) == ("withheld", "")

    def test_more_rows_cost_no_more_queries(self, client_of, api_of, radiologist, cases):
        asked = [(client_of(radiologist), WORKLIST, {"label": "covid"}), (api_of(radiologist), API, {})]
        numbers = []
        for _ in range(2):
            for client, url, query in asked:
                client.get(url, query)
                with CaptureQueriesContext(connection) as queries:
                    client.get(url, query)
                numbers.append(len(queries))
            for _ in range(5):
                save_review(case=ready(radiologist.facility), reader=radiologist, first_impression="normal")

        assert numbers[:2] == numbers[2:]


def test_an_administrator_switches_it_and_the_moment_is_kept(client_of, administrator, facility):
    before = facility.blind_since
    kept = {
        field.name: getattr(facility, field.name) for field in Facility._meta.fields if field.name.endswith("minutes")
    }
    said = kept | {
        "name": facility.name,
        "is_active": "on",
        "blind_first_read": "on",
        "ai_order_weight": 0.5,
        "double_read_percent": 0,
    }
    change = reverse("admin:accounts_facility_change", args=[facility.pk])

    client_of(administrator).post(change, said)
    facility.refresh_from_db()
    switched = facility.blind_since
    assert facility.blind_first_read
    assert switched > before

    client_of(administrator).post(change, said | {"name": "St. Roch"})
    facility.refresh_from_db()
    assert (facility.name, facility.blind_since) == ("St. Roch", switched)


def test_a_new_facility_reads_blind():
    assert Facility.objects.create(name="New").blind_first_read


def test_lab_results_are_no_secret_of_the_ai(client_of, radiologist, case):
    LabResult.objects.create(
        patient=case.patient, kind="rt_pcr", result="positive", collected_on="2026-03-02", entered_by=radiologist
    )

    assert "Positive" in client_of(radiologist).get(case.get_absolute_url()).content.decode()
