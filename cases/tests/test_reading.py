from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from cases.claims import AlreadySigned, ClaimedByAnother, NotClaimed, claim_case, claim_next_case, release_case
from cases.models import Case, Review
from cases.reading import save_review, sign_case
from cases.services import InvalidDetails
from cases.tests.factories import CaseFactory
from cases.tests.test_services import at_once
from portal.accounts.models import User
from portal.audit.models import AuditEvent, Event
from portal.errors import NotAllowed


@pytest.fixture
def case(facility) -> Case:
    return CaseFactory(patient__facility=facility)


def now(case: Case) -> Case:
    return Case.objects.get(pk=case.pk)


@pytest.mark.django_db(transaction=True)
def test_of_two_readers_at_once_one_gets_the_case(case, radiologist, colleague):
    answers = at_once(lambda reader: claim_case(case=case, reader=reader), [radiologist, colleague])

    assert sorted(type(answer).__name__ for answer in answers) == ["Case", "ClaimedByAnother"]
    assert case.status_changes.count() == 1


@pytest.mark.django_db(transaction=True)
def test_readers_who_take_the_next_case_at_once_get_different_ones(facility, radiologist, colleague):
    CaseFactory.create_batch(2, patient__facility=facility)

    answers = at_once(lambda reader: claim_next_case(reader=reader), [radiologist, colleague])

    assert len({answer.pk for answer in answers}) == 2


@pytest.mark.django_db
class TestClaim:
    def test_a_claimed_case_is_in_review(self, case, radiologist):
        claim_case(case=case, reader=radiologist)

        assert (now(case).status, now(case).claimed_by) == (Case.Status.IN_REVIEW, radiologist)
        assert AuditEvent.objects.filter(event=Event.CLAIMED_CASE, object_uid=case.uid, actor=radiologist).count() == 1

    def test_a_second_claim_of_the_same_reader_lasts_longer(self, case, radiologist):
        Case.objects.filter(pk=case.pk).update(
            status="in_review", claimed_by=radiologist, claimed_until=timezone.now() + timedelta(minutes=1)
        )

        claim_case(case=case, reader=radiologist)

        assert now(case).claimed_until > timezone.now() + timedelta(minutes=20)

    def test_a_claim_that_ran_out_is_taken_over_with_a_history(self, case, radiologist, colleague):
        claim_case(case=case, reader=radiologist)
        Case.objects.filter(pk=case.pk).update(claimed_until=timezone.now() - timedelta(seconds=1))

        claim_case(case=case, reader=colleague)

        assert now(case).claimed_by == colleague
        assert [(row.old, row.new) for row in case.status_changes.all()] == [
            ("to_read", "in_review"),
            ("in_review", "to_read"),
            ("to_read", "in_review"),
        ]

    def test_the_most_urgent_and_oldest_free_case_comes_next(self, facility, radiologist, colleague):
        moment = timezone.now()
        held = CaseFactory(patient__facility=facility, priority=1)
        claim_case(case=held, reader=colleague)
        CaseFactory(patient__facility=facility, priority=2, received_at=moment)
        older = CaseFactory(patient__facility=facility, priority=2, received_at=moment - timedelta(hours=1))
        CaseFactory(priority=1)

        assert claim_next_case(reader=radiologist) == older

    def test_there_may_be_no_next_case(self, radiologist):
        assert claim_next_case(reader=radiologist) is None


@pytest.mark.django_db
class TestRelease:
    def test_the_reader_gives_it_back(self, case, radiologist):
        claim_case(case=case, reader=radiologist)

        release_case(case=case, actor=radiologist)

        assert (now(case).status, now(case).claimed_by) == (Case.Status.TO_READ, None)

    def test_a_colleague_may_not_but_a_lead_may(self, case, radiologist, colleague, lead):
        claim_case(case=case, reader=radiologist)
        with pytest.raises(NotAllowed):
            release_case(case=case, actor=colleague)

        release_case(case=case, actor=User.objects.get(pk=lead.pk), reason="On leave")

        assert case.status_changes.last().reason == "On leave"

    def test_what_nobody_holds_is_not_given_back(self, case, radiologist):
        with pytest.raises(NotClaimed):
            release_case(case=case, actor=radiologist)


@pytest.mark.django_db
class TestReview:
    def test_a_draft_claims_the_case_and_is_kept_once(self, case, radiologist):
        save_review(case=case, reader=radiologist, findings="first")
        save_review(case=case, reader=radiologist, findings="second")

        assert Review.objects.get().findings == "second"
        assert now(case).claimed_by == radiologist

    def test_the_first_impression_is_written_once(self, case, radiologist):
        save_review(case=case, reader=radiologist, first_impression="covid")
        save_review(case=case, reader=radiologist, first_impression="normal")

        assert Review.objects.get().first_impression == "covid"

    @pytest.mark.parametrize("field", ["first_impression", "final_label"])
    def test_a_label_that_the_case_cannot_have_is_refused(self, case, radiologist, field):
        with pytest.raises(InvalidDetails, match="not one that the case can have"):
            save_review(case=case, reader=radiologist, **{field: "measles"})
        assert not Review.objects.exists()

    def test_nobody_writes_into_a_case_that_another_holds(self, case, radiologist, colleague):
        claim_case(case=case, reader=radiologist)
        for write in (save_review, sign_case):
            with pytest.raises(ClaimedByAnother):
                write(case=case, reader=colleague, final_label="normal")
        assert not Review.objects.exists()


@pytest.mark.django_db
class TestSign:
    def test_a_signed_case_leaves_the_queue_for_good(self, case, radiologist, colleague):
        sign_case(case=case, reader=radiologist, final_label="pneumonia", findings="Left lower lobe.")

        review = Review.objects.get()
        assert review.signed_at is not None
        assert (now(case).status, now(case).claimed_by) == (Case.Status.SIGNED, None)
        assert not Case.objects.awaiting_review().exists()
        assert AuditEvent.objects.filter(event=Event.SIGNED_CASE, object_uid=case.uid).count() == 1
        for reader in (radiologist, colleague):
            with pytest.raises(AlreadySigned):
                sign_case(case=case, reader=reader, final_label="normal")
            with pytest.raises(AlreadySigned):
                claim_case(case=case, reader=reader)

    @pytest.mark.parametrize(("label", "findings"), [("", "text"), ("other", ""), ("other", "  \n")])
    def test_an_incomplete_read_is_not_signed(self, case, radiologist, label, findings):
        with pytest.raises(InvalidDetails):
            sign_case(case=case, reader=radiologist, final_label=label, findings=findings)

        assert now(case).status == Case.Status.TO_READ

    def test_other_is_signed_with_a_word_on_what_it_is(self, case, radiologist):
        sign_case(case=case, reader=radiologist, final_label="other", findings="Effusion.")

        assert now(case).status == Case.Status.SIGNED

    def test_the_ai_need_not_have_finished(self, case, radiologist):
        Case.objects.filter(pk=case.pk).update(ai_status="queued")

        sign_case(case=case, reader=radiologist, final_label="normal")

        assert now(case).status == Case.Status.SIGNED


@pytest.mark.django_db(transaction=True)
def test_of_two_signatures_at_once_one_counts(case, radiologist, colleague):
    answers = at_once(
        lambda reader: sign_case(case=case, reader=reader, final_label="normal"), [radiologist, colleague]
    )

    assert sum(isinstance(answer, Review) for answer in answers) == 1
    assert Review.objects.signed().count() == 1
