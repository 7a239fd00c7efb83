"""The queue of runs: put in, claim with a lease, record once, give back what a lost worker left.

No model is called here and nothing heavy is imported: web processes and the reaper use this module.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q
from django.db.models.functions import Now

from cases import dispatch
from cases.models import AiStatus
from cases.summary import AiOutcome, show_ai_outcome
from inference.models import ClassProbability, Heatmap, MemberOutput, Pipeline, Prediction, Refusal, Run
from inference.outcomes import Doubt
from portal.audit.models import Event
from portal.audit.services import record
from portal.errors import Conflict
from portal.status import change_status

logger = logging.getLogger(__name__)

_AI_STATUS = {
    Run.Status.QUEUED: AiStatus.QUEUED,
    Run.Status.RUNNING: AiStatus.RUNNING,
    Run.Status.REFUSED: AiStatus.REFUSED,
    Run.Status.FAILED: AiStatus.FAILED,
}
_NO_LEASE = {"lease_token": None, "lease_expires_at": None}


@dataclass(frozen=True)
class StoredHeatmap:
    """A heatmap whose file is already in storage; ``name`` is empty where there is no usable map."""

    label: str
    name: str = ""
    sha256: str = ""


@dataclass(frozen=True)
class StoredMember:
    """One member's output, ready to be recorded. ``probabilities`` is in the order of ``labels``."""

    model_version_id: int
    weight: float
    labels: tuple[str, ...]
    probabilities: tuple[float, ...]
    heatmaps: tuple[StoredHeatmap, ...]


@dataclass(frozen=True)
class StoredJudgement:
    labels: tuple[str, ...]
    probabilities: tuple[float, ...]
    calibrated: bool
    members: tuple[StoredMember, ...]
    spread: float = 0.0
    doubt: Doubt = Doubt.NONE


def enqueue(radiograph) -> None:
    """Queues one run per active or shadow pipeline, in the transaction that stores the radiograph."""
    pipelines = Pipeline.objects.exclude(status=Pipeline.Status.RETIRED)
    Run.objects.bulk_create(
        [Run(radiograph=radiograph, pipeline=pipeline, priority=radiograph.case.priority) for pipeline in pipelines],
        ignore_conflicts=True,  # unique (radiograph, pipeline): queued once, whoever asks again
    )
    _show_on_case(radiograph.case_id)


def _show_on_case(case_id: int) -> None:
    show_ai_outcome(case_id, _outcomes)


def _outcomes(case_id: int) -> list[AiOutcome]:
    """Of each radiograph what the run says that stands for it."""
    return [_outcome(run) for run in Run.objects.filter(radiograph__case_id=case_id).by_radiograph().values()]


def _outcome(run: Run) -> AiOutcome:
    prediction = run.prediction
    if prediction is None:
        return AiOutcome(_AI_STATUS[Run.Status(run.status)])
    if prediction.is_indeterminate:
        return AiOutcome(AiStatus.INDETERMINATE)
    return AiOutcome(AiStatus.READY, prediction.label, prediction.probability)


@transaction.atomic
def claim_runs(*, limit: int, worker: str) -> list[Run]:
    """Takes up to ``limit`` queued runs, most urgent first, under one new lease; committed before any computing."""
    rows = Run.objects.queued().select_related("radiograph__case__facility", "radiograph__patient", "pipeline")
    if connection.features.has_select_for_update_skip_locked:
        rows = rows.select_for_update(skip_locked=True, of=("self",))
    token = uuid.uuid4()
    claimed = list(rows[:limit])
    for run in claimed:
        change_status(
            run,
            Run.Status.RUNNING,
            lease_token=token,
            lease_expires_at=Now() + timedelta(seconds=settings.RUN_LEASE_SECONDS),
            attempts=run.attempts + 1,
            started_at=Now(),
            worker=worker[:100],
        )
    for case_id in sorted({run.radiograph.case_id for run in claimed}):
        _show_on_case(case_id)
    return claimed


def _finish(run: Run, status: str, *, reason: str = "", **outcome) -> None:
    """Ends a run if its lease is still ours. Raises StaleStatus if it is not, and the transaction is undone."""
    mine = Q(lease_token=run.lease_token)
    change_status(run, status, reason=reason, only_if=mine, finished_at=Now(), **_NO_LEASE, **outcome)
    _show_on_case(run.radiograph.case_id)


@transaction.atomic
def record_prediction(run: Run, judgement: StoredJudgement) -> None:
    """Writes a prediction with its members and heatmaps and ends the run, all or nothing.

    Raises:
        StaleStatus: The lease was lost meanwhile; somebody else judges this image, and nothing is written.
    """
    best = max(range(len(judgement.labels)), key=judgement.probabilities.__getitem__)
    prediction = Prediction.objects.create(
        label=judgement.labels[best],
        probability=judgement.probabilities[best],
        is_calibrated=judgement.calibrated,
        spread=judgement.spread,
        indeterminate_reason=judgement.doubt.value,
    )
    probabilities = _probabilities(prediction, None, judgement.labels, judgement.probabilities)
    for position, member in enumerate(judgement.members):
        output = MemberOutput.objects.create(
            prediction=prediction, model_version_id=member.model_version_id, position=position, weight=member.weight
        )
        probabilities += _probabilities(prediction, output, member.labels, member.probabilities)
        Heatmap.objects.bulk_create(
            Heatmap(member=output, label=map.label, image=map.name, sha256=map.sha256, is_usable=bool(map.name))
            for map in member.heatmaps
        )
    ClassProbability.objects.bulk_create(probabilities)
    _finish(run, Run.Status.SUCCEEDED, prediction=prediction)


def _probabilities(prediction, member, labels: Sequence[str], values: Sequence[float]) -> list[ClassProbability]:
    return [
        ClassProbability(prediction=prediction, member=member, label=label, position=position, value=value)
        for position, (label, value) in enumerate(zip(labels, values, strict=True))
    ]


@transaction.atomic
def record_refusal(run: Run, *, code: str, sentence: str) -> None:
    """Ends a run whose image should not be judged. Raises StaleStatus like ``record_prediction``."""
    refusal = Refusal.objects.create(code=code, sentence=sentence)
    _finish(run, Run.Status.REFUSED, reason=code, refusal=refusal)


@transaction.atomic
def record_failure(run: Run, reason: str, *, final: bool = False) -> None:
    """Gives a run back to the queue after a failed attempt; the last attempt, or a ``final`` failure, ends it.

    Args:
        run: A run under our lease.
        reason: One sentence for the reader; nothing of the machine.
        final: Trying again cannot help (a damaged file, a model that answers NaN).
    """
    if final or run.attempts >= settings.RUN_MAX_ATTEMPTS:
        _finish(run, Run.Status.FAILED, reason=reason, failure_reason=reason)
        return
    change_status(
        run, Run.Status.QUEUED, reason=reason, only_if=Q(lease_token=run.lease_token), started_at=None, **_NO_LEASE
    )
    _show_on_case(run.radiograph.case_id)


@transaction.atomic
def return_abandoned_runs() -> int:
    """Returns runs whose lease has passed to the queue, or fails them after their last attempt; gives their number."""
    rows = Run.objects.abandoned().select_related("radiograph")
    if connection.features.has_select_for_update_skip_locked:
        rows = rows.select_for_update(skip_locked=True, of=("self",))
    runs = list(rows.order_by("radiograph__case_id", "id"))
    for run in runs:
        record_failure(run, "The worker stopped while it was judging this image.")
    return len(runs)


def queued_longer_than(seconds: float) -> bool:
    """Whether a run has waited longer than ``seconds``: its wake-up message may be lost."""
    return Run.objects.queued().filter(queued_at__lt=Now() - timedelta(seconds=seconds)).exists()


@transaction.atomic
def retry_run(run: Run, *, actor, request=None) -> None:
    """Queues a failed run again with a fresh count of attempts.

    Raises:
        Conflict: The run has not failed.
    """
    if run.status != Run.Status.FAILED:
        raise Conflict("Only a failed run can be retried.")
    change_status(
        run,
        Run.Status.QUEUED,
        actor=actor,
        reason="Retried.",
        attempts=0,
        failure_reason="",
        finished_at=None,
        queued_at=Now(),
    )
    _show_on_case(run.radiograph.case_id)
    record(Event.RETRIED_RUN, actor=actor, obj=run, request=request)
    transaction.on_commit(dispatch.wake_workers, robust=True)
