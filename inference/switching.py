"""How often readers leave their blind first impression once they know the AI's reading, and whether that was right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from django.db.models import Count, Exists, F, OuterRef, Q

from cases.labels import COVID, NOT_DIAGNOSTIC
from cases.models import LabResult
from cases.models.reviews import ReviewQuerySet
from cases.truth import truth_result
from inference.dashboard.statistics import Share
from inference.models import Pipeline, Run
from portal.accounts.models import User


@dataclass(frozen=True)
class Switching:
    """One reader's blind reads of signed cases, as first signed, of which the AI had named a class in time.

    Attributes:
        reader: Who read.
        reads: Their number.
        switched: Those whose final label is another than the first impression.
        helpful: Of those that a lab result can judge, the ones that went from wrong to right.
        harmful: The ones that went from right to wrong.
    """

    reader: User
    reads: int
    switched: Share
    helpful: Share
    harmful: Share


def switching_by_reader(reads: ReviewQuerySet) -> list[Switching]:
    """One row for each reader of these reads, in two queries whatever their number."""
    positive, negative = (Q(truth=result) for result in (LabResult.Result.POSITIVE, LabResult.Result.NEGATIVE))
    says_covid = Q(first_impression=COVID), Q(final_label=COVID)
    first, final = (says & positive | ~says & negative for says in says_covid)
    judged = Q(truth__isnull=False) & ~Q(first_impression=NOT_DIAGNOSTIC) & ~Q(final_label=NOT_DIAGNOSTIC)
    rows = (
        reads.originals()
        .filter(was_blind=True)
        .filter(Exists(_class_named_in_time()))
        .annotate(truth=truth_result("case"))
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
