"""Brings model versions and pipelines from their manifests into the database, and a pipeline from there to workers."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import connection, transaction

from inference import pipelines, registry
from inference.activation import activate_pipeline
from inference.errors import WeightsError
from inference.models import ModelVersion, Network, Pipeline, PipelineMember
from inference.networks import NETWORKS
from inference.spec import ModelSpec, PipelineSpec
from portal.errors import DomainError


class DatabaseNotReady(DomainError):
    """There are no tables to register anything in."""

    code = "database_not_ready"
    status = 503
    remedy = "Run manage.py migrate, then manage.py register_models."


@dataclass(frozen=True)
class Registration:
    """What a registration found.

    Attributes:
        versions: The model versions that were new.
        pipelines: The pipelines that were new.
        active: The pipeline that judges.
        default: The one that a new installation starts with; a site that runs keeps its own until somebody decides.
    """

    versions: list[ModelVersion]
    pipelines: list[Pipeline]
    active: Pipeline
    default: Pipeline


@transaction.atomic
def register_shipped_models() -> Registration:
    """Registers every manifest once: shipped ones and the site's own. Makes the default pipeline active if none is.

    A model version that no pipeline manifest is named after gets a pipeline of its own, so that it can be made active.

    Raises:
        DatabaseNotReady: The database was not migrated.
        WeightsError: A manifest is not complete, or a registered version or pipeline is now another one.
    """
    if Network._meta.db_table not in connection.introspection.table_names():
        raise DatabaseNotReady("The database has no tables for model versions yet.")
    versions = [version for spec in registry.model_specs().values() if (version := _register(spec))]
    specs = pipelines.pipeline_specs()
    for version in versions:
        specs.setdefault(version.key, registry.single_model_pipeline(registry.model_spec(version.key)))
    added = [pipeline for spec in specs.values() if (pipeline := _register_pipeline(spec))]
    spec = pipelines.default_pipeline()
    default = Pipeline.objects.get(name=spec.name, version=spec.version)
    active = Pipeline.objects.filter(status=Pipeline.Status.ACTIVE).first() or activate_pipeline(default, actor=None)
    return Registration(versions, added, active, default)


def _register(spec: ModelSpec) -> ModelVersion | None:
    """The model version if it is new. Of a known one the card follows the file: evidence may come after the weights."""
    network, _ = Network.objects.get_or_create(name=spec.network, defaults={"title": NETWORKS[spec.network].title})
    card = registry.card_of(spec)
    version, created = ModelVersion.objects.get_or_create(
        network=network,
        version=spec.version,
        defaults={
            "weights_sha256": spec.weights_sha256,
            "labels": list(spec.labels),
            "is_calibrated": spec.temperature is not None,
            "manifest": registry.manifest_of(spec),
            "card": card,
        },
    )
    if version.weights_sha256 != spec.weights_sha256:
        raise WeightsError(f"{spec.name} is registered with other weights.", remedy="Give it a new version.")
    if version.card != card:
        version.card = card
        version.save(update_fields=["card"])
    return version if created else None


def _register_pipeline(spec: PipelineSpec) -> Pipeline | None:
    """The pipeline if it is new, retired: making it active is somebody's decision."""
    pipeline, created = Pipeline.objects.get_or_create(
        name=spec.name,
        version=spec.version,
        defaults={
            "gate_version": spec.gate,
            "mirrored": spec.mirrored,
            "temperature": spec.temperature,
            "indeterminate_below": spec.indeterminate_below,
            "disagreement_above": spec.disagreement_above,
            "status": Pipeline.Status.RETIRED,
        },
    )
    if created:
        for position, (model, weight) in enumerate(spec.members):
            version = ModelVersion.objects.get(network__name=model.network, version=model.version)
            PipelineMember.objects.create(pipeline=pipeline, model_version=version, position=position, weight=weight)
        return pipeline
    if pipeline_spec(pipeline) != spec:
        raise WeightsError(
            f"The pipeline {spec.key} is registered with other members or thresholds.", remedy="Give it a new version."
        )
    return None


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
            raise WeightsError(f"The manifest of {version.key} names other weights than were registered.")
        members.append((spec, membership.weight))
    return PipelineSpec(
        name=pipeline.name,
        version=pipeline.version,
        members=tuple(members),
        gate=pipeline.gate_version,
        mirrored=pipeline.mirrored,
        temperature=pipeline.temperature,
        indeterminate_below=pipeline.indeterminate_below,
        disagreement_above=pipeline.disagreement_above,
    )
