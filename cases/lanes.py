"""The reading order in the database: ``cases.order``, read off indexes lane by lane however many cases wait.

A lane is read in one direction from a place in it, as a keyset page wants it. The lane of the longest waiting has one
stream for each priority, because each has a longest wait of its own; each stream is a range of an index.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import DurationField, ExpressionWrapper, F, QuerySet, Value
from django.db.models.fields.tuple_lookups import Tuple, TupleGreaterThan, TupleLessThan
from django.db.models.functions import Coalesce
from django.db.models.lookups import GreaterThan
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from cases.models import Case, OrderArm, Priority
from cases.models.cases import CaseQuerySet
from cases.order import LONGEST_WAITING, Place, Rules, Wait, is_ai_day
from portal.accounts.models import Facility

LONGEST_PAGING = timedelta(days=1)
"""For so long after the first page the next ones keep to the moment of the first."""


def rules_of(facility: Facility | None) -> Rules:
    """The facility's rules; the usual ones for somebody who belongs to none and sees no case.

    Where readers read blind the AI has no weight: the order would tell them what it says.
    """
    facility = facility or Facility()

    def minutes(what: str) -> dict[int, timedelta]:
        return {
            one.value: timedelta(minutes=getattr(facility, f"{one.name.lower()}_{what}_minutes")) for one in Priority
        }

    weight = 0.0 if facility.blind_first_read else facility.ai_order_weight
    return Rules(minutes("target"), minutes("maximum"), weight)


def wait_of(case: Case) -> Wait:
    return ReadingOrder.of(case.facility).wait(case)


def arm_now(facility: Facility) -> str:
    """The trial arm of a case that is received now, "" without a trial."""
    if not facility.ai_order_trial:
        return ""
    return OrderArm.AI if is_ai_day(str(facility.uid), timezone.localdate()) else OrderArm.PLAIN


@dataclass(frozen=True)
class ReadingOrder:
    """The reading order at one moment: a case that passes its longest wait changes its place."""

    rules: Rules
    now: datetime

    title = "Reading order"

    @classmethod
    def of(cls, facility: Facility | None) -> ReadingOrder:
        return cls(rules_of(facility), timezone.now())

    def place(self, case: Case) -> Place:
        return self.rules.place(
            priority=case.priority,
            received_at=case.received_at,
            ranks_as_of=case.ranks_as_of,
            number=case.pk,
            now=self.now,
        )

    def wait(self, case: Case) -> Wait:
        return self.rules.wait(case.priority, case.received_at, self.now)

    def first(
        self, cases: CaseQuerySet, size: int, *, beyond: Place | None = None, backwards: bool = False
    ) -> list[int]:
        """Primary keys of the first cases, in order.

        Args:
            cases: Unsigned cases to choose from. That they are is for the caller to say, and once: the planner takes a
                condition said twice for two, expects a thirtieth of the rows, and no longer reads them in order.
            size: How many at most.
            beyond: Only what is strictly behind this place.
            backwards: Everything the other way round: what is before that place, nearest first.
        """
        streams = [stream[:size] for stream in self._streams(cases.order_by(), beyond, backwards=backwards)]
        if connection.features.supports_slicing_ordering_in_compound and len(streams) > 1:
            rows = list(streams[0].union(*streams[1:], all=True))
        else:
            rows = [row for stream in streams for row in stream]
        return [number for _, _, number in sorted(rows, reverse=backwards)[:size]]

    def rows(self, cases: CaseQuerySet, size: int, *, beyond: Place | None, backwards: bool) -> list[Case]:
        """Like ``first``, the cases themselves; backwards none where they are fewer, for the start is shown instead."""
        keys = self.first(cases, size, beyond=beyond, backwards=backwards)
        if backwards and len(keys) < size:
            return []
        found = Case.objects.for_worklist().order_by().in_bulk(keys)
        return [found[key] for key in keys if key in found]

    def _streams(self, cases: CaseQuerySet, beyond: Place | None, *, backwards: bool) -> Iterator[QuerySet]:
        """(lane, moment, number) of each lane's cases, in the direction asked for, from the place on."""
        for lane in (LONGEST_WAITING, *Priority.values):
            if beyond is not None and (lane > beyond[0] if backwards else lane < beyond[0]):
                continue
            moment = F("received_at") if lane == LONGEST_WAITING else self._moment
            direction = moment.desc() if backwards else moment.asc()
            for part in self._parts(cases, lane):
                if beyond is not None and lane == beyond[0]:
                    strictly = TupleLessThan if backwards else TupleGreaterThan
                    part = part.filter(strictly(Tuple(moment, F("id")), [*beyond[1:]]))
                rows = part.order_by(direction, "-id" if backwards else "id")
                yield rows.values_list(Value(lane), moment, "id")

    def _parts(self, cases: CaseQuerySet, lane: int) -> Iterator[CaseQuerySet]:
        if lane == LONGEST_WAITING:
            for priority, wait in self.rules.longest_waits.items():
                yield cases.filter(priority=priority, received_at__lte=self.now - wait)
        else:
            since = self.now - self.rules.longest_waits[lane]
            # No case is moved by more than its target. Said because an index is read from there on only where it is.
            nearest = GreaterThan(self._moment, since - self.rules.targets[lane])
            yield cases.filter(nearest, priority=lane, received_at__gt=since)

    @property
    def _moment(self):
        return Coalesce("ranks_as_of", "received_at") if self.rules.ai_weight else F("received_at")

    # What a cursor of the worklist holds ----------------------------------------------------------------------------

    def values(self, case: Case) -> list:
        lane, moment, number = self.place(case)
        return [self.now.isoformat(), lane, moment.isoformat(), number]

    def at(self, values: list) -> tuple[ReadingOrder, Place]:
        """The order as it was when the cursor was made, and the place. Raises ValueError if it is none of ours."""
        then, lane, moment, number = values
        made, placed = moment_of(then), moment_of(moment)
        if type(lane) is not int:
            raise ValueError("not a lane")
        if abs(self.now - made) > LONGEST_PAGING:
            raise ValueError("too old")
        return replace(self, now=made), (lane, placed, number_of(number))


def moment_of(text: Any) -> datetime:
    """A moment that a cursor holds, in UTC; raises ValueError, TypeError or OverflowError for anything else."""
    moment = parse_datetime(text)
    if moment is None or moment.tzinfo is None:
        raise ValueError("not a moment")
    return moment.astimezone(UTC)  # PostgreSQL knows no offset beyond 16 hours


def number_of(value: Any) -> int:
    """The primary key that a cursor holds; raises ValueError for anything else."""
    if type(value) is not int or abs(value) >= 2**31:
        raise ValueError("not a number of a row")
    return value


def place(cases: Collection[Case]) -> None:
    """Sets on the cases, without saving them, where the AI moves each in the reading order of its facility."""
    facilities = Facility.objects.in_bulk({case.facility_id for case in cases})
    rules = {pk: rules_of(facility) for pk, facility in facilities.items()}
    for case in cases:
        case.ranks_as_of = rules[case.facility_id].ranks_as_of(
            priority=case.priority,
            received_at=case.received_at,
            suspicion=case.ai_suspicion,
            is_plain=case.order_arm == OrderArm.PLAIN,
        )


@transaction.atomic
def reorder(facility: Facility) -> None:
    """Moves the facility's unsigned cases to where its settings put them."""
    rules = rules_of(facility)
    waiting = Case.objects.filter(facility=facility).awaiting_review().order_by()
    waiting.exclude(ranks_as_of=None).update(ranks_as_of=None)
    if not rules.ai_weight:
        return
    for priority, target in rules.targets.items():
        by = ExpressionWrapper((1 - 2 * F("ai_suspicion")) * Value(target * rules.ai_weight), DurationField())
        moved = waiting.filter(priority=priority, ai_suspicion__isnull=False).exclude(order_arm=OrderArm.PLAIN)
        moved.update(ranks_as_of=F("received_at") + by)
