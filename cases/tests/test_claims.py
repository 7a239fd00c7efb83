"""Claims over HTTP: many at once, kept while their reader works, taken over with a reason."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from threading import Event as Signal

import pytest
from django.db import connection, transaction
from django.urls import reverse
from django.utils import timezone

from cases.claims import CLAIM_DURATION, claim_case, release_case
from cases.models import Case, Review
from cases.reading import save_review, sign_case
from cases.tests.factories import CaseFactory, UserFactory
from cases.tests.test_services import at_once
from cases.tests.test_worklist import HTMX
from portal.accounts.access import Role
from portal.accounts.models import Facility
from portal.audit.models import AuditEvent, Event

NEXT = reverse("cases:claim-next")


@pytest.fixture
def case(facility) -> Case:
    return CaseFactory(patient__facility=facility)


def address(name: str, case: Case) -> str:
    return reverse(f"cases:{name}", args=[case.uid])


def now(case: Case) -> Case:
    return Case.objects.get(pk=case.pk)


def run_out(case: Case) -> None:
    Case.objects.filter(pk=case.pk).update(claimed_until=timezone.now() - timedelta(seconds=1))


def shown(response) -> str:
    return response.content.decode()


@pytest.mark.django_db(transaction=True)
class TestAtOnce:
    @pytest.fixture
    def clients(self, facility, client_of):
        return [client_of(reader) for reader in UserFactory.create_batch(50, facility=facility)]

    @pytest.fixture
    def cases(self, facility) -> list[Case]:
        return CaseFactory.create_batch(20, patient__facility=facility)

    def test_fifty_readers_who_want_the_next_of_twenty_cases(self, clients, cases):
        answers = at_once(lambda client: client.post(NEXT), clients)

        assert Counter(answer.status_code for answer in answers) == {302: 20, 409: 30}
        got = {answer.url for answer in answers if answer.status_code == 302}
        assert got == {case.get_absolute_url() for case in cases}
        told = {"There is no case for you to read now." in a.content.decode() for a in answers if a.status_code == 409}
        assert told == {True}

    def test_fifty_readers_who_choose_among_twenty_cases_themselves(self, clients, cases):
        asked = [(client, cases[number % 20]) for number, client in enumerate(clients)]

        answers = at_once(lambda one: one[0].post(address("claim", one[1])), asked)

        assert Counter(answer.status_code for answer in answers) == {302: 20, 409: 30}
        refused = [answer.content.decode() for answer in answers if answer.status_code == 409]
        assert all("is reading this case." in page for page in refused)
        assert Case.objects.filter(status="in_review").values("claimed_by").distinct().count() == 20

    def test_a_result_that_is_being_recorded_keeps_no_case_from_its_reader(self, radiologist, client_of, case):
        """Its row is locked for a moment; whoever wants the next case waits for that long."""
        client, row_is_locked = client_of(radiologist), Signal()

        def record_until_somebody_waits() -> None:
            with transaction.atomic():
                Case.objects.select_for_update().get(pk=case.pk)
                row_is_locked.set()
                while not somebody_waits_for_a_lock():
                    pass

        def ask():
            row_is_locked.wait(timeout=30)
            return client.post(NEXT)

        answer, _ = at_once(lambda work: work(), [ask, record_until_somebody_waits])

        assert answer.url == case.get_absolute_url()


def somebody_waits_for_a_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")
        return cursor.fetchone()[0]


@pytest.mark.django_db
class TestHeartbeat:
    def test_a_reader_at_work_keeps_the_case(self, case, radiologist, client_of):
        claim_case(case=case, reader=radiologist)
        Case.objects.update(claimed_until=timezone.now() + timedelta(minutes=4))

        answer = client_of(radiologist).post(address("claim-renew", case), **HTMX)

        assert answer.status_code == 200
        assert now(case).claimed_until > timezone.now() + CLAIM_DURATION - timedelta(minutes=1)
        assert case.status_changes.count() == 1

    def test_a_claim_that_ends_soon_says_so(self, case, radiologist, client_of):
        claim_case(case=case, reader=radiologist)
        asked = {"held": "1"}
        assert "runs out" not in shown(client_of(radiologist).get(address("claim", case), asked, **HTMX))

        Case.objects.update(claimed_until=timezone.now() + timedelta(minutes=3))

        assert "Your claim runs out in 3 min" in shown(
            client_of(radiologist).get(address("claim", case), asked, **HTMX)
        )

    def test_one_that_has_run_out_says_so_and_can_be_renewed_while_nobody_else_has_it(
        self, case, radiologist, client_of
    ):
        claim_case(case=case, reader=radiologist)
        run_out(case)
        client = client_of(radiologist)

        assert "Your claim has run out." in shown(client.get(address("claim", case), {"held": "1"}, **HTMX))
        assert client.post(address("claim-renew", case), **HTMX).status_code == 200
        assert now(case).is_held_by(radiologist)

    def test_one_that_has_run_out_and_was_taken_is_lost(self, case, radiologist, colleague, client_of):
        claim_case(case=case, reader=radiologist)
        run_out(case)
        claim_case(case=case, reader=colleague)

        answer = client_of(radiologist).post(address("claim-renew", case), **HTMX)

        assert answer.status_code == 409
        assert f"{colleague} has this case now." in answer.content.decode()
        assert now(case).is_held_by(colleague)

    @pytest.mark.parametrize("end", ["release", "sign"])
    def test_what_was_given_back_or_signed_elsewhere_is_told_to_the_open_page(self, case, radiologist, client_of, end):
        claim_case(case=case, reader=radiologist)
        if end == "release":
            release_case(case=case, actor=radiologist)
        else:
            sign_case(case=case, reader=radiologist, final_label="normal")

        page = shown(client_of(radiologist).get(address("claim", case), {"held": "1"}, **HTMX))

        assert ("back in the queue" if end == "release" else f"{radiologist} has signed this case.") in page

    def test_a_free_case_is_not_claimed_by_a_heartbeat(self, case, radiologist, client_of):
        assert client_of(radiologist).post(address("claim-renew", case), **HTMX).status_code == 409
        assert now(case).claimed_by is None

    def test_without_scripts_it_is_a_button(self, case, radiologist, colleague, client_of):
        claim_case(case=case, reader=radiologist)

        assert client_of(radiologist).post(address("claim-renew", case)).url == case.get_absolute_url()
        refused = client_of(colleague).post(address("claim-renew", case))
        assert refused.status_code == 409
        assert "<html" in refused.content.decode()

    def test_others_who_look_see_who_reads(self, case, radiologist, colleague, lead, client_of):
        client = client_of(colleague)
        assert "is reading" not in shown(client.get(address("claim", case), **HTMX))

        claim_case(case=case, reader=radiologist)

        page = shown(client.get(address("claim", case), **HTMX))
        assert f"<strong>{radiologist}</strong> is reading this case" in page
        assert "Take over" not in page
        assert "Take over" in shown(client_of(lead).get(address("claim", case), **HTMX))
        assert f"{radiologist} is reading" in client.get(case.get_absolute_url()).content.decode()


@pytest.mark.django_db
class TestTakeOver:
    def test_a_lead_takes_it_with_a_reason_and_the_draft_stays(self, case, radiologist, lead, client_of):
        save_review(case=case, reader=radiologist, findings="Patchy")

        answer = client_of(lead).post(address("take-over", case), {"reason": "Gone\0 home"})

        assert answer.url == case.get_absolute_url()
        assert now(case).is_held_by(lead)
        assert [(row.new, row.actor, row.reason) for row in case.status_changes.all()][1:] == [
            ("to_read", lead, "Gone home"),
            ("in_review", lead, ""),
        ]
        assert AuditEvent.objects.filter(event=Event.TOOK_OVER_CASE, object_uid=case.uid, actor=lead).count() == 1
        assert Review.objects.get().findings == "Patchy"
        told = client_of(radiologist).get(address("claim", case), {"held": "1"}, **HTMX).content.decode()
        assert f"{lead} has this case now. Reason: Gone home" in told
        assert "kept as your draft" in told

    def test_not_without_a_reason(self, case, radiologist, lead, client_of):
        claim_case(case=case, reader=radiologist)

        answer = client_of(lead).post(address("take-over", case), {"reason": "  "})

        assert answer.status_code == 400
        assert "Say why you take the case over." in answer.content.decode()
        assert now(case).is_held_by(radiologist)

    def test_not_by_a_colleague(self, case, radiologist, colleague, client_of):
        claim_case(case=case, reader=radiologist)

        assert client_of(colleague).post(address("take-over", case), {"reason": "Mine"}).status_code == 403
        assert now(case).is_held_by(radiologist)

    def test_what_nobody_holds_is_claimed_and_not_taken_over(self, case, lead, client_of):
        assert client_of(lead).post(address("take-over", case), {"reason": "Because"}).status_code == 409

    def test_a_claim_that_ran_out_counts_as_free(self, case, radiologist, lead, client_of):
        claim_case(case=case, reader=radiologist)
        run_out(case)

        assert client_of(lead).post(address("take-over", case), {"reason": "Because"}).status_code == 409
        assert client_of(lead).post(address("claim", case)).status_code == 302

    def test_only_of_a_read_that_is_theirs_to_give(self, case, facility, colleague, lead, client_of):
        Facility.objects.update(double_read_percent=100)
        sign_case(case=case, reader=lead, final_label="normal")
        claim_case(case=case, reader=colleague)
        other = UserFactory(role=Role.LEAD, facility=facility)

        assert "Take over" not in client_of(lead).get(case.get_absolute_url()).text
        refused = client_of(lead).post(address("take-over", case), {"reason": "Mine"})

        assert (refused.status_code, now(case).claimed_by) == (403, colleague)
        assert "You gave the first read of this case" in refused.text
        assert "Take over" in client_of(other).get(case.get_absolute_url()).text
        assert client_of(other).post(address("take-over", case), {"reason": "Gone home"}).status_code == 302
