"""The queue of runs: put in, claim with a lease, record once, give back what a lost worker left.

No model is called here and nothing heavy is imported: web processes and the reaper use this module.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Case as Choice
from django.db.models import F, Model, Q, Value, When
from django.db.models.functions import Now

from cases import dispatch
from cases.summary import show_queued
from inference.models import ClassProbability, Heatmap, MemberOutput, Pipeline, Prediction, Refusal, Run
from inference.outcomes import Doubt, Refused
from inference.shown import show_cases, show_on_cases, show_running_on_cases
from portal.audit.models import Event
from portal.audit.services import record
from portal.errors import Conflict
from portal.status import StaleStatus, change_status, change_statuses

logger = logging.getLogger(__name__)

_NO_LEASE = {"lease_token": None, "lease_expires_at": None}


@dataclass(frozen=True)
class StoredHeatmap:
    """A heatmap as ``inference.heatmaps.packed`` has packed it; ``cells`` is empty where there is no usable map."""

    label: str
    cells: bytes = b""
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
        [
            Run(
                radiograph=radiograph,
                pipeline=pipeline,
                priority=radiograph.case.priority,
                queued_at=Now(),
                due_at=Now(),
            )
            for pipeline in pipelines
        ],
        ignore_conflicts=True,  # unique (radiograph, pipeline): queued once, whoever asks again
    )
    if any(pipeline.status == Pipeline.Status.ACTIVE for pipeline in pipelines):
        show_queued(radiograph.case_id)
    else:
        show_cases([radiograph.case_id])


@transaction.atomic
def claim_runs(*, limit: int, worker: str, beside_others: bool = False) -> list[Run]:
    """Takes up to ``limit`` queued runs, most urgent first, under one new lease; committed before any computing.

    A run that was tried before is taken alone: an image that kills its worker must not use up the attempts of others.

    Args:
        limit: Runs at most.
        worker: Who takes them.
        beside_others: The worker has other runs on the way: where one that was tried before is next, it takes nothing.
    """
    rows = Run.objects.queued().with_what_workers_need().select_for_update(skip_locked=True, of=("self",))
    queued = list(rows[:limit])
    if queued and queued[0].attempts:
        claimed = [] if beside_others else queued[:1]
    else:
        claimed = [run for run in queued if not run.attempts]
    if not claimed:
        return []
    _commit_without_waiting_for_the_disk()
    change_statuses(
        claimed,
        Run.Status.RUNNING,
        lease_token=uuid.uuid4(),
        lease_expires_at=Now() + timedelta(seconds=settings.RUN_LEASE_SECONDS),
        attempts=claimed[0].attempts + 1,
        started_at=Now(),
        worker=worker[:100],
    )
    show_running_on_cases(claimed)
    return claimed


def _commit_without_waiting_for_the_disk() -> None:
    """For a claim: where a crash of PostgreSQL undoes it, the run is queued again and its worker records nothing."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL synchronous_commit = off")


def _finish(runs: Sequence[Run], status: str, *, reason: str = "", **outcome) -> None:
    """Ends runs if their leases are still ours. Raises StaleStatus if one is not, and the transaction is undone."""
    mine = Q(lease_token__in={run.lease_token for run in runs})
    change_statuses(runs, status, reason=reason, only_if=mine, finished_at=Now(), **_NO_LEASE, **outcome)


def record_results(results: Mapping[Run, StoredJudgement | Refused]) -> list[Run]:
    """Ends runs with a prediction or a refusal each, in one transaction and about a dozen statements for all of them.

    Returns:
        The runs whose lease was lost meanwhile: somebody else judges their images, and nothing is written for them.

    Raises:
        Exception: A result cannot be stored, and nothing is. Recorded one by one, only that one fails.
    """
    known = [(run, run.status, run.lease_token) for run in results]
    try:
        return _recorded(results)
    except BaseException:
        for run, status, token in known:  # as the database has them again, to be recorded one by one
            run.status, run.lease_token = status, token
        raise


@transaction.atomic
def _recorded(results: Mapping[Run, StoredJudgement | Refused]) -> list[Run]:
    mine = _still_mine(results)
    judged = {run: result for run in mine if isinstance(result := results[run], StoredJudgement)}
    refused = {run: result for run in mine if isinstance(result := results[run], Refused)}
    if judged:
        _record_predictions(judged)
    if refused:
        _record_refusals(refused)
    show_on_cases(mine)
    return [run for run in results if run not in mine]


def _still_mine(runs: Iterable[Run]) -> list[Run]:
    """The runs that are still under the lease under which they were claimed; their rows are locked from here on."""
    leased = Run.objects.filter(pk__in=[run.pk for run in runs], status=Run.Status.RUNNING).order_by("pk")
    tokens = dict(leased.select_for_update().values_list("pk", "lease_token"))
    return [run for run in runs if run.lease_token is not None and tokens.get(run.pk) == run.lease_token]


def _record_predictions(judged: Mapping[Run, StoredJudgement]) -> None:
    """Writes predictions with their members, probabilities and heatmaps, and ends their runs."""
    predictions = {run: _prediction(judgement) for run, judgement in judged.items()}
    outputs, probabilities, heatmaps = [], [], []
    for run, judgement in judged.items():
        prediction = predictions[run]
        probabilities += _probabilities(prediction, None, judgement.labels, judgement.probabilities)
        for position, member in enumerate(judgement.members):
            output = MemberOutput(
                prediction=prediction, model_version_id=member.model_version_id, position=position, weight=member.weight
            )
            outputs.append(output)
            probabilities += _probabilities(prediction, output, member.labels, member.probabilities)
            heatmaps += [
                Heatmap(member=output, label=map.label, cells=map.cells, sha256=map.sha256, is_usable=bool(map.cells))
                for map in member.heatmaps
            ]
    Prediction.objects.bulk_create(predictions.values())
    MemberOutput.objects.bulk_create(outputs)
    ClassProbability.objects.bulk_create(probabilities)
    Heatmap.objects.bulk_create(heatmaps)
    _finish(list(judged), Run.Status.SUCCEEDED, prediction=_each(predictions))
    for run, prediction in predictions.items():
        run.prediction = prediction


def _prediction(judgement: StoredJudgement) -> Prediction:
    best = max(range(len(judgement.labels)), key=judgement.probabilities.__getitem__)
    return Prediction(
        label=judgement.labels[best],
        probability=judgement.probabilities[best],
        is_calibrated=judgement.calibrated,
        spread=judgement.spread,
        indeterminate_reason=judgement.doubt.value,
    )


def _probabilities(prediction, member, labels: Sequence[str], values: Sequence[float]) -> list[ClassProbability]:
    return [
        ClassProbability(prediction=prediction, member=member, label=label, position=position, value=value)
        for position, (label, value) in enumerate(zip(labels, values, strict=True))
    ]


def _record_refusals(refused: Mapping[Run, Refused]) -> None:
    """Writes refusals and ends their runs."""
    refusals = {run: Refusal(code=said.code, sentence=said.sentence) for run, said in refused.items()}
    Refusal.objects.bulk_create(refusals.values())
    for code in {refusal.code for refusal in refusals.values()}:
        same = {run: refusal for run, refusal in refusals.items() if refusal.code == code}
        _finish(list(same), Run.Status.REFUSED, reason=code, refusal=_each(same))
    for run, refusal in refusals.items():
        run.refusal = refusal


def _each(values: Mapping[Run, Model]) -> Choice:
    """A column that gets another row for each run."""
    return Choice(*(When(pk=run.pk, then=Value(value.pk)) for run, value in values.items()))


def record_prediction(run: Run, judgement: StoredJudgement) -> None:
    """Writes a prediction with its members and heatmaps and ends the run, all or nothing.

    Raises:
        StaleStatus: The lease was lost meanwhile; somebody else judges this image, and nothing is written.
    """
    _record_alone(run, judgement)


def record_refusal(run: Run, *, code: str, sentence: str) -> None:
    """Ends a run whose image should not be judged. Raises StaleStatus like ``record_prediction``."""
    _record_alone(run, Refused(code, sentence))


def _record_alone(run: Run, result: StoredJudgement | Refused) -> None:
    if record_results({run: result}):
        raise StaleStatus("This run has been taken over by another worker in the meantime.")


@transaction.atomic
def record_failure(run: Run, reason: str, *, final: bool = False, after_seconds: float = 0) -> None:
    """Gives a run back to the queue after a failed attempt; the last attempt, or a ``final`` failure, ends it.

    Args:
        run: A run under our lease.
        reason: One sentence for the reader; nothing of the machine.
        final: Trying again cannot help (a damaged file, a model that answers NaN).
        after_seconds: Nobody claims it before.
    """
    if final or run.attempts >= settings.RUN_MAX_ATTEMPTS:
        _finish([run], Run.Status.FAILED, reason=reason, failure_reason=reason)
    else:
        change_status(
            run,
            Run.Status.QUEUED,
            reason=reason,
            only_if=Q(lease_token=run.lease_token),
            started_at=None,
            due_at=Now() + timedelta(seconds=after_seconds),
            **_NO_LEASE,
        )
    show_on_cases([run])


@transaction.atomic
def give_back(runs: Iterable[Run], reason: str, *, after_seconds: float = 0) -> None:
    """Queues runs under our lease again as if they had not been tried: what stopped us is not the fault of the images.

    Args:
        runs: Claimed and not finished; those that somebody else has taken over are left alone.
        reason: Kept in the history.
        after_seconds: Nobody claims them before.
    """
    mine = _still_mine(runs)
    if not mine:
        return
    change_statuses(
        mine,
        Run.Status.QUEUED,
        reason=reason,
        attempts=F("attempts") - 1,
        started_at=None,
        due_at=Now() + timedelta(seconds=after_seconds),
        **_NO_LEASE,
    )
    show_on_cases(mine)


def give_back_leases(tokens: Collection[uuid.UUID], reason: str) -> None:
    """Gives back whatever is still running under one of these leases."""
    running = Run.objects.filter(status=Run.Status.RUNNING, lease_token__in=tokens)
    give_back(running.select_related("radiograph"), reason)


@transaction.atomic
def return_abandoned_runs() -> int:
    """Returns runs whose lease has passed to the queue, or fails them after their last attempt; gives their number.

    They may be claimed at once: the lease was wait enough.
    """
    rows = Run.objects.abandoned().select_related("radiograph").select_for_update(skip_locked=True, of=("self",))
    runs = list(rows.order_by("radiograph__case_id", "id"))
    for run in runs:
        record_failure(run, "The worker stopped while it was judging this image.")
    return len(runs)


@transaction.atomic
def extend_leases(tokens: Collection[uuid.UUID]) -> int:
    """Gives runs that are under one of these leases a whole lease from now; returns their number.

    A run whose row is locked is passed over: it is being recorded, and needs no lease any more.
    """
    mine = Run.objects.filter(status=Run.Status.RUNNING, lease_token__in=tokens).select_for_update(skip_locked=True)
    return Run.objects.filter(pk__in=[run.pk for run in mine.only("pk")]).update(
        lease_expires_at=Now() + timedelta(seconds=settings.RUN_LEASE_SECONDS)
    )


def queue_stands_still(seconds: float) -> bool:
    """Whether a run has waited longer than ``seconds`` while none was claimed and none is under a lease."""
    since = Now() - timedelta(seconds=seconds)
    moving = Q(started_at__gte=since) | Q(status=Run.Status.RUNNING, lease_expires_at__gte=Now())
    return queued_longer_than(seconds) and not Run.objects.filter(moving).exists()


def needs_waking(seconds: float) -> bool:
    """Whether a run waits of which no worker hears: it waits longer than ``seconds``, or was put off until now."""
    put_off = Run.objects.queued().filter(due_at__gt=F("queued_at"))  # what was queued again has no message of its own
    return put_off.exists() or queued_longer_than(seconds)


def queued_longer_than(seconds: float) -> bool:
    """Whether a run that could be claimed has waited longer than ``seconds``: its wake-up message may be lost."""
    return Run.objects.queued().filter(due_at__lt=Now() - timedelta(seconds=seconds)).exists()


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
        due_at=Now(),
    )
    show_on_cases([run])
    record(Event.RETRIED_RUN, actor=actor, obj=run, request=request)
    dispatch.wake_workers_on_commit()
