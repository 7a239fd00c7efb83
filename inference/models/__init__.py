from inference.models.results import ClassProbability, Heatmap, MemberOutput, Prediction, Refusal
from inference.models.runs import Run, RunStatusChange
from inference.models.versions import ModelVersion, Network, Pipeline, PipelineMember

__all__ = [
    "ClassProbability",
    "Heatmap",
    "MemberOutput",
    "ModelVersion",
    "Network",
    "Pipeline",
    "PipelineMember",
    "Prediction",
    "Refusal",
    "Run",
    "RunStatusChange",
]
