from __future__ import annotations

import uuid
from datetime import UTC, datetime

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.urls import reverse

from cases.intake.facts import DICOM
from cases.models.cases import Case
from cases.models.patients import Patient
from cases.models.scoping import FacilityScopedQuerySet
from portal.accounts.models import Facility


class RadiographQuerySet(FacilityScopedQuerySet):
    facility_lookup = "case__facility"


class Radiograph(models.Model):
    """One image of a case: the bytes as received, and the 8-bit grey preview that is shown and judged."""

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    case = models.ForeignKey(Case, models.PROTECT, related_name="radiographs")
    # Repeats case.patient, so that "these bytes once per patient" can be a constraint.
    patient = models.ForeignKey(Patient, models.PROTECT, related_name="radiographs")
    original = models.FileField(max_length=200, editable=False)
    original_name = models.CharField(max_length=200)
    sha256 = models.CharField("SHA-256 of the original", max_length=64, db_index=True)
    byte_size = models.PositiveBigIntegerField()
    media_type = models.CharField(max_length=40)
    preview = models.FileField(max_length=200, editable=False)
    preview_sha256 = models.CharField("SHA-256 of the preview", max_length=64)

    rows = models.PositiveIntegerField()
    columns = models.PositiveIntegerField()
    bits_stored = models.PositiveSmallIntegerField()
    photometric = models.CharField(max_length=20, blank=True)
    colour_saturation = models.FloatField(default=0.0)
    modality = models.CharField(max_length=16, blank=True)
    view_position = models.CharField(max_length=16, blank=True)
    laterality = models.CharField(max_length=16, blank=True)
    body_part = models.CharField(max_length=32, blank=True)
    age_years = models.FloatField(null=True, help_text="From the image header.")
    pixel_spacing_row_mm = models.FloatField(null=True)
    pixel_spacing_column_mm = models.FloatField(null=True)
    acquired_at = models.DateTimeField(null=True)
    received_at = models.DateTimeField(auto_now_add=True)
    submitted_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")

    objects = RadiographQuerySet.as_manager()

    class Meta:
        ordering = ["id"]
        indexes = [  # who asks whether a file is still wanted, see cases.inventory
            models.Index(fields=["original"], name="radiograph_original"),
            models.Index(fields=["preview"], name="radiograph_preview"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(acquired_at__gt=datetime(1895, 1, 1, tzinfo=UTC))
                & Q(acquired_at__lt=datetime(2201, 1, 1, tzinfo=UTC)),
                name="radiograph_acquired_in_time",
            ),
            models.UniqueConstraint(fields=["patient", "sha256"], name="radiograph_bytes_once_per_patient"),
            models.CheckConstraint(condition=Q(rows__gt=0, columns__gt=0), name="radiograph_has_pixels"),
            models.CheckConstraint(
                condition=Q(colour_saturation__gte=0, colour_saturation__lte=1), name="radiograph_saturation_in_unit"
            ),
            models.CheckConstraint(
                condition=Q(sha256__regex="^[0-9a-f]{64}$", preview_sha256__regex="^[0-9a-f]{64}$"),
                name="radiograph_has_hashes",
            ),
        ]

    def __str__(self) -> str:
        return f"Radiograph {self.uid}"

    def get_absolute_url(self) -> str:
        return reverse("cases:radiograph-preview", args=[self.uid])

    @property
    def is_deeper_than_preview(self) -> bool:
        """Whether the original may hold more than the preview's 256 greys."""
        return self.bits_stored > 8 or self.media_type == DICOM  # 8-bit DICOM may be windowed

    @property
    def is_frontal(self) -> bool:
        """Whether the header says so, or does not say."""
        return self.view_position in {"", "PA", "AP"}

    @property
    def facility(self) -> Facility:
        return self.case.facility
