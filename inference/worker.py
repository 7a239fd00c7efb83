"""What a worker does with the runs it has claimed. Only worker processes load this module: it loads the models."""

from __future__ import annotations

import io
import logging
import socket
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import groupby

import numpy as np
from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import InterfaceError, OperationalError
from PIL import Image

from cases.models import Radiograph
from cases.storage import StorageError, heatmap_name, read_verified
from inference import services
from inference.catalogue import pipeline_spec
from inference.errors import WeightsError
from inference.models import ModelVersion, Pipeline, Run
from inference.outcomes import Failed, Judgement, MemberOutput, Refused, Subject
from inference.overlay import colourise
from inference.predictor import Predictor
from portal.status import StaleStatus

logger = logging.getLogger(__name__)

UNREADABLE = "The stored image cannot be read; a manual read is needed."
MODEL_FAILED = "The models could not judge this image; a manual read is needed."


@lru_cache(maxsize=4)
def _predictor(pipeline_id: int) -> Predictor:
    return Predictor(pipeline_spec(Pipeline.objects.get(pk=pipeline_id)), engine_name=settings.ENGINE)


def warm_up() -> None:
    """Loads the active and shadow pipelines before the first case needs them."""
    for pipeline in Pipeline.objects.exclude(status=Pipeline.Status.RETIRED):
        try:
            _predictor(pipeline.pk).warm_up()
        except WeightsError as error:
            logger.error("Pipeline %s cannot be used: %s", pipeline, error)
        else:
            logger.info("Pipeline %s is ready.", pipeline)


def work_once() -> int:
    """Claims one batch, judges it and records every outcome; gives the number of runs claimed."""
    runs = services.claim_runs(limit=settings.WORKER_BATCH, worker=socket.gethostname())
    for _, group in groupby(sorted(runs, key=lambda run: run.pipeline_id), key=lambda run: run.pipeline_id):
        _process(list(group))
    return len(runs)


def _process(runs: Sequence[Run]) -> None:
    """Judges runs of one pipeline as one batch; what goes wrong with one image stays with that image."""
    loaded = [(run, subject) for run in runs if (subject := _loaded(run)) is not None]
    if not loaded:
        return
    try:
        outcomes = _predictor(loaded[0][0].pipeline_id).predict([subject for _, subject in loaded])
    except WeightsError as error:
        logger.error("Pipeline %s cannot be used: %s", loaded[0][0].pipeline, error)
        for run, _ in loaded:
            _settle(run, services.record_failure, error.cause)
    except Exception:
        if len(loaded) > 1:
            logger.exception("A batch of %d failed; its images are judged one by one.", len(loaded))
            for run, _ in loaded:
                _process([run])
        else:
            logger.exception("%s failed.", loaded[0][0])
            _settle(loaded[0][0], services.record_failure, MODEL_FAILED)
    else:
        for (run, _), outcome in zip(loaded, outcomes, strict=True):
            _record(run, outcome)


def _record(run: Run, outcome: Judgement | Refused | Failed) -> None:
    """Records one outcome; one that cannot be recorded, as on a full disk, is a failed attempt of its own run only."""
    try:
        _settle(run, _record_outcome, outcome)
    except (OperationalError, InterfaceError):
        raise  # the database does not answer: there is nothing to write to, and the leases run out by themselves
    except StorageError as error:
        logger.error("%s: %s", run, error.cause)
        _settle(run, services.record_failure, error.cause)
    except Exception:
        logger.exception("The result of %s could not be recorded.", run)
        _settle(run, services.record_failure, MODEL_FAILED)


def _settle(run: Run, record: Callable[..., None], *what) -> None:
    try:
        record(run, *what)
    except StaleStatus:
        logger.warning("%s was taken over by another worker meanwhile; nothing was written.", run)


def _loaded(run: Run) -> Subject | None:
    """The image of a run; a run whose image cannot be read is given back or failed, and there is nothing to judge."""
    try:
        return _subject(run.radiograph)
    except StorageError as error:
        logger.error("%s: %s", run, error.cause)
        _settle(run, services.record_failure, error.cause)
    except Exception:
        logger.exception("The image of %s cannot be read.", run)
        _settle(run, services.record_failure, UNREADABLE)
    return None


def _subject(radiograph: Radiograph) -> Subject:
    png = read_verified(str(radiograph.preview), radiograph.preview_sha256)
    taken = (radiograph.acquired_at or radiograph.received_at).date()
    age = radiograph.age_years
    return Subject(
        pixels=np.asarray(Image.open(io.BytesIO(png)).convert("L")),
        view_position=radiograph.view_position,
        body_part=radiograph.body_part,
        age_years=age if age is not None else radiograph.patient.age_on(taken),
        colour_saturation=radiograph.colour_saturation,
    )


def _record_outcome(run: Run, outcome: Judgement | Refused | Failed) -> None:
    match outcome:
        case Refused(code, sentence):
            services.record_refusal(run, code=code, sentence=sentence)
        case Failed(_, sentence):
            services.record_failure(run, sentence, final=True)
        case Judgement():
            services.record_prediction(run, _stored(run, outcome))


def _stored(run: Run, judgement: Judgement) -> services.StoredJudgement:
    registered = ModelVersion.objects.filter(pipelines=run.pipeline).select_related("network")
    versions = {version.key: version.pk for version in registered}
    return services.StoredJudgement(
        labels=judgement.labels,
        probabilities=tuple(float(value) for value in judgement.probabilities),
        calibrated=judgement.calibrated,
        members=tuple(
            _stored_member(run.radiograph, versions[member.spec.name], member) for member in judgement.members
        ),
        spread=judgement.spread,
        doubt=judgement.doubt,
    )


def _stored_member(radiograph: Radiograph, model_version_id: int, member: MemberOutput) -> services.StoredMember:
    return services.StoredMember(
        model_version_id=model_version_id,
        weight=member.weight,
        labels=member.spec.labels,
        probabilities=tuple(float(value) for value in member.probabilities),
        heatmaps=tuple(_stored_heatmap(radiograph, map) for map in member.heatmaps.values()),
    )


def _stored_heatmap(radiograph: Radiograph, heatmap) -> services.StoredHeatmap:
    if not heatmap.usable:
        return services.StoredHeatmap(heatmap.label)
    png = colourise(heatmap.values, radiograph.columns, radiograph.rows)
    name, sha256 = heatmap_name(radiograph.case.facility.uid, png)
    default_storage.save(name, ContentFile(png))
    return services.StoredHeatmap(heatmap.label, name, sha256)
