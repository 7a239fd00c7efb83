from __future__ import annotations

from django.urls import path

from inference.api import views

urlpatterns = [
    path("cases/<uuid:uid>/", views.CaseDetailView.as_view(), name="case-detail"),
    path("cases/<uuid:uid>/report/", views.CaseReportView.as_view(), name="case-report"),
    path("batches/<uuid:uid>/", views.BatchDetailView.as_view(), name="batch-detail"),
    path("runs/", views.RunListView.as_view(), name="run-list"),
    path("runs/<uuid:uid>/", views.RunDetailView.as_view(), name="run-detail"),
    path("runs/<uuid:uid>/retry/", views.RunRetryView.as_view(), name="run-retry"),
    path("heatmaps/<uuid:uid>/", views.HeatmapImageView.as_view(), name="heatmap-image"),
    path("models/", views.ModelListView.as_view(), name="model-list"),
    path("models/<uuid:uid>/", views.ModelDetailView.as_view(), name="model-detail"),
]
