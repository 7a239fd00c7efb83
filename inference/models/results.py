"""What a run concluded: a prediction with its members' outputs and heatmaps, or a refusal. Written once."""

from __future__ import annotations

import uuid
from typing import Self

from django.db import models
from django.db.models import Q

from cases.blinding import Blinding
from cases.models import Case
from cases.models.scoping import FacilityScopedQuerySet
from inference.models.versions import ModelVersion
from inference.outcomes import Doubt
from portal.accounts.models import Facility


class Refusal(models.Model):
    """A typed "not eligible": the image should not be judged, so there is no class, score or heatmap."""

    code = models.CharField(max_length=40)
    sentence = models.CharField(max_length=300)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~Q(code="") & ~Q(sentence=""), name="refusal_says_why"),
        ]

    def __str__(self) -> str:
        return self.code


class Prediction(models.Model):
    """What a pipeline concluded; ``labels`` come from the model versions that made it.

    An indeterminate one keeps its numbers, but is never read as its most probable class: what shows a class to people
    or to other systems takes ``called_label``.
    """

    class IndeterminateReason(models.TextChoices):
        LOW_PROBABILITY = Doubt.LOW_PROBABILITY.value, "No class is probable enough"
        DISAGREEMENT = Doubt.DISAGREEMENT.value, "The models disagree"

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    label = models.CharField(max_length=40, help_text="The most probable class.")
    probability = models.FloatField(help_text="Of the label.")
    is_calibrated = models.BooleanField()
    spread = models.FloatField(default=0.0, help_text="The members' largest difference in the probability of a class.")
    indeterminate_reason = models.CharField(max_length=20, choices=IndeterminateReason.choices, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(probability__gte=0, probability__lte=1), name="prediction_probability_in_unit"
            ),
            models.CheckConstraint(condition=~Q(label=""), name="prediction_has_a_label"),
            models.CheckConstraint(condition=Q(spread__gte=0, spread__lte=1), name="prediction_spread_in_unit"),
            models.CheckConstraint(
                condition=Q(indeterminate_reason__in=["", "low_probability", "disagreement"]),
                name="prediction_indeterminate_reason_is_known",
            ),
        ]

    def __str__(self) -> str:
        return f"Prediction {self.uid}"

    @property
    def is_indeterminate(self) -> bool:
        return bool(self.indeterminate_reason)

    @property
    def called_label(self) -> str | None:
        """The class that the case is called; None where the prediction is indeterminate."""
        return None if self.is_indeterminate else self.label

    @property
    def called_probability(self) -> float | None:
        """The probability of ``called_label``."""
        return None if self.is_indeterminate else self.probability

    @property
    def combined_probabilities(self) -> list[ClassProbability]:
        """The pipeline's probability of each class, in the model's class order."""
        return [row for row in self.probabilities.all() if row.member_id is None]


class MemberOutput(models.Model):
    """What one model version of the pipeline said."""

    prediction = models.ForeignKey(Prediction, models.CASCADE, related_name="members")
    model_version = models.ForeignKey(ModelVersion, models.PROTECT, related_name="outputs")
    position = models.PositiveSmallIntegerField()
    weight = models.FloatField()

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["prediction", "position"], name="member_output_position_once"),
            models.CheckConstraint(condition=Q(weight__gt=0, weight__lte=1), name="member_output_weight_in_unit"),
        ]

    def __str__(self) -> str:
        return f"Output {self.position} of {self.prediction}"

    @property
    def own_probabilities(self) -> list[ClassProbability]:
        """Its probability of each class, in its class order, from those that the prediction has at hand."""
        return [row for row in self.prediction.probabilities.all() if row.member_id == self.pk]


class ClassProbability(models.Model):
    """Probability of one class: the pipeline's (``member`` empty) or one member's."""

    prediction = models.ForeignKey(Prediction, models.CASCADE, related_name="probabilities")
    member = models.ForeignKey(MemberOutput, models.CASCADE, null=True, related_name="probabilities")
    label = models.CharField(max_length=40)
    position = models.PositiveSmallIntegerField()
    value = models.FloatField()

    class Meta:
        ordering = ["position"]
        verbose_name_plural = "class probabilities"
        constraints = [
            models.CheckConstraint(condition=Q(value__gte=0, value__lte=1), name="class_probability_in_unit"),
            models.UniqueConstraint(
                fields=["prediction", "label"], condition=Q(member__isnull=True), name="class_probability_once"
            ),
            models.UniqueConstraint(
                fields=["member", "label"], condition=Q(member__isnull=False), name="class_probability_once_per_member"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.label}: {self.value:.3f}"


class HeatmapQuerySet(FacilityScopedQuerySet):
    facility_lookup = "member__prediction__run__radiograph__case__facility"

    def shown_to(self, blinding: Blinding) -> Self:
        if not blinding.is_blinded:
            return self
        return self.filter(blinding.lifted("member__prediction__run__radiograph__case__"))


class Heatmap(models.Model):
    """A Grad-CAM map of one member for one class; without positive evidence there is no usable map.

    ``cells`` holds its values, see ``inference.heatmaps``. Rows from before that have a picture in storage instead.
    """

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    member = models.ForeignKey(MemberOutput, models.CASCADE, related_name="heatmaps")
    label = models.CharField(max_length=40)
    cells = models.BinaryField(default=b"")
    image = models.FileField(max_length=200, blank=True, editable=False)
    sha256 = models.CharField(max_length=64, blank=True, help_text="Of the map's values, or of the picture.")
    is_usable = models.BooleanField()

    objects = HeatmapQuerySet.as_manager()

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["image"], name="heatmap_image", condition=~Q(image=""))]
        constraints = [
            models.UniqueConstraint(fields=["member", "label"], name="heatmap_once_per_member_and_class"),
            models.CheckConstraint(
                condition=Q(is_usable=True, sha256__regex="^[0-9a-f]{64}$")
                & (Q(image="") & ~Q(cells=b"") | ~Q(image="") & Q(cells=b""))
                | Q(is_usable=False, cells=b"", image="", sha256=""),
                name="heatmap_usable_has_a_map",
            ),
        ]

    def __str__(self) -> str:
        return f"Heatmap {self.uid}"

    @property
    def case(self) -> Case:
        return self.member.prediction.run.radiograph.case

    @property
    def facility(self) -> Facility:
        return self.case.facility
