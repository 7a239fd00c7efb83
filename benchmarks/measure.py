"""How long calls take, side by side."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping


def seconds(calls: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, list[float]]:
    """Seconds of each call, taken in turn, so that whatever else the machine does meets all of them; one warm-up."""
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():
        call()
    for _ in range(repeats):
        for name, call in calls.items():
            began = time.perf_counter()
            call()
            taken[name].append(time.perf_counter() - began)
    return taken


def spread(values: list[float]) -> float:
    """Half the distance between the quartiles, relative to the median."""
    low, middle, high = statistics.quantiles(values, n=4)
    return (high - low) / 2 / middle


def ratio(taken: Mapping[str, list[float]], over: str, under: str) -> tuple[float, float]:
    """The median of the ratios within each turn, and their spread."""
    ratios = [a / b for a, b in zip(taken[over], taken[under], strict=True)]
    return statistics.median(ratios), spread(ratios)
