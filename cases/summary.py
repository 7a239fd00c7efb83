"""One outcome for a case from what its runs say; the worklist shows, filters and sorts by it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.db import transaction

from cases.labels import REASSURING
from cases.models import AiStatus, Case


@dataclass(frozen=True)
class AiOutcome:
    """What the active pipeline says of one radiograph."""

    status: AiStatus
    label: str = ""
    probability: float | None = None


def show_ai_outcome(case_id: int, outcomes_of: Callable[[int], Sequence[AiOutcome]]) -> None:
    """Repeats on the case what its runs say, so that the worklist can show, filter and sort by it.

    The case row is locked first: when two runs of a case end at once, the second summary sees both.

    Args:
        case_id: Primary key of the case.
        outcomes_of: Called under the lock with the primary key; returns the ``AiOutcome`` of each radiograph.
    """
    with transaction.atomic():
        Case.objects.select_for_update().only("pk").get(pk=case_id)
        summary = summarise(outcomes_of(case_id))
        Case.objects.filter(pk=case_id).update(
            ai_status=summary.status, ai_label=summary.label, ai_probability=summary.probability
        )


def summarise(outcomes: Sequence[AiOutcome]) -> AiOutcome:
    """One outcome for a case: unfinished before finished, a reading before a failure before a refusal.

    Among readings the least reassuring one stands for the case, so that no suspicious image hides behind an
    unsuspicious one, and an indeterminate one hides behind none that says "normal".
    """
    for status in (AiStatus.RUNNING, AiStatus.QUEUED):
        if any(outcome.status is status for outcome in outcomes):
            return AiOutcome(status)
    read = [outcome for outcome in outcomes if outcome.status in {AiStatus.READY, AiStatus.INDETERMINATE}]
    if read:
        return max(read, key=_suspicion)
    for status in (AiStatus.FAILED, AiStatus.REFUSED):
        if any(outcome.status is status for outcome in outcomes):
            return AiOutcome(status)
    return AiOutcome(AiStatus.OFF)


def _suspicion(outcome: AiOutcome) -> tuple[int, float]:
    """Rises with how little reassuring a reading is."""
    if outcome.status is AiStatus.INDETERMINATE:
        return 1, 0.0
    probability = outcome.probability or 0.0
    return (0, -probability) if outcome.label == REASSURING else (2, probability)
