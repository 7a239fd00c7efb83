from cases.views.claims import ClaimNextView, ClaimView, RenewClaimView, TakeOverView
from cases.views.corrections import ChangePriorityView, CorrectPatientView, WithdrawLabResultView
from cases.views.lab_import import LabImportView
from cases.views.macros import DeleteMacroView, MacroListView, MacroView
from cases.views.media import RadiographOriginalView, RadiographPixelsView, RadiographPreviewView
from cases.views.page import CaseView
from cases.views.reading import (
    AddLabResultView,
    AmendView,
    DiscardAmendmentView,
    FirstImpressionView,
    ReleaseView,
    ReviewView,
    SignView,
    VerdictView,
)
from cases.views.saved_filters import RemoveFilterView, SaveFilterView
from cases.views.upload import UploadView
from cases.views.worklist import WorklistView

__all__ = [
    "AddLabResultView",
    "AmendView",
    "CaseView",
    "ChangePriorityView",
    "ClaimNextView",
    "ClaimView",
    "CorrectPatientView",
    "DeleteMacroView",
    "DiscardAmendmentView",
    "FirstImpressionView",
    "LabImportView",
    "MacroListView",
    "MacroView",
    "RadiographOriginalView",
    "RadiographPixelsView",
    "RadiographPreviewView",
    "ReleaseView",
    "RemoveFilterView",
    "RenewClaimView",
    "ReviewView",
    "SaveFilterView",
    "SignView",
    "TakeOverView",
    "UploadView",
    "VerdictView",
    "WithdrawLabResultView",
    "WorklistView",
]
