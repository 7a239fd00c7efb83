"""Which pipeline judges. Apart from ``catalogue``, so that web processes need not know how networks are built."""

from __future__ import annotations

from django.db import transaction

from inference.models import Pipeline
from portal.audit.models import Event
from portal.audit.services import record


@transaction.atomic
def activate_pipeline(pipeline: Pipeline, *, actor, request=None) -> Pipeline:
    """Makes ``pipeline`` the one that judges; the one that did is retired. Runs that are queued already keep theirs.

    Args:
        pipeline: Any registered pipeline.
        actor: Who decided it; None for a command at the console. The audit trail keeps either.
        request: The HTTP request, if there is one.
    """
    locked = {row.pk: row for row in Pipeline.objects.select_for_update().order_by("pk")}
    pipeline = locked[pipeline.pk]
    if pipeline.status == Pipeline.Status.ACTIVE:
        return pipeline
    Pipeline.objects.filter(status=Pipeline.Status.ACTIVE).update(status=Pipeline.Status.RETIRED)
    pipeline.status = Pipeline.Status.ACTIVE
    pipeline.save(update_fields=["status"])
    record(Event.ACTIVATED_PIPELINE, actor=actor, obj=pipeline, request=request, detail=str(pipeline))
    return pipeline
