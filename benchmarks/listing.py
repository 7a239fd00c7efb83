"""Figure 5: whether worklist, case page and the API's case list take as long among a million cases as among a thousand.

Two readers ask for all that can be chosen: tabs, orders, filters, searches, first and deep pages. One belongs to a
facility with three fifths of all cases, one to a facility with a fiftieth; no role sees more than its own facility.

    scripts/with_services.py .venv/bin/python -m benchmarks.listing [--cases 1000 10000 100000 1000000]
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.command import set_up, show
from benchmarks.figure import Figure

SIZES = (1_000, 10_000, 100_000, 1_000_000)
REPEATS = 3
CASE_PAGES = 30  # of each reader
GOAL_RATIO = 1.5
GOAL_QUERIES = 12
EXPLAINED = Path(__file__).resolve().parents[1] / "docs" / "evidence" / "explain-worklist.txt"


@dataclass
class Measured:
    """What one page costs at one number of cases: each request's median time, and its statements."""

    milliseconds: dict[str, float] = field(default_factory=dict)
    queries: dict[str, int] = field(default_factory=dict)

    def percentile(self, percent: int) -> float:
        return statistics.quantiles(self.milliseconds.values(), n=100, method="inclusive")[percent - 1]


def figures(sizes: Sequence[int] = SIZES, explained: Path | None = EXPLAINED) -> Iterator[Figure]:
    """Times by page and number of cases, their growth, and the largest number of statements.

    Args:
        sizes: Numbers of cases, rising.
        explained: Where the plans at the largest number are written.
    """
    from benchmarks.database import own_database
    from benchmarks.many_cases import fill, settle

    first: Mapping[str, Measured] = {}
    with own_database("benchmark_listing"):
        people = settle()
        for size in sizes:
            fill(size)
            measured = _measure(people)
            first = first or measured
            for page, found in measured.items():
                for percent in (50, 95):
                    key, n = f"list_p{percent}_{page}_{_short(size)}", len(found.milliseconds)
                    yield Figure(key, found.percentile(percent), "", n, None, "ms", f"slowest: {_slowest(found)}")
        if explained:
            from benchmarks.explain import write_plans

            write_plans(explained, people, sizes[-1])
    for page, last in measured.items():
        yield from _verdicts(page, first[page], last, f"{_short(sizes[-1])}_over_{_short(sizes[0])}")


def _verdicts(page: str, first: Measured, last: Measured, growth: str) -> Iterator[Figure]:
    ratio, n = last.percentile(95) / first.percentile(95), len(last.milliseconds)
    yield Figure(f"list_p95_ratio_{growth}_{page}", ratio, f"<= {GOAL_RATIO}", n, None, "", "", ratio <= GOAL_RATIO)
    most = max(last.queries, key=last.queries.__getitem__)
    queries = last.queries[most]
    yield Figure(f"list_queries_{page}", queries, f"<= {GOAL_QUERIES}", n, None, "", most, queries <= GOAL_QUERIES)
    more = queries - max(first.queries.values())
    yield Figure(f"list_queries_growth_{page}", more, "<= 0", n, None, "", growth.replace("_", " "), more <= 0)


def _short(size: int) -> str:
    return f"{size // 1_000_000}m" if size >= 1_000_000 else f"{size // 1_000}k"


def _slowest(found: Measured) -> str:
    name = max(found.milliseconds, key=found.milliseconds.__getitem__)
    return f"{name} {found.milliseconds[name]:.0f} ms"


def _measure(people) -> dict[str, Measured]:
    """Every request of both readers, warmed up once."""
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    from benchmarks.pages import requests_of

    measured: dict[str, Measured] = {}
    for size, reader in (("large", people.large), ("small", people.small)):
        client = Client()
        client.force_login(reader, backend="portal.accounts.backends.RoleBackend")
        for page, name, path in requests_of(reader, random.Random(5), CASE_PAGES):  # noqa: S311 - nothing secret
            found, name = measured.setdefault(page, Measured()), f"{size} {name}"
            with CaptureQueriesContext(connection) as queries:
                _get(client, path)
            found.queries[name] = len(queries)
            found.milliseconds[name] = statistics.median(_get(client, path) for _ in range(REPEATS))
    return measured


def _get(client, path: str) -> float:
    """Milliseconds from request to answer, in this process."""
    started = time.perf_counter()
    response = client.get(path)
    took = (time.perf_counter() - started) * 1000
    if response.status_code != 200:
        raise RuntimeError(f"{path} answered {response.status_code}.")
    return took


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--cases", type=int, nargs="+", default=SIZES)
    parser.add_argument("--explain", type=Path, help="where to write the plans at the largest number of cases")
    arguments = parser.parse_args()
    set_up()
    plans = arguments.explain or (EXPLAINED if tuple(arguments.cases) == SIZES else None)
    show(figures(arguments.cases, plans))
