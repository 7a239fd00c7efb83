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
    """A batch with its items, and ``runs``, the run that stands for each radiograph by its primary key.

    What the runs of the radiographs in ``withheld`` concluded is not for whoever looks, see ``cases.blinding``.
    """

    uid: UUID
    submitted_at: datetime
    items: list[BatchItem]
    runs: dict[int, Run]
    withheld: frozenset[int]

    def run_of(self, item: BatchItem) -> Run | None:
        """The run, if it may be shown."""
        if item.radiograph_id is None or item.radiograph_id in self.withheld:
            return None
        return self.runs.get(item.radiograph_id)

    @property
    def counts(self) -> dict[str, int]:
        """Number of items by status of their run; every status is there, also with 0."""
        found = Counter(self._state(item) for item in self.items)
        return {state: found[state] for state in (*Run.Status.values, REJECTED, NO_RUN, WITHHELD)}

    @property
    def is_finished(self) -> bool:
        return bool(self.items) and all(run.is_final for run in self.runs.values())

    def _state(self, item: BatchItem) -> str:
        if item.outcome == BatchItem.Outcome.REJECTED:
            return REJECTED
        if item.radiograph_id in self.withheld:
            return WITHHELD
        run = self.run_of(item)
        return run.status if run else NO_RUN


def progress_of(batch: Batch, blinding: Blinding) -> BatchProgress:
    """The batch as it stands now for somebody with this blinding, in two queries whatever its size."""
    items = list(batch.items.select_related("radiograph__case"))
    runs = Run.objects.filter(radiograph__in=[item.radiograph_id for item in items]).by_radiograph()
    radiographs = [item.radiograph for item in items if item.radiograph is not None]
    withheld = frozenset(
        radiograph.pk
        for radiograph in radiographs
        if (run := runs.get(radiograph.pk)) and run.has_concluded and blinding.hides(radiograph.case)
    )
    return BatchProgress(batch.uid, batch.submitted_at, items, runs, withheld)
