"""What the API says of patients, cases, radiographs and batches."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from cases.blinding import SHOWN_STATUSES, ShownAi
from cases.disclosure import names_reader
from cases.findings import Device, Effusion, Pattern, ZoneScore
from cases.lab_import import Outcome, Report, RowOutcome
from cases.models import Batch, BatchItem, Case, LabResult, OrderArm, Patient, Priority, Radiograph, Review
from portal.problems import of_domain_error
from portal.serializers import ProblemSerializer, address_of, label_of

PRIORITIES = [(priority.name.lower(), priority.label) for priority in Priority]


class PriorityField(serializers.ChoiceField):
    """A priority by its stable name; the database keeps its rank."""

    def __init__(self, **options):
        super().__init__(choices=PRIORITIES, **options)

    def to_internal_value(self, data):
        return Priority[super().to_internal_value(data).upper()]

    def to_representation(self, value):
        return Priority(value).name.lower()


class PatientSerializer(serializers.ModelSerializer):
    url = address_of("api:patient-detail")
    sex_label = label_of("sex")

    class Meta:
        model = Patient
        fields = [
            "uid",
            "url",
            "medical_record_number",
            "family_name",
            "given_name",
            "birth_date",
            "sex",
            "sex_label",
            "created_at",
        ]
        read_only_fields = fields


class PatientReferenceSerializer(serializers.ModelSerializer):
    url = address_of("api:patient-detail")

    class Meta:
        model = Patient
        fields = ["uid", "url", "medical_record_number", "family_name", "given_name"]
        read_only_fields = fields


class LabResultSerializer(serializers.ModelSerializer):
    kind_label = label_of("kind")
    result_label = label_of("result")
    entered_by = serializers.CharField(source="entered_by.username", read_only=True)
    withdrawn_at = serializers.DateTimeField(
        read_only=True, allow_null=True, help_text="Entered by mistake if not null: it counts for nothing since then."
    )
    withdrawn_by = serializers.CharField(source="withdrawn_by.username", read_only=True, allow_null=True, default=None)

    class Meta:
        model = LabResult
        fields = [
            "uid",
            "kind",
            "kind_label",
            "result",
            "result_label",
            "collected_on",
            "note",
            "entered_by",
            "entered_at",
            "withdrawn_at",
            "withdrawn_by",
            "withdrawal_reason",
        ]
        read_only_fields = fields


class LabImportRowSerializer(serializers.Serializer):
    """What became of one row of a table of lab results."""

    line = serializers.IntegerField(source="row.line", help_text="In the file; the first line is 1.")
    outcome = serializers.ChoiceField([(one.value, one.value.capitalize()) for one in Outcome])
    problem = serializers.SerializerMethodField()

    @extend_schema_field(ProblemSerializer(allow_null=True))
    def get_problem(self, row: RowOutcome) -> dict | None:
        return of_domain_error(row.error) if row.error else None


class LabImportSerializer(serializers.Serializer):
    is_dry_run = serializers.BooleanField()
    accepted = serializers.SerializerMethodField()
    existing = serializers.SerializerMethodField()
    refused = serializers.SerializerMethodField()
    rows = LabImportRowSerializer(many=True)

    def get_accepted(self, report: Report) -> int:
        return len(report.accepted)

    def get_existing(self, report: Report) -> int:
        return len(report.existing)

    def get_refused(self, report: Report) -> int:
        return len(report.refused)


class CaseSerializer(serializers.ModelSerializer):
    url = address_of("api:case-detail")
    patient = PatientReferenceSerializer(read_only=True)
    priority = PriorityField(read_only=True)
    priority_label = label_of("priority")
    status_label = label_of("status")
    stage_label = label_of("stage")
    claimed_by = serializers.CharField(source="claimed_by.username", read_only=True, allow_null=True, default=None)
    order_arm = serializers.ChoiceField(
        OrderArm.choices,
        allow_blank=True,
        read_only=True,
        help_text="Of a trial of the AI's part in the reading order.",
    )
    ai_status = serializers.SerializerMethodField(
        help_text="withheld: there is a reading, and it waits for your first impression."
    )
    ai_status_label = serializers.SerializerMethodField()
    ai_label = serializers.SerializerMethodField()
    ai_probability = serializers.SerializerMethodField()
    images_url = address_of("api:case-images")

    class Meta:
        model = Case
        fields = [
            "uid",
            "url",
            "patient",
            "accession_number",
            "indication",
            "priority",
            "priority_label",
            "symptom_onset",
            "is_synthetic",
            "received_at",
            "status",
            "status_label",
            "stage",
            "stage_label",
            "claimed_by",
            "order_arm",
            "ai_status",
            "ai_status_label",
            "ai_label",
            "ai_probability",
            "images_url",
        ]
        read_only_fields = fields
        extra_kwargs = {"stage": {"help_text": "The read that is due; of a signed case, the one that ended it."}}

    def shown(self, case: Case) -> ShownAi:
        return self.context["blinding"].shows(case)

    @extend_schema_field(serializers.ChoiceField(SHOWN_STATUSES))
    def get_ai_status(self, case: Case) -> str:
        return self.shown(case).status

    def get_ai_status_label(self, case: Case) -> str:
        return self.shown(case).status_label

    def get_ai_label(self, case: Case) -> str:
        return self.shown(case).label

    def get_ai_probability(self, case: Case) -> float | None:
        return self.shown(case).probability


class RadiographSerializer(serializers.ModelSerializer):
    url = address_of("api:radiograph-detail")
    case = serializers.UUIDField(source="case.uid", read_only=True)
    preview_url = address_of("api:radiograph-preview")

    class Meta:
        model = Radiograph
        fields = [
            "uid",
            "url",
            "case",
            "original_name",
            "sha256",
            "byte_size",
            "media_type",
            "rows",
            "columns",
            "bits_stored",
            "photometric",
            "modality",
            "view_position",
            "laterality",
            "body_part",
            "age_years",
            "pixel_spacing_row_mm",
            "pixel_spacing_column_mm",
            "acquired_at",
            "received_at",
            "preview_url",
        ]
        read_only_fields = fields


class ZoneFindingSerializer(serializers.Serializer):
    zone = serializers.CharField(source="zone.code", help_text="right_upper to left_lower: the patient's sides.")
    score = serializers.ChoiceField(ZoneScore.choices, allow_null=True, help_text="Brixia, 0-3; null: not said.")
    pattern = serializers.ChoiceField(Pattern.choices, allow_blank=True)


class FindingsSerializer(serializers.Serializer):
    """What the reader said in structured form; blank and null: not said."""

    zones = ZoneFindingSerializer(many=True)
    brixia_score = serializers.IntegerField(allow_null=True, help_text="0-18; null unless all six zones have a score.")
    effusion = serializers.ChoiceField(Effusion.choices, allow_blank=True)
    devices = serializers.ListField(child=serializers.ChoiceField(Device.choices))
    sentences = serializers.ListField(child=serializers.CharField(), help_text="The same in words.")


class SignedReviewSerializer(serializers.ModelSerializer):
    """A signed read; drafts are their readers' own and not shown."""

    reader = serializers.SerializerMethodField(help_text="Null while the reads of the case are still being weighed.")
    stage_label = label_of("stage")
    version = serializers.IntegerField(
        source="signed_version", read_only=True, min_value=1, help_text="1, then one more with each amendment."
    )
    amends = serializers.UUIDField(
        source="amends.uid", read_only=True, allow_null=True, default=None, help_text="The version before this one."
    )
    is_in_force = serializers.BooleanField(read_only=True, help_text="True of the one read of the case that counts.")
    first_impression_label = serializers.CharField(source="first_impression_title", read_only=True)
    final_label_label = serializers.CharField(source="final_label_title", read_only=True)
    structured_findings = FindingsSerializer(read_only=True)
    disagreement_reason_label = label_of("disagreement_reason")

    class Meta:
        model = Review
        fields = [
            "uid",
            "reader",
            "stage",
            "stage_label",
            "version",
            "amends",
            "amendment_reason",
            "is_in_force",
            "first_impression",
            "first_impression_label",
            "first_impression_at",
            "was_blind",
            "final_label",
            "final_label_label",
            "findings",
            "structured_findings",
            "agrees_with_ai",
            "disagreement_reason",
            "disagreement_reason_label",
            "disagreement_note",
            "signed_at",
        ]
        read_only_fields = fields
        extra_kwargs = {"stage": {"help_text": "Which read of the case it is."}}

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_reader(self, read: Review) -> str | None:
        return read.reader.username if names_reader(self.context["request"].user, read) else None


class ItemSerializer(serializers.ModelSerializer):
    """What became of one image of a request."""

    outcome_label = label_of("outcome")
    case = serializers.UUIDField(
        source="radiograph.case.uid", read_only=True, allow_null=True, default=None, help_text="Where the image is."
    )
    radiograph = serializers.UUIDField(source="radiograph.uid", read_only=True, allow_null=True, default=None)
    problem = serializers.SerializerMethodField()

    class Meta:
        model = BatchItem
        fields = ["position", "file_name", "outcome", "outcome_label", "case", "radiograph", "problem"]
        read_only_fields = fields

    @extend_schema_field(ProblemSerializer(allow_null=True))
    def get_problem(self, item: BatchItem) -> dict | None:
        return item.problem


class ItemsSerializer(serializers.Serializer):
    """One result per image, in the order in which they were sent."""

    items = ItemSerializer(many=True, read_only=True)


class BatchSerializer(serializers.ModelSerializer):
    url = address_of("api:batch-detail")

    class Meta:
        model = Batch
        fields = ["uid", "url", "submitted_at"]
        read_only_fields = fields


class SubmittedBatchSerializer(BatchSerializer):
    items = ItemSerializer(many=True, read_only=True)

    class Meta(BatchSerializer.Meta):
        fields = [*BatchSerializer.Meta.fields, "items"]
        read_only_fields = fields
