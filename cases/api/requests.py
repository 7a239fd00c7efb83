"""What senders may say: the shape of requests. The rules stand in ``cases.services`` and ``cases.batches``."""

from __future__ import annotations

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from cases.api.serializers import PriorityField
from cases.models import LabResult, Priority, Sex
from cases.services import CaseDetails, PatientDetails
from portal.parsers import strict_json
from portal.serializers import StrictSerializer


class PatientRequest(StrictSerializer):
    """A patient as the sender knows them; what is left out counts as not known."""

    medical_record_number = serializers.CharField(max_length=64, help_text="Unique within the facility.")
    family_name = serializers.CharField(max_length=100, required=False, allow_blank=True)
    given_name = serializers.CharField(max_length=100, required=False, allow_blank=True)
    birth_date = serializers.DateField(required=False, allow_null=True)
    sex = serializers.ChoiceField(Sex.choices, required=False, help_text="As in DICOM; U where not known.")


class CaseFields(StrictSerializer):
    """What may be said of a case."""

    accession_number = serializers.CharField(
        max_length=64, required=False, allow_blank=True, help_text="Unique within the facility; one case per number."
    )
    indication = serializers.CharField(max_length=500, required=False, allow_blank=True)
    priority = PriorityField(required=False, help_text="routine if left out.")
    symptom_onset = serializers.DateField(required=False, allow_null=True)


class PriorityRequest(StrictSerializer):
    priority = PriorityField()
    shown = PriorityField(
        required=False, help_text="The priority that you know; where the case has another one by now, nothing changes."
    )


class CaseRequest(CaseFields):
    """A case of a patient who is in the portal already (``patient``: uid), or who comes with it (an object)."""

    patient = serializers.UUIDField(required=False, help_text="uid of a patient; or send patient_details.")
    patient_details = PatientRequest(required=False, help_text="Finds the patient by record number, or creates one.")

    def validate(self, attrs: dict) -> dict:
        if ("patient" in attrs) == ("patient_details" in attrs):
            raise serializers.ValidationError("Name the patient either by patient or by patient_details.")
        return attrs


class LabResultRequest(StrictSerializer):
    kind = serializers.ChoiceField(LabResult.Kind.choices)
    result = serializers.ChoiceField(LabResult.Result.choices)
    collected_on = serializers.DateField()
    note = serializers.CharField(max_length=200, required=False, allow_blank=True)


class LabImportParameters(StrictSerializer):
    dry_run = serializers.BooleanField(required=False, help_text="Only tell what would become of each row.")


class ManifestEntry(PatientRequest, CaseFields):
    """Where one image belongs: into ``case``, or to a patient and a case described here."""

    file_name = serializers.CharField(
        max_length=255, required=False, help_text="If given, it must be the name of the file at this place."
    )
    case = serializers.UUIDField(required=False, help_text="uid of a case that is there already.")
    medical_record_number = serializers.CharField(max_length=64, required=False)
    sha256 = serializers.CharField(
        max_length=64, required=False, allow_blank=True, help_text="SHA-256 of the file; other bytes are refused."
    )

    def validate(self, attrs: dict) -> dict:
        described = set(attrs) - {"file_name", "case", "sha256"}
        if "case" in attrs and described:
            raise serializers.ValidationError("An entry with case describes neither patient nor case.")
        if "case" not in attrs and "medical_record_number" not in attrs:
            raise serializers.ValidationError("An entry needs case or medical_record_number.")
        return attrs


class ManifestRequest(StrictSerializer):
    """One entry per image, in the order of the images. A bad entry costs its own image only."""

    items = ManifestEntry(many=True)


@extend_schema_field(ManifestRequest)
class ManifestField(serializers.Field):
    """JSON in a form field or in a file part; gives the list of entries, each still unchecked."""

    default_error_messages = {
        "json": "The manifest is not valid JSON.",
        "shape": 'The manifest is not an object with one list "items" of objects.',
        "size": "The manifest is larger than 5 MB.",
    }

    def to_internal_value(self, data: str | UploadedFile) -> list[dict]:
        if isinstance(data, UploadedFile):
            if (data.size or 0) > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
                self.fail("size")
            text = data.read()
        else:
            text = data
        try:
            manifest = strict_json(text)
        except ValueError:
            self.fail("json")
        entries = manifest.get("items") if isinstance(manifest, dict) and len(manifest) == 1 else None
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            self.fail("shape")
        return entries


class ImagesField(serializers.ListField):
    """The images of a request. The files are not looked at: an empty or odd one is a problem of its own item."""

    child = serializers.FileField(allow_empty_file=True)

    def __init__(self, **options):
        limits = {"min_length": 1, "max_length": settings.INTAKE_MAX_FILES}
        super().__init__(help_text="JPEG, PNG or CR/DX DICOM files.", **(limits | options))


class ImagesRequest(StrictSerializer):
    """Images of one case."""

    images = ImagesField()
    sha256 = serializers.ListField(
        child=serializers.CharField(max_length=64, allow_blank=True),
        required=False,
        help_text="SHA-256 of each image, in the same order; empty where not known.",
    )

    def validate(self, attrs: dict) -> dict:
        if attrs.get("sha256") and len(attrs["sha256"]) != len(attrs["images"]):
            raise serializers.ValidationError({"sha256": ["Send one per image, or none."]})
        return attrs


class BatchRequest(StrictSerializer):
    """Images for any number of cases, described by ``manifest``; or for the one ``case``."""

    images = ImagesField()
    manifest = ManifestField(required=False)
    case = serializers.UUIDField(required=False, help_text="uid of the case that all images belong to.")

    def validate(self, attrs: dict) -> dict:
        images, entries = attrs["images"], attrs.get("manifest")
        if (entries is None) == ("case" not in attrs):
            raise serializers.ValidationError("Say where the images belong: either manifest or case.")
        if entries is None:
            return attrs
        if len(entries) != len(images):
            raise serializers.ValidationError(
                {"manifest": [f"{len(images)} images came, but {len(entries)} entries; send one entry per image."]}
            )
        for position, (image, entry) in enumerate(zip(images, entries, strict=True)):
            if entry.get("file_name", image.name) != image.name:
                message = f"Entry {position} names another file than came there."
                raise serializers.ValidationError({"manifest": [message]})
        return attrs


def patient_details(said: dict) -> PatientDetails:
    """A service's view of what ``PatientRequest`` (or a manifest entry) has checked."""
    names = ("medical_record_number", "family_name", "given_name", "birth_date", "sex")
    return PatientDetails(**{name: said[name] for name in names if said.get(name) is not None})


def case_details(said: dict) -> CaseDetails:
    """A service's view of what ``CaseFields`` has checked."""
    names = ("accession_number", "indication", "priority", "symptom_onset")
    return CaseDetails(**{"priority": Priority.ROUTINE} | {name: said[name] for name in names if name in said})
