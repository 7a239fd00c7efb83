"""How soon workers take the images of a case whose priority was changed after they were queued."""

from __future__ import annotations

from cases.models import Case
from inference.models import Run


def follow_priority(case: Case) -> None:
    """Gives the case's runs that have not concluded its priority; in a transaction that has the case locked.

    A run whose row a worker has locked at this moment is passed over: it is being claimed or recorded, and workers lock
    runs before cases, so that each would wait for the other for ever.
    """
    runs = Run.objects.filter(radiograph__in=case.radiographs.values("pk")).exclude(status__in=Run.CONCLUDED)
    unlocked = runs.select_for_update(skip_locked=True).only("pk")
    Run.objects.filter(pk__in=[run.pk for run in unlocked]).update(priority=case.priority)
