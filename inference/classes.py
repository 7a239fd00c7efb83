"""Which classes the pipelines know, for the pages and forms of cases."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain

from django.db.models import Exists, OuterRef, Q, Subquery

from cases.models import Case
from inference.models import Pipeline, PipelineMember, Run


def classes_of(case: Case | None) -> Iterable[str]:
    """Class codes of the active pipeline, then of others that have judged ``case`` (or any), in the models' order.

    Shadow pipelines are left out: what they say is collected, not read.
    """
    if case is None:
        judged = Q(pipeline=_first_that_judged_from("pipeline"))
    else:
        judged = Q(Exists(Run.objects.filter(pipeline=OuterRef("pipeline"), radiograph__case=case)))
    first_members = (  # all members of a pipeline have the same classes
        PipelineMember.objects.filter(position=0)
        .filter(Q(pipeline__status=Pipeline.Status.ACTIVE) | judged)
        .exclude(pipeline__status=Pipeline.Status.SHADOW)
        .order_by("pipeline__status", "-pipeline_id")  # "active" sorts before "retired"
    )
    return chain.from_iterable(first_members.values_list("model_version__labels", flat=True))


def _first_that_judged_from(pipeline: str) -> Subquery:
    """The key of this pipeline if it has a run, else of the next one that has: one look into the index.

    For EXISTS, PostgreSQL expects a row wherever it looks, and reads all runs for a pipeline that has none.
    """
    runs = Run.objects.filter(pipeline__gte=OuterRef(pipeline)).order_by("pipeline_id")
    return Subquery(runs.values("pipeline_id")[:1])
