from cases.models.batches import Batch, BatchItem
from cases.models.cases import AiStatus, Case, CaseStatusChange, Priority, Stage
from cases.models.macros import Macro
from cases.models.patients import LabResult, Patient, Sex
from cases.models.radiographs import Radiograph
from cases.models.reviews import DisagreementReason, Review

__all__ = [
    "AiStatus",
    "Batch",
    "BatchItem",
    "Case",
    "CaseStatusChange",
    "DisagreementReason",
    "LabResult",
    "Macro",
    "Patient",
    "Priority",
    "Radiograph",
    "Review",
    "Sex",
    "Stage",
]
