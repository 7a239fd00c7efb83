from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models

from portal.accounts.models import Facility
from portal.append_only import AppendOnly


class Event(models.TextChoices):
    SIGNED_IN = "signed_in", "signed in"
    SIGNED_OUT = "signed_out", "signed out"
    SIGN_IN_FAILED = "sign_in_failed", "failed to sign in"
    ACCEPTED_NOTICE = "accepted_notice", "accepted the research-use notice"
    LISTED_CASES = "listed_cases", "listed cases"
    LISTED_PATIENTS = "listed_patients", "listed patients"
    LISTED_RUNS = "listed_runs", "listed runs"
    VIEWED_CASE = "viewed_case", "viewed a case"
    VIEWED_PATIENT = "viewed_patient", "viewed a patient"
    VIEWED_IMAGE = "viewed_image", "viewed an image"
    VIEWED_HEATMAP = "viewed_heatmap", "viewed a heatmap"
    VIEWED_PREDICTION = "viewed_prediction", "viewed a prediction"
    VIEWED_REPORT = "viewed_report", "viewed a report"
    VIEWED_LAB_RESULTS = "viewed_lab_results", "viewed lab results"
    VIEWED_BATCH = "viewed_batch", "viewed a batch"
    VIEWED_DASHBOARD = "viewed_dashboard", "viewed the dashboard"
    CREATED_PATIENT = "created_patient", "created a patient"
    CHANGED_PATIENT = "changed_patient", "changed a patient"
    CORRECTED_PATIENT = "corrected_patient", "corrected a patient"
    OPENED_CASE = "opened_case", "opened a case"
    CHANGED_PRIORITY = "changed_priority", "changed a priority"
    SUBMITTED_IMAGE = "submitted_image", "submitted an image"
    ADDED_LAB_RESULT = "added_lab_result", "added a lab result"
    WITHDREW_LAB_RESULT = "withdrew_lab_result", "withdrew a lab result"
    IMPORTED_LAB_RESULTS = "imported_lab_results", "imported lab results"
    CLAIMED_CASE = "claimed_case", "claimed a case"
    TOOK_OVER_CASE = "took_over_case", "took over a case"
    RELEASED_CASE = "released_case", "released a case"
    REVIEWED_CASE = "reviewed_case", "saved a review"
    SIGNED_CASE = "signed_case", "signed a case"
    RETRIED_RUN = "retried_run", "retried a run"
    ACTIVATED_PIPELINE = "activated_pipeline", "made a pipeline active"
    VIEWED_AUDIT = "viewed_audit", "viewed the audit trail"
    CREATED_TOKEN = "created_token", "created a token"
    REVOKED_TOKEN = "revoked_token", "revoked a token"
    CHECKED_FILES = "checked_files", "checked the stored files"
    MADE_BACKUP = "made_backup", "made a backup"
    RESTORED_BACKUP = "restored_backup", "restored a backup"
    VIEWED_ADMIN = "viewed_admin", "viewed a clinical record in the admin"
    ADMINISTERED = "administered", "changed accounts or facilities"
    CHANGED_PASSWORD = "changed_password", "changed the own password"


class AuditEvent(AppendOnly):
    """Who did or saw what, and when. Holds identifiers, never names or results."""

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    at = models.DateTimeField(auto_now_add=True, db_index=True)
    event = models.CharField(max_length=30, choices=Event.choices)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    facility = models.ForeignKey(Facility, models.PROTECT, null=True, related_name="+")
    object_type = models.CharField(max_length=40, blank=True)
    object_uid = models.UUIDField(null=True, db_index=True)
    ip_address = models.GenericIPAddressField(null=True)
    detail = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=models.Q(event__in=Event.values), name="audit_event_is_known"),
        ]

    def __str__(self) -> str:
        return f"{self.get_event_display()} {self.object_type} {self.object_uid or ''}".strip()
