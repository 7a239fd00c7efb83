"""One outcome for a case from what its runs say; the worklist shows, filters and sorts by it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.db import transaction

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
    """One outcome for a case: unfinished before finished, a reading before a refusal before a failure.

    Among readings the one that is least likely normal stands for the case, so that no suspicious image hides
    behind an unsuspicious one.
    """
    for status in (AiStatus.RUNNING, AiStatus.QUEUED):
        if any(outcome.status is status for outcome in outcomes):
            return AiOutcome(status)
    ready = [outcome for outcome in outcomes if outcome.status is AiStatus.READY]
    if ready:
        return max(ready, key=_suspicion)
    for status in (AiStatus.FAILED, AiStatus.REFUSED):
        if any(outcome.status is status for outcome in outcomes):
            return AiOutcome(status)
    return AiOutcome(AiStatus.OFF)


def _suspicion(outcome: AiOutcome) -> tuple[bool, float]:
    """Rises with how little reassuring a reading is."""
    probability = outcome.probability or 0.0
    return (True, probability) if outcome.label != "normal" else (False, -probability)
