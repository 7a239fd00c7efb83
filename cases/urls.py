from __future__ import annotations

from django.urls import path

from cases import views

app_name = "cases"

urlpatterns = [
    path("worklist/", views.WorklistView.as_view(), name="worklist"),
    path("worklist/next/", views.ClaimNextView.as_view(), name="claim-next"),
    path("worklist/filters/", views.SaveFilterView.as_view(), name="filter-save"),
    path("worklist/filters/<uuid:uid>/remove/", views.RemoveFilterView.as_view(), name="filter-remove"),
    path("cases/<uuid:uid>/", views.CaseView.as_view(), name="case"),
    path("cases/<uuid:uid>/claim/", views.ClaimView.as_view(), name="claim"),
    path("cases/<uuid:uid>/claim/renew/", views.RenewClaimView.as_view(), name="claim-renew"),
    path("cases/<uuid:uid>/claim/take-over/", views.TakeOverView.as_view(), name="take-over"),
    path("cases/<uuid:uid>/release/", views.ReleaseView.as_view(), name="release"),
    path("cases/<uuid:uid>/first-impression/", views.FirstImpressionView.as_view(), name="first-impression"),
    path("cases/<uuid:uid>/review/", views.ReviewView.as_view(), name="review"),
    path("cases/<uuid:uid>/verdict/", views.VerdictView.as_view(), name="verdict"),
    path("cases/<uuid:uid>/sign/", views.SignView.as_view(), name="sign"),
    path("cases/<uuid:uid>/amend/", views.AmendView.as_view(), name="amend"),
    path("cases/<uuid:uid>/amend/discard/", views.DiscardAmendmentView.as_view(), name="discard-amendment"),
    path("cases/<uuid:uid>/priority/", views.ChangePriorityView.as_view(), name="change-priority"),
    path("cases/<uuid:uid>/patient/", views.CorrectPatientView.as_view(), name="correct-patient"),
    path("cases/<uuid:uid>/lab-results/", views.AddLabResultView.as_view(), name="lab-result-add"),
    path("cases/<uuid:uid>/lab-results/withdraw/", views.WithdrawLabResultView.as_view(), name="lab-result-withdraw"),
    path("lab-results/import/", views.LabImportView.as_view(), name="lab-import"),
    path("radiographs/<uuid:uid>/preview/", views.RadiographPreviewView.as_view(), name="radiograph-preview"),
    path("radiographs/<uuid:uid>/original/", views.RadiographOriginalView.as_view(), name="radiograph-original"),
    path("macros/", views.MacroListView.as_view(), name="macro-list"),
    path("macros/<uuid:uid>/", views.MacroView.as_view(), name="macro"),
    path("macros/<uuid:uid>/delete/", views.DeleteMacroView.as_view(), name="macro-delete"),
    path("radiographs/<uuid:uid>/pixels/", views.RadiographPixelsView.as_view(), name="radiograph-pixels"),
    path("upload/", views.UploadView.as_view(), name="upload"),
]
