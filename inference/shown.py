"""What the rows of cases show of their runs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence

from django.db.models import OuterRef, Subquery

from cases.labels import REASSURING
from cases.models import AiStatus
from cases.summary import AiOutcome, show_ai_outcomes
from inference.models import ClassProbability, Pipeline, Run

_AI_STATUS = {
    Run.Status.QUEUED: AiStatus.QUEUED,
    Run.Status.RUNNING: AiStatus.RUNNING,
    Run.Status.REFUSED: AiStatus.REFUSED,
    Run.Status.FAILED: AiStatus.FAILED,
}
_CONCLUSION = (
    "status",
    "prediction__label",
    "prediction__probability",
    "prediction__indeterminate_reason",
    "refusal__sentence",
    "failure_reason",
    "normal",
)


def show_on_cases(runs: Iterable[Run]) -> None:
    show_cases({run.radiograph.case_id for run in runs})


def show_cases(case_ids: Iterable[int]) -> None:
    show_ai_outcomes(case_ids, _outcomes)


def show_running_on_cases(runs: Sequence[Run]) -> None:
    """Beside an image that the active pipeline is judging, the other images of a case need not be looked at."""
    decisive = [run for run in runs if run.pipeline.status == Pipeline.Status.ACTIVE]
    running = [AiOutcome(AiStatus.RUNNING)]
    show_ai_outcomes({run.radiograph.case_id for run in decisive}, lambda case_ids: dict.fromkeys(case_ids, running))
    if others := [run for run in runs if run.pipeline.status != Pipeline.Status.ACTIVE]:
        show_on_cases(others)


def _outcomes(case_ids: Collection[int]) -> dict[int, list[AiOutcome]]:
    """By case, of each radiograph what the run says that stands for it."""
    normal = ClassProbability.objects.filter(prediction=OuterRef("prediction"), member=None, label=REASSURING)
    runs = Run.objects.filter(radiograph__case__in=case_ids).decisive_first()
    runs = runs.annotate(normal=Subquery(normal.values("value")))
    seen, outcomes = set(), defaultdict(list)
    for case_id, radiograph_id, *said in runs.values_list("radiograph__case_id", "radiograph_id", *_CONCLUSION):
        if radiograph_id not in seen:
            seen.add(radiograph_id)
            outcomes[case_id].append(_outcome(*said))
    return outcomes


def _outcome(
    status: str,
    label: str | None,
    probability: float | None,
    doubt: str | None,
    refusal: str | None,
    failure: str,
    normal: float | None,
) -> AiOutcome:
    if label is None:
        return AiOutcome(_AI_STATUS[Run.Status(status)], reason=refusal or failure)
    if doubt:
        return AiOutcome(AiStatus.INDETERMINATE)
    return AiOutcome(AiStatus.READY, label, probability, suspicion=1 - (normal or 0.0))
