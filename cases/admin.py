"""Clinical records in Django admin: view-only, for whoever has been given the permission, in their own facility."""

from __future__ import annotations

from django.contrib import admin

from cases.disclosure import is_told, told_moves
from cases.models import Batch, BatchItem, Case, CaseStatusChange, LabResult, Patient, Radiograph, Review
from portal.admin import ClinicalAdmin, ReadOnlyInline


class StatusChangeInline(ReadOnlyInline):
    model = CaseStatusChange
    fields = ["at", "old", "new", "stage", "actor", "reason"]

    def get_queryset(self, request):
        return super().get_queryset(request).filter(told_moves())


class BatchItemInline(ReadOnlyInline):
    model = BatchItem
    fields = ["position", "outcome", "radiograph", "problem"]


@admin.register(Patient)
class PatientAdmin(ClinicalAdmin):
    list_display = ["uid", "created_at"]
    search_fields = ["uid", "medical_record_number"]


@admin.register(Case)
class CaseAdmin(ClinicalAdmin):
    """Without what the AI concluded, which a reader must not meet here before a first impression."""

    exclude = ["ai_status", "ai_label", "ai_probability", "ai_suspicion", "ai_reason", "ranks_as_of"]
    list_display = ["uid", "status", "stage", "priority", "received_at"]
    list_filter = ["status", "stage", "priority"]
    search_fields = ["uid", "accession_number"]
    inlines = [StatusChangeInline]


@admin.register(Radiograph)
class RadiographAdmin(ClinicalAdmin):
    list_display = ["uid", "media_type", "byte_size", "received_at"]
    search_fields = ["uid", "case__uid", "sha256"]


@admin.register(LabResult)
class LabResultAdmin(ClinicalAdmin):
    list_display = ["uid", "kind", "collected_on"]


@admin.register(Review)
class ReviewAdmin(ClinicalAdmin):
    """Only what its reader alone knew no longer: signed reads of signed cases, and one's own."""

    list_display = ["uid", "stage", "signed_version", "reader", "signed_at"]
    list_select_related = ["reader"]
    search_fields = ["uid", "case__uid"]

    def get_queryset(self, request):
        return super().get_queryset(request).filter(is_told(request.user))


@admin.register(Batch)
class BatchAdmin(ClinicalAdmin):
    list_display = ["uid", "submitted_by", "submitted_at"]
    list_select_related = ["submitted_by"]
    inlines = [BatchItemInline]
