"""How far the AI is with what somebody submitted."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from cases.blinding import WITHHELD, Blinding
from cases.models import Batch, BatchItem
from inference.models import Run

REJECTED, NO_RUN = "rejected", "no_run"


@dataclass(frozen=True)
class BatchProgress:
    """A batch with its items, ``runs``, the run that stands for each radiograph by its primary key, and who looks."""

    uid: UUID
    submitted_at: datetime
    items: list[BatchItem]
    runs: dict[int, Run]
    blinding: Blinding

    def run_of(self, item: BatchItem) -> Run | None:
        """The run that may be shown."""
        run = self._run_of(item)
        return None if run is None or self._withholds(run, item) else run

    @property
    def counts(self) -> dict[str, int]:
        """Number of items by status of their run; every status is there, also with 0."""
        found = Counter(self._state(item) for item in self.items)
        return {state: found[state] for state in (*Run.Status.values, REJECTED, NO_RUN, WITHHELD)}

    @property
    def is_finished(self) -> bool:
        return all(run.is_final for run in self.runs.values())

    def _state(self, item: BatchItem) -> str:
        if item.outcome == BatchItem.Outcome.REJECTED:
            return REJECTED
        run = self._run_of(item)
        if run is None:
            return NO_RUN
        return WITHHELD if self._withholds(run, item) else run.status

    def _run_of(self, item: BatchItem) -> Run | None:
        return self.runs.get(item.radiograph_id) if item.radiograph_id is not None else None

    def _withholds(self, run: Run, item: BatchItem) -> bool:
        return run.has_concluded and item.radiograph is not None and self.blinding.hides(item.radiograph.case)


def progress_of(batch: Batch, blinding: Blinding) -> BatchProgress:
    """The batch as it stands now for somebody with this blinding, in two queries whatever its size."""
    items = list(batch.items.select_related("radiograph__case"))
    runs = Run.objects.filter(radiograph__in=[item.radiograph_id for item in items]).by_radiograph()
    return BatchProgress(batch.uid, batch.submitted_at, items, runs, blinding)
