"""Which pipeline judges, and which ones can. Apart from ``catalogue``, so that web processes know no networks."""

from __future__ import annotations

import logging

from django.db import transaction

from inference.models import Pipeline
from portal.audit.models import Event
from portal.audit.services import record
from portal.errors import Conflict

logger = logging.getLogger(__name__)


class PipelineUnusable(Conflict):
    code = "pipeline_unusable"
    remedy = "Install its files again and wait until the workers have looked; the active pipeline goes on judging."


@transaction.atomic
def activate_pipeline(pipeline: Pipeline, *, actor, request=None) -> Pipeline:
    """Makes ``pipeline`` the one that judges; the one that did is retired. Runs that are queued already keep theirs.

    Args:
        pipeline: Any registered pipeline.
        actor: Who decided it; None for a command at the console. The audit trail keeps either.
        request: The HTTP request, if there is one.

    Raises:
        PipelineUnusable: The workers cannot open its files.
    """
    locked = {row.pk: row for row in Pipeline.objects.select_for_update().order_by("pk")}
    pipeline = locked[pipeline.pk]
    if pipeline.status == Pipeline.Status.ACTIVE:
        return pipeline
    if pipeline.fault:
        raise PipelineUnusable(f"The workers cannot use {pipeline}: {pipeline.fault}")
    Pipeline.objects.filter(status=Pipeline.Status.ACTIVE).update(status=Pipeline.Status.RETIRED)
    pipeline.status = Pipeline.Status.ACTIVE
    pipeline.save(update_fields=["status"])
    record(Event.ACTIVATED_PIPELINE, actor=actor, obj=pipeline, request=request, detail=str(pipeline))
    return pipeline


def note_fault(pipeline: Pipeline, fault: str) -> None:
    """Keeps why the workers cannot open the files of a pipeline, or with an empty sentence that they can."""
    fault = fault[: Pipeline._meta.get_field("fault").max_length]
    if Pipeline.objects.filter(pk=pipeline.pk).exclude(fault=fault).update(fault=fault):
        level = logging.CRITICAL if fault else logging.WARNING
        logger.log(level, "Pipeline %s: %s", pipeline, fault or "It can be used again.")


def alarms() -> list[str]:
    """For the health page: whether a pipeline that judges now has files that may not be opened."""
    faulty = Pipeline.objects.exclude(status=Pipeline.Status.RETIRED).exclude(fault="")
    return [PipelineUnusable.code] if faulty.exists() else []
