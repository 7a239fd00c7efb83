from __future__ import annotations

import re

import pytest
from django.urls import reverse

from cases.claims import claim_case
from cases.reading import save_review
from cases.tests.factories import CaseFactory, PatientFactory, RadiographFactory
from inference import gate
from inference.heatmaps import picture_of
from inference.models import Heatmap, ModelVersion, Pipeline, Refusal, Run
from inference.outcomes import Doubt
from inference.services import record_refusal
from inference.tests.factories import (
    ModelVersionFactory,
    PipelineFactory,
    RunFactory,
    claimed,
    failed_run,
    refused_run,
    succeeded_run,
)
from portal.audit.models import AuditEvent, Event

pytestmark = pytest.mark.django_db


@pytest.fixture
def radiograph(facility, submitter):
    return RadiographFactory(case=CaseFactory(patient=PatientFactory(facility=facility), submitted_by=submitter))


MEMBERS = ((0.85, 0.05, 0.1), (0.1, 0.75, 0.15))


def pair(radiograph) -> Pipeline:
    """An active pipeline of two model versions with thresholds."""
    pipeline = PipelineFactory(
        indeterminate_below=0.6, disagreement_above=0.4, members=ModelVersionFactory.create_batch(2)
    )
    pipeline.memberships.update(weight=0.5)
    return pipeline


def headline(page: str) -> str:
    return re.search(r'<p class="ai-headline[^"]*">([^<]*)</p>', page)[1]


def results(radiograph) -> str:
    return reverse("inference:results", args=[radiograph.uid])


def fragment(client, radiograph) -> str:
    return client.get(results(radiograph)).content.decode()


def test_a_prediction_shows_every_class_with_model_version_and_calibration(client_of, radiologist, radiograph):
    succeeded_run(radiograph=radiograph, probabilities=(0.712, 0.188, 0.1))
    version = ModelVersion.objects.get()

    for page in (
        fragment(client_of(radiologist), radiograph),
        client_of(radiologist).get(radiograph.case.get_absolute_url()).content.decode(),
    ):
        for words in ("Covid", "0.712", "Normal", "0.188", "Pneumonia", "0.100", str(version), "Calibrated"):
            assert words in page
        assert reverse("inference:model", args=[version.uid]) in page


def test_a_score_that_is_not_certain_never_reads_so(client_of, radiologist, radiograph):
    succeeded_run(radiograph=radiograph, probabilities=(0.99995, 0.00005, 0.0))

    assert re.findall(r'bar-value num">([^<]*)<', fragment(client_of(radiologist), radiograph)) == [
        "&gt;0.999",
        "&lt;0.001",
        "0.000",
    ]


def test_a_class_is_the_headline_of_its_prediction(client_of, radiologist, radiograph):
    succeeded_run(radiograph=radiograph, probabilities=(0.1, 0.2, 0.7))

    assert headline(fragment(client_of(radiologist), radiograph)) == "Pneumonia"


@pytest.mark.parametrize(
    ("doubt", "sentence"),
    [
        (Doubt.LOW_PROBABILITY, "The likeliest class reaches only 0.450; a class is named from 0.600 on."),
        (Doubt.DISAGREEMENT, "The models disagree: they differ by 0.750, and a class is named up to 0.400."),
    ],
)
def test_an_indeterminate_prediction_says_so_and_why_and_calls_no_class(
    client_of, radiologist, radiograph, doubt, sentence
):
    succeeded_run((0.45, 0.4, 0.15), radiograph=radiograph, doubt=doubt, members=MEMBERS, pipeline=pair(radiograph))

    page = fragment(client_of(radiologist), radiograph)

    assert headline(page) == "Indeterminate"
    assert f"The AI names no class. {sentence}" in page
    for words in ("Covid", "0.450", "Normal", "0.400", "Pneumonia", "0.150"):
        assert words in page
    assert "is-top" not in page
    assert " selected" not in page
    assert page.count("data-src") == 4


def test_members_are_shown_with_what_each_said_its_weight_and_its_card(client_of, radiologist, radiograph):
    succeeded_run((0.45, 0.4, 0.15), radiograph=radiograph, members=MEMBERS, pipeline=pair(radiograph))

    page = fragment(client_of(radiologist), radiograph)

    assert "The models differ by 0.75, most about Covid." in page
    for version in ModelVersion.objects.all():
        assert f'href="{reverse("inference:model", args=[version.uid])}">{version}</a>' in page
    assert '<details class="members" open>' in page
    assert page.count("weight 0.50") == 2
    choices = re.findall(r'<optgroup label="(.+)">|<option .+>(.+)</option>', page)
    first, second = (str(version) for version in ModelVersion.objects.order_by("pk"))
    assert [group or choice for group, choice in choices] == [
        *(f"1: {first}", "Covid (1)", "Normal (1) (no usable map)", "Pneumonia (1)"),
        *(f"2: {second}", "Covid (2)", "Normal (2) (no usable map)", "Pneumonia (2)"),
    ]
    rows = re.findall(r'<th scope="row">(\w+)</th><td class="num">([.0-9]+)</td><td class="num">([.0-9]+)</td>', page)
    assert rows == [("Covid", "0.85", "0.10"), ("Normal", "0.05", "0.75"), ("Pneumonia", "0.10", "0.15")]


def test_members_that_say_the_same_agree(client_of, radiologist, radiograph):
    said = ((0.9, 0.05, 0.05), (0.8, 0.1, 0.1))
    succeeded_run((0.85, 0.08, 0.07), radiograph=radiograph, members=said, pipeline=pair(radiograph))

    page = fragment(client_of(radiologist), radiograph)

    assert "The models agree on the likeliest class; they differ by 0.10 at most." in page
    assert '<details class="members">' in page  # what each said is there to be opened


def test_a_single_model_has_nobody_to_agree_with(client_of, radiologist, radiograph):
    succeeded_run(radiograph=radiograph)

    assert "The models" not in fragment(client_of(radiologist), radiograph)


def test_an_indeterminate_case_is_called_so_in_the_worklist(client_of, radiologist, radiograph):
    succeeded_run((0.45, 0.4, 0.15), radiograph=radiograph, doubt=Doubt.LOW_PROBABILITY)

    page = client_of(radiologist).get(reverse("cases:worklist"), {"ai": "indeterminate"})

    (case,) = page.context["page"].cases
    assert (case.ai_status, case.ai_label, case.ai_probability) == ("indeterminate", "", None)
    row = page.content.decode().split("<tbody>")[1]
    assert "Indeterminate" in row
    assert "Covid" not in row


def test_uncalibrated_scores_say_so(client_of, radiologist, radiograph):
    run = succeeded_run(radiograph=radiograph)
    type(run.prediction).objects.update(is_calibrated=False)

    assert "uncalibrated" in fragment(client_of(radiologist), radiograph)


def test_each_heatmap_has_words_for_class_model_version_and_research_use(client_of, radiologist, radiograph):
    succeeded_run(radiograph=radiograph)

    page = fragment(client_of(radiologist), radiograph)

    assert page.count("Research use only.") == 3
    assert f"what {ModelVersion.objects.get()} weighed towards Pneumonia" in page
    assert "Normal (no usable map)" in page


def test_an_unfinished_run_is_asked_for_again_and_a_finished_one_is_not(client_of, radiologist, radiograph):
    RunFactory(radiograph=radiograph)
    client = client_of(radiologist)
    waiting = fragment(client, radiograph)
    assert f'hx-get="{results(radiograph)}"' in waiting
    assert "Waiting for the AI" in waiting

    Run.objects.all().delete()

    finished = fragment(client, radiograph)
    assert "hx-get" not in finished
    assert "AI is off." in finished


def test_a_refusal_is_told_in_words_without_class_or_score(client_of, radiologist, radiograph):
    run = refused_run(radiograph=radiograph)

    page = fragment(client_of(radiologist), radiograph)

    assert "Manual read needed." in page
    assert run.refusal.sentence in page
    assert "Covid" not in page


@pytest.mark.parametrize("code", ["orientation", "out_of_distribution", "a_code_of_another_gate"])
def test_any_refusal_is_told_with_its_own_sentence(client_of, api_of, radiologist, radiograph, code):
    run = claimed(RunFactory(radiograph=radiograph))
    record_refusal(run, code=code, sentence=f"The image has the problem {code}.")

    page = fragment(client_of(radiologist), radiograph)
    body = api_of(radiologist).get(f"/api/v1/runs/{run.uid}/").json()

    assert f"The image has the problem {code}." in page
    assert body["refusal"] == {"code": code, "sentence": f"The image has the problem {code}."}


def test_every_sentence_of_the_gate_fits_where_it_is_stored():
    for code, sentence in gate.REFUSALS.items():
        Refusal(code=code, sentence=sentence).full_clean()


def test_a_failure_is_told_in_words_and_offers_another_try_to_readers(client_of, radiologist, submitter, radiograph):
    run = failed_run(radiograph=radiograph)
    retry = reverse("inference:run-retry", args=[run.uid])
    assert retry in fragment(client_of(radiologist), radiograph)
    assert retry not in fragment(client_of(submitter), radiograph)

    client_of(radiologist).post(retry)

    run.refresh_from_db()
    assert run.status == Run.Status.QUEUED


def test_only_a_failed_run_can_be_tried_again(client_of, radiologist, radiograph):
    run = succeeded_run(radiograph=radiograph)

    assert client_of(radiologist).post(reverse("inference:run-retry", args=[run.uid])).status_code == 409


def test_a_shadow_pipelines_result_is_not_shown(client_of, radiologist, radiograph):
    succeeded_run(radiograph=radiograph, pipeline=PipelineFactory(status=Pipeline.Status.SHADOW))

    assert "AI is off." in fragment(client_of(radiologist), radiograph)


def test_only_the_answer_with_a_conclusion_leaves_an_audit_row(client_of, radiologist, radiograph):
    run = RunFactory(radiograph=radiograph)
    client, seen = client_of(radiologist), AuditEvent.objects.filter(event=Event.VIEWED_PREDICTION)
    client.get(results(radiograph))
    assert not seen.exists()

    run.delete()
    client.get(results(radiograph))

    assert seen.count() == 1


def test_a_heatmap_is_sent_with_an_audit_row(client_of, radiologist, radiograph):
    succeeded_run(radiograph=radiograph)
    heatmap = Heatmap.objects.get(label="covid")

    response = client_of(radiologist).get(reverse("inference:heatmap", args=[heatmap.uid]))

    assert response.content == picture_of(heatmap)
    assert AuditEvent.objects.get(event=Event.VIEWED_HEATMAP).object_uid == heatmap.uid


def test_a_map_that_is_not_usable_has_no_picture(client_of, radiologist, radiograph):
    succeeded_run(radiograph=radiograph)
    heatmap = Heatmap.objects.get(label="normal")

    assert client_of(radiologist).get(reverse("inference:heatmap", args=[heatmap.uid])).status_code == 404


@pytest.mark.parametrize("is_blind", [True, False])
def test_the_page_of_a_case_with_everything_on_it_takes_a_dozen_queries(
    client_of, radiologist, facility, radiograph, is_blind, django_assert_max_num_queries
):
    facility.blind_first_read = is_blind
    facility.save()
    succeeded_run(radiograph=radiograph, pipeline=pair(radiograph), members=MEMBERS)
    CaseFactory(patient=radiograph.patient)
    claim_case(case=radiograph.case, reader=radiologist)
    save_review(case=radiograph.case, reader=radiologist, first_impression="covid")
    client = client_of(radiologist)
    client.get(radiograph.case.get_absolute_url())

    with django_assert_max_num_queries(12):
        page = client.get(radiograph.case.get_absolute_url()).content.decode()

    assert headline(page)


def test_another_facilitys_results_do_not_exist(client_of, outsider, radiograph):
    failed = failed_run(radiograph=radiograph)
    other = RadiographFactory(case=radiograph.case)
    succeeded_run(radiograph=other, pipeline=failed.pipeline)
    client = client_of(outsider)

    assert client.get(results(radiograph)).status_code == 404
    assert client.get(reverse("inference:heatmap", args=[Heatmap.objects.get(label="covid").uid])).status_code == 404
    assert client.post(reverse("inference:run-retry", args=[failed.uid])).status_code == 404


def test_models_are_listed_and_their_cards_shown_without_foreign_markup(client_of, auditor):
    version = ModelVersionFactory(
        card="# Card\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n<script>alert(1)</script>\n[x](javascript:alert(1))"
    )
    client = client_of(auditor)

    listed = client.get(reverse("inference:model-list")).content.decode()
    page = client.get(reverse("inference:model", args=[version.uid])).content.decode()

    assert str(version) in listed
    assert "<h2>Card</h2>" in page
    assert page.count("Research use only.") == 2
    assert "<td>1</td>" in page
    assert version.weights_sha256 in page
    assert "<script>alert" not in page
    assert 'href="javascript:' not in page


def test_of_pipelines_that_were_active_before_the_newest_stands_everywhere(client_of, radiologist, radiograph):
    succeeded_run((0.7, 0.2, 0.1), radiograph=radiograph)
    Pipeline.objects.update(status=Pipeline.Status.RETIRED)
    newer = succeeded_run((0.1, 0.2, 0.7), radiograph=radiograph)
    Pipeline.objects.update(status=Pipeline.Status.RETIRED)

    response = client_of(radiologist).get(results(radiograph))

    assert response.context["results"].run == newer
    assert Run.objects.by_radiograph()[radiograph.pk] == newer
