from __future__ import annotations

import pytest

from inference import registry
from inference.activation import activate_pipeline
from inference.catalogue import pipeline_spec, register_shipped_models
from inference.models import ModelVersion, Pipeline
from inference.registry import WeightsError
from inference.tests.factories import PipelineFactory

pytestmark = pytest.mark.django_db


def test_what_is_shipped_is_registered_once_and_one_pipeline_is_active():
    added = register_shipped_models()

    assert {version.key for version in added} == set(registry.model_specs())
    assert Pipeline.objects.filter(status=Pipeline.Status.ACTIVE).count() == 1
    assert register_shipped_models() == []
    assert ModelVersion.objects.count() == len(added)


def test_a_registered_version_with_other_weights_is_refused():
    register_shipped_models()
    ModelVersion.objects.update(weights_sha256="0" * 64)

    with pytest.raises(WeightsError, match="registered with other weights"):
        register_shipped_models()


def test_a_pipeline_comes_to_the_workers_as_it_was_registered():
    register_shipped_models()
    pipeline = Pipeline.objects.get(status=Pipeline.Status.ACTIVE)

    spec = pipeline_spec(pipeline)

    assert (spec.name, spec.version, spec.gate) == (pipeline.name, pipeline.version, pipeline.gate_version)
    assert [member.weights_sha256 for member, _ in spec.members] == [pipeline.members.get().weights_sha256]


def test_a_model_version_without_a_manifest_is_not_used():
    with pytest.raises(WeightsError, match="no model version named"):
        pipeline_spec(PipelineFactory())


def test_a_new_model_does_not_take_over_by_itself():
    active = PipelineFactory()

    register_shipped_models()

    assert Pipeline.objects.get(status=Pipeline.Status.ACTIVE) == active
    assert set(Pipeline.objects.exclude(pk=active.pk).values_list("status", flat=True)) == {"retired"}


def test_exactly_one_pipeline_is_active_after_every_choice(administrator):
    pipelines = [PipelineFactory(), *PipelineFactory.create_batch(2, status=Pipeline.Status.SHADOW)]
    for pipeline in reversed(pipelines):
        activate_pipeline(pipeline, actor=administrator)
        assert Pipeline.objects.get(status=Pipeline.Status.ACTIVE) == pipeline
