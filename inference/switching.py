"""How often readers leave their blind first impression once they know the AI's reading, and whether that was right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import cast

from django.db.models import Count, Exists, F, OuterRef, Q
from django.db.models.functions import TruncDate

from cases.labels import NOT_DIAGNOSTIC
from cases.models import LabResult
from cases.models.reviews import ReviewQuerySet
from inference.models import Pipeline, Run
from inference.training.metrics import wilson
from portal.accounts.models import User

COVID = "covid"
"""The class that an RT-PCR decides on: the lab results are tests for SARS-CoV-2."""

DAYS_BEFORE, DAYS_AFTER = timedelta(days=3), timedelta(days=7)
"""How far from the day on which a case came in an RT-PCR still speaks of the same illness."""


@dataclass(frozen=True)
class Share:
    """A count and what it is a part of."""

    hits: int
    total: int

    @property
    def value(self) -> float:
        return self.hits / self.total

    @property
    def interval(self) -> tuple[float, float] | None:
        """95 % (Wilson); None where there is nothing to count."""
        return wilson(self.hits, self.total)


@dataclass(frozen=True)
class Switching:
    """One reader's signed blind reads of which the AI had named a class in time.

    Attributes:
        reader: Who read.
        reads: Their number.
        switched: Those whose final label is another than the first impression.
        helpful: Of those that an RT-PCR can judge, the ones that went from wrong to right.
        harmful: The ones that went from right to wrong.
    """

    reader: User
    reads: int
    switched: Share
    helpful: Share
    harmful: Share


def switching_by_reader(reads: ReviewQuerySet) -> list[Switching]:
    """One row for each reader of these reads, in two queries whatever their number."""
    positive, negative = (Exists(_rt_pcr(result)) for result in (LabResult.Result.POSITIVE, LabResult.Result.NEGATIVE))
    says_covid = Q(first_impression=COVID), Q(final_label=COVID)
    # One positive test weighs more than negative ones: RT-PCR misses the disease far more often than it invents it.
    first, final = (says & Q(is_positive=True) | ~says & Q(is_positive=False) for says in says_covid)
    judged = Q(is_positive=True) | Q(is_negative=True)
    judged &= ~Q(first_impression=NOT_DIAGNOSTIC) & ~Q(final_label=NOT_DIAGNOSTIC)
    rows = (
        reads.signed()
        .filter(was_blind=True)
        .filter(Exists(_class_named_in_time()))
        .annotate(
            first_day=TruncDate(F("case__received_at") - DAYS_BEFORE),
            last_day=TruncDate(F("case__received_at") + DAYS_AFTER),
        )
        .annotate(is_positive=positive, is_negative=negative)
        .order_by()
        .values("reader")
        .annotate(
            reads=Count("pk"),
            switched=Count("pk", filter=~Q(final_label=F("first_impression"))),
            judged=Count("pk", filter=judged),
            helpful=Count("pk", filter=judged & ~first & final),
            harmful=Count("pk", filter=judged & first & ~final),
        )
    )
    counted = cast("Sequence[dict[str, int]]", list(rows))
    readers = User.objects.in_bulk([row["reader"] for row in counted])
    figures = [
        Switching(
            reader=readers[row["reader"]],
            reads=row["reads"],
            switched=Share(row["switched"], row["reads"]),
            helpful=Share(row["helpful"], row["judged"]),
            harmful=Share(row["harmful"], row["judged"]),
        )
        for row in counted
    ]
    return sorted(figures, key=lambda one: (str(one.reader), one.reader.pk))


def _class_named_in_time():
    return Run.objects.exclude(pipeline__status=Pipeline.Status.SHADOW).filter(
        radiograph__case=OuterRef("case"),
        prediction__indeterminate_reason="",
        finished_at__lte=OuterRef("signed_at"),
    )


def _rt_pcr(result: str):
    return LabResult.objects.filter(
        patient=OuterRef("case__patient"),
        kind=LabResult.Kind.RT_PCR,
        result=result,
        collected_on__range=(OuterRef("first_day"), OuterRef("last_day")),
    )
