"""Cases by the names and numbers that somebody types."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import and_, or_

from django.core.exceptions import EmptyResultSet
from django.db.models import F, Q, QuerySet
from django.db.models.lookups import In

from cases.models import Patient
from cases.models.cases import CaseQuerySet

RARE = 1000
"""Up to so many hits are looked up one by one and then put in order. More than these are met soon enough on the way
through the cases in order, which stops when the page is full: neither way reads much, however many cases there are."""

SHORTEST_PART = 3  # letters; less than a trigram is in every other name, and no index finds it inside one


def found(cases: CaseQuerySet, words: Sequence[str], *, patients: QuerySet[Patient]) -> CaseQuerySet:
    """Those of the cases that every word fits: it is part of a name, or begins a name or a number.

    Args:
        cases: Cases to choose from.
        words: What was typed.
        patients: The patients that these cases may belong to.
    """
    if not words:
        return cases
    fitting = _all(_patient_fits(word, "patient__") | _case_fits(word) for word in words)
    by_name = _keys(patients.filter(_all(_patient_fits(word) for word in words)))
    numbered = cases.filter(reduce(or_, map(_case_fits, words)))
    by_number = _keys(numbered.filter(fitting) if len(words) > 1 else numbered)
    if len(by_name) > RARE or len(by_number) > RARE:
        return cases.filter(fitting)
    return cases.filter(Q(OneOf(F("patient_id"), by_name)) | Q(OneOf(F("pk"), by_number)))


class OneOf(In):
    """Like ``In``, for many numbers: PostgreSQL gets them as one value, which it reads in a fraction of the time."""

    def as_postgresql(self, compiler, connection):
        if not self.rhs:
            raise EmptyResultSet  # there is nothing to ask
        left, parameters = self.process_lhs(compiler, connection)
        numbers = ",".join(map(str, self.rhs))
        return f"{left} = ANY(%s::bigint[])", [*parameters, f"{{{numbers}}}"]


def _all(conditions) -> Q:
    return reduce(and_, conditions)


def _patient_fits(word: str, patient: str = "") -> Q:
    part = "icontains" if len(word) >= SHORTEST_PART else "istartswith"
    return (
        Q((f"{patient}family_name__{part}", word))
        | Q((f"{patient}given_name__{part}", word))
        | Q((f"{patient}medical_record_number__istartswith", word))
    )


def _case_fits(word: str) -> Q:
    return Q(accession_number__istartswith=word)


def _keys(rows: QuerySet) -> list[int]:
    """Primary keys, and one more than ``RARE`` where there are more."""
    return list(rows.order_by().values_list("pk", flat=True)[: RARE + 1])
