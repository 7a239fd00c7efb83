"""The reading order as plain arithmetic: the rule that ``cases.lanes`` puts to the database, without one.

What has waited for its longest wait comes first, first come first served. The rest goes by priority, and within a
priority first come first served too, where the AI can move a case ahead or back by a bounded time. So no machine
overrules the priority that a person gave, and what the AI takes for normal does not wait for ever.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

LONGEST_WAITING = 0
"""The lane before those of the priorities, which are numbered from 1, the most urgent."""

UNDECIDED = 0.5
"""The suspicion of a case of which the AI names no class: waiting, refused, failed, off or indeterminate. It is not
moved."""

Place = tuple[int, datetime, int]
"""Lane, moment, number of the case: the smaller, the sooner it is read."""


@dataclass(frozen=True)
class Wait:
    """How long a case has waited; ``left`` of its target is negative once that has passed."""

    waited: timedelta
    left: timedelta
    is_longest: bool

    @property
    def is_overdue(self) -> bool:
        return self.left <= timedelta()

    @property
    def over(self) -> timedelta:
        return -self.left


@dataclass(frozen=True)
class Rules:
    """What a facility has set, by priority.

    Attributes:
        targets: Within which time a case should be read.
        longest_waits: After which time it comes before every case that has not waited so long; none is shorter than
            its target.
        ai_weight: How far the AI moves a case that it is sure of: this part of the target, ahead or back; 0 to 1.
    """

    targets: Mapping[int, timedelta]
    longest_waits: Mapping[int, timedelta]
    ai_weight: float = 0.0

    def wait(self, priority: int, received_at: datetime, now: datetime) -> Wait:
        waited = max(now - received_at, timedelta())
        return Wait(waited, self.targets[priority] - waited, waited >= self.longest_waits[priority])

    def place(
        self, *, priority: int, received_at: datetime, ranks_as_of: datetime | None, number: int, now: datetime
    ) -> Place:
        if now - received_at >= self.longest_waits[priority]:
            return LONGEST_WAITING, received_at, number
        moved_to = ranks_as_of if self.ai_weight else None
        return priority, moved_to or received_at, number

    def ranks_as_of(
        self, *, priority: int, received_at: datetime, suspicion: float | None, is_plain: bool = False
    ) -> datetime | None:
        """As if received when a case stands in the lane of its priority; None where the AI does not move it.

        Args:
            priority: The case's.
            received_at: When it was received.
            suspicion: 1 - P(normal); None where the AI names no class.
            is_plain: It belongs to the arm of a trial that is ordered without the AI.
        """
        if suspicion is None or is_plain or not self.ai_weight:
            return None
        return received_at + self.targets[priority] * self.ai_weight * 2 * (UNDECIDED - suspicion)


def is_ai_day(facility: str, day: date) -> bool:
    """Whether a trial orders what ``facility`` receives on this day with the AI: a draw that anybody can repeat.

    One bit of SHA-256 over facility and day; nobody who sends or reads a case can move it to the other arm.
    """
    return bool(hashlib.sha256(f"{facility} {day.isoformat()}".encode()).digest()[0] & 1)
