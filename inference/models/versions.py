"""Which networks exist, with which weights, and which of them judge new radiographs."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q


class Network(models.Model):
    """One architecture, defined in ``inference.networks`` under the same name."""

    name = models.SlugField(max_length=40, unique=True)
    title = models.CharField(max_length=80)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.title


class ModelVersion(models.Model):
    """One network with one weights file; mirrors a manifest and never changes. Its card follows the evidence."""

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    network = models.ForeignKey(Network, models.PROTECT, related_name="versions")
    version = models.CharField(max_length=40)
    weights_sha256 = models.CharField("SHA-256 of the weights", max_length=64)
    labels = models.JSONField(help_text="Class codes in the order of the network's outputs.")
    is_calibrated = models.BooleanField(default=False)
    manifest = models.JSONField(help_text="Preprocessing, Grad-CAM layer, temperature, thresholds as registered.")
    card = models.TextField("model card", blank=True, help_text="Markdown.")
    registered_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["network__name", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["network", "version"], name="model_version_unique_in_network"),
            models.CheckConstraint(
                condition=Q(weights_sha256__regex="^[0-9a-f]{64}$"), name="model_version_has_a_hash"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.network.title} version {self.version}"

    @property
    def key(self) -> str:
        """Name of the manifest in ``inference/weights``, such as ``covidnet8-1``."""
        return f"{self.network.name}-{self.version}"


class Pipeline(models.Model):
    """A versioned ordered set of model versions plus gate, combination and thresholds; at most one is active.

    Mirrors a manifest and never changes, but for its status.
    """

    class Status(models.TextChoices):
        ACTIVE = "active", "Active"
        SHADOW = "shadow", "Shadow"
        RETIRED = "retired", "Retired"

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.SlugField(max_length=40)
    version = models.CharField(max_length=40)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.SHADOW)
    gate_version = models.CharField(max_length=40)
    mirrored = models.BooleanField(
        default=False, help_text="Every member judges the image and its mirror image, and says the mean."
    )
    temperature = models.FloatField(default=1.0, help_text="Of the combined probabilities.")
    indeterminate_below = models.FloatField(
        default=0.0, help_text="A prediction whose top probability is under this is indeterminate."
    )
    disagreement_above = models.FloatField(
        default=1.0, help_text="A prediction whose members differ by more than this is indeterminate."
    )
    fault = models.CharField(
        max_length=200, blank=True, help_text="Why the workers cannot open its files; empty while they can."
    )
    members = models.ManyToManyField(ModelVersion, through="PipelineMember", related_name="pipelines")
    registered_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["name", "version"], name="pipeline_version_unique"),
            models.UniqueConstraint(fields=["status"], condition=Q(status="active"), name="pipeline_one_active"),
            models.CheckConstraint(
                condition=Q(status__in=["active", "shadow", "retired"]), name="pipeline_status_is_known"
            ),
            models.CheckConstraint(condition=Q(temperature__gt=0), name="pipeline_temperature_is_positive"),
            models.CheckConstraint(
                condition=Q(
                    indeterminate_below__gte=0,
                    indeterminate_below__lte=1,
                    disagreement_above__gte=0,
                    disagreement_above__lte=1,
                ),
                name="pipeline_thresholds_in_unit",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.version}"

    @property
    def key(self) -> str:
        """Name of the manifest in ``inference/weights/pipelines``, such as ``covidnet8-1``."""
        return f"{self.name}-{self.version}"


class PipelineMember(models.Model):
    pipeline = models.ForeignKey(Pipeline, models.CASCADE, related_name="memberships")
    model_version = models.ForeignKey(ModelVersion, models.PROTECT, related_name="+")
    position = models.PositiveSmallIntegerField()
    weight = models.FloatField(default=1.0)

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["pipeline", "position"], name="pipeline_member_position_once"),
            models.UniqueConstraint(fields=["pipeline", "model_version"], name="pipeline_member_once"),
            models.CheckConstraint(condition=Q(weight__gt=0, weight__lte=1), name="pipeline_member_weight_in_unit"),
        ]

    def __str__(self) -> str:
        return f"{self.model_version} in {self.pipeline}"
