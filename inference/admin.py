from __future__ import annotations

from django.contrib import admin, messages

from cases.blinding import blinding_of
from inference.activation import activate_pipeline
from inference.models import (
    Heatmap,
    ModelVersion,
    Network,
    Pipeline,
    PipelineMember,
    Run,
    RunStatusChange,
)
from inference.services import retry_run
from portal.accounts.access import Action
from portal.admin import ClinicalAdmin, ReadOnlyAdmin, ReadOnlyInline
from portal.errors import DomainError


class PipelineMemberInline(ReadOnlyInline):
    model = PipelineMember
    fields = ["position", "model_version", "weight"]


class StatusChangeInline(ReadOnlyInline):
    model = RunStatusChange
    fields = ["at", "old", "new", "actor", "reason"]


@admin.register(Network)
class NetworkAdmin(ReadOnlyAdmin):
    list_display = ["name", "title"]


@admin.register(ModelVersion)
class ModelVersionAdmin(ReadOnlyAdmin):
    list_display = ["network", "version", "is_calibrated", "registered_at"]
    list_select_related = ["network"]
    search_fields = ["uid", "version", "weights_sha256"]


@admin.register(Pipeline)
class PipelineAdmin(ReadOnlyAdmin):
    """Pipelines come from shipped manifests; which of them judges is decided here."""

    list_display = ["name", "version", "status", "indeterminate_below", "disagreement_above", "fault", "registered_at"]
    list_filter = ["status"]
    search_fields = ["uid", "name"]
    inlines = [PipelineMemberInline]
    actions = ["make_active"]

    def has_activate_permission(self, request) -> bool:
        return request.user.has_perm("inference.change_pipeline")

    @admin.action(description="Make the selected pipeline active", permissions=["activate"])
    def make_active(self, request, pipelines):
        if pipelines.count() != 1:
            self.message_user(request, "Choose exactly one pipeline.", messages.WARNING)
            return
        try:
            pipeline = activate_pipeline(pipelines.get(), actor=request.user, request=request)
        except DomainError as error:
            self.message_user(request, str(error), messages.ERROR)
            return
        self.message_user(request, f"{pipeline} judges new images from now on.", messages.SUCCESS)


@admin.register(Run)
class RunAdmin(ClinicalAdmin):
    list_display = ["uid", "pipeline", "status", "attempts", "queued_at", "finished_at"]
    list_filter = ["status", "pipeline"]
    list_select_related = ["pipeline"]
    search_fields = ["uid", "radiograph__uid", "radiograph__case__uid"]
    inlines = [StatusChangeInline]
    actions = ["retry"]

    def get_queryset(self, request):
        return super().get_queryset(request).shown_to(blinding_of(request.user))

    def has_retry_permission(self, request) -> bool:
        return request.user.has_perm(Action.RETRY_RUN)

    @admin.action(description="Retry the selected failed runs", permissions=["retry"])
    def retry(self, request, runs):
        queued = 0
        for run in runs.select_related("radiograph__case__facility"):
            try:
                retry_run(run, actor=request.user, request=request)
            except DomainError as error:
                self.message_user(request, f"{run}: {error}", messages.WARNING)
            else:
                queued += 1
        self.message_user(request, f"{queued} runs are queued again.", messages.SUCCESS if queued else messages.INFO)


@admin.register(Heatmap)
class HeatmapAdmin(ClinicalAdmin):
    list_display = ["uid", "label", "is_usable"]
    exclude = ["cells"]

    def get_queryset(self, request):
        return super().get_queryset(request).shown_to(blinding_of(request.user))
