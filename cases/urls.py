from __future__ import annotations

from django.urls import path

from cases import views

app_name = "cases"

urlpatterns = [
    path("worklist/", views.WorklistView.as_view(), name="worklist"),
    path("worklist/next/", views.ClaimNextView.as_view(), name="claim-next"),
    path("cases/<uuid:uid>/", views.CaseView.as_view(), name="case"),
    path("cases/<uuid:uid>/claim/", views.ClaimView.as_view(), name="claim"),
    path("cases/<uuid:uid>/release/", views.ReleaseView.as_view(), name="release"),
    path("cases/<uuid:uid>/first-impression/", views.FirstImpressionView.as_view(), name="first-impression"),
    path("cases/<uuid:uid>/review/", views.ReviewView.as_view(), name="review"),
    path("cases/<uuid:uid>/sign/", views.SignView.as_view(), name="sign"),
    path("cases/<uuid:uid>/lab-results/", views.AddLabResultView.as_view(), name="lab-result-add"),
    path("lab-results/import/", views.LabImportView.as_view(), name="lab-import"),
    path("radiographs/<uuid:uid>/preview/", views.RadiographPreviewView.as_view(), name="radiograph-preview"),
    path("radiographs/<uuid:uid>/original/", views.RadiographOriginalView.as_view(), name="radiograph-original"),
    path("upload/", views.UploadView.as_view(), name="upload"),
]
