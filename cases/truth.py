"""Which lab result is the truth of a case: the later test that the AI's and the reader's conclusion is held against.

The rule stands here twice, for rows in hand and for a query, and a test holds the two against each other.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta

from django.db.models import Case as Choice
from django.db.models import F, OuterRef, Subquery, Value, When
from django.db.models.functions import TruncDate
from django.utils import timezone

from cases.labels import COVID
from cases.models import Case, LabResult

DAYS_BEFORE, DAYS_AFTER = timedelta(days=3), timedelta(days=7)
"""How far from the day on which a case came in a test still speaks of the same illness."""

KINDS = (LabResult.Kind.RT_PCR, LabResult.Kind.ANTIGEN)
"""In this order: an antigen test decides only where there is no RT-PCR. An antibody tells of an earlier illness too."""

RESULTS = (LabResult.Result.POSITIVE, LabResult.Result.NEGATIVE)
"""In this order where two are equally near: tests miss the disease far more often than they invent it."""

RULE = (
    f"The RT-PCR collected nearest to the day on which the case came in, from {DAYS_BEFORE.days} days before to "
    f"{DAYS_AFTER.days} days after it; without one, the nearest antigen test of those days. Of two equally near ones a "
    "positive one decides. Antibody tests, indeterminate and withdrawn results do not count."
)


def truth_of(case: Case, lab_results: Iterable[LabResult]) -> LabResult | None:
    """The one of the patient's lab results that counts for this case; None where none does."""
    day = timezone.localdate(case.received_at)
    return min((one for one in lab_results if _counts(one, day)), key=lambda one: _rank(one, day), default=None)


def agrees(lab: LabResult, label: str) -> bool:
    """Whether a conclusion says what this test says: positive and COVID-19, or negative and anything else."""
    return (lab.result == LabResult.Result.POSITIVE) == (label == COVID)


def _counts(lab: LabResult, day: date) -> bool:
    if lab.is_withdrawn or lab.kind not in KINDS or lab.result not in RESULTS:
        return False
    return day - DAYS_BEFORE <= lab.collected_on <= day + DAYS_AFTER


def _rank(lab: LabResult, day: date) -> tuple:
    nearness = abs(lab.collected_on - day)
    return KINDS.index(lab.kind), nearness, RESULTS.index(lab.result), lab.collected_on


def truth_result(case: str = "pk") -> Subquery:
    """The result of ``truth_of``, or NULL, as an annotation; ``case`` names the row's case.

    The case is joined a second time inside: SQLite knows no outer column where a subquery is put in order.
    """
    day, collected = TruncDate("patient__cases__received_at"), F("collected_on")
    labs = (
        LabResult.objects.standing()
        .filter(patient__cases=OuterRef(case), kind__in=KINDS, result__in=RESULTS)
        .annotate(day=day, offset=collected - day)
        .filter(offset__range=(-DAYS_BEFORE, DAYS_AFTER))
        .annotate(nearness=Choice(When(collected_on__gte=F("day"), then=F("offset")), default=F("day") - collected))
    )
    return Subquery(labs.order_by(_place("kind", KINDS), "nearness", _place("result", RESULTS)).values("result")[:1])


def _place(name: str, values: tuple[str, ...]) -> Choice:
    return Choice(*(When(**{name: value}, then=Value(place)) for place, value in enumerate(values)))
