from __future__ import annotations

import numpy as np
import pytest

from cases.tests.factories import RadiographFactory
from inference import services, worker
from inference.catalogue import pipeline_spec
from inference.models import Pipeline, Run
from inference.outcomes import Subject
from inference.stub import StubPredictor
from inference.tasks import process_queue
from inference.tests.factories import shipped_single

pytestmark = pytest.mark.django_db


@pytest.fixture
def pipeline() -> Pipeline:
    return shipped_single()


def test_the_same_pixels_get_the_same_result_and_others_another(pipeline):
    stub = StubPredictor(pipeline_spec(pipeline), 0)
    dark, bright = Subject(np.zeros((50, 45), np.uint8)), Subject(np.full((50, 45), 200, np.uint8))

    first, other, again = stub.predict([dark, bright, dark])

    assert first.probabilities.tolist() == again.probabilities.tolist() != other.probabilities.tolist()
    assert sum(first.probabilities) == pytest.approx(1)


def test_what_it_says_is_recorded_like_any_other_result(pipeline, settings):
    settings.INFERENCE_STUB_MS = 0.0
    worker._bench.cache_clear()
    services.enqueue(RadiographFactory())

    assert process_queue() == 1

    run = Run.objects.with_results().get()
    assert (run.status, run.attempts) == ("succeeded", 1)
    assert len(run.prediction.combined_probabilities) == 3
    assert [member.model_version for member in run.prediction.members.all()] == list(pipeline.members.all())
    assert not any(heatmap.is_usable for heatmap in run.prediction.members.get().heatmaps.all())
    worker._bench.cache_clear()
