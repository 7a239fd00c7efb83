from cases.views.lab_import import LabImportView
from cases.views.media import RadiographOriginalView, RadiographPreviewView
from cases.views.page import CaseView
from cases.views.reading import (
    AddLabResultView,
    ClaimNextView,
    ClaimView,
    FirstImpressionView,
    ReleaseView,
    ReviewView,
    SignView,
)
from cases.views.upload import UploadView
from cases.views.worklist import WorklistView

__all__ = [
    "AddLabResultView",
    "CaseView",
    "ClaimNextView",
    "ClaimView",
    "FirstImpressionView",
    "LabImportView",
    "RadiographOriginalView",
    "RadiographPreviewView",
    "ReleaseView",
    "ReviewView",
    "SignView",
    "UploadView",
    "WorklistView",
]
