"""How far readers agree with each other and with the AI, from signed cases."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Count

from cases.labels import NOT_DIAGNOSTIC
from cases.models import AiStatus, Stage
from cases.models.reviews import ReviewQuerySet
from inference.kappa import Agreement, agreement
from inference.switching import Share
from portal.accounts.models import User

Pairs = Counter[tuple[str, str]]
"""How often one label met another."""


@dataclass(frozen=True)
class Row:
    """One line of a table: who, and how far they agree."""

    readers: tuple[User, ...]
    agreement: Agreement

    @property
    def alike(self) -> Share:
        return Share(self.agreement.agreed, self.agreement.total)

    @property
    def title(self) -> str:
        return " and ".join(str(reader) for reader in self.readers)


@dataclass(frozen=True)
class Table:
    overall: Row
    rows: list[Row]


def between_readers(reads: ReviewQuerySet) -> Table:
    """First against second reads, as first signed; which of the two came first does not matter within a pair."""
    counted = (
        reads.originals()
        .filter(
            stage=Stage.SECOND,
            case__reviews__stage=Stage.FIRST,
            case__reviews__signed_version=1,
            case__reviews__signed_at__isnull=False,
        )
        .order_by()
        .values_list("case__reviews__reader", "reader", "case__reviews__final_label", "final_label")
        .annotate(cases=Count("pk"))
    )
    overall: Pairs = Counter()
    pairs: dict[tuple[int, ...], Pairs] = {}
    for first, second, label, other, cases in counted:
        overall[label, other] += cases
        if first > second:
            first, second, label, other = second, first, other, label
        pairs.setdefault((first, second), Counter())[label, other] += cases
    return _table(overall, pairs)


def with_the_ai(reads: ReviewQuerySet) -> Table:
    """Blind first impressions against the class that the AI names; "not diagnostic" says nothing, and is left out."""
    counted = (
        reads.originals()
        .filter(was_blind=True, case__ai_status=AiStatus.READY)
        .exclude(first_impression=NOT_DIAGNOSTIC)
        .order_by()
        .values_list("reader", "first_impression", "case__ai_label")
        .annotate(cases=Count("pk"))
    )
    overall: Pairs = Counter()
    pairs: dict[tuple[int, ...], Pairs] = {}
    for reader, label, ai_label, cases in counted:
        overall[label, ai_label] += cases
        pairs.setdefault((reader,), Counter())[label, ai_label] += cases
    return _table(overall, pairs)


def _table(overall: Pairs, pairs: dict[tuple[int, ...], Pairs]) -> Table:
    people = User.objects.in_bulk({pk for readers in pairs for pk in readers})
    rows = [Row(_by_name(people[pk] for pk in readers), agreement(counted)) for readers, counted in pairs.items()]
    return Table(Row((), agreement(overall)), sorted(rows, key=lambda row: row.title))


def _by_name(readers: Iterable[User]) -> tuple[User, ...]:
    return tuple(sorted(readers, key=str))
