"""One measured number and the goal that it is held against."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    key: str
    value: float
    goal: str
    n: int
    spread: float | None
    unit: str = ""
    note: str = ""
    passed: bool | None = None
