"""The worker with the shipped model: from queued runs to recorded results."""

from __future__ import annotations

import hashlib
import io

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db.models.functions import Now
from PIL import Image

from cases.phantoms import colour_picture, phantom
from cases.storage import preview_name
from cases.tests.factories import CaseFactory, RadiographFactory
from inference import services
from inference.heatmaps import picture_of
from inference.models import Heatmap, Pipeline, Run
from inference.stages import UNREADABLE
from inference.tasks import process_queue
from inference.tests.factories import shipped_single

pytestmark = [pytest.mark.django_db, pytest.mark.slow]


@pytest.fixture
def pipeline() -> Pipeline:
    return shipped_single()


def queued(content: bytes | None = None, **fields) -> Run:
    """The run of a new radiograph, queued as intake does it."""
    radiograph = RadiographFactory(content=content or phantom(1), **fields)
    services.enqueue(radiograph)
    return Run.objects.get(radiograph=radiograph)


def process_to_the_end() -> None:
    """As the queue is worked on while time goes by: what waits for its next attempt is due after each round."""
    while process_queue():
        Run.objects.update(due_at=Now())


def now(run: Run) -> Run:
    return Run.objects.with_results().get(pk=run.pk)


def test_every_run_ends_with_a_prediction_or_a_refusal(pipeline):
    clear, finding = queued(phantom(1)), queued(phantom(2, "consolidation"))
    coloured = queued(colour_picture(3), colour_saturation=0.6)

    assert process_queue() == 3

    for run in (clear, finding):
        prediction = now(run).prediction
        assert sum(row.value for row in prediction.combined_probabilities) == pytest.approx(1)
        assert prediction.label in {"covid", "normal", "pneumonia"}
        (member,) = prediction.members.all()
        assert member.model_version == pipeline.members.get()
        assert member.heatmaps.count() == 3
    assert now(coloured).refusal.code
    assert now(coloured).prediction is None
    assert process_queue() == 0


def test_a_heatmap_has_the_aspect_ratio_of_its_radiograph(pipeline):
    queued(phantom(1), rows=1000, columns=900)

    process_queue()

    for heatmap in Heatmap.objects.filter(is_usable=True):
        width, height = Image.open(io.BytesIO(picture_of(heatmap))).size
        assert width / height == pytest.approx(0.9, abs=0.01)


def test_what_the_pipeline_is_too_unsure_of_ends_indeterminate_with_all_its_numbers(pipeline):
    Pipeline.objects.filter(pk=pipeline.pk).update(indeterminate_below=1.0)
    run = queued(phantom(1))

    process_queue()

    prediction = now(run).prediction
    assert (prediction.indeterminate_reason, prediction.called_label, prediction.spread) == ("low_probability", None, 0)
    assert prediction.probability == max(row.value for row in prediction.combined_probabilities)
    assert prediction.members.get().heatmaps.count() == 3
    assert now(run).radiograph.case.ai_status == "indeterminate"


def test_judging_the_same_image_twice_gives_the_same_maps(pipeline):
    case = CaseFactory()
    first, second = (queued(phantom(1), case__patient__facility=case.facility) for _ in range(2))

    process_queue()

    maps = [
        sorted(Heatmap.objects.filter(member__prediction__run=run).values_list("label", "sha256"))
        for run in (first, second)
    ]
    assert maps[0] == maps[1]
    assert now(first).prediction.probability == now(second).prediction.probability


@pytest.mark.parametrize("damage", ["changed", "missing"])
def test_a_preview_that_is_damaged_or_gone_fails_with_a_reason(pipeline, damage):
    run, neighbour = queued(phantom(1)), queued(phantom(2))
    name = run.radiograph.preview.name
    if damage == "changed":
        default_storage.save(name, ContentFile(b"other bytes"))
    else:
        default_storage.delete(name)

    process_to_the_end()

    assert now(run).status == "failed"
    assert now(run).failure_reason == f"A stored image file is {'damaged' if damage == 'changed' else 'missing'}."
    assert now(run).radiograph.case.ai_status == "failed"
    assert now(neighbour).status == "succeeded"


def test_an_image_that_poisons_its_batch_fails_alone(pipeline):
    neighbours = [queued(phantom(1))]
    content = b"neither picture nor empty"
    sha256 = hashlib.sha256(content).hexdigest()
    poison = queued(phantom(2), preview_sha256=sha256)
    name = preview_name(poison.radiograph.case.facility.uid, sha256)
    poison.radiograph.preview = default_storage.save(name, ContentFile(content))
    poison.radiograph.save()
    neighbours.append(queued(phantom(3)))

    process_queue()
    assert (now(poison).status, now(poison).attempts) == ("queued", 1)
    assert process_queue() == 0, "another worker may have it next"
    Run.objects.update(due_at=Now())
    process_to_the_end()

    assert (now(poison).status, now(poison).attempts, now(poison).failure_reason) == ("failed", 3, UNREADABLE)
    for run in neighbours:
        assert (now(run).status, now(run).attempts) == ("succeeded", 1)


def test_an_image_that_the_model_stumbles_over_fails_alone(pipeline):
    """One row of pixels: the preprocessing refuses it with an exception, in the middle of a batch."""
    buffer = io.BytesIO()
    Image.new("L", (1, 1), 128).save(buffer, "PNG")
    tiny, neighbour = queued(buffer.getvalue()), queued(phantom(1))

    process_to_the_end()

    assert now(tiny).status in {"failed", "refused"}
    assert now(neighbour).status == "succeeded"


def test_weights_that_are_not_the_registered_ones_are_never_used_and_cost_no_attempt(pipeline):
    """The fault may be this worker's alone: the runs keep their places for one that has the right ones."""
    version = pipeline.members.get()
    sha256, version.weights_sha256 = version.weights_sha256, "0" * 64
    version.save()
    runs = [queued(phantom(seed)) for seed in (1, 2)]

    assert process_queue() == 0

    for run in runs:
        assert (now(run).status, now(run).attempts, now(run).queued_at) == ("queued", 0, run.queued_at)
        assert "names other weights than were registered" in run.status_changes.last().reason
    version.weights_sha256 = sha256
    version.save()
    Run.objects.update(due_at=Now())
    assert process_queue() == 2
    assert [(now(run).status, now(run).attempts) for run in runs] == [("succeeded", 1)] * 2


def test_a_retry_is_not_claimed_before_all_others_are_recorded(pipeline, settings, monkeypatch):
    """A crash while the batch before is judged must not cost the retry an attempt."""
    settings.WORKER_BATCH = 2
    fresh = [queued(phantom(seed)) for seed in (1, 2)]
    retry = queued(phantom(3))
    Run.objects.filter(pk=retry.pk).update(attempts=1)
    claim, at_claim = services.claim_runs, []

    def watched(**asked):
        claimed = claim(**asked)
        if retry in claimed:
            at_claim.extend(Run.objects.filter(pk__in=[run.pk for run in fresh]).values_list("status", flat=True))
        return claimed

    monkeypatch.setattr(services, "claim_runs", watched)

    assert process_queue() == 3
    assert at_claim == ["succeeded", "succeeded"]
    assert (now(retry).status, now(retry).attempts) == ("succeeded", 2)
