"""Brings what is shipped in ``inference/weights`` into the database, and a pipeline of the database to the workers."""

from __future__ import annotations

from django.db import transaction

from inference import registry
from inference.models import ModelVersion, Network, Pipeline, PipelineMember
from inference.networks import NETWORKS
from inference.spec import ModelSpec, PipelineSpec


@transaction.atomic
def register_shipped_models() -> list[ModelVersion]:
    """Registers every manifest once, and makes a pipeline of the newest Covidnet-8 active if none is.

    Returns:
        The model versions that were new.

    Raises:
        WeightsError: A manifest is not complete, or a registered version now has other weights.
    """
    added = []
    for spec in registry.model_specs().values():
        version, created = _register(spec)
        if created:
            added.append(version)
            pipeline = registry.single_model_pipeline(spec)
            _register_pipeline(pipeline, version)
    return added


def _register(spec: ModelSpec) -> tuple[ModelVersion, bool]:
    network, _ = Network.objects.get_or_create(name=spec.network, defaults={"title": NETWORKS[spec.network].title})
    version, created = ModelVersion.objects.get_or_create(
        network=network,
        version=spec.version,
        defaults={
            "weights_sha256": spec.weights_sha256,
            "labels": list(spec.labels),
            "is_calibrated": spec.temperature is not None,
            "manifest": registry.manifest_of(spec),
            "card": registry.card_of(spec),
        },
    )
    if version.weights_sha256 != spec.weights_sha256:
        raise registry.WeightsError(f"{spec.name} is registered with other weights.", remedy="Give it a new version.")
    return version, created


def _register_pipeline(spec: PipelineSpec, version: ModelVersion) -> None:
    active = Pipeline.objects.filter(status=Pipeline.Status.ACTIVE)
    pipeline = Pipeline.objects.create(
        name=spec.name,
        version=spec.version,
        gate_version=spec.gate,
        status=Pipeline.Status.RETIRED if active.exists() else Pipeline.Status.ACTIVE,
    )
    PipelineMember.objects.create(pipeline=pipeline, model_version=version, position=0)


def pipeline_spec(pipeline: Pipeline) -> PipelineSpec:
    """The pipeline as the workers use it.

    Raises:
        WeightsError: A member's manifest is gone, or names other weights than were registered.
    """
    members = []
    for membership in pipeline.memberships.select_related("model_version__network"):
        version = membership.model_version
        spec = registry.model_spec(version.key)
        if spec.weights_sha256 != version.weights_sha256:
            raise registry.WeightsError(f"The manifest of {version.key} names other weights than were registered.")
        members.append((spec, membership.weight))
    return PipelineSpec(
        name=pipeline.name, version=pipeline.version, members=tuple(members), gate=pipeline.gate_version
    )
