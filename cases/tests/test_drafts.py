"""What a read may hold, and how a draft is kept while other pages and time go on."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils import timezone

from cases.claims import CLAIM_DURATION, claim_case
from cases.models import AiStatus, Case, Review
from cases.reading import DraftChanged, save_review, sign_case
from cases.services import InvalidDetails
from cases.tests.factories import CaseFactory
from cases.tests.test_services import at_once
from portal.audit.models import AuditEvent, Event

pytestmark = pytest.mark.django_db
DISAGREEMENT = {"agrees_with_ai": False, "disagreement_reason": "artefact", "disagreement_note": "A button"}


@pytest.fixture
def case(facility) -> Case:
    """The AI has read it."""
    return CaseFactory(patient__facility=facility, ai_status=AiStatus.READY, ai_label="covid", ai_probability=0.9)


def saves_in_the_trail() -> int:
    return AuditEvent.objects.filter(event=Event.REVIEWED_CASE).count()


class TestVersion:
    def test_each_change_has_a_version_and_a_repeated_save_has_none(self, case, radiologist):
        versions = [
            save_review(case=case, reader=radiologist, findings=text).draft_version
            for text in ("one", "two", "two", "three")
        ]

        assert versions == [1, 2, 2, 3]

    def test_a_change_of_an_old_version_is_refused_and_told_what_is_stored(self, case, radiologist):
        save_review(case=case, reader=radiologist, findings="first tab", version=0)

        with pytest.raises(DraftChanged) as refused:
            save_review(case=case, reader=radiologist, findings="second tab", version=0)

        assert refused.value.stored.findings == "first tab"
        assert Review.objects.get().findings == "first tab"

    def test_an_old_version_that_says_the_same_is_no_conflict(self, case, radiologist):
        save_review(case=case, reader=radiologist, findings="the answer was lost on the way", version=0)

        again = save_review(case=case, reader=radiologist, findings="the answer was lost on the way", version=0)

        assert again.draft_version == 1

    def test_a_first_impression_on_one_page_does_not_hinder_the_text_of_another(self, case, radiologist):
        save_review(case=case, reader=radiologist, first_impression="covid")

        assert save_review(case=case, reader=radiologist, findings="text", version=0).first_impression == "covid"

    def test_an_old_version_is_not_signed(self, case, radiologist):
        save_review(case=case, reader=radiologist, findings="newer", version=0)

        with pytest.raises(DraftChanged):
            sign_case(case=case, reader=radiologist, final_label="normal", findings="older", version=0)

        assert not Review.objects.signed().exists()

    @pytest.mark.django_db(transaction=True)
    def test_of_two_tabs_that_save_at_once_one_is_refused(self, case, radiologist):
        claim_case(case=case, reader=radiologist)

        answers = at_once(
            lambda text: save_review(case=case, reader=radiologist, findings=text, version=0), ["one", "two"]
        )

        assert sorted(type(answer).__name__ for answer in answers) == ["DraftChanged", "Review"]


class TestAuditTrail:
    def test_a_session_of_saves_leaves_one_row(self, case, radiologist):
        for text in ("P", "Pa", "Patchy"):
            save_review(case=case, reader=radiologist, findings=text)

        assert saves_in_the_trail() == 1

    def test_the_first_save_after_a_pause_leaves_another(self, case, radiologist):
        save_review(case=case, reader=radiologist, findings="Patchy")
        Review.objects.update(updated_at=timezone.now() - CLAIM_DURATION - timedelta(seconds=1))

        save_review(case=case, reader=radiologist, findings="Patchy opacities")

        assert saves_in_the_trail() == 2

    def test_a_first_impression_has_a_row_of_its_own(self, case, radiologist):
        save_review(case=case, reader=radiologist, findings="Patchy")
        save_review(case=case, reader=radiologist, first_impression="covid")

        assert AuditEvent.objects.filter(event=Event.REVIEWED_CASE, detail="first impression").count() == 1


class TestStructuredFindings:
    def test_they_are_kept_and_signed(self, case, radiologist):
        zones = {"right_lower_score": 3, "right_lower_pattern": "consolidation", "left_upper_score": 0}
        sign_case(case=case, reader=radiologist, final_label="pneumonia", effusion="right", has_drain=True, **zones)

        assert Review.objects.get().structured_findings.sentences == [
            "Consolidation in the right lower zone.",
            "Brixia score, only of some zones: right lower 3, left upper 0.",
            "Pleural effusion on the right.",
            "Devices: chest drain.",
        ]

    def test_a_zone_that_turns_out_clear_loses_its_pattern(self, case, radiologist):
        save_review(case=case, reader=radiologist, right_lower_score=2, right_lower_pattern="mixed")

        assert save_review(case=case, reader=radiologist, right_lower_score=0).right_lower_pattern == ""

    @pytest.mark.parametrize(
        ("wrong", "constraint"),
        [
            ({"left_lower_score": 4}, "review_zone_scores_are_brixia"),
            ({"left_lower_score": 1, "left_lower_pattern": "striped"}, "review_zone_patterns_are_known"),
            ({"left_lower_score": 0, "left_lower_pattern": "mixed"}, "review_zone_pattern_has_an_opacity"),
            ({"left_lower_pattern": "mixed"}, "review_zone_pattern_has_an_opacity"),
            ({"effusion": "above"}, "review_effusion_is_known"),
        ],
    )
    def test_the_database_refuses_what_the_score_does_not_know(self, case, radiologist, wrong, constraint):
        with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
            Review.objects.create(case=case, reader=radiologist, **wrong)

    def test_what_is_no_part_of_a_read_is_not_written_through_it(self, case, radiologist):
        with pytest.raises(TypeError, match="signed_at"):
            save_review(case=case, reader=radiologist, signed_at=timezone.now())


class TestVerdict:
    def test_it_is_kept_after_the_first_impression(self, case, radiologist):
        save_review(case=case, reader=radiologist, first_impression="normal", **DISAGREEMENT)

        assert Review.objects.get().verdict_on_ai == "Disagrees with the AI: Artefact or device, A button."

    def test_there_is_none_before_the_first_impression(self, case, radiologist):
        with pytest.raises(InvalidDetails, match="first impression"):
            save_review(case=case, reader=radiologist, agrees_with_ai=True)

    @pytest.mark.parametrize("status", [AiStatus.OFF, AiStatus.QUEUED, AiStatus.RUNNING, AiStatus.FAILED])
    def test_there_is_none_on_an_ai_that_has_not_concluded(self, facility, radiologist, status):
        case = CaseFactory(patient__facility=facility, ai_status=status)
        with pytest.raises(InvalidDetails):
            save_review(case=case, reader=radiologist, first_impression="normal", agrees_with_ai=True)

    def test_a_reader_who_comes_to_agree_gives_no_reason_any_more(self, case, radiologist):
        save_review(case=case, reader=radiologist, first_impression="normal", **DISAGREEMENT)

        review = save_review(case=case, reader=radiologist, agrees_with_ai=True)

        assert (review.disagreement_reason, review.disagreement_note) == ("", "")
        assert review.verdict_on_ai == "Agrees with the AI."

    @pytest.mark.parametrize("reason", ["", "other"])
    def test_a_disagreement_is_signed_with_a_reason(self, case, radiologist, reason):
        with pytest.raises(InvalidDetails, match="Say why"):
            sign_case(
                case=case,
                reader=radiologist,
                first_impression="normal",
                final_label="normal",
                agrees_with_ai=False,
                disagreement_reason=reason,
            )

        assert not Review.objects.signed().exists()

    @pytest.mark.parametrize(
        ("wrong", "constraint"),
        [
            ({"agrees_with_ai": True}, "review_ai_is_judged_after_first_impression"),
            ({"disagreement_reason": "artefact"}, "review_reason_only_of_disagreement"),
            ({"disagreement_note": "A button"}, "review_reason_only_of_disagreement"),
            (
                {
                    "first_impression": "normal",
                    "first_impression_at": timezone.now(),
                    "final_label": "normal",
                    "agrees_with_ai": False,
                    "signed_at": timezone.now(),
                },
                "review_signed_disagreement_has_a_reason",
            ),
        ],
    )
    def test_the_database_holds_the_same(self, case, radiologist, wrong, constraint):
        with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
            Review.objects.create(case=case, reader=radiologist, **wrong)


SCRIPT = {"Accept": "application/json"}


def address(name: str, case: Case) -> str:
    return reverse(f"cases:{name}", args=[case.uid])


class TestPage:
    def test_a_script_that_saves_gets_the_version(self, client_of, radiologist, case):
        answer = client_of(radiologist).post(
            address("review", case), {"findings": "Patchy", "version": "0", "has_tube": "on"}, headers=SCRIPT
        )

        assert answer.json() == {"version": 1}
        assert (Review.objects.get().findings, Review.objects.get().has_tube) == ("Patchy", True)

    def test_a_script_with_an_old_version_gets_what_is_stored(self, client_of, radiologist, case):
        save_review(case=case, reader=radiologist, final_label="normal", findings="Stored", effusion="none")

        answer = client_of(radiologist).post(
            address("review", case), {"findings": "Typed", "version": "0"}, headers=SCRIPT
        )

        assert (answer.status_code, answer.json()["code"]) == (412, "draft_changed")
        assert answer.json()["stored"] == {
            "version": 1,
            "final_label": "Normal",
            "findings": "Stored",
            "sentences": ["No pleural effusion."],
        }

    @pytest.mark.parametrize(
        ("typed", "status", "code"),
        [
            ({"findings": "x" * 10_001}, 400, "invalid_details"),
            ({"right_upper_score": "7"}, 400, "invalid_details"),
            ({"version": "soon"}, 400, "invalid_details"),
            ({"agrees_with_ai": "True"}, 400, "invalid_details"),
        ],
    )
    def test_a_script_that_sends_something_else_is_told_what_is_wrong(
        self, client_of, radiologist, case, typed, status, code
    ):
        answer = client_of(radiologist).post(address("review", case), typed, headers=SCRIPT)

        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert answer.json()["remedy"]

    def test_a_script_whose_reader_lost_the_claim_is_told_who_has_it(self, client_of, radiologist, colleague, case):
        claim_case(case=case, reader=colleague)

        answer = client_of(radiologist).post(address("review", case), {"findings": "Typed"}, headers=SCRIPT)

        assert (answer.status_code, answer.json()["code"]) == (409, "claimed_by_another")

    def test_without_scripts_too_both_drafts_are_shown_and_one_is_kept(self, client_of, radiologist, case):
        client = client_of(radiologist)
        save_review(case=case, reader=radiologist, findings="Stored")

        page = client.post(address("review", case), {"findings": "Typed", "version": "0"})
        assert page.status_code == 412
        assert "Stored" in page.content.decode()
        assert "Typed" in page.content.decode()

        client.post(address("review", case), {"findings": "Typed", "version": ["0", "1"]})  # the button comes last
        assert Review.objects.get().findings == "Typed"

    @pytest.mark.parametrize("name", ["claim", "release", "first-impression", "review", "sign"])
    def test_who_signs_in_after_a_deed_was_refused_comes_back_to_the_case(self, client_of, radiologist, case, name):
        assert client_of(radiologist).get(address(name, case))["Location"] == case.get_absolute_url()

    def test_the_question_of_the_verdict_waits_for_the_first_impression(self, client_of, radiologist, case):
        client = client_of(radiologist)
        claim_case(case=case, reader=radiologist)
        for page in (case.get_absolute_url(), address("verdict", case)):
            assert "Do you agree with the AI?" not in client.get(page).content.decode()

        answer = client.post(
            address("first-impression", case), {"first_impression": "covid"}, headers={"HX-Request": "true"}
        )

        assert "Do you agree with the AI?" in answer.content.decode()
        for page in (case.get_absolute_url(), address("verdict", case)):
            assert "Do you agree with the AI?" in client.get(page).content.decode()

    def test_a_signed_read_is_shown_in_words(self, client_of, radiologist, case):
        sign_case(
            case=case,
            reader=radiologist,
            first_impression="normal",
            final_label="normal",
            effusion="left",
            has_pacemaker=True,
            **DISAGREEMENT,
        )

        page = client_of(radiologist).get(case.get_absolute_url()).content.decode()

        for words in (
            "Pleural effusion on the left.",
            "Devices: pacemaker.",
            "Disagrees with the AI: Artefact or device",
        ):
            assert words in page

    def test_the_question_before_a_signature_repeats_everything(self, client_of, radiologist, case):
        client = client_of(radiologist)
        typed = {"final_label": "pneumonia", "right_lower_score": "2", "has_drain": "on", "version": "0"}
        question = client.post(address("sign", case), typed)
        assert "Opacity in the right lower zone." in question.content.decode()

        again = {field.name: field.value() for field in question.context["form"] if field.value() is not None}
        client.post(address("sign", case), again | {"confirmed": "1"})

        review = Review.objects.signed().get()
        assert (review.right_lower_score, review.has_drain, review.has_tube) == (2, True, False)
