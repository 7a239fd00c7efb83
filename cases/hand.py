"""The unsigned cases that a reader has to do with, asked for in one statement."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Q, Value

from cases.models import Case, Review


@dataclass(frozen=True)
class Hand:
    """Primary keys of unsigned cases of the reader's facility.

    Attributes:
        cases: Those that the reader holds, has begun to write about, or read while another read is due.
        committed: Of these, those of which the reader has given a first impression or signed a read.
    """

    cases: frozenset[int] = frozenset()
    committed: frozenset[int] = frozenset()


def hand_of(reader) -> Hand:
    """What this user has in hand now."""
    own = Review.objects.filter(reader=reader, case__facility=reader.facility).order_by()
    begun = own.filter(signed_at=None).exclude(case__status=Case.Status.SIGNED).annotate(given=~Q(first_impression=""))
    held = Case.objects.filter(claimed_by=reader, facility=reader.facility).order_by()
    rows = list(
        held.values_list("pk", Value(False)).union(
            begun.values_list("case", "given"), own.awaiting_another().values_list("case", Value(True))
        )
    )
    return Hand(frozenset(pk for pk, _ in rows), frozenset(pk for pk, given in rows if given))
