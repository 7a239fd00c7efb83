from __future__ import annotations

import pytest
from django.urls import reverse

from cases.amending import (
    AmendmentOpen,
    Change,
    NothingToAmend,
    changes,
    discard_amendment,
    open_amendment,
    read_fields,
)
from cases.claims import AlreadySigned
from cases.models import Case, Review
from cases.reading import save_review, sign_case
from cases.services import InvalidDetails
from cases.tests.factories import CaseFactory, RadiographFactory
from cases.tests.test_services import at_once
from portal.accounts.models import Facility
from portal.errors import NotAllowed

REASON = "The lateral view came later."


@pytest.fixture
def case(facility) -> Case:
    return RadiographFactory(case__patient__facility=facility).case


@pytest.fixture
def read(case, radiologist) -> Review:
    """A signed read: Covid, by the radiologist."""
    return sign_case(
        case=case, reader=radiologist, first_impression="normal", final_label="covid", findings="Patchy opacities."
    )


def amend(case: Case, actor, reason: str = REASON) -> Review:
    return open_amendment(case=case, actor=actor, reason=reason)


def counting(case: Case) -> Review:
    return case.reviews.in_force().get()


@pytest.mark.django_db
class TestAmendment:
    def test_it_starts_as_a_copy_and_counts_for_nothing_until_it_is_signed(self, case, read, radiologist):
        amendment = amend(case, radiologist)

        assert all(getattr(amendment, field.name) == getattr(read, field.name) for field in read_fields())
        assert {"first_impression", "was_blind", "final_label", "findings"} <= {field.name for field in read_fields()}
        assert (amendment.stage, amendment.signed_version, amendment.amends) == (read.stage, 2, read)
        assert counting(case) == read
        assert Case.objects.get(pk=case.pk).status == Case.Status.SIGNED

    def test_signed_it_counts_and_the_old_version_stays_as_it_was(self, case, read, radiologist):
        before = Review.objects.filter(pk=read.pk).values().get()
        amend(case, radiologist)
        save_review(case=case, reader=radiologist, findings="Clear lungs.")

        signed = sign_case(case=case, reader=radiologist, final_label="normal", findings="Clear lungs.")

        assert counting(case) == signed
        assert (signed.signed_version, signed.amendment_reason, signed.final_label) == (2, REASON, "normal")
        assert Review.objects.filter(pk=read.pk).values().get() == before

    def test_the_next_one_amends_the_last(self, case, read, radiologist, lead):
        for actor, label in ((radiologist, "normal"), (lead, "pneumonia")):
            amend(case, actor)
            sign_case(case=case, reader=actor, final_label=label)

        last = counting(case)
        assert (last.signed_version, last.final_label, last.reader) == (3, "pneumonia", lead)
        assert last.amends.amends == read
        assert Case.objects.get(pk=case.pk).signed_by == lead

    def test_the_first_impression_stays_that_of_the_read(self, case, radiologist):
        sign_case(case=case, reader=radiologist, final_label="covid")
        amend(case, radiologist)

        save_review(case=case, reader=radiologist, first_impression="normal", final_label="normal")

        assert Review.objects.get(signed_at=None).first_impression == ""

    def test_who_may(self, case, read, radiologist, colleague, lead):
        with pytest.raises(NotAllowed):
            amend(case, colleague)
        assert amend(case, lead).reader == lead

    def test_it_needs_a_reason(self, case, read, radiologist):
        with pytest.raises(InvalidDetails):
            amend(case, radiologist, "  ")
        assert Review.objects.count() == 1

    def test_there_is_one_at_a_time(self, case, read, radiologist, lead):
        mine = amend(case, radiologist)
        assert amend(case, radiologist, "Again") == mine
        with pytest.raises(AmendmentOpen):
            amend(case, lead)

        discard_amendment(case=case, actor=lead)

        assert amend(case, lead).reader == lead

    def test_discarded_it_leaves_nothing(self, case, read, radiologist, colleague):
        amend(case, radiologist)
        with pytest.raises(NotAllowed):
            discard_amendment(case=case, actor=colleague)

        discard_amendment(case=case, actor=radiologist)

        assert list(Review.objects.all()) == [read]
        with pytest.raises(NothingToAmend):
            discard_amendment(case=case, actor=radiologist)
        with pytest.raises(AlreadySigned):
            save_review(case=case, reader=radiologist, findings="Too late")

    def test_a_case_that_is_not_signed_has_nothing_to_amend(self, facility, case, radiologist):
        with pytest.raises(NothingToAmend):
            amend(case, radiologist)
        Facility.objects.update(double_read_percent=100)
        sign_case(case=case, reader=radiologist, final_label="covid")
        with pytest.raises(NothingToAmend):
            amend(case, radiologist)

    def test_it_starts_no_second_read_and_no_draft_from_before_is_in_its_way(self, case, radiologist, lead):
        save_review(case=case, reader=lead, findings="A lead's draft")
        Case.objects.update(claimed_until=None, claimed_by=None, status="to_read")
        sign_case(case=case, reader=radiologist, final_label="covid")
        Facility.objects.update(double_read_percent=100)
        amend(case, lead)

        sign_case(case=case, reader=lead, final_label="normal")

        assert Case.objects.get(pk=case.pk).status == Case.Status.SIGNED
        assert counting(case).reader == lead

    def test_of_a_case_read_twice_the_read_that_counts_is_amended(self, facility, case, radiologist, colleague, lead):
        Facility.objects.update(double_read_percent=100)
        for reader, label in ((radiologist, "covid"), (colleague, "normal"), (lead, "normal")):
            sign_case(case=case, reader=reader, final_label=label)
        with pytest.raises(NotAllowed):
            amend(case, radiologist)
        amend(case, lead)
        sign_case(case=case, reader=lead, final_label="pneumonia")

        assert (counting(case).stage, counting(case).final_label) == ("adjudication", "pneumonia")


def test_what_a_version_changed_is_told_in_words():
    old = Review(final_label="covid", agrees_with_ai=None, right_lower_score=None, has_pacemaker=False)
    new = Review(final_label="normal", agrees_with_ai=True, right_lower_score=3, has_pacemaker=True)

    told = {change.title: (change.old, change.new) for change in changes(old, new)}

    assert told["Agrees with the AI"] == ("", "yes")
    assert told["Final label"] == ("Covid", "Normal")
    assert {("no", "yes"), ("", "interstitial and alveolar, mostly alveolar")} <= set(told.values())
    assert Change("Final label", "Normal", "Covid") in changes(new, old)


@pytest.mark.django_db
class TestPage:
    def post(self, client, name: str, case: Case, **typed):
        return client.post(reverse(f"cases:{name}", args=[case.uid]), typed, follow=True)

    def test_from_the_reason_to_the_signature(self, client_of, case, read, radiologist):
        client = client_of(radiologist)
        page = self.post(client, "amend", case, reason=REASON).content.decode()
        for words in ("Your amendment", REASON, "Patchy opacities.", "The signed read counts until"):
            assert words in page

        self.post(client, "review", case, final_label="normal", findings="Clear.")
        page = self.post(client, "sign", case, final_label="normal", findings="Clear.", confirmed="1").content.decode()

        for words in ("version 2", "2 versions", REASON, "Clear.", "Patchy opacities."):
            assert words in page
        assert 'id="read-form"' not in page

    def test_others_see_that_one_is_open_but_not_what_it_says(self, client_of, case, read, radiologist, colleague):
        amend(case, radiologist)
        save_review(case=case, reader=radiologist, findings="Unsigned words")

        page = client_of(colleague).get(case.get_absolute_url()).content.decode()

        assert f"<strong>{radiologist}</strong> is amending this read" in page
        assert "Unsigned words" not in page
        assert reverse("cases:discard-amendment", args=[case.uid]) not in page

    def test_only_who_may_amend_is_offered_it(self, client_of, case, read, radiologist, colleague, lead, submitter):
        offered = {
            user.username
            for user in (radiologist, colleague, lead, submitter)
            if reverse("cases:amend", args=[case.uid]) in client_of(user).get(case.get_absolute_url()).content.decode()
        }

        assert offered == {"radiologist", "lead"}

    def test_a_refusal_is_told(self, client_of, case, read, radiologist, colleague):
        assert self.post(client_of(colleague), "amend", case, reason="x").status_code == 403
        response = self.post(client_of(radiologist), "amend", case, reason=" ")
        assert response.status_code == 400
        assert "The reason for the amendment is missing." in response.content.decode()

    def test_a_discarded_one_leaves_the_read_as_it_was(self, client_of, case, read, radiologist):
        amend(case, radiologist)

        page = self.post(client_of(radiologist), "discard-amendment", case).content.decode()

        assert "The signed read stands as it was." in page

    def test_priors_show_the_label_that_counts(self, client_of, case, read, radiologist):
        amend(case, radiologist)
        other = CaseFactory(patient=case.patient)

        def shown() -> str:
            (prior,) = client_of(radiologist).get(other.get_absolute_url()).context["prior_cases"]
            return prior.signed_label

        assert shown() == "covid"
        sign_case(case=case, reader=radiologist, final_label="pneumonia")
        assert shown() == "pneumonia"


@pytest.mark.django_db
def test_the_api_gives_every_version(api_of, case, read, radiologist, colleague):
    amend(case, radiologist)
    detail = reverse("api:case-detail", args=[case.uid])
    assert len(api_of(colleague).get(detail).json()["reviews"]) == 1
    sign_case(case=case, reader=radiologist, final_label="normal")

    told = api_of(colleague).get(detail).json()["reviews"]

    assert [(one["version"], one["amendment_reason"], one["is_in_force"]) for one in told] == [
        (1, "", False),
        (2, REASON, True),
    ]
    assert told[1]["amends"] == told[0]["uid"]


@pytest.mark.django_db(transaction=True)
def test_of_two_signatures_of_an_amendment_at_once_one_counts(case, read, radiologist):
    amend(case, radiologist)

    answers = at_once(
        lambda label: sign_case(case=case, reader=radiologist, final_label=label), ["normal", "pneumonia"]
    )

    assert sum(isinstance(answer, Review) for answer in answers) == 1
    assert Review.objects.signed().count() == 2
