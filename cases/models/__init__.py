from cases.models.batches import Batch, BatchItem
from cases.models.cases import AiStatus, Case, CasePriorityChange, CaseStatusChange, OrderArm, Priority, Stage
from cases.models.macros import Macro
from cases.models.patients import LabResult, Patient, PatientChange, Sex
from cases.models.radiographs import Radiograph
from cases.models.reviews import DisagreementReason, Review
from cases.models.saved_filters import SavedFilter

__all__ = [
    "AiStatus",
    "Batch",
    "BatchItem",
    "Case",
    "CasePriorityChange",
    "CaseStatusChange",
    "DisagreementReason",
    "LabResult",
    "Macro",
    "OrderArm",
    "Patient",
    "PatientChange",
    "Priority",
    "Radiograph",
    "Review",
    "SavedFilter",
    "Sex",
    "Stage",
]
