from __future__ import annotations

import uuid
from datetime import date
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import formats

from cases.models.scoping import FacilityScopedQuerySet
from portal.accounts.models import Facility
from portal.append_only import AppendOnly


class Sex(models.TextChoices):
    """DICOM Patient's Sex (0010,0040), with a code for "not known"."""

    FEMALE = "F", "Female"
    MALE = "M", "Male"
    OTHER = "O", "Other"
    UNKNOWN = "U", "Unknown"


class Patient(models.Model):
    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    facility = models.ForeignKey(Facility, models.PROTECT, related_name="patients")
    medical_record_number = models.CharField(max_length=64)
    family_name = models.CharField(max_length=100, blank=True)
    given_name = models.CharField(max_length=100, blank=True)
    birth_date = models.DateField(null=True, blank=True)
    sex = models.CharField(max_length=1, choices=Sex.choices, default=Sex.UNKNOWN)
    created_at = models.DateTimeField(auto_now_add=True)
    details_version = models.PositiveIntegerField(
        default=0, editable=False, help_text="Counts the changes, so that two open pages do not undo each other's."
    )

    objects = FacilityScopedQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(
                fields=["facility", "family_name", "given_name", "medical_record_number"], name="patient_by_name"
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["facility", "medical_record_number"], name="patient_record_number_unique_in_facility"
            ),
            models.CheckConstraint(condition=~Q(medical_record_number=""), name="patient_has_a_record_number"),
            models.CheckConstraint(condition=Q(sex__in=Sex.values), name="patient_sex_is_known"),
            models.CheckConstraint(
                condition=Q(birth_date__isnull=True) | Q(birth_date__gte=date(1880, 1, 1)),
                name="patient_birth_date_is_plausible",
            ),
        ]

    def __str__(self) -> str:
        return f"Patient {self.uid}"

    @property
    def display_name(self) -> str:
        """Family name, given name; the record number where no name is known."""
        return ", ".join(part for part in (self.family_name, self.given_name) if part) or self.medical_record_number

    def age_on(self, day: date) -> int | None:
        """Completed years on ``day``; None without a birth date or before birth."""
        if self.birth_date is None or day < self.birth_date:
            return None
        return day.year - self.birth_date.year - ((day.month, day.day) < (self.birth_date.month, self.birth_date.day))


class PatientChange(AppendOnly):
    """One detail of a patient that an upload filled in, or that somebody corrected and said why."""

    class Detail(models.TextChoices):
        FAMILY_NAME = "family_name", "Family name"
        GIVEN_NAME = "given_name", "Given name"
        BIRTH_DATE = "birth_date", "Birth date"
        SEX = "sex", "Sex"

    patient = models.ForeignKey(Patient, models.PROTECT, related_name="changes")
    detail = models.CharField(max_length=11, choices=Detail.choices)
    old = models.CharField(max_length=100, blank=True)
    new = models.CharField(max_length=100, blank=True)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    reason = models.CharField(max_length=200, blank=True)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.detail} of {self.patient}"

    @property
    def old_words(self) -> str:
        return self._words(self.old)

    @property
    def new_words(self) -> str:
        return self._words(self.new)

    def _words(self, value: str) -> str:
        if self.detail == self.Detail.BIRTH_DATE and value:
            return formats.date_format(date.fromisoformat(value), "j F Y")
        if self.detail == self.Detail.SEX:
            return Sex(value).label
        return value or "not known"


class LabResultQuerySet(FacilityScopedQuerySet):
    facility_lookup = "patient__facility"

    def standing(self) -> Self:
        """Those that nobody has withdrawn."""
        return self.filter(withdrawn_at=None)


class LabResult(models.Model):
    """A test for SARS-CoV-2: the later truth that AI and reader are measured against.

    One that was entered by mistake is withdrawn: it stays to be seen and counts for nothing.
    """

    class Kind(models.TextChoices):
        RT_PCR = "rt_pcr", "RT-PCR"
        ANTIGEN = "antigen", "Antigen"
        ANTIBODY = "antibody", "Antibody"

    class Result(models.TextChoices):
        POSITIVE = "positive", "Positive"
        NEGATIVE = "negative", "Negative"
        INDETERMINATE = "indeterminate", "Indeterminate"

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    patient = models.ForeignKey(Patient, models.PROTECT, related_name="lab_results")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    result = models.CharField(max_length=15, choices=Result.choices)
    collected_on = models.DateField()
    note = models.CharField(max_length=200, blank=True)
    entered_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    entered_at = models.DateTimeField(auto_now_add=True)
    withdrawn_at = models.DateTimeField(null=True)
    withdrawn_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    withdrawal_reason = models.CharField(max_length=200, blank=True)

    objects = LabResultQuerySet.as_manager()

    class Meta:
        ordering = ["-collected_on", "-id"]
        verbose_name = "lab result"

        constraints = [
            models.UniqueConstraint(
                fields=["patient", "kind", "collected_on", "result"],
                condition=Q(withdrawn_at=None),
                name="lab_result_entered_once",
            ),
            models.CheckConstraint(condition=Q(kind__in=["rt_pcr", "antigen", "antibody"]), name="lab_kind_is_known"),
            models.CheckConstraint(
                condition=Q(result__in=["positive", "negative", "indeterminate"]), name="lab_result_is_known"
            ),
            models.CheckConstraint(
                condition=Q(withdrawn_at__isnull=True, withdrawn_by__isnull=True, withdrawal_reason="")
                | Q(withdrawn_at__isnull=False, withdrawn_by__isnull=False) & ~Q(withdrawal_reason=""),
                name="lab_withdrawn_says_by_whom_and_why",
            ),
        ]

    def __str__(self) -> str:
        return f"Lab result {self.uid}"

    @property
    def is_withdrawn(self) -> bool:
        return self.withdrawn_at is not None

    @property
    def facility(self) -> Facility:
        return self.patient.facility
