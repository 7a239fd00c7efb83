"""What a worker does with the queue: a lone image at once, of many images one batch beside the other.

Only worker processes load this module: it loads the models. The database is asked in the calling thread alone.
"""

from __future__ import annotations

import logging
import socket
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby

from django.conf import settings
from django.db import InterfaceError, OperationalError

from inference import services, stages
from inference.catalogue import pipeline_spec
from inference.errors import WeightsError
from inference.models import Pipeline, Run
from inference.outcomes import Failed, Refused, Subject
from inference.predictor import Predictor
from inference.services import StoredJudgement
from inference.stages import MODEL_FAILED, Kept, Obstacle, Setback
from inference.stub import StubPredictor
from inference.vigil import Heartbeat, departure
from portal.status import StaleStatus

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Bench:
    """A pipeline ready to judge, and the primary keys of its model versions by name."""

    predictor: Predictor | StubPredictor
    version_ids: dict[str, int]


@lru_cache(maxsize=4)
def _bench(pipeline_id: int) -> Bench:
    pipeline = Pipeline.objects.get(pk=pipeline_id)
    spec = pipeline_spec(pipeline)
    return Bench(
        Predictor(spec, engine_name=settings.ENGINE, batch_size=settings.WORKER_BATCH)
        if settings.INFERENCE_STUB_MS is None
        else StubPredictor(spec, settings.INFERENCE_STUB_MS),
        {version.key: version.pk for version in pipeline.members.select_related("network")},
    )


def warm_up() -> None:
    """Loads the active and shadow pipelines before the first case needs them."""
    for pipeline in Pipeline.objects.exclude(status=Pipeline.Status.RETIRED):
        try:
            _bench(pipeline.pk).predictor.warm_up()
        except WeightsError as error:
            logger.error("Pipeline %s cannot be used: %s", pipeline, error)
        else:
            logger.info("Pipeline %s is ready.", pipeline)


@dataclass
class Batch:
    """Runs of one pipeline, claimed together, and their images in the same order, read as they are asked for."""

    runs: list[Run]
    bench: Bench
    images: Iterator[Subject | Setback | Obstacle]


class Crew:
    """The threads beside the calling one, for a queue that is longer than one batch: two that read, one that judges."""

    def __init__(self, stack: ExitStack):
        self.readers, self.judge = (
            stack.enter_context(ThreadPoolExecutor(threads, task)) for task, threads in (("read", 2), ("judge", 1))
        )
        self.heartbeat = stack.enter_context(Heartbeat())


def work(seconds: float) -> int:
    """Claims, judges and records until the queue is empty; gives the number of runs.

    While a full batch is judged, the next one is claimed and read and the one before is recorded. What the queue has
    beyond that is judged in this thread: a lone image waits for no other thread and no statement on others' behalf.

    Args:
        seconds: Nothing more is claimed after this time; what has been claimed is brought to its end.
    """
    done = 0
    with ExitStack() as stack:
        crew = Crew(stack)
        claims = Claims(crew, until=time.monotonic() + seconds)
        batch, behind = claims.next(), None
        while batch:
            following = None
            if behind or claims.leave_more:
                judging = crew.judge.submit(_judge, batch)
                following = claims.next_beside_others()
                if behind:
                    _record(*behind)
                outcomes = judging.result()
            else:
                outcomes = _judge(batch)
            crew.heartbeat.moved()
            behind = batch.runs, outcomes
            done += len(batch.runs)
            if following is None:
                _record(*behind)
                behind, following = None, claims.next()
            batch = following
    return done


class Claims:
    """What this worker takes from the queue, batch by batch, each as large as the queue allows.

    A lone image never waits for company: a claim takes what is there, up to WORKER_BATCH.
    """

    def __init__(self, crew: Crew, until: float):
        self._crew, self._until = crew, until
        self._batches: deque[Batch] = deque()
        self._queue_has_more = False

    @property
    def leave_more(self) -> bool:
        """Whether there is probably something to do beside the batch that was given last."""
        return bool(self._batches) or self._queue_has_more

    def next(self) -> Batch | None:
        """For a worker that has nothing else on the way."""
        while not self._batches and self._claim(beside_others=False):
            pass  # the runs of a pipeline that cannot be used are given back
        return self._batches.popleft() if self._batches else None

    def next_beside_others(self) -> Batch | None:
        """Never a retry: should it kill the worker, nobody else's attempt is lost."""
        if not self._batches and self._queue_has_more:
            self._claim(beside_others=True)
        return self._batches.popleft() if self._batches else None

    def _claim(self, *, beside_others: bool) -> bool:
        """Whether there was something; its images begin to be read where there are several."""
        limit = settings.WORKER_BATCH
        self._queue_has_more = False
        if departure.is_asked or time.monotonic() >= self._until:
            return False
        claimed = services.claim_runs(limit=limit, worker=socket.gethostname(), beside_others=beside_others)
        if not claimed:
            return False
        self._queue_has_more = len(claimed) == limit and claimed[0].attempts == 1
        self._crew.heartbeat.moved(run.lease_token for run in claimed)
        for pipeline_id, group in groupby(sorted(claimed, key=_pipeline_id), key=_pipeline_id):
            self._prepare(pipeline_id, list(group))
        return True

    def _prepare(self, pipeline_id: int, runs: list[Run]) -> None:
        try:
            bench = _bench(pipeline_id)
        except WeightsError as error:
            logger.error("Pipeline %s cannot be used: %s", runs[0].pipeline, error)
            _give_back(runs, error.cause)
        else:
            read = map if len(runs) == 1 else self._crew.readers.map
            self._batches.append(Batch(runs, bench, read(stages.read, runs)))


def _pipeline_id(run: Run) -> int:
    return run.pipeline_id


def _judge(batch: Batch) -> list[Kept]:
    seen = stages.judge(batch.bench.predictor.predict, list(batch.images))
    return [stages.ready_to_record(one, batch.bench.version_ids) for one in seen]


def _record(runs: Sequence[Run], outcomes: Sequence[Kept]) -> None:
    """Records every outcome; one that cannot be recorded is a failed attempt of its own run only.

    Raises:
        OperationalError, InterfaceError: The database does not answer; the leases run out by themselves.
    """
    kept = dict(zip(runs, outcomes, strict=True))
    results = {run: outcome for run, outcome in kept.items() if isinstance(outcome, StoredJudgement | Refused)}
    try:
        for run in services.record_results(results):
            _log_lost(run)
    except (OperationalError, InterfaceError):
        raise
    except Exception:
        logger.exception("A batch of %d could not be recorded; its results are recorded one by one.", len(results))
        for run, outcome in results.items():
            _record_alone(run, outcome)
    for run in [run for run in runs if run not in results]:
        _settle(run, kept[run])


def _record_alone(run: Run, outcome: Kept) -> None:
    try:
        _settle(run, outcome)
    except (OperationalError, InterfaceError):
        raise
    except Exception:
        logger.exception("The result of %s could not be recorded.", run)
        _settle(run, Setback(MODEL_FAILED))


def _settle(run: Run, outcome: Kept) -> None:
    try:
        match outcome:
            case Refused(code, sentence):
                services.record_refusal(run, code=code, sentence=sentence)
            case Failed(_, sentence):
                services.record_failure(run, sentence, final=True)
            case Setback(reason):
                services.record_failure(run, reason, after_seconds=settings.RUN_LEASE_SECONDS * run.attempts)
            case Obstacle(reason):
                _give_back([run], reason)
            case _:
                services.record_prediction(run, outcome)
    except StaleStatus:
        _log_lost(run)


def _give_back(runs: Sequence[Run], reason: str) -> None:
    services.give_back(runs, reason, after_seconds=settings.RUN_LEASE_SECONDS / 4)


def _log_lost(run: Run) -> None:
    logger.warning("%s was taken over by another worker meanwhile; nothing was written.", run)
