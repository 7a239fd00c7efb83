from __future__ import annotations

from django.urls import path

from inference import views
from inference.dashboard import views as dashboard
from inference.report import views as report

app_name = "inference"

urlpatterns = [
    path("radiographs/<uuid:uid>/results/", views.ResultsView.as_view(), name="results"),
    path("heatmaps/<uuid:uid>/", views.HeatmapView.as_view(), name="heatmap"),
    path("cases/<uuid:uid>/report/", report.ReportView.as_view(), name="report"),
    path("cases/<uuid:uid>/report.pdf", report.ReportPdfView.as_view(), name="report-pdf"),
    path("runs/<uuid:uid>/retry/", views.RetryRunView.as_view(), name="run-retry"),
    path("readers/", views.SwitchingView.as_view(), name="switching"),
    path("dashboard/", dashboard.DashboardView.as_view(), name="dashboard"),
    path("dashboard/table/", dashboard.DashboardTableView.as_view(), name="dashboard-table"),
    path("readers/agreement/", views.AgreementView.as_view(), name="agreement"),
    path("models/", views.ModelListView.as_view(), name="model-list"),
    path("models/<uuid:uid>/", views.ModelView.as_view(), name="model"),
]
