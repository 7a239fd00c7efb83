"""What happened to a patient around a case, day by day: symptoms, tests, this case and others."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from django.utils import timezone

from cases.models import Case, LabResult


@dataclass(frozen=True)
class Entry:
    """One thing on one day; ``rank`` orders what is on the same day."""

    day: date
    offset_days: int
    rank: int
    lab: LabResult | None = None
    case: Case | None = None
    is_this_case: bool = False

    @property
    def when(self) -> str:
        """In days from this case."""
        days = abs(self.offset_days)
        if not days:
            return "same day"
        return f"{days} day{'' if days == 1 else 's'} {'earlier' if self.offset_days < 0 else 'later'}"


def timeline(case: Case, lab_results: Iterable[LabResult], other_cases: Iterable[Case]) -> list[Entry]:
    """Oldest first. It asks the database nothing, and tells no more of another case than its row has been given."""
    today = timezone.localdate(case.received_at)

    def entry(day: date, rank: int, **what) -> Entry:
        return Entry(day, (day - today).days, rank, **what)

    entries = [entry(today, 2, case=case, is_this_case=True)]
    if case.symptom_onset:
        entries.append(entry(case.symptom_onset, 0))
    entries += [entry(lab.collected_on, 1, lab=lab) for lab in lab_results]
    entries += [entry(timezone.localdate(other.received_at), 2, case=other) for other in other_cases]
    return sorted(entries, key=lambda one: (one.day, one.rank, (one.lab or one.case or case).pk))
