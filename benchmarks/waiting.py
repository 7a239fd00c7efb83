"""How long cases wait in different orders: a simulated hospital in which the AI misses a fifth of the sick.

Pure arithmetic, the same numbers for the same seed; docs/worklist.md holds the table that it prints.

    .venv/bin/python -m benchmarks.waiting [--days 240] [--seed 1]
"""

from __future__ import annotations

import argparse
import random
import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from cases.order import Rules

START = datetime(2026, 1, 5, tzinfo=UTC)  # a Monday
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
PER_DAY = 100
READ_MINUTES = 4.2
SHORT_OF_READERS, SLOWER = range(60, 70), 1.7  # these days, by this factor
OPEN = {weekday: (8, 18) if weekday < 5 else (9, 13) for weekday in range(7)}  # reading hours
SICK, MISSED, FALSE_ALARM = 0.15, 0.20, 0.10

RULES = Rules(
    targets={1: 30 * MINUTE, 2: 4 * HOUR, 3: 24 * HOUR},
    longest_waits={1: 90 * MINUTE, 2: 12 * HOUR, 3: 72 * HOUR},
    ai_weight=0.5,
)  # as a new facility has them
NO_LIMIT = dict.fromkeys(RULES.longest_waits, timedelta(days=10_000))


@dataclass(frozen=True)
class Arrival:
    number: int
    received_at: datetime
    priority: int
    suspicion: float
    group: str
    minutes: float

    def place(self, rules: Rules, now: datetime):
        moved = rules.ranks_as_of(priority=self.priority, received_at=self.received_at, suspicion=self.suspicion)
        return rules.place(
            priority=self.priority, received_at=self.received_at, ranks_as_of=moved, number=self.number, now=now
        )


Order = Callable[[Arrival, datetime], tuple]


def _by_ai_within_the_longest_wait(case: Arrival, now: datetime) -> tuple:
    is_longest = RULES.wait(case.priority, case.received_at, now).is_longest
    return (0, case.received_at) if is_longest else (1, -case.suspicion, case.received_at)


ORDERS: dict[str, Order] = {
    "First come, first served": lambda case, now: (case.received_at,),
    "Priority only": lambda case, now: (case.priority, case.received_at),
    "AI alone": lambda case, now: (-case.suspicion, case.received_at),
    "AI alone, longest wait": _by_ai_within_the_longest_wait,
    "Priority and AI, no longest wait": lambda case, now: case.place(replace(RULES, longest_waits=NO_LIMIT), now),
    "**Priority and AI, longest wait** (the portal)": lambda case, now: case.place(RULES, now),
    "Priority, longest wait (the portal, AI weight 0)": lambda case, now: case.place(replace(RULES, ai_weight=0), now),
}
GROUPS = ("sick, AI suspects", "sick, AI misses", "well")


def arrivals(days: int, draw: random.Random) -> list[Arrival]:
    moments = sorted(
        START + timedelta(days=day, hours=draw.triangular(0, 24, 13))
        for day in range(days)
        for _ in range(int(draw.gauss(PER_DAY, PER_DAY**0.5)))
    )
    return [_arrival(number, moment, draw) for number, moment in enumerate(moments)]


def _arrival(number: int, moment: datetime, draw: random.Random) -> Arrival:
    sick = draw.random() < SICK
    suspected = draw.random() < (1 - MISSED if sick else FALSE_ALARM)
    suspicion = draw.uniform(0.6, 0.98) if suspected else draw.uniform(0.02, 0.3)
    group = "well" if not sick else GROUPS[0] if suspected else GROUPS[1]
    priority = draw.choices((1, 2, 3), (3, 12, 85))[0]
    return Arrival(number, moment, priority, suspicion, group, draw.expovariate(1 / READ_MINUTES))


def waits(coming: list[Arrival], order: Order) -> Iterator[tuple[str, float]]:
    """(group, hours waited) of every case, read one after the other in the order as it then stands."""
    waiting: list[Arrival] = []
    now, next_one = START, 0
    while waiting or next_one < len(coming):
        now = _open(now if waiting else max(now, coming[next_one].received_at))
        while next_one < len(coming) and coming[next_one].received_at <= now:
            waiting.append(coming[next_one])
            next_one += 1
        chosen = min(waiting, key=lambda case: order(case, now))
        waiting.remove(chosen)
        yield chosen.group, (now - chosen.received_at) / HOUR
        now += chosen.minutes * (SLOWER if (now - START).days in SHORT_OF_READERS else 1) * MINUTE


def _open(now: datetime) -> datetime:
    """Now, or when reading begins again."""
    while True:
        begins, ends = OPEN[now.weekday()]
        day = now.replace(hour=0, minute=0, second=0, microsecond=0)
        if now < day + begins * HOUR:
            return day + begins * HOUR
        if now < day + ends * HOUR:
            return now
        now = day + timedelta(days=1)


def table(days: int, seed: int) -> Iterator[str]:
    coming = arrivals(days, random.Random(seed))  # noqa: S311 - a simulation
    yield "| Order | " + " | ".join(f"{group}: mean / 95 % / longest" for group in GROUPS) + " |"
    yield "|---|" + "---|" * len(GROUPS)
    for name, order in ORDERS.items():
        found: dict[str, list[float]] = {group: [] for group in GROUPS}
        for group, hours in waits(coming, order):
            found[group].append(hours)
        yield f"| {name} | " + " | ".join(_shown(found[group]) for group in GROUPS) + " |"


def _shown(hours: list[float]) -> str:
    return f"{statistics.fmean(hours):.1f} / {statistics.quantiles(hours, n=20)[-1]:.1f} / {max(hours):.1f}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--days", type=int, default=240)
    parser.add_argument("--seed", type=int, default=1)
    for line in table(**vars(parser.parse_args())):
        print(line)
