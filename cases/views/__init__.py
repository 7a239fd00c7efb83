from cases.views.macros import DeleteMacroView, MacroListView, MacroView
from cases.views.media import RadiographOriginalView, RadiographPixelsView, RadiographPreviewView
from cases.views.page import CaseView
from cases.views.reading import (
    AddLabResultView,
    ClaimNextView,
    ClaimView,
    FirstImpressionView,
    ReleaseView,
    ReviewView,
    SignView,
    VerdictView,
)
from cases.views.upload import UploadView
from cases.views.worklist import WorklistView

__all__ = [
    "AddLabResultView",
    "CaseView",
    "ClaimNextView",
    "ClaimView",
    "DeleteMacroView",
    "FirstImpressionView",
    "MacroListView",
    "MacroView",
    "RadiographOriginalView",
    "RadiographPixelsView",
    "RadiographPreviewView",
    "ReleaseView",
    "ReviewView",
    "SignView",
    "UploadView",
    "VerdictView",
    "WorklistView",
]
