"""Patients, cases, images and batches over REST. What they concluded is added in ``inference.api``.

Who may call what stands in the route table (``portal.accounts.access``); other facilities' objects do not exist here.
"""

from __future__ import annotations

from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import generics, status
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.views import APIView

from cases import batches, lab_import, services
from cases.api import examples, manifest, requests
from cases.api.filters import CaseFilter, PatientFilter
from cases.api.pagination import LatestReceivedPagination
from cases.api.scoping import FacilityScopedView
from cases.api.serializers import (
    BatchSerializer,
    CaseSerializer,
    ItemsSerializer,
    LabImportSerializer,
    LabResultSerializer,
    PatientSerializer,
    RadiographSerializer,
    SubmittedBatchSerializer,
)
from cases.lab_results import add_lab_result
from cases.media import preview_response
from cases.models import Batch, BatchItem, Case, LabResult, Patient, Radiograph
from portal.audit.models import Event
from portal.audit.services import record
from portal.errors import DomainError
from portal.negotiation import AnyAccept
from portal.parsers import TableParser, UTF8MultiPartParser
from portal.schema import PNG, conflict
from portal.serializers import ProblemSerializer, checked


class UnknownPatient(DomainError):
    code = "patient_unknown"
    status = 404
    remedy = "Check the uid, or send patient_details."


def created_or_found(created: bool) -> int:
    return status.HTTP_201_CREATED if created else status.HTTP_200_OK


def location(url: str) -> dict[str, str]:
    """The header of a created object; WSGI takes no subclass of str, such as REST framework's Hyperlink."""
    return {"Location": str(url)}


class PatientListView(FacilityScopedView, generics.ListAPIView):
    serializer_class = PatientSerializer
    filterset_class = PatientFilter
    queryset = Patient.objects.all()

    @extend_schema(summary="List patients", operation_id="patients_list")
    def get(self, request):
        """Newest first. Find one by the whole record number with `?medical_record_number=`."""
        record(Event.LISTED_PATIENTS, actor=request.user, request=request)
        return self.list(request)

    @extend_schema(
        summary="Create a patient",
        request=requests.PatientRequest,
        responses={
            201: PatientSerializer,
            200: OpenApiResponse(PatientSerializer, description="The patient was there; blanks were filled in."),
            **conflict("`patient_mismatch`: the record number belongs to a patient with other details."),
        },
        examples=[examples.PATIENT],
    )
    def post(self, request):
        """Repeating it is safe: the record number is unique within the facility."""
        patient, created = services.find_or_create_patient(
            facility=services.facility_of(request.user),
            details=requests.patient_details(checked(requests.PatientRequest, request)),
            actor=request.user,
            request=request,
        )
        if not created:
            record(Event.VIEWED_PATIENT, actor=request.user, obj=patient, request=request)
        body = PatientSerializer(patient, context={"request": request}).data
        return Response(body, status=created_or_found(created), headers=location(body["url"]))


class PatientDetailView(FacilityScopedView, generics.RetrieveAPIView):
    serializer_class = PatientSerializer
    queryset = Patient.objects.select_related("facility")

    @extend_schema(summary="Read a patient")
    def get(self, request, uid):
        patient = self.get_object()
        record(Event.VIEWED_PATIENT, actor=request.user, obj=patient, request=request)
        return Response(self.get_serializer(patient).data)


class PatientLabResultsView(generics.ListAPIView):
    serializer_class = LabResultSerializer
    queryset = LabResult.objects.select_related("entered_by", "withdrawn_by")

    def patient(self) -> Patient:
        visible = Patient.objects.visible_to(self.request.user).select_related("facility")
        return get_object_or_404(visible, uid=self.kwargs["uid"])

    @extend_schema(summary="List a patient's lab results")
    def get(self, request, uid):
        """Newest entry first."""
        patient = self.patient()
        record(Event.VIEWED_LAB_RESULTS, actor=request.user, obj=patient, request=request)
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset().filter(patient=patient)))
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    @extend_schema(
        summary="Add a lab result",
        request=requests.LabResultRequest,
        responses={
            201: LabResultSerializer,
            200: OpenApiResponse(LabResultSerializer, description="It was there already."),
            **conflict("`lab_result_withdrawn`: it was entered before and withdrawn."),
        },
        examples=[examples.LAB_RESULT],
    )
    def post(self, request, uid):
        """Repeating it is safe: the same test of the same day with the same result is entered once."""
        patient = self.patient()
        said = checked(requests.LabResultRequest, request)
        lab_result, created = add_lab_result(patient=patient, actor=request.user, request=request, **said)
        if not created:
            record(Event.VIEWED_LAB_RESULTS, actor=request.user, obj=patient, request=request)
        return Response(LabResultSerializer(lab_result).data, status=created_or_found(created))


class LabResultImportView(APIView):
    parser_classes = [TableParser]

    @extend_schema(
        summary="Import lab results from a table",
        parameters=[requests.LabImportParameters],
        request={"text/csv": OpenApiTypes.STR},
        responses=LabImportSerializer,
    )
    def post(self, request):
        """One outcome per row: `accepted`, `existing` (known already) or `refused`. A bad row does not spoil others.

        UTF-8, separated by commas or semicolons, with a first line that names the columns: `medical_record_number`,
        `kind`, `result`, `collected_on` (2026-03-31) and, if you like, `note`. At most 2000 rows and 512 KB.
        Repeating it is safe. `?dry_run=true` changes nothing.
        """
        parameters = requests.LabImportParameters(data=request.query_params)
        parameters.is_valid(raise_exception=True)
        report = lab_import.import_lab_results(
            content=request.data or b"",  # REST framework gives an empty dictionary for an empty body
            actor=request.user,
            dry_run=parameters.validated_data.get("dry_run", False),
            request=request,
        )
        return Response(LabImportSerializer(report).data)


class CaseListView(FacilityScopedView, generics.ListAPIView):
    serializer_class = CaseSerializer
    filterset_class = CaseFilter
    pagination_class = LatestReceivedPagination
    queryset = Case.objects.select_related("patient", "claimed_by")

    @extend_schema(summary="List cases", operation_id="cases_list")
    def get(self, request):
        """Newest first, with what reader and AI have made of them so far."""
        record(Event.LISTED_CASES, actor=request.user, request=request)
        return self.list(request)

    @extend_schema(
        summary="Create a case",
        request=requests.CaseRequest,
        responses={
            201: CaseSerializer,
            200: OpenApiResponse(CaseSerializer, description="There was a case with this accession number."),
            **conflict("`patient_mismatch` or `accession_taken`: the number belongs to another patient."),
        },
        examples=[examples.CASE, examples.CASE_WITH_PATIENT],
    )
    def post(self, request):
        """For a patient who is there (`patient`) or comes with it (`patient_details`).

        With an accession number repeating it is safe; without one every request opens a new case.
        """
        said = checked(requests.CaseRequest, request)
        case, created = services.open_case(
            patient=self.patient(said), details=requests.case_details(said), actor=request.user, request=request
        )
        if not created:
            record(Event.VIEWED_CASE, actor=request.user, obj=case, request=request)
        body = self.get_serializer(case).data
        return Response(body, status=created_or_found(created), headers=location(body["url"]))

    def patient(self, said: dict) -> Patient | services.PatientDetails:
        if "patient_details" in said:
            return requests.patient_details(said["patient_details"])
        visible = Patient.objects.visible_to(self.request.user).select_related("facility")
        if patient := visible.filter(uid=said["patient"]).first():
            return patient
        raise UnknownPatient("There is no such patient here.")


class CaseImagesView(generics.ListAPIView):
    serializer_class = RadiographSerializer
    queryset = Radiograph.objects.select_related("case")
    parser_classes = [UTF8MultiPartParser]

    def case(self) -> Case:
        visible = Case.objects.visible_to(self.request.user).select_related("facility", "patient__facility")
        return get_object_or_404(visible, uid=self.kwargs["uid"])

    @extend_schema(summary="List a case's radiographs")
    def get(self, request, uid):
        """Newest first."""
        case = self.case()
        record(Event.VIEWED_CASE, actor=request.user, obj=case, request=request, detail="radiographs")
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset().filter(case=case)))
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    @extend_schema(
        summary="Add images to a case",
        request={"multipart/form-data": requests.ImagesRequest},
        responses={
            202: ItemsSerializer,
            200: OpenApiResponse(ItemsSerializer, description="The patient has all these images already."),
        },
        examples=[examples.ITEMS],
    )
    def post(self, request, uid):
        """One result per image. Each accepted image is queued for the AI at once; a bad one does not spoil the others.

        Bytes that the patient already has are not stored again: their outcome is `existing`.
        """
        case = self.case()
        said = checked(requests.ImagesRequest, request)
        hashes = said.get("sha256") or [""] * len(said["images"])
        destination = batches.Destination(case.patient, case)
        items = batches.submit_images(
            [
                batches.Submission(file, destination, sha256)
                for file, sha256 in zip(said["images"], hashes, strict=True)
            ],
            actor=request.user,
            request=request,
        )
        nothing_new = all(item.outcome == BatchItem.Outcome.EXISTING for item in items)
        answer = status.HTTP_200_OK if nothing_new else status.HTTP_202_ACCEPTED
        return Response(ItemsSerializer({"items": items}).data, status=answer)


class BatchListView(FacilityScopedView, generics.ListAPIView):
    serializer_class = BatchSerializer
    queryset = Batch.objects.all()
    parser_classes = [UTF8MultiPartParser]

    @extend_schema(summary="List batches", operation_id="batches_list")
    def get(self, request):
        """Newest first."""
        record(Event.VIEWED_BATCH, actor=request.user, request=request, detail="list")
        return self.list(request)

    @extend_schema(
        summary="Submit a batch of images",
        parameters=[
            OpenApiParameter(
                "Idempotency-Key",
                OpenApiTypes.STR,
                OpenApiParameter.HEADER,
                description="1 to 100 printable ASCII characters. Repeating the request with its key returns the first "
                "answer and does nothing again, also while the first is still running.",
            )
        ],
        request={"multipart/form-data": requests.BatchRequest},
        responses={
            202: SubmittedBatchSerializer,
            422: OpenApiResponse(
                ProblemSerializer, description="`idempotency_key_reused`: the key belongs to another request."
            ),
        },
        examples=[examples.BATCH],
    )
    def post(self, request):
        """One result per image: `accepted`, `existing` (the patient has these bytes already) or `rejected`.

        Say where the images belong with `manifest`, one entry per image in the same order, or with `case` for all.
        Images whose entries have the same `accession_number` come into one case; without one, each opens its own.
        A request that is wrong as a whole is answered with a problem and leaves nothing.
        Follow the batch at `url`.
        """
        said = checked(requests.BatchRequest, request)
        batch, items = batches.submit_batch(
            self.submissions(said),
            description=said["manifest"] if "manifest" in said else str(said["case"]),
            actor=request.user,
            idempotency_key=request.headers.get("Idempotency-Key"),
            request=request,
        )
        body = BatchSerializer(batch, context={"request": request}).data | ItemsSerializer({"items": items}).data
        headers = {"Location": reverse("api:batch-detail", args=[batch.uid], request=request)}
        return Response(body, status=status.HTTP_202_ACCEPTED, headers=headers)

    def submissions(self, said: dict) -> list[batches.Submission]:
        visible = Case.objects.visible_to(self.request.user).select_related("patient__facility")
        if "manifest" in said:
            return manifest.submissions(said["images"], said["manifest"], visible)
        case = visible.filter(uid=said["case"]).first()
        if case is None:
            raise batches.UnknownCase("There is no such case here.")
        destination = batches.Destination(case.patient, case)
        return [batches.Submission(file, destination) for file in said["images"]]


class RadiographDetailView(FacilityScopedView, generics.RetrieveAPIView):
    serializer_class = RadiographSerializer
    queryset = Radiograph.objects.select_related("case__facility")

    @extend_schema(summary="Read what is known of a radiograph")
    def get(self, request, uid):
        radiograph = self.get_object()
        record(Event.VIEWED_IMAGE, actor=request.user, obj=radiograph, request=request, detail="details")
        return Response(self.get_serializer(radiograph).data)


class RadiographPreviewView(APIView):
    content_negotiation_class = AnyAccept

    @extend_schema(summary="Show a radiograph", responses=PNG)
    def get(self, request, uid):
        """An 8-bit grey PNG of full size, bright = dense, without metadata: what the AI judges and the reader sees."""
        return preview_response(request, uid)
