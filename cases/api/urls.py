from __future__ import annotations

from django.urls import path

from cases.api import views

urlpatterns = [
    path("patients/", views.PatientListView.as_view(), name="patient-list"),
    path("patients/<uuid:uid>/", views.PatientDetailView.as_view(), name="patient-detail"),
    path("patients/<uuid:uid>/lab-results/", views.PatientLabResultsView.as_view(), name="patient-lab-results"),
    path("lab-results/", views.LabResultImportView.as_view(), name="lab-result-import"),
    path("cases/", views.CaseListView.as_view(), name="case-list"),
    path("cases/<uuid:uid>/images/", views.CaseImagesView.as_view(), name="case-images"),
    path("batches/", views.BatchListView.as_view(), name="batch-list"),
    path("radiographs/<uuid:uid>/", views.RadiographDetailView.as_view(), name="radiograph-detail"),
    path("radiographs/<uuid:uid>/preview/", views.RadiographPreviewView.as_view(), name="radiograph-preview"),
]
