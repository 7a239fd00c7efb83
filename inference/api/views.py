"""Runs and their results over REST, and the cases and batches that they belong to."""

from __future__ import annotations

from django.db import transaction
from django.db.models import Prefetch
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import generics, status
from rest_framework.response import Response
from rest_framework.views import APIView

from cases.api import requests
from cases.api.scoping import FacilityScopedView
from cases.corrections import change_priority
from cases.models import Batch, Case
from inference.api.filters import RunFilter
from inference.api.serializers import (
    BatchDetailSerializer,
    CaseDetailSerializer,
    ModelVersionSerializer,
    RunDetailSerializer,
    RunSerializer,
)
from inference.media import heatmap_response
from inference.models import ModelVersion, Run
from inference.progress import progress_of
from inference.report.documents import pdf_response
from inference.services import retry_run
from portal.audit.models import Event
from portal.audit.services import record
from portal.negotiation import AnyAccept
from portal.schema import PDF, PNG, conflict
from portal.serializers import checked


class CaseDetailView(FacilityScopedView, generics.RetrieveAPIView):
    serializer_class = CaseDetailSerializer
    queryset = Case.objects.select_related("facility", "patient", "claimed_by")

    def get_queryset(self):
        runs = Run.objects.with_results().select_related("radiograph__case").shown_to(self.blinding)
        return (
            super()
            .get_queryset()
            .prefetch_related(
                Prefetch("radiographs__runs", runs),
                "radiographs__case",
            )
        )

    @extend_schema(summary="Read a case with everything known of it", operation_id="cases_retrieve")
    def get(self, request, uid):
        """Radiographs with their runs and predictions, and the signed reads. Drafts of readers are not shown.

        Of a case that waits for another read, a reader is shown their own read only, and a lead who decides between two
        that differ is shown both without names. The read with `is_in_force` is the one that counts.
        To a reader who has given no first impression yet, `ai_status` is `withheld` and runs with a conclusion are not
        there.
        """
        case = self.get_object()
        record(Event.VIEWED_CASE, actor=request.user, obj=case, request=request)
        return Response(self.get_serializer(case).data)

    @extend_schema(
        summary="Change a case's priority",
        operation_id="cases_change_priority",
        request=requests.PriorityRequest,
        responses={
            200: CaseDetailSerializer,
            **conflict("`already_signed`, or `priority_changed`: it is no longer the one that you know."),
        },
    )
    def patch(self, request, uid):
        """Its place in the worklist and that of its images before the AI follow. Repeating it is safe.

        The answer is the case as a whole.
        """
        case = self.get_object()
        said = checked(requests.PriorityRequest, request)
        change_priority(
            case=case,
            priority=said["priority"],
            shown=said.get("shown", case.priority),
            actor=request.user,
            request=request,
        )
        return self.get(request, uid)


class CaseReportView(APIView):
    content_negotiation_class = AnyAccept

    @extend_schema(
        summary="Fetch a case's report as PDF",
        parameters=[
            OpenApiParameter("heatmap", OpenApiTypes.UUID, description="uid of a heatmap to show over its image.")
        ],
        responses=PDF,
    )
    def get(self, request, uid):
        """Marked as a draft until the case is signed. It tells only what you may know of the AI's reading.

        503 `pdf_unavailable` where the server lacks the libraries that draw it.
        """
        return pdf_response(request, uid)


class BatchDetailView(FacilityScopedView):
    serializer_class = BatchDetailSerializer
    queryset = Batch.objects.select_related("facility")

    @extend_schema(summary="Follow a batch", operation_id="batches_retrieve")
    def get(self, request, uid):
        """Poll it until `is_finished`; every few seconds is often enough."""
        batch = self.get_object()
        record(Event.VIEWED_BATCH, actor=request.user, obj=batch, request=request)
        progress = progress_of(batch, self.blinding)
        context = {**self.get_serializer_context(), "progress": progress}
        return Response(BatchDetailSerializer(progress, context=context).data)


class RunListView(FacilityScopedView, generics.ListAPIView):
    serializer_class = RunSerializer
    filterset_class = RunFilter
    queryset = Run.objects.select_related("radiograph__case", "pipeline", "prediction", "refusal")

    def get_queryset(self):
        return super().get_queryset().shown_to(self.blinding)

    @extend_schema(summary="List runs", operation_id="runs_list")
    def get(self, request):
        """Newest first, with their conclusions in short; without those that wait for your first impression."""
        record(Event.LISTED_RUNS, actor=request.user, request=request)
        return self.list(request)


class RunDetailView(FacilityScopedView, generics.RetrieveAPIView):
    serializer_class = RunDetailSerializer
    queryset = Run.objects.with_results().select_related("radiograph__case__facility")

    @extend_schema(summary="Read a run and what it concluded", operation_id="runs_retrieve")
    def get(self, request, uid):
        """A run ends `succeeded` with a prediction, `refused` with a refusal, or `failed` with a reason."""
        run = self.get_object()
        if run.has_concluded:
            self.blinding.check(run.radiograph.case)
        record(Event.VIEWED_PREDICTION, actor=request.user, obj=run, request=request)
        return Response(self.get_serializer(run).data)


class RunRetryView(FacilityScopedView):
    serializer_class = RunSerializer
    queryset = Run.objects.select_related("radiograph__case__facility", "pipeline", "prediction", "refusal")

    @extend_schema(
        summary="Try a failed run again",
        request=None,
        responses={
            202: OpenApiResponse(RunSerializer, description="It is queued again."),
            **conflict("The run has not failed."),
        },
    )
    def post(self, request, uid):
        """With a fresh count of attempts."""
        run = self.get_object()
        with transaction.atomic():  # as it was queued: a worker may conclude at once what is not for every reader yet
            retry_run(run, actor=request.user, request=request)
            run.refresh_from_db()
        return Response(self.get_serializer(run).data, status=status.HTTP_202_ACCEPTED)


class HeatmapImageView(APIView):
    content_negotiation_class = AnyAccept

    @extend_schema(summary="Show a heatmap", responses=PNG)
    def get(self, request, uid):
        """A colour PNG with alpha, of the radiograph's aspect ratio, to be laid over its preview."""
        return heatmap_response(request, uid)


class ModelListView(generics.ListAPIView):
    serializer_class = ModelVersionSerializer
    queryset = ModelVersion.objects.select_related("network").prefetch_related("pipelines")

    @extend_schema(summary="List model versions", operation_id="models_list")
    def get(self, request):
        """Newest first, with their model cards (Markdown). Holds no patient data."""
        return self.list(request)


class ModelDetailView(generics.RetrieveAPIView):
    serializer_class = ModelVersionSerializer
    queryset = ModelVersion.objects.select_related("network").prefetch_related("pipelines")
    lookup_field = "uid"

    @extend_schema(summary="Read a model version and its card", operation_id="models_retrieve")
    def get(self, request, uid):
        """What made a prediction: classes, weights, where it judges, and its model card."""
        return self.retrieve(request, uid=uid)
