"""Which classes the pipelines know, for the pages and forms of cases."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain

from django.db.models import Exists, OuterRef, Q

from cases.models import Case
from inference.models import Pipeline, PipelineMember, Run


def classes_of(case: Case | None) -> Iterable[str]:
    """Class codes of the active pipeline, then of others that have judged ``case`` (or any), in the models' order.

    Shadow pipelines are left out: what they say is collected, not read.
    """
    runs = Run.objects.filter(pipeline=OuterRef("pipeline"))
    if case is not None:
        runs = runs.filter(radiograph__case=case)
    first_members = (  # all members of a pipeline have the same classes
        PipelineMember.objects.filter(position=0)
        .filter(Q(pipeline__status=Pipeline.Status.ACTIVE) | Exists(runs))
        .exclude(pipeline__status=Pipeline.Status.SHADOW)
        .order_by("pipeline__status", "-pipeline_id")  # "active" sorts before "retired"
    )
    return chain.from_iterable(first_members.values_list("model_version__labels", flat=True))
