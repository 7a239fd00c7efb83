"""What a worker does with the queue: several batches on the way at once, one read, one judged, others recorded.

Only worker processes load this module: it loads the models. The database is asked in the calling thread alone.
"""

from __future__ import annotations

import logging
import socket
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
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
from inference.stages import MODEL_FAILED, Drawn, Kept, Obstacle, Setback
from inference.stub import StubPredictor
from inference.vigil import Heartbeat, departure
from portal.status import StaleStatus

logger = logging.getLogger(__name__)

_BATCHES_BEHIND = 2  # judged and not recorded yet, at most


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
    """Runs of one pipeline, claimed together, and their images as they are being read."""

    runs: list[Run]
    bench: Bench
    images: list[Future[Subject | Setback | Obstacle]]

    @property
    def is_retry(self) -> bool:
        """Whether an attempt has failed before, perhaps because the image killed its worker."""
        return self.runs[0].attempts > 1


class Crew:
    """The threads beside the calling one: two that read, one that judges, two that draw, one that stores."""

    def __init__(self, stack: ExitStack):
        self.readers, self.judge, self.drawers, self.keeper = (
            stack.enter_context(ThreadPoolExecutor(threads, task))
            for task, threads in (("read", 2), ("judge", 1), ("draw", 2), ("keep", 1))
        )
        self.heartbeat = stack.enter_context(Heartbeat())


def work(seconds: float) -> int:
    """Claims, judges and records until the queue is empty; gives the number of runs.

    Args:
        seconds: Nothing more is claimed after this time; what has been claimed is brought to its end.
    """
    until = time.monotonic() + seconds
    done = 0
    with ExitStack() as stack:
        crew = Crew(stack)
        while count := _work_through(_batches(crew, until), crew):
            done += count  # and look again: a failed attempt has put its run back
    return done


def _work_through(batches: Iterator[Batch], crew: Crew) -> int:
    """Judge and record all batches: while one is judged, the next is read and those before are stored and recorded.

    A retry has the worker to itself: should it kill it, nobody else's attempt is lost.
    """
    done = 0
    judged: deque[tuple[list[Run], Future[list[Kept]]]] = deque()
    batch = next(batches, None)
    while batch:
        if batch.is_retry:
            _record_all(judged)
        judging = crew.judge.submit(_judge, batch)
        following = None if batch.is_retry else next(batches, None)
        while judged and (judged[0][1].done() or len(judged) == _BATCHES_BEHIND):
            _record(*judged.popleft())
        pairs = zip(batch.runs, judging.result(), strict=True)
        drawn = [crew.drawers.submit(stages.draw, *pair, batch.bench.version_ids) for pair in pairs]
        judged.append((batch.runs, crew.keeper.submit(_keep, drawn)))
        crew.heartbeat.moved()
        done += len(batch.runs)
        batch = following or next(batches, None)
    _record_all(judged)
    return done


def _record_all(judged: deque[tuple[list[Run], Future[list[Kept]]]]) -> None:
    while judged:
        _record(*judged.popleft())


def _batches(crew: Crew, until: float) -> Iterator[Batch]:
    """Claim batch after batch, each as large as the queue allows, and begin to read their images.

    A lone image never waits for company: a claim takes what is there, up to WORKER_BATCH.
    """
    while (
        time.monotonic() < until
        and not departure.is_asked
        and (claimed := services.claim_runs(limit=settings.WORKER_BATCH, worker=socket.gethostname()))
    ):
        crew.heartbeat.moved(run.lease_token for run in claimed)
        for pipeline_id, group in groupby(sorted(claimed, key=_pipeline_id), key=_pipeline_id):
            runs = list(group)
            try:
                bench = _bench(pipeline_id)
            except WeightsError as error:
                logger.error("Pipeline %s cannot be used: %s", runs[0].pipeline, error)
                for run in runs:
                    _settle(run, Setback(error.cause))
            else:
                yield Batch(runs, bench, [crew.readers.submit(stages.read, run) for run in runs])


def _pipeline_id(run: Run) -> int:
    return run.pipeline_id


def _judge(batch: Batch) -> list[stages.Seen]:
    return stages.judge(batch.bench.predictor.predict, [image.result() for image in batch.images])


def _keep(drawn: list[Future[Drawn]]) -> list[Kept]:
    return stages.keep([one.result() for one in drawn])


def _record(runs: list[Run], outcomes: Future[list[Kept]]) -> None:
    """Records every outcome; one that cannot be recorded is a failed attempt of its own run only.

    Raises:
        OperationalError, InterfaceError: The database does not answer; the leases run out by themselves.
    """
    kept = dict(zip(runs, outcomes.result(), strict=True))
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
                services.record_failure(run, reason)
            case Obstacle(reason):
                services.give_back([run], reason, after_seconds=settings.RUN_LEASE_SECONDS / 4)
            case _:
                services.record_prediction(run, outcome)
    except StaleStatus:
        _log_lost(run)


def _log_lost(run: Run) -> None:
    logger.warning("%s was taken over by another worker meanwhile; nothing was written.", run)
