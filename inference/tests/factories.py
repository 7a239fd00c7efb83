"""Models, pipelines and runs for tests, and results as a worker records them."""

from __future__ import annotations

import factory
import numpy as np
from django.utils import timezone

from cases.tests.factories import RadiographFactory
from inference.activation import activate_pipeline
from inference.catalogue import register_shipped_models
from inference.heatmaps import packed
from inference.models import ModelVersion, Network, Pipeline, PipelineMember, Run
from inference.outcomes import Doubt
from inference.services import (
    StoredHeatmap,
    StoredJudgement,
    StoredMember,
    claim_runs,
    record_failure,
    record_prediction,
    record_refusal,
)

LABELS = ("covid", "normal", "pneumonia")


def shipped_single() -> Pipeline:
    """Covidnet-8 version 1 alone, active: its numbers are the pipeline's; the default may have several members."""
    register_shipped_models()
    return activate_pipeline(Pipeline.objects.get(name="covidnet8", version="1"), actor=None)


class NetworkFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Network
        django_get_or_create = ["name"]

    name = "covidnet8"
    title = "Covidnet-8"


class ModelVersionFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = ModelVersion

    network = factory.SubFactory(NetworkFactory)
    version = factory.Sequence(lambda n: f"test{n}")
    weights_sha256 = "ab" * 32
    labels = list(LABELS)
    is_calibrated = True
    manifest = {}
    card = "# A model for tests"


class PipelineFactory(factory.django.DjangoModelFactory):
    """A pipeline of one model version."""

    class Meta:
        model = Pipeline
        skip_postgeneration_save = True

    name = "covidnet8"
    version = factory.Sequence(lambda n: f"test{n}")
    status = Pipeline.Status.ACTIVE
    gate_version = "1"

    @factory.post_generation
    def members(self, create, extracted, **kwargs):
        for position, version in enumerate(extracted or [ModelVersionFactory()]):
            PipelineMember.objects.create(pipeline=self, model_version=version, position=position)


class RunFactory(factory.django.DjangoModelFactory):
    """A queued run; the case does not know of it yet, as it would after ``services.enqueue``."""

    class Meta:
        model = Run

    radiograph = factory.SubFactory(RadiographFactory)
    pipeline = factory.SubFactory(PipelineFactory)
    priority = factory.SelfAttribute("radiograph.case.priority")
    queued_at = factory.LazyFunction(timezone.now)
    due_at = factory.SelfAttribute("queued_at")


def claimed(run: Run, worker: str = "worker-1") -> Run:
    """The same run as a worker holds it, which claims it alone."""
    for other in claim_runs(limit=100, worker=worker):
        if other.pk == run.pk:
            return other
    raise AssertionError(f"{run} was not there to be claimed")


def judgement(
    run: Run, probabilities=(0.7, 0.2, 0.1), *, blank: str = "normal", doubt: Doubt = Doubt.NONE, members=()
) -> StoredJudgement:
    """What a worker would store: a map per class and member, of which ``blank`` is not usable.

    ``members`` are the probabilities of each member; without them every member says what the pipeline says.
    """
    memberships = run.pipeline.memberships.all()
    said = members or [probabilities] * len(memberships)
    stored = tuple(
        StoredMember(
            model_version_id=membership.model_version_id,
            weight=membership.weight,
            labels=LABELS,
            probabilities=own,
            heatmaps=tuple(
                StoredHeatmap(label) if label == blank else _stored_heatmap(index, label)
                for index, label in enumerate(LABELS)
            ),
        )
        for membership, own in zip(memberships, said, strict=True)
    )
    return StoredJudgement(
        labels=LABELS,
        probabilities=probabilities,
        calibrated=True,
        members=stored,
        spread=max(max(values) - min(values) for values in zip(*said, strict=True)),
        doubt=doubt,
    )


def _stored_heatmap(index: int, label: str) -> StoredHeatmap:
    """Evidence that is strongest in another row for each class."""
    values = np.zeros((64, 64))
    values[20 * index] = 1.0
    return StoredHeatmap(label, *packed(values))


def succeeded_run(probabilities=(0.7, 0.2, 0.1), *, doubt: Doubt = Doubt.NONE, members=(), **fields) -> Run:
    """A run that has ended with a prediction, through the services that a worker calls."""
    run = claimed(RunFactory(**fields))
    record_prediction(run, judgement(run, probabilities, doubt=doubt, members=members))
    return Run.objects.get(pk=run.pk)


def refused_run(**fields) -> Run:
    run = claimed(RunFactory(**fields))
    record_refusal(run, code="lateral_view", sentence="The image is a lateral view.")
    return Run.objects.get(pk=run.pk)


def failed_run(**fields) -> Run:
    run = claimed(RunFactory(**fields))
    record_failure(run, "A stored image file is damaged.", final=True)
    return Run.objects.get(pk=run.pk)
