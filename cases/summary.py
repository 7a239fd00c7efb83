"""One outcome for a case from what its runs say; the worklist shows, filters and sorts by it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
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


Outcomes = Mapping[int, Sequence[AiOutcome]]


def show_ai_outcomes(case_ids: Iterable[int], outcomes_of: Callable[[Collection[int]], Outcomes]) -> None:
    """Repeats on the cases what their runs say, so that the worklist can show, filter and sort by it.

    The case rows are locked first: when two runs of a case end at once, the second summary sees both. They are locked
    in the order of their keys: two workers whose batches share cases wait for each other instead of blocking for ever.

    Args:
        case_ids: Primary keys of the cases.
        outcomes_of: Called under the lock with the primary keys; returns the ``AiOutcome`` of each radiograph, by case.
    """
    with transaction.atomic(savepoint=False):
        rows = Case.objects.select_for_update().filter(pk__in=set(case_ids)).order_by("pk")
        columns = rows.values_list("pk", "ai_status", "ai_label", "ai_probability")
        shown = {pk: AiOutcome(AiStatus(status), label, value) for pk, status, label, value in columns}
        outcomes = outcomes_of(shown)
        changed = defaultdict(list)
        for pk, old in shown.items():
            if (new := summarise(outcomes.get(pk, ()))) != old:
                changed[new].append(pk)
        for new, pks in changed.items():
            Case.objects.filter(pk__in=pks).update(
                ai_status=new.status, ai_label=new.label, ai_probability=new.probability
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
