"""The first impression on the case page: what is there before it, and what it brings."""

from __future__ import annotations

import pytest
from django.urls import reverse

from cases.claims import claim_case
from cases.models import Case, Review
from cases.reading import save_review
from cases.tests.factories import CaseFactory, RadiographFactory
from inference.services import record_prediction
from inference.tests.factories import PipelineFactory, RunFactory, claimed, failed_run, judgement, succeeded_run
from portal.audit.models import AuditEvent, Event

pytestmark = pytest.mark.django_db
SENTENCE = "The AI reading appears after your first impression."
HTMX = {"HX-Request": "true"}


@pytest.fixture
def radiograph(blind_facility, submitter):
    return RadiographFactory(case=CaseFactory(patient__facility=blind_facility, submitted_by=submitter))


@pytest.fixture
def case(radiograph) -> Case:
    succeeded_run(radiograph=radiograph, probabilities=(0.9137, 0.0512, 0.0351))
    return Case.objects.get(pk=radiograph.case.pk)


def commit(client, case: Case, said: dict, **options):
    return client.post(reverse("cases:first-impression", args=[case.uid]), said, **options)


def typed(**fields: str) -> dict[str, str]:
    return {"final_label": "", "findings": ""} | fields


def test_before_it_the_page_says_so_and_has_neither_score_nor_heatmap(client_of, radiologist, case):
    page = client_of(radiologist).get(case.get_absolute_url()).content.decode()

    assert SENTENCE in page
    for secret in ("0.914", "data-heatmap-toggle", "ai-headline", "model card"):
        assert secret not in page


def test_one_click_claims_an_open_case_commits_and_brings_the_reading(client_of, radiologist, case):
    client = client_of(radiologist)

    page = commit(client, case, {"first_impression": "normal"}, follow=True).content.decode()

    review = Review.objects.get()
    assert (review.first_impression, review.was_blind, review.reader) == ("normal", True, radiologist)
    assert Case.objects.get().claimed_by == radiologist
    assert "kept as given" in page
    assert "0.914" in page
    assert SENTENCE not in page


def test_a_script_gets_the_parts_that_change_and_what_was_typed_is_kept(client_of, radiologist, case):
    client = client_of(radiologist)
    claim_case(case=case, reader=radiologist)
    said = typed(first_impression="normal", final_label="covid", findings="Patchy")

    answer = commit(client, case, said, headers=HTMX).content.decode()

    assert "<html" not in answer
    assert "kept as given" in answer
    assert '<section id="ai-results" class="panel ai-results" aria-labelledby="ai-title" hx-swap-oob' in answer
    assert "0.914" in answer
    assert "data-heatmap-toggle" in answer
    assert "textarea" not in answer
    review = Review.objects.get()
    assert (review.first_impression, review.final_label, review.findings) == ("normal", "covid", "Patchy")
    assert AuditEvent.objects.filter(event=Event.REVIEWED_CASE, detail="first impression").count() == 1


def test_a_draft_that_was_there_is_left_alone(client_of, radiologist, case):
    save_review(case=case, reader=radiologist, final_label="covid", findings="Patchy")

    commit(client_of(radiologist), case, {"first_impression": "normal"})

    assert (Review.objects.get().final_label, Review.objects.get().findings) == ("covid", "Patchy")


def test_a_second_one_changes_nothing(client_of, radiologist, case):
    client = client_of(radiologist)
    for label in ("normal", "covid"):
        commit(client, case, {"first_impression": label})

    assert Review.objects.get().first_impression == "normal"


@pytest.mark.parametrize(
    ("label", "sentence"),
    [("", "The first impression is missing."), ("measles", "This read cannot be kept as it is.")],
)
@pytest.mark.parametrize("headers", [{}, HTMX], ids=["page", "script"])
def test_what_is_none_is_refused_and_shows_nothing(client_of, radiologist, case, label, sentence, headers):
    answer = commit(client_of(radiologist), case, typed(first_impression=label), headers=headers)

    assert answer.status_code == 400
    assert sentence in answer.content.decode()
    assert "0.914" not in answer.content.decode()
    assert not Review.objects.exists()


@pytest.mark.parametrize("headers", [{}, HTMX], ids=["page", "script"])
def test_it_needs_the_claim(client_of, radiologist, colleague, case, headers):
    claim_case(case=case, reader=colleague)

    answer = commit(client_of(radiologist), case, typed(first_impression="normal", findings="Mine"), headers=headers)

    assert answer.status_code == 409
    assert f"{colleague} is reading this case." in answer.content.decode()
    assert "0.914" not in answer.content.decode()
    assert not Review.objects.exists()


def test_it_may_come_before_the_ai_which_then_appears_by_itself(client_of, radiologist, radiograph):
    run = RunFactory(radiograph=radiograph, pipeline=PipelineFactory())
    client, results = client_of(radiologist), reverse("inference:results", args=[radiograph.uid])
    waiting = client.get(results).content.decode()
    assert "Waiting for the AI" in waiting
    assert SENTENCE in waiting

    answer = commit(client, radiograph.case, {"first_impression": "normal"}, headers=HTMX).content.decode()
    assert f'hx-get="{results}"' in answer
    assert SENTENCE not in answer
    run = claimed(run)
    record_prediction(run, judgement(run, (0.9137, 0.0512, 0.0351)))

    assert "0.914" in client.get(results).content.decode()
    assert Review.objects.get().was_blind


def test_a_blind_page_stops_asking_once_the_run_has_ended_and_leaves_no_row_of_a_prediction_seen(
    client_of, radiologist, radiograph, case
):
    answer = client_of(radiologist).get(reverse("inference:results", args=[radiograph.uid])).content.decode()

    assert SENTENCE in answer
    assert "hx-get" not in answer
    assert not AuditEvent.objects.filter(event=Event.VIEWED_PREDICTION).exists()


def test_a_failed_run_can_be_tried_again_by_a_blind_reader(client_of, radiologist, radiograph):
    run = failed_run(radiograph=radiograph)
    client = client_of(radiologist)
    assert run.failure_reason in client.get(radiograph.case.get_absolute_url()).content.decode()

    client.post(reverse("inference:run-retry", args=[run.uid]))

    run.refresh_from_db()
    assert run.status == "queued"


def test_a_submitter_sees_the_reading_and_gives_no_first_impression(client_of, submitter, case):
    client = client_of(submitter)

    assert "0.914" in client.get(case.get_absolute_url()).content.decode()
    assert commit(client, case, {"first_impression": "normal"}).status_code == 403


def test_where_reading_is_not_blind_the_first_impression_is_kept_the_same_way(client_of, facility, radiologist, case):
    facility.blind_first_read = False
    facility.save()
    client = client_of(radiologist)
    assert "0.914" in client.get(case.get_absolute_url()).content.decode()

    commit(client, case, {"first_impression": "normal"})

    assert (Review.objects.get().first_impression, Review.objects.get().was_blind) == ("normal", False)
