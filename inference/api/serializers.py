"""What the API says of runs, their results, and the models that made them."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.reverse import reverse

from cases.api.serializers import (
    BatchSerializer,
    CaseSerializer,
    ItemSerializer,
    RadiographSerializer,
    SignedReviewSerializer,
)
from cases.disclosure import decides, shown_reads
from cases.models import BatchItem, Case
from inference.models import ClassProbability, Heatmap, MemberOutput, ModelVersion, Pipeline, Prediction, Refusal, Run
from portal.serializers import address_of, label_of


def called_label(source: str) -> serializers.CharField:
    return serializers.CharField(
        source=source,
        read_only=True,
        allow_null=True,
        default=None,
        help_text="The class; null where there is none, as for an indeterminate prediction.",
    )


def indeterminate(source: str) -> serializers.BooleanField:
    return serializers.BooleanField(
        source=source,
        read_only=True,
        allow_null=True,
        default=None,
        help_text="True where no class is probable enough or the models disagree; null without a prediction.",
    )


class ModelVersionSerializer(serializers.ModelSerializer):
    url = address_of("api:model-detail")
    network = serializers.CharField(source="network.name", read_only=True)
    network_title = serializers.CharField(source="network.title", read_only=True)
    pipelines = serializers.SerializerMethodField(help_text="Where it judges: name, version and status.")

    class Meta:
        model = ModelVersion
        fields = [
            "uid",
            "url",
            "network",
            "network_title",
            "version",
            "weights_sha256",
            "labels",
            "is_calibrated",
            "pipelines",
            "card",
            "registered_at",
        ]
        read_only_fields = fields
        extra_kwargs = {
            "labels": {"help_text": "Class codes in the order of the outputs."},
            "card": {"help_text": "The model card, Markdown."},
        }

    @extend_schema_field({"type": "array", "items": {"$ref": "#/components/schemas/Pipeline"}})
    def get_pipelines(self, version: ModelVersion) -> list[dict]:
        return list(PipelineSerializer(version.pipelines.all(), many=True).data)


class PipelineSerializer(serializers.ModelSerializer):
    status_label = label_of("status")

    class Meta:
        model = Pipeline
        fields = [
            "uid",
            "name",
            "version",
            "status",
            "status_label",
            "mirrored",
            "indeterminate_below",
            "disagreement_above",
        ]
        read_only_fields = fields


class ModelReferenceSerializer(serializers.ModelSerializer):
    url = address_of("api:model-detail")
    network = serializers.CharField(source="network.name", read_only=True)

    class Meta:
        model = ModelVersion
        fields = ["uid", "url", "network", "version", "weights_sha256"]
        read_only_fields = fields


class ClassProbabilitySerializer(serializers.ModelSerializer):
    probability = serializers.FloatField(source="value", read_only=True, min_value=0, max_value=1)

    class Meta:
        model = ClassProbability
        fields = ["label", "probability"]
        read_only_fields = fields


class HeatmapSerializer(serializers.ModelSerializer):
    url = serializers.SerializerMethodField(help_text="The map as a PNG; null where nothing spoke for this class.")

    class Meta:
        model = Heatmap
        fields = ["uid", "label", "is_usable", "url", "sha256"]
        read_only_fields = fields

    @extend_schema_field({"type": "string", "format": "uri", "nullable": True, "readOnly": True})
    def get_url(self, heatmap: Heatmap) -> str | None:
        if not heatmap.is_usable:
            return None
        return reverse("api:heatmap-image", args=[heatmap.uid], request=self.context["request"])


class MemberSerializer(serializers.ModelSerializer):
    model_version = ModelReferenceSerializer(read_only=True)
    probabilities = ClassProbabilitySerializer(source="own_probabilities", many=True, read_only=True)
    heatmaps = HeatmapSerializer(many=True, read_only=True)

    class Meta:
        model = MemberOutput
        fields = ["model_version", "weight", "probabilities", "heatmaps"]
        read_only_fields = fields


class PredictionSerializer(serializers.ModelSerializer):
    """``label`` is the most probable class, or null where the prediction is indeterminate; ``probabilities`` has all
    classes, in the models' order."""

    label = called_label("called_label")  # type: ignore[assignment] # the prediction's, not the serializer's
    probability = serializers.FloatField(
        source="called_probability", read_only=True, allow_null=True, help_text="Of the label."
    )
    is_indeterminate = serializers.BooleanField(
        read_only=True, help_text="True where no class is probable enough or the models disagree."
    )
    indeterminate_reason = serializers.ChoiceField(
        Prediction.IndeterminateReason.choices, read_only=True, allow_blank=True
    )
    indeterminate_reason_label = label_of("indeterminate_reason")
    probabilities = ClassProbabilitySerializer(source="combined_probabilities", many=True, read_only=True)
    members = MemberSerializer(many=True, read_only=True)

    class Meta:
        model = Prediction
        fields = [
            "uid",
            "label",
            "probability",
            "is_indeterminate",
            "indeterminate_reason",
            "indeterminate_reason_label",
            "spread",
            "is_calibrated",
            "probabilities",
            "members",
            "created_at",
        ]
        read_only_fields = fields


class RefusalSerializer(serializers.ModelSerializer):
    """Why the image was not judged: there is no class, score or heatmap then."""

    class Meta:
        model = Refusal
        fields = ["code", "sentence"]
        read_only_fields = fields


class RunSerializer(serializers.ModelSerializer):
    """One pipeline over one radiograph, in short."""

    url = address_of("api:run-detail")
    radiograph = serializers.UUIDField(source="radiograph.uid", read_only=True)
    case = serializers.UUIDField(source="radiograph.case.uid", read_only=True)
    pipeline = PipelineSerializer(read_only=True)
    status_label = label_of("status")
    label = called_label("prediction.called_label")  # type: ignore[assignment] # the run's, not the serializer's
    probability = serializers.FloatField(
        source="prediction.called_probability", read_only=True, allow_null=True, default=None
    )
    is_indeterminate = indeterminate("prediction.is_indeterminate")
    refusal = RefusalSerializer(read_only=True, allow_null=True)

    class Meta:
        model = Run
        fields = [
            "uid",
            "url",
            "radiograph",
            "case",
            "pipeline",
            "status",
            "status_label",
            "is_final",
            "attempts",
            "queued_at",
            "started_at",
            "finished_at",
            "label",
            "probability",
            "is_indeterminate",
            "refusal",
            "failure_reason",
        ]
        read_only_fields = fields


class RunDetailSerializer(RunSerializer):
    """A run with everything it concluded."""

    prediction = PredictionSerializer(read_only=True, allow_null=True)

    class Meta(RunSerializer.Meta):
        fields = [*RunSerializer.Meta.fields, "prediction"]
        read_only_fields = fields


class RadiographWithRunsSerializer(RadiographSerializer):
    runs = RunDetailSerializer(many=True, read_only=True)

    class Meta(RadiographSerializer.Meta):
        fields = [*RadiographSerializer.Meta.fields, "runs"]
        read_only_fields = fields


class CaseDetailSerializer(CaseSerializer):
    """A case with its radiographs, what the AI made of each, and its signed reads in all versions."""

    radiographs = RadiographWithRunsSerializer(many=True, read_only=True)
    reviews = serializers.SerializerMethodField()

    class Meta(CaseSerializer.Meta):
        fields = [*CaseSerializer.Meta.fields, "radiographs", "reviews"]
        read_only_fields = fields

    @extend_schema_field(SignedReviewSerializer(many=True))
    def get_reviews(self, case: Case) -> list[dict]:
        user, reviews = self.context["request"].user, case.reviews.with_standing().select_related("reader", "amends")
        shown = shown_reads(case, user, reviews, self.context["blinding"], is_deciding=decides(user, case))
        return list(SignedReviewSerializer(shown, many=True, context=self.context).data)


class ItemRunSerializer(serializers.ModelSerializer):
    """How far the AI is with an item's radiograph."""

    url = address_of("api:run-detail")
    status_label = label_of("status")
    label = called_label("prediction.called_label")  # type: ignore[assignment] # the run's, not the serializer's
    is_indeterminate = indeterminate("prediction.is_indeterminate")

    class Meta:
        model = Run
        fields = ["uid", "url", "status", "status_label", "label", "is_indeterminate"]
        read_only_fields = fields


class FollowedItemSerializer(ItemSerializer):
    """Needs the ``BatchProgress`` in its context."""

    run = serializers.SerializerMethodField(help_text="Null where the AI is off or the conclusion is withheld.")

    class Meta(ItemSerializer.Meta):
        fields = [*ItemSerializer.Meta.fields, "run"]
        read_only_fields = fields

    @extend_schema_field(ItemRunSerializer(allow_null=True))
    def get_run(self, item: BatchItem) -> dict | None:
        run = self.context["progress"].run_of(item)
        return ItemRunSerializer(run, context=self.context).data if run else None


class BatchDetailSerializer(BatchSerializer):
    """How far a batch is."""

    is_finished = serializers.BooleanField(
        read_only=True, help_text="Every image has its outcome, and no run is queued or running any more."
    )
    counts = serializers.DictField(
        child=serializers.IntegerField(min_value=0),
        read_only=True,
        help_text="Items by status of their run (queued, running, succeeded, refused, failed), by `rejected` where the "
        "image was not accepted, by `no_run` where the AI is off, and by `withheld` where a conclusion waits for "
        "your first impression.",
    )
    items = FollowedItemSerializer(many=True, read_only=True)

    class Meta(BatchSerializer.Meta):
        fields = [*BatchSerializer.Meta.fields, "is_finished", "counts", "items"]
        read_only_fields = fields
