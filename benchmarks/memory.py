"""Figure 7, second half: resident memory of web, worker and reaper after work, and how fast a worker is ready.

python scripts/with_services.py python -m benchmarks.memory
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import requests

from benchmarks.command import set_up, show
from benchmarks.figure import Figure
from benchmarks.versions import judge_with

CASES = 64
_PAGES = 50
_MB = 2**20


def figures() -> Iterator[Figure]:
    """Megabytes of each role's largest process, and seconds until a worker that has run here before is ready."""
    from benchmarks.database import own_database
    from benchmarks.processes import environment_of, queue_cases, started, wait_for
    from cases.dispatch import wake_workers
    from inference.models import Run
    from tests.processes import HOST, free_port

    with tempfile.TemporaryDirectory() as folder, own_database("benchmark_memory") as address:
        judge_with("covidnet8")
        environment = environment_of(address, Path(folder)) | {"WEB_BIND": f"{HOST}:{(port := free_port())}"}
        with started("worker", "Worker ready", environment):
            pass  # converts and compiles, where that was not done yet
        began = time.perf_counter()
        with started("worker", "Worker ready", environment) as worker:
            ready = time.perf_counter() - began
            yield Figure("worker_second_start", ready, "<= 10", 1, None, "s", "until it judges", ready <= 10)
            queue_cases(CASES, Path(folder))
            wake_workers()
            wait_for(Run.objects.all())
            megabytes = largest(worker.pid)
            said = f"Covidnet-8, after {CASES} cases"
            yield Figure("memory_worker", megabytes, "<= 1229", 1, None, "MB", said, megabytes <= 1229)
        with started("web", "Booting worker", environment) as web:
            for _ in range(_PAGES):
                requests.get(f"http://{HOST}:{port}/accounts/login/", timeout=30)
            megabytes = largest(web.pid)
            said = f"one process, after {_PAGES} pages"
            yield Figure("memory_web", megabytes, "<= 200", 1, None, "MB", said, megabytes <= 200)
        with started("reaper", "Reaper started", environment) as reaper:
            yield Figure("memory_reaper", largest(reaper.pid), "", 1, None, "MB")


def largest(pid: int) -> float:
    """Resident megabytes of the largest among a process and those that it started."""
    statuses = {}
    for path in Path("/proc").glob("[0-9]*/status"):
        lines = path.read_text(encoding="utf-8").splitlines()
        statuses[int(path.parent.name)] = dict(line.split(":", 1) for line in lines if ":" in line)
    family = {pid}
    while new := {child for child, said in statuses.items() if int(said["PPid"]) in family} - family:
        family |= new
    return max(int(statuses[member]["VmRSS"].split()[0]) * 1024 for member in family) / _MB


if __name__ == "__main__":
    set_up()
    show(figures())
