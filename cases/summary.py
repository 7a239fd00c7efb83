"""One outcome for a case from what its runs say; the worklist shows, filters and sorts by it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from django.db import transaction

from cases.labels import REASSURING
from cases.lanes import place
from cases.models import AiStatus, Case


@dataclass(frozen=True)
class AiOutcome:
    """What the active pipeline says of one radiograph.

    Attributes:
        status: How far it is.
        label: The class, where it names one.
        probability: Of that class.
        suspicion: 1 - P(normal), where it names a class.
        reason: Why the image is refused, or what failed.
    """

    status: AiStatus
    label: str = ""
    probability: float | None = None
    suspicion: float | None = None
    reason: str = ""


_COLUMNS = [f"ai_{one.name}" for one in fields(AiOutcome)]
_WRITTEN = [*_COLUMNS, "ranks_as_of"]
Outcomes = Mapping[int, Sequence[AiOutcome]]


def show_ai_outcomes(case_ids: Iterable[int], outcomes_of: Callable[[Collection[int]], Outcomes]) -> None:
    """Repeats on the cases what their runs say, so that the worklist can show, filter and sort by it.

    What names a class moves its case in the reading order, too.

    The case rows are locked first: when two runs of a case end at once, the second summary sees both. They are locked
    in the order of their keys: two workers whose batches share cases wait for each other instead of blocking for ever.

    Args:
        case_ids: Primary keys of the cases.
        outcomes_of: Called under the lock with the primary keys; returns the ``AiOutcome`` of each radiograph, by case.
    """
    with transaction.atomic(savepoint=False):
        rows = Case.objects.select_for_update().filter(pk__in=set(case_ids)).order_by("pk")
        cases = {case.pk: case for case in rows.only(*_COLUMNS, "facility", "priority", "received_at", "order_arm")}
        outcomes = outcomes_of(cases)
        changed = defaultdict(list)
        for pk, case in cases.items():
            if (new := summarise(outcomes.get(pk, ()))) != _shown(case):
                changed[new].append(case)
        _write(changed)


def show_queued(case_id: int) -> None:
    """Shows that an image of a case waits for the active pipeline: only one that is being judged comes before it."""
    unless_running = Case.objects.filter(pk=case_id).exclude(ai_status=AiStatus.RUNNING)
    unless_running.update(**_columns(AiOutcome(AiStatus.QUEUED)), ranks_as_of=None)


def _shown(case: Case) -> AiOutcome:
    return AiOutcome(AiStatus(case.ai_status), *(getattr(case, column) for column in _COLUMNS[1:]))


def _columns(outcome: AiOutcome) -> dict[str, Any]:
    return {f"ai_{name}": value for name, value in asdict(outcome).items()}


def _write(changed: Mapping[AiOutcome, Sequence[Case]]) -> None:
    """One statement for each outcome that names no class, and one for all others, which differ in their numbers."""
    concluded: list[Case] = []
    for new, cases in changed.items():
        columns = _columns(new)
        if new.label:
            for case in cases:
                for column, value in columns.items():
                    setattr(case, column, value)
            concluded += cases
        else:
            Case.objects.filter(pk__in=[case.pk for case in cases]).update(**columns, ranks_as_of=None)
    place(concluded)
    if len(concluded) == 1:  # a bulk update of one row costs 5 ms, this one 1
        concluded[0].save(update_fields=_WRITTEN)
    elif concluded:
        Case.objects.bulk_update(concluded, _WRITTEN)


def summarise(outcomes: Sequence[AiOutcome]) -> AiOutcome:
    """One outcome for a case: unfinished before finished, a reading before a failure before a refusal.

    Among readings the least reassuring one stands for the case, so that no suspicious image hides behind an
    unsuspicious one, and an indeterminate one hides behind none that says "normal".
    """
    said = {outcome.status: outcome for outcome in reversed(outcomes)}
    for status in (AiStatus.RUNNING, AiStatus.QUEUED):
        if status in said:
            return said[status]
    read = [outcome for outcome in outcomes if outcome.status in {AiStatus.READY, AiStatus.INDETERMINATE}]
    if read:
        return max(read, key=_suspicion)
    for status in (AiStatus.FAILED, AiStatus.REFUSED):
        if status in said:
            return said[status]
    return AiOutcome(AiStatus.OFF)


def _suspicion(outcome: AiOutcome) -> tuple[int, float]:
    """Rises with how little reassuring a reading is."""
    if outcome.status is AiStatus.INDETERMINATE:
        return 1, 0.0
    probability = outcome.probability or 0.0
    return (0, -probability) if outcome.label == REASSURING else (2, probability)
