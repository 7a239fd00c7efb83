"""Figure 6: how many cases a second the queue carries when judging costs nothing.

Real Celery workers run the real task on a private PostgreSQL and Redis; only the networks are replaced by a stub that
takes no time. What remains is what the GPUs of a large installation have in common: claims, results, summaries,
histories.

    scripts/with_services.py .venv/bin/python -m benchmarks.coordination [--cases 3000] [--workers 1 2 4 8]
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from benchmarks.command import set_up, show
from benchmarks.figure import Figure

CASES = 3000
WORKERS = (1, 2, 4, 8)
GOAL = 250
GPUS = 64
PATIENCE_SECONDS = 600
POLL_SECONDS = 0.2


def figures(cases: int = CASES, workers: Sequence[int] = WORKERS) -> Iterator[Figure]:
    """Cases a second for each number of workers, the best of them, and how even they are."""
    from benchmarks.database import own_database
    from benchmarks.stub_workers import PREVIEW_PIXELS
    from inference.catalogue import register_shipped_models

    with tempfile.TemporaryDirectory() as folder, own_database("benchmark_coordination") as address:
        register_shipped_models()
        rates = {}
        for count in workers:
            rates[count] = _rate(count, cases, address, Path(folder))
            yield Figure(f"coordination_{count}_workers", rates[count], "", cases, None, "cases/s")
    slowest, fastest = min(rates.values()), max(rates.values())
    said = f"{os.cpu_count()} cores, previews of {PREVIEW_PIXELS} pixels; {fastest / GPUS:.1f} for each of {GPUS} GPUs"
    yield Figure("coordination_ceiling", fastest, f">= {GOAL}", cases, None, "cases/s", said, fastest >= GOAL)
    counts = f"{min(rates)} to {max(rates)} workers"
    yield Figure("coordination_flatness", slowest / fastest, "", len(rates), None, "", f"slowest/fastest, {counts}")


def _rate(workers: int, cases: int, address: str, media: Path) -> float:
    """Cases a second from the first claim to the last result, on the clock of the database.

    Raises:
        RuntimeError: A case was lost, or judged more than once.
    """
    from django.db.models import Max, Min

    from benchmarks.stub_workers import environment_of, queue_cases, worker
    from cases.dispatch import wake_workers
    from inference.models import Run

    environment = environment_of(address, media)
    with ExitStack() as stack:
        for number in range(workers):
            stack.enter_context(worker(f"stub{number}", environment))
        runs = Run.objects.filter(pk__gte=min(queue_cases(cases, media)))
        for _ in range(workers):
            wake_workers()
        _wait_for(runs)
    span = runs.aggregate(first=Min("started_at"), last=Max("finished_at"))
    once = runs.filter(status=Run.Status.SUCCEEDED, attempts=1, prediction__isnull=False).count()
    if once != cases:
        raise RuntimeError(f"{cases} cases were queued and {once} judged at the first attempt.")
    return cases / (span["last"] - span["first"]).total_seconds()


def _wait_for(runs) -> None:
    from inference.models import Run

    deadline = time.monotonic() + PATIENCE_SECONDS
    while runs.filter(status__in=[Run.Status.QUEUED, Run.Status.RUNNING]).exists():
        if time.monotonic() > deadline:
            raise TimeoutError("The workers have not finished.")
        time.sleep(POLL_SECONDS)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--cases", type=int, default=CASES)
    parser.add_argument("--workers", type=int, nargs="+", default=WORKERS)
    arguments = parser.parse_args()
    set_up()
    show(figures(arguments.cases, arguments.workers))
