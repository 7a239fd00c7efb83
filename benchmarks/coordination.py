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
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.command import set_up, show
from benchmarks.figure import Figure
from benchmarks.versions import judge_with

CASES = 3000
WORKERS = (1, 2, 4, 8)
GOAL = 250
GPUS = 64


def figures(cases: int = CASES, workers: Sequence[int] = WORKERS) -> Iterator[Figure]:
    """Cases a second for each number of workers, the best of them, and how even they are."""
    from benchmarks.database import own_database
    from benchmarks.processes import PREVIEW_PIXELS, queue_rate

    with tempfile.TemporaryDirectory() as folder, own_database("benchmark_coordination") as address:
        judge_with("covidnet8")
        rates = {}
        for count in workers:
            rates[count] = queue_rate(count, cases, address, Path(folder), stub_ms=0)
            yield Figure(f"coordination_{count}_workers", rates[count], "", cases, None, "cases/s")
    slowest, fastest = min(rates.values()), max(rates.values())
    said = f"{os.cpu_count()} cores, previews of {PREVIEW_PIXELS} pixels; {fastest / GPUS:.1f} for each of {GPUS} GPUs"
    yield Figure("coordination_ceiling", fastest, f">= {GOAL}", cases, None, "cases/s", said, fastest >= GOAL)
    counts = f"{min(rates)} to {max(rates)} workers"
    yield Figure("coordination_flatness", slowest / fastest, "", len(rates), None, "", f"slowest/fastest, {counts}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--cases", type=int, default=CASES)
    parser.add_argument("--workers", type=int, nargs="+", default=WORKERS)
    arguments = parser.parse_args()
    set_up()
    show(figures(arguments.cases, arguments.workers))
