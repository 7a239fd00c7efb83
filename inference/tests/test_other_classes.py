"""Classes belong to the model version: a network of four classes goes all the way without a change of code."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import call_command
from django.urls import reverse
from PIL import Image

from cases.labels import classes
from cases.models import Case, Review
from cases.phantoms import phantom
from cases.tests.factories import CaseFactory, PatientFactory, RadiographFactory
from inference import pipelines, registry, services
from inference.models import ModelVersion, Run
from inference.networks import NETWORKS
from inference.spec import PipelineSpec
from inference.tasks import process_queue
from inference.tests import pictures, tiny
from inference.training import checkpoints, publish
from inference.training.recipes import RECIPES

pytestmark = [pytest.mark.django_db, pytest.mark.slow]

LABELS = ("tuberculosis", "normal", "no_finding", "covid")
TITLES = ["Tuberculosis", "Normal", "No finding", "Covid"]
RECIPE = "authors"
GATE = "1"  # which lets drawings pass


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Iterator[Path]:
    """A site that has trained a network on four classes of its own and published it; gives its folder."""
    folder = tmp_path_factory.mktemp("site")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(NETWORKS, "tiny", tiny.NETWORK)
        patch.setattr(registry, "site_folder", folder / "weights")
        pictures.write_folder(folder / "data" / "train", LABELS, 4)
        pictures.write_folder(folder / "data" / "val", LABELS, 2)
        said = ["--data", folder / "data", "--out", folder / "run", "--recipe", RECIPE, "--labels", *LABELS]
        command("train", "tiny", *said, "--epochs", 1, "--batch-size", 8)
        weights = checkpoints.load_best(folder / "run")
        model = publish.best_network(tiny.NETWORK, LABELS, RECIPES[RECIPE], weights)
        spec = publish.publish(model, tiny.NETWORK, LABELS, RECIPES[RECIPE], "1", None, folder / "weights")
        pipeline = PipelineSpec(name="tiny", version="1", members=((spec, 1.0),), gate=GATE)
        pipelines.write_pipeline(pipeline, folder / "weights" / pipelines.FOLDER)
        yield folder


@pytest.fixture
def case(site, facility, submitter) -> Case:
    """A case that the network has judged, through the queue and the worker."""
    command("register_models", "--activate", "tiny-1")
    patient = PatientFactory(facility=facility)
    radiograph = RadiographFactory(content=phantom(1), case=CaseFactory(patient=patient, submitted_by=submitter))
    services.enqueue(radiograph)
    assert process_queue() == 1
    return Case.objects.get(pk=radiograph.case_id)


def command(*arguments: object) -> str:
    out = io.StringIO()
    call_command(*map(str, arguments), stdout=out, stderr=io.StringIO())
    return out.getvalue()


def test_it_is_evaluated_by_its_own_classes(site, tmp_path):
    text = command("evaluate", "--pipeline", "tiny-1", "--data", site / "data" / "val", "--json", tmp_path / "val.json")

    figures = json.loads((tmp_path / "val.json").read_text())
    assert figures["labels"] == list(LABELS)
    assert list(figures["per_class"]) == list(LABELS)
    assert figures["files"] == 8
    assert all(label in text for label in LABELS)


def test_it_classifies_single_files(site, tmp_path):
    (tmp_path / "x.png").write_bytes(phantom(1))

    line = json.loads(command("classify", "--model", "tiny-1", "--json", tmp_path / "x.png"))

    assert list(line["probabilities"]) == list(LABELS)
    assert line["label"] in LABELS


def test_the_worker_records_every_class_in_the_order_of_the_model(case):
    prediction = Run.objects.with_results().get().prediction

    assert ModelVersion.objects.get(network__name="tiny").labels == list(LABELS)
    assert [row.label for row in prediction.combined_probabilities] == list(LABELS)
    (member,) = prediction.members.all()
    assert [row.label for row in member.probabilities.all()] == list(LABELS)
    assert [heatmap.label for heatmap in member.heatmaps.all()] == list(LABELS)
    assert (case.ai_status, case.ai_label) == ("ready", prediction.label)


def test_the_case_page_shows_every_class_with_its_heatmap(client_of, radiologist, case):
    response = client_of(radiologist).get(case.get_absolute_url())

    results, page = response.context["results"], response.content.decode()
    assert results.headline == TITLES[LABELS.index(case.ai_label)]
    assert [choice.class_title for choice in results.heatmaps] == TITLES
    for title in TITLES:
        assert f'<span class="bar-label">{title}</span>' in page
        assert f"weighed towards {title}. Research use only." in page
    assert "Pneumonia" not in page


def test_a_heatmap_of_a_new_class_is_sent(client_of, radiologist, case):
    heatmaps = Run.objects.with_results().get().prediction.members.get().heatmaps.filter(is_usable=True)

    for heatmap in heatmaps:
        response = client_of(radiologist).get(reverse("inference:heatmap", args=[heatmap.uid]))
        assert Image.open(io.BytesIO(response.content)).has_transparency_data


def test_the_worklist_shows_and_filters_by_the_classes_of_the_model(client_of, radiologist, case):
    client, url = client_of(radiologist), reverse("cases:worklist")

    page = client.get(url).content.decode()

    for code, title in zip(LABELS, TITLES, strict=True):
        assert f'<option value="{code}">{title}</option>' in page
        found = client.get(url, {"label": code}).context["page"].cases
        assert found == ([case] if code == case.ai_label else [])


def test_a_reader_signs_with_a_class_of_the_model(client_of, api_of, radiologist, case):
    client = client_of(radiologist)
    read = {"first_impression": "tuberculosis", "final_label": "tuberculosis", "findings": "Cavity."}
    client.post(reverse("cases:claim", args=[case.uid]))
    page = client.get(case.get_absolute_url()).content.decode()
    sign = reverse("cases:sign", args=[case.uid])

    question = client.post(sign, read).content.decode()
    refused = client.post(sign, read | {"final_label": "pneumonia", "confirmed": "1"})
    signed = client.post(sign, read | {"confirmed": "1"}, follow=True).content.decode()

    for title in (*TITLES, "Other", "Not diagnostic"):
        assert f">{title}</label>" in page
        assert f"{title}</button>" in page
    assert "Sign this case as Tuberculosis?" in question
    assert refused.status_code == 400
    assert '<p class="signed-label">Tuberculosis</p>' in signed
    assert Review.objects.signed().get().final_label == "tuberculosis"
    (review,) = api_of(radiologist).get(f"/api/v1/cases/{case.uid}/").json()["reviews"]
    assert (review["final_label"], review["final_label_label"]) == ("tuberculosis", "Tuberculosis")


def test_the_api_tells_every_class(api_of, radiologist, case):
    client = api_of(radiologist)
    body = client.get(f"/api/v1/runs/{Run.objects.get().uid}/").json()
    models = client.get("/api/v1/models/").json()["results"]

    assert body["label"] == case.ai_label
    assert [row["label"] for row in body["prediction"]["probabilities"]] == list(LABELS)
    assert [row["label"] for row in body["prediction"]["members"][0]["heatmaps"]] == list(LABELS)
    assert list(LABELS) in [model["labels"] for model in models]


def test_a_case_that_an_earlier_model_judged_keeps_its_classes_beside_the_new_ones(case):
    command("register_models", "--activate", "covidnet8-1")

    assert classes(case) == ["covid", "normal", "pneumonia", "tuberculosis", "no_finding"]
    assert classes(CaseFactory()) == ["covid", "normal", "pneumonia"]
    assert classes() == classes(case)
